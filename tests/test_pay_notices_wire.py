"""WeChat Pay's notices on the wire: each fault of body, cipher and fields is one refusal, and nothing else."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from clients.pay import NoticeForged, PayNotice
from tests.pay_kit import (
    MCH_ID,
    NOW,
    REFUND_NOTICE,
    TRANSACTION,
    Headers,
    both_modes,
    event,
    offline,
    once,
    resealed,
    seal,
    signed_headers,
)

PAY = offline(platform_keys=both_modes())


def read(body: bytes, **signing: Any) -> PayNotice:
    """What a body says that WeChat Pay has signed."""
    return PAY.read_notice(once(signed_headers(body, **signing)), body)


def refused(body: bytes, headers: Headers | None = None, **signing: Any) -> str:
    """Why it was refused."""
    with pytest.raises(NoticeForged) as no:
        PAY.read_notice(headers or once(signed_headers(body, **signing)), body)
    assert str(no.value) == no.value.why and no.value.__cause__ is None
    return no.value.why


def test_a_payment_is_told() -> None:
    notice = read(event())
    assert (notice.id, notice.kind, notice.refund) == ("EV-1", "TRANSACTION.SUCCESS", None)
    told = notice.transaction
    assert (told.out_trade_no, told.state, told.total_fen, told.currency) == (
        "C20260101000001",
        "SUCCESS",
        19900,
        "CNY",
    )
    assert told.payer_openid == "oPLATFORMuser00000000000001" and told.payer_openid not in repr(notice)
    assert told.paid_at == datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC)


@pytest.mark.parametrize("status", ["SUCCESS", "ABNORMAL", "CLOSED"])
def test_a_refund_is_told(status: str) -> None:
    notice = read(event(REFUND_NOTICE | {"refund_status": status}, f"REFUND.{status}"))
    assert (notice.kind, notice.transaction, notice.refund.status) == (f"REFUND.{status}", None, status)
    assert (notice.refund.refund_fen, notice.refund.total_fen) == (19900, 19900)


@pytest.mark.parametrize("kind", ["MCHTRANSFER.BILL.FINISHED", "SECURITY_ECHO.SUCCESS", "TRANSACTION.NEW", "NEW"])
def test_a_kind_that_is_none_of_our_business_is_only_named(kind: str) -> None:
    for body in (event(b"whatever it is", kind), event(kind=kind, resource=None)):
        assert read(body) == PayNotice("EV-1", kind)


BODIES = {
    "empty": b"",
    "junk": b"\xff\xfe\x00",
    "text": b"canary",
    "number": b"7",
    "null": b"null",
    "list": b"[]",
    "empty object": b"{}",
    "half": event()[:200],
    "with a mark in front": b"\xef\xbb\xbf" + event(),
    "deep": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "deep list": b"[" * 100_000,
    "a long number": b'{"id":' + b"9" * 60_000 + b"}",
    "no number": event().replace(b'"EV-1"', b"NaN"),
    "a name twice": event().replace(b'{"id"', b'{"id":"EV-0","id"'),
    "a name twice inside": event().replace(b'"resource": {', b'"resource": {"nonce":"x",'),
    "no id": event(id=None),
    "an id that is no text": event(id=7),
    "an id with a newline": event(id="EV\n1"),
    "an id that is too long": event(id="x" * 129),
    "no kind": event(event_type=None),
    "a kind that is no word": event(event_type="canary kind"),
    "half a letter": event(event_type="\ud800"),
    "no resource": event(resource=None),
    "a resource that is text": event(resource="canary"),
    "another algorithm": event(resource=seal(b"{}", "x") | {"algorithm": "AEAD_SM4_GCM"}),
    "no nonce": event(resource=seal(b"{}", "x") | {"nonce": None}),
    "a nonce too short": event(resource=seal(b"{}", "x") | {"nonce": "1234567"}),
    "a nonce too long": event(resource=seal(b"{}", "x") | {"nonce": "1" * 129}),
    "half a letter in it": resealed(ciphertext="\ud800"),
    "no ciphertext": event(resource={"algorithm": "AEAD_AES_256_GCM", "nonce": "0123456789ab"}),
}


@pytest.mark.parametrize("what", BODIES)
def test_a_signed_body_of_another_shape_is_refused(what: str) -> None:
    assert refused(BODIES[what]) == "shape"


@pytest.mark.parametrize(
    "changed",
    [
        {"nonce": "0123456789aB"},
        {"associated_data": "refund"},
        {"associated_data": ""},
        {"ciphertext": ""},
        {"ciphertext": "AAAA"},
        {"ciphertext": "not base64!"},
        {"ciphertext": "课程"},
        {"ciphertext": seal(b"{}", "transaction", nonce="abcdefghijkl")["ciphertext"]},
        seal(b"{}", "transaction", key="x" * 32),
    ],
)
def test_what_is_not_sealed_for_us_is_refused(changed: dict[str, str]) -> None:
    assert refused(resealed(**changed)) == "cipher"


def test_data_that_need_not_be_there_may_be_missing() -> None:
    sealed = seal(json.dumps(TRANSACTION).encode(), "")
    del sealed["associated_data"]
    assert read(event(resource=sealed)).transaction


def without(name: str, plain: dict[str, Any] = TRANSACTION) -> dict[str, Any]:
    return {key: value for key, value in plain.items() if key != name}


PLAIN = {
    "empty": b"",
    "junk": b"\xff",
    "text": b'"canary"',
    "list": [TRANSACTION],
    "a name twice": json.dumps(TRANSACTION).encode().replace(b'{"mchid"', b'{"mchid":"1","mchid"'),
    "no number": json.dumps(TRANSACTION).encode().replace(b"19900", b"Infinity"),
    "no merchant": without("mchid"),
    "no app": without("appid"),
    "no order": without("out_trade_no"),
    "an order with a newline": TRANSACTION | {"out_trade_no": "C1\n"},
    "no state": without("trade_state"),
    "no transaction": without("transaction_id"),
    "no amount": without("amount"),
    "no total": TRANSACTION | {"amount": {"currency": "CNY"}},
    "amount as text": TRANSACTION | {"amount": {"total": "19900"}},
    "amount as a fraction": TRANSACTION | {"amount": {"total": 199.5}},
    "amount as a whole fraction": TRANSACTION | {"amount": {"total": 19900.0}},
    "amount true": TRANSACTION | {"amount": {"total": True}},
    "amount below nothing": TRANSACTION | {"amount": {"total": -1}},
    "amount beyond all": TRANSACTION | {"amount": {"total": 10**12 + 1}},
    "a long amount": json.dumps(TRANSACTION).encode().replace(b"19900", b"9" * 5000),
    "currency in small letters": TRANSACTION | {"amount": {"total": 19900, "currency": "cny"}},
    "payer with half a letter": TRANSACTION | {"payer": {"openid": "o\ud800"}},
    "payer with nothing": TRANSACTION | {"payer": {"openid": ""}},
    "unix time": TRANSACTION | {"success_time": NOW},
    "naive time": TRANSACTION | {"success_time": "2026-01-01T08:00:10"},
    "time of no century of ours": TRANSACTION | {"success_time": "0001-01-01T00:00:00+23:00"},
}


@pytest.mark.parametrize("what", PLAIN)
def test_a_transaction_of_another_shape_is_refused(what: str) -> None:
    assert refused(event(PLAIN[what])) == "shape"


def test_the_greatest_and_the_least_amount_are_read() -> None:
    for total in (0, 10**12):
        assert read(event(TRANSACTION | {"amount": {"total": total, "currency": "CNY"}})).transaction.total_fen == total


@pytest.mark.parametrize(
    "plain",
    [
        without("mchid", REFUND_NOTICE),
        without("out_refund_no", REFUND_NOTICE),
        without("refund_status", REFUND_NOTICE),
        without("amount", REFUND_NOTICE),
        REFUND_NOTICE | {"refund_status": "canary"},
        REFUND_NOTICE | {"amount": {"total": 19900}},
        REFUND_NOTICE | {"amount": {"total": 19900, "refund": -1}},
        REFUND_NOTICE | {"amount": {"total": 19900, "refund": "1"}},
        TRANSACTION,
    ],
)
def test_a_refund_of_another_shape_is_refused(plain: dict[str, Any]) -> None:
    assert refused(event(plain, "REFUND.SUCCESS")) == "shape"


def test_a_notice_to_another_merchant_or_app_is_refused() -> None:
    for changed in ({"mchid": "1900000001"}, {"appid": "wx9999999999999999"}, {"mchid": MCH_ID.replace("1", "2")}):
        assert refused(event(TRANSACTION | changed)) == "foreign"
    for changed in ({"mchid": "1900000001"}, {"appid": "wx9999999999999999"}):
        assert refused(event(REFUND_NOTICE | changed, "REFUND.SUCCESS")) == "foreign"
