"""The headers of WeChat Pay's notices: each once, of its shape, and about this very body."""

from typing import Any

import pytest

from clients.pay import NoticeForged
from tests.pay_kit import (
    NOW,
    PROBE,
    Headers,
    both_modes,
    event,
    offline,
    once,
    signed_headers,
)

PAY = offline(platform_keys=both_modes())
NAMES = ("Timestamp", "Nonce", "Serial", "Signature", "Signature-Type")


def refused(body: bytes, headers: Headers | None = None, **signing: Any) -> str:
    """Why it was refused."""
    with pytest.raises(NoticeForged) as no:
        PAY.read_notice(headers or once(signed_headers(body, **signing)), body)
    assert str(no.value) == no.value.why and no.value.__cause__ is None
    return no.value.why


WRONG_HEADERS = {
    "Timestamp": ["", "0", "-1767225612", "+767225612", "17672256120", "1767225612\n", "１" * 10],
    "Nonce": ["", " ", "a b", "a\nb", "x" * 129, "课", "\x00", "\x7f"],
    "Serial": ["", "a b", "../x", "x" * 129, "课", "A1\n"],
    "Signature": ["", " ", "=", "课", "x" * 2049, "\n"],
    "Signature-Type": ["", "WECHATPAY2-SHA256-RSA2048 ", "WECHATPAY2-SM2-WITH-SM3", "wechatpay2-sha256-rsa2048"],
}  # fmt: skip


def test_headers_are_found_in_whatever_letters_and_with_others_beside() -> None:
    body = event()
    for change in (str.lower, str.upper, str.title):
        headers = {change(name): values for name, values in once(signed_headers(body)).items()}
        assert PAY.read_notice(headers | {"Content-Type": ["x"], "Request-ID": []}, body)
    headers = once(signed_headers(body, Signature_Type=None))
    assert PAY.read_notice(headers, body) and PAY.read_notice(headers | {"Wechatpay-Signature-Type": []}, body)


@pytest.mark.parametrize("name", NAMES)
def test_a_header_that_comes_twice_is_refused(name: str) -> None:
    body = event()
    headers = once(signed_headers(body))
    for values in (headers[f"Wechatpay-{name}"] * 2, [*headers[f"Wechatpay-{name}"], ""]):
        assert refused(body, headers | {f"Wechatpay-{name}": values}) == "headers"


@pytest.mark.parametrize("name", NAMES[:-1])
def test_a_header_that_is_missing_is_refused(name: str) -> None:
    body = event()
    headers = once(signed_headers(body))
    assert refused(body, headers | {f"Wechatpay-{name}": []}) == "headers"
    assert refused(body, {key: value for key, value in headers.items() if key != f"Wechatpay-{name}"}) == "headers"
    assert refused(body, {"X": []}) == "headers"


@pytest.mark.parametrize("name", NAMES)
def test_a_header_of_another_shape_is_refused(name: str) -> None:
    body = event()
    for value in WRONG_HEADERS[name]:
        headers = once(signed_headers(body)) | {f"Wechatpay-{name}": [value]}
        assert refused(body, headers) in {"headers", "signature"}


def test_lines_moved_between_time_nonce_and_body_are_refused() -> None:
    body = event()
    headers = once(signed_headers(body))
    (nonce,) = headers["Wechatpay-Nonce"]
    moved = headers | {"Wechatpay-Nonce": [nonce + "\n" + body.decode().replace("\n", "")]}
    assert refused(b"", moved) == "headers"
    assert refused(nonce[-1:].encode() + b"\n" + body, headers | {"Wechatpay-Nonce": [nonce[:-1]]}) == "signature"


def test_a_probe_of_wechat_is_told_from_a_forgery() -> None:
    assert refused(event(), Signature=PROBE) == "signtest"
    assert refused(event(), Signature=PROBE, now=NOW - 1000) == "signtest"
