"""WeChat Pay's cryptography: every vector and its mutations, and what it costs."""

import base64
import time
from collections.abc import Callable

import pytest

from clients.pay import NoticeForged, WeChatPay, read_private_key
from clients.pay_crypto import Merchant, unseal
from tests.pay_kit import (
    API_V3_KEY,
    KEYS,
    MERCHANT_PEM,
    STRANGER_KEY,
    VECTORS,
    Clock,
    Headers,
    both_modes,
    offline,
    once,
    public_key_mode,
    seal,
    signed_headers,
    vector_notice,
)

NOTICES = [name.removeprefix("notify.") for name in VECTORS if name.startswith("notify.")]
GOOD = [name for name in NOTICES if VECTORS[f"notify.{name}"]["expect"]["result"] == "accept"]
BAD = {"signtest": "signtest", "unknown_serial": "serial", "stale": "stale"}
CLOCK = Clock()
PAY = offline(now=CLOCK, platform_keys=both_modes())  # reading a private key takes longer than a thousand notices


def refused(headers: Headers, body: bytes, now: float, pay: WeChatPay = PAY) -> str:
    """Why a notice was refused."""
    CLOCK.now = now
    with pytest.raises(NoticeForged) as no:
        pay.read_notice(headers, body)
    return no.value.why


def merchant(now: float, nonce: str) -> Merchant:
    """The merchant of the vectors."""
    return Merchant(KEYS["mchid"], KEYS["merchant_serial"], read_private_key(MERCHANT_PEM), lambda: now, lambda: nonce)


def test_every_vector_is_used_here() -> None:
    assert {"keys", "request", "jsapi_paysign"} | {f"notify.{name}" for name in NOTICES} == set(VECTORS)
    assert set(GOOD) | set(BAD) == set(NOTICES)


def test_a_request_is_signed_as_wechat_pay_wants_it() -> None:
    given, expected = VECTORS["request"]["input"], VECTORS["request"]["expect"]
    us = merchant(given["timestamp"] + 0.9, given["nonce_str"])
    found = us.authorization(given["method"], given["url_path"], given["body"].encode())
    assert found == expected["authorization"]


def test_a_page_is_signed_as_wechat_pay_wants_it() -> None:
    given, expected = VECTORS["jsapi_paysign"]["input"], VECTORS["jsapi_paysign"]["expect"]
    pay = offline(now=Clock(int(given["timeStamp"])), new_nonce=lambda: given["nonceStr"])
    assert pay.bridge(given["package"].removeprefix("prepay_id=")) == given | {"paySign": expected["paySign"]}


@pytest.mark.parametrize("name", GOOD)
def test_a_notice_of_wechat_pay_is_read(name: str) -> None:
    headers, body, now = vector_notice(name)
    notice = offline(now=Clock(now), platform_keys=both_modes()).read_notice(headers, body)
    assert notice.id == f"EV-own-{name}"
    told = notice.refund or notice.transaction
    assert (told.out_trade_no, told.total_fen) == ("C20260101000001", 19900)
    assert (notice.kind == "REFUND.SUCCESS") is (notice.refund is not None) is (notice.transaction is None)


@pytest.mark.parametrize("name", BAD)
def test_a_notice_that_is_not_wechat_pays_or_not_of_now_is_refused(name: str) -> None:
    assert refused(*vector_notice(name)) == BAD[name]


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("header", ["Timestamp", "Nonce", "Serial", "Signature", "Signature-Type"])
def test_one_changed_bit_of_a_header_is_refused(name: str, header: str) -> None:
    headers, body, now = vector_notice(name)
    (value,) = headers[f"Wechatpay-{header}"]
    for at, letter in enumerate(value):
        for bit in range(7):
            changed = value[:at] + chr(ord(letter) ^ 1 << bit) + value[at + 1 :]
            why = refused(headers | {f"Wechatpay-{header}": [changed]}, body, now)
            assert why in {"headers", "stale", "serial", "signature"}


@pytest.mark.parametrize("name", GOOD)
def test_one_changed_or_missing_byte_of_the_body_is_refused(name: str) -> None:
    headers, body, now = vector_notice(name)
    for at, byte in enumerate(body):
        for changed in (bytes([byte ^ 1]), bytes([byte ^ 128]), b"", bytes([byte, byte])):
            assert refused(headers, body[:at] + changed + body[at + 1 :], now) == "signature"


@pytest.mark.parametrize("name", GOOD)
def test_by_a_changed_api_v3_key_nothing_is_opened(name: str) -> None:
    headers, body, now = vector_notice(name)
    for at, letter in enumerate(API_V3_KEY):
        key = API_V3_KEY[:at] + chr(ord(letter) ^ 1) + API_V3_KEY[at + 1 :]
        assert refused(headers, body, now, offline(now=CLOCK, platform_keys=both_modes(), api_v3_key=key)) == "cipher"


@pytest.mark.parametrize("name", GOOD)
def test_a_stranger_cannot_sign_for_wechat_pay(name: str) -> None:
    headers, body, now = vector_notice(name)
    (serial,) = headers["Wechatpay-Serial"]
    assert refused(once(signed_headers(body, now=now, serial=serial, key=STRANGER_KEY)), body, now) == "signature"
    assert (
        refused(once(signed_headers(body, now=now, serial="5157F09EFDC096DE", key=STRANGER_KEY)), body, now) == "serial"
    )


@pytest.mark.parametrize("off", [-300, -1, 0, 1, 300])
def test_a_notice_within_five_minutes_is_read(off: int) -> None:
    headers, body, now = vector_notice("pubkey")
    assert offline(now=Clock(now + off)).read_notice(headers, body)


@pytest.mark.parametrize("off", [-(10**9), -301, -300.5, 300.5, 301, 10**9])
def test_a_notice_older_or_earlier_than_five_minutes_is_refused(off: float) -> None:
    headers, body, now = vector_notice("pubkey")
    assert refused(headers, body, now + off) == "stale"


def test_what_is_sealed_opens_with_all_its_parts_only() -> None:
    sealed = {name: value for name, value in seal("课程".encode(), "about").items() if name != "algorithm"}
    key = API_V3_KEY.encode()
    assert unseal(key, **sealed).decode() == "课程"
    for changed in (
        {"nonce": "0123456789aB"},
        {"nonce": ""},
        {"nonce": "\ud800" * 12},
        {"associated_data": ""},
        {"ciphertext": ""},
        {"ciphertext": "AAAA"},
        {"ciphertext": "!"},
        {"ciphertext": "课程"},
        {"ciphertext": sealed["ciphertext"][:-4]},
    ):
        with pytest.raises(ValueError):
            unseal(key, **sealed | changed)
    raw = base64.b64decode(sealed["ciphertext"])
    for at in range(len(raw)):
        broken = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        with pytest.raises(ValueError):
            unseal(key, **sealed | {"ciphertext": base64.b64encode(broken).decode()})


def fastest(act: Callable[[], object], times: int = 300) -> float:
    """The seconds of the quickest of many calls: what the machine does beside it does not count."""
    return min(one for one in (timed(act) for _ in range(times)))


def timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def test_proving_and_opening_a_notice_takes_well_under_a_millisecond() -> None:
    headers, body, now = vector_notice("pubkey")
    pay = offline(now=Clock(now), platform_keys=public_key_mode())
    assert fastest(lambda: pay.read_notice(headers, body)) < 0.001
