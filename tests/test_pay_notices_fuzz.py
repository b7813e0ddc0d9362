"""Whatever comes to the door of notices, signed, sealed or not: it is a notice, or NoticeForged, and nothing else."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clients.pay import NoticeForged, RemoteRefund, Transaction
from tests.pay_kit import (
    NOW,
    PROBE,
    PUBLIC_ID,
    TRANSACTION,
    Headers,
    both_modes,
    event,
    offline,
    once,
    resealed,
    signed_headers,
    vector_notice,
)

PAY = offline(platform_keys=both_modes())
NAMES = ("Timestamp", "Nonce", "Serial", "Signature", "Signature-Type")


def is_refused(headers: Headers, body: bytes) -> bool:
    with pytest.raises(NoticeForged):
        PAY.read_notice(headers, body)
    return True


def check_only_refused(headers: Headers, body: bytes) -> None:
    """It is a notice, or NoticeForged; anything else would get through here."""
    with suppress(NoticeForged):
        notice = PAY.read_notice(headers, body)
        assert isinstance(notice.transaction, Transaction | None) and isinstance(notice.refund, RemoteRefund | None)


PLAIN_NAMES = [*sorted(TRANSACTION), "refund_status", "out_refund_no", "x"]
SEAL_NAMES = ["algorithm", "nonce", "associated_data", "ciphertext", "x"]
GOOD = [str(NOW), "1" * 32, PUBLIC_ID, PROBE, "WECHATPAY2-SHA256-RSA2048"]
texts = st.text(st.characters(exclude_categories=()), max_size=30)
values = st.lists(texts | st.sampled_from(GOOD), max_size=3)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)
changes = st.dictionaries(st.sampled_from(PLAIN_NAMES), anything, max_size=4)
quick = settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))


@quick
@given(st.fixed_dictionaries({f"Wechatpay-{name}": values for name in NAMES}), st.binary(max_size=200))
def test_whatever_stands_in_headers_and_body_is_only_refused(headers: Headers, body: bytes) -> None:
    check_only_refused(headers, body)


@quick
@given(st.binary(max_size=300) | anything.map(lambda value: json.dumps(value).encode()))
def test_whatever_is_signed_is_only_refused(body: bytes) -> None:
    check_only_refused(once(signed_headers(body)), body)


@quick
@given(st.dictionaries(st.sampled_from(["id", "event_type", "resource", "x"]), anything, max_size=3))
def test_whatever_fields_a_signed_notice_has_it_is_only_refused(changed: dict[str, Any]) -> None:
    body = event(**changed)
    check_only_refused(once(signed_headers(body)), body)


@quick
@given(st.dictionaries(st.sampled_from(SEAL_NAMES), anything, max_size=3))
def test_whatever_a_seal_says_it_is_only_refused(changed: dict[str, Any]) -> None:
    body = resealed(**changed)
    check_only_refused(once(signed_headers(body)), body)


@quick
@given(st.binary(max_size=200) | changes.map(lambda changed: json.dumps(TRANSACTION | changed).encode()))
def test_whatever_is_sealed_it_is_only_refused(plain: bytes) -> None:
    for kind in ("TRANSACTION.SUCCESS", "REFUND.SUCCESS"):
        body = event(plain, kind)
        check_only_refused(once(signed_headers(body)), body)


@pytest.mark.parametrize("name", ["pubkey", "refund"])
def test_every_changed_byte_of_a_body_that_is_signed_again_is_read_or_refused(name: str) -> None:
    """Only WeChat could sign it; still nothing but the one error may come out."""
    _, body, _ = vector_notice(name)
    for at, byte in enumerate(body):
        changed = body[:at] + bytes([byte ^ 1]) + body[at + 1 :]
        check_only_refused(once(signed_headers(changed)), changed)


@pytest.mark.parametrize("value", [chr(letter) for letter in range(256)] + ["\ud800", "课", "\u2028"])
def test_every_letter_in_every_header_is_refused(value: str) -> None:
    body = event()
    headers = once(signed_headers(body))
    for name in NAMES:
        (good,) = headers[f"Wechatpay-{name}"]
        for changed in (value + good, good + value, value, good[:5] + value + good[5:]):
            assert is_refused(headers | {f"Wechatpay-{name}": [changed]}, body)
