"""Platform certificates: fetched when they are due and never often, trusted by the APIv3 key, chosen by serial."""

import asyncio

import pytest

from clients.errors import ConfigRefused, RemoteDown, RemoteError
from clients.pay import NoticeForged, PlatformKeys, WeChatPay
from tests.pay_kit import (
    API_V3_KEY,
    CERTIFICATE_PEM,
    CERTIFICATE_SERIAL,
    NOW,
    PLATFORM_KEY,
    PUBLIC_ID,
    STRANGER_KEY,
    UNPAID,
    Clock,
    authorised,
    both_modes,
    certificate,
    certificates,
    event,
    once,
    paying,
    public_key_mode,
    reply,
    seal,
    signed_headers,
)
from tests.stand_in import CUT, HANG, Asked, answer

NO = UNPAID["out_trade_no"]
OLD, NEW = certificate(0xA1), certificate(0xB2, STRANGER_KEY, starts_at=NOW - 10)
BOTH = certificates(("A1", OLD), ("B2", NEW))
HALF_DAY, FIVE_MINUTES = 12 * 3600, 300


def none_yet() -> PlatformKeys:
    """A merchant on certificates who has not fetched any."""
    return PlatformKeys.of("", None, [])


def listed(asked: Asked) -> bytes:
    """The list, signed by the newer of the two."""
    return reply(BOTH, serial="B2", key=STRANGER_KEY)


def hears(pay: WeChatPay, serial: str, now: int = NOW, key=PLATFORM_KEY) -> bool:
    """Whether a notice under this serial is read."""
    body = event()
    try:
        return bool(pay.read_notice(once(signed_headers(body, now=now, serial=serial, key=key)), body))
    except NoticeForged as no:
        assert no.why == "serial"
        return False


@pytest.mark.gen_test
async def test_certificates_are_fetched_and_each_counts_by_its_serial() -> None:
    async with paying(listed, platform_keys=none_yet()) as (pay, remote):
        assert not hears(pay, "A1")
        await pay.refresh_certificates()
        assert hears(pay, "A1") and hears(pay, "B2", key=STRANGER_KEY) and not hears(pay, "C3")
        remote.script = lambda _: reply(UNPAID, serial="A1")
        assert await pay.query(NO)
    first, second = remote.seen
    assert (first.method, first.target) == ("GET", "/v3/certificates") and authorised(first)
    assert "wechatpay-serial" not in first.headers and second.headers["wechatpay-serial"] == "B2"


@pytest.mark.gen_test
async def test_fresh_certificates_are_not_fetched_again_until_half_a_day_is_over() -> None:
    clock = Clock()
    script = lambda _: reply(BOTH, serial="A1", now=int(clock.now))  # noqa: E731
    async with paying(script, platform_keys=none_yet(), now=clock) as (pay, remote):
        for moment in (0, 1, FIVE_MINUTES, HALF_DAY - 1, HALF_DAY, HALF_DAY + 1, 2 * HALF_DAY):
            clock.now = NOW + moment
            await pay.refresh_certificates()
    assert len(remote.seen) == 3


@pytest.mark.gen_test
async def test_an_unknown_serial_calls_nobody_and_has_certificates_fetched_at_most_every_five_minutes() -> None:
    clock = Clock()
    script = lambda _: reply(BOTH, serial="A1", now=int(clock.now))  # noqa: E731
    async with paying(script, platform_keys=none_yet(), now=clock) as (pay, remote):
        await pay.refresh_certificates()
        for _ in range(100):
            assert not hears(pay, "C3")
        assert len(remote.seen) == 1
        for moment, fetched in ((1, 1), (299, 1), (300, 2), (301, 2), (599, 2), (601, 3)):
            clock.now = NOW + moment
            assert not hears(pay, "C3", now=NOW + moment)
            await pay.refresh_certificates()
            assert len(remote.seen) == fetched


@pytest.mark.gen_test
async def test_without_an_unknown_serial_nothing_is_wanted_after_five_minutes() -> None:
    clock = Clock()
    async with paying(lambda _: reply(BOTH, serial="A1"), platform_keys=none_yet(), now=clock) as (pay, remote):
        await pay.refresh_certificates()
        clock.now = NOW + FIVE_MINUTES
        assert hears(pay, "A1")
        await pay.refresh_certificates()
    assert len(remote.seen) == 1


@pytest.mark.gen_test
async def test_while_wechat_is_down_what_is_known_still_counts_and_it_is_asked_every_five_minutes() -> None:
    clock = Clock()
    keys = PlatformKeys.of("", None, [CERTIFICATE_PEM])
    async with paying(lambda _: CUT, platform_keys=keys, now=clock) as (pay, remote):
        with pytest.raises(RemoteDown):
            await pay.refresh_certificates()
        await pay.refresh_certificates()
        assert len(remote.seen) == 1 and hears(pay, CERTIFICATE_SERIAL)
        clock.now = NOW + FIVE_MINUTES
        with pytest.raises(RemoteDown):
            await pay.refresh_certificates()
    assert len(remote.seen) == 2


@pytest.mark.gen_test
async def test_two_who_want_certificates_at_once_fetch_them_once() -> None:
    async with paying(lambda _: HANG, limits={"total_seconds": 0.2}, platform_keys=none_yet()) as (pay, remote):
        first = asyncio.ensure_future(pay.refresh_certificates())
        await remote.has_seen(1)
        await pay.refresh_certificates()
        first.cancel()
    assert len(remote.seen) == 1


@pytest.mark.gen_test
async def test_a_merchant_with_a_public_key_never_asks_for_certificates() -> None:
    for keys in (public_key_mode(), both_modes()):
        async with paying(lambda _: answer(status=404), platform_keys=keys) as (pay, remote):
            assert not hears(pay, "C3") and hears(pay, PUBLIC_ID)
            await pay.refresh_certificates()
        assert not remote.seen


@pytest.mark.gen_test
async def test_wechats_list_of_today_replaces_the_files_of_the_settings() -> None:
    keys = PlatformKeys.of("", None, [CERTIFICATE_PEM])
    async with paying(listed, platform_keys=keys) as (pay, _):
        assert hears(pay, CERTIFICATE_SERIAL)
        await pay.refresh_certificates()
        assert not hears(pay, CERTIFICATE_SERIAL) and hears(pay, "A1")


@pytest.mark.gen_test
async def test_a_certificate_whose_time_is_over_or_to_come_proves_nothing() -> None:
    over, to_come = certificate(0xA1, ends_at=NOW - 1), certificate(0xB2, starts_at=NOW + 1)
    found = certificates(("A1", over), ("B2", to_come), ("C3", certificate(0xC3)))
    async with paying(lambda _: reply(found, serial="C3"), platform_keys=none_yet()) as (pay, _):
        await pay.refresh_certificates()
        assert not hears(pay, "A1") and not hears(pay, "B2") and hears(pay, "C3")


def with_broken(name: str, value: object) -> dict:
    """The list, a part of its first entry broken."""
    found = certificates(("A1", OLD))
    inner = found["data"][0]
    (inner if name in inner else inner["encrypt_certificate"])[name] = value
    return found


JUNK = {"serial_no": "A1", "encrypt_certificate": seal(b"no certificate", "certificate")}
WRONG_LISTS: dict[str, tuple[bytes, type[RemoteError], str]] = {
    "not signed": (answer(BOTH), RemoteDown, "headers"),
    "signed by none of them": (reply(BOTH), RemoteDown, "serial"),
    "signed by a stranger": (reply(BOTH, serial="A1", key=STRANGER_KEY), RemoteDown, "signature"),
    "stale": (reply(BOTH, serial="A1", now=NOW - 301), RemoteDown, "stale"),
    "empty": (reply({"data": []}, serial="A1"), RemoteDown, "wrong_body"),
    "half": (reply(b'{"data":[{"serial_no":"A1"', serial="A1"), RemoteDown, "wrong_body"),
    "no list": (reply({"data": None}, serial="A1"), RemoteDown, "wrong_body"),
    "sealed otherwise": (reply(with_broken("algorithm", "AEAD_SM4_GCM"), serial="A1"), RemoteDown, "wrong_body"),
    "no certificate in it": (reply({"data": [JUNK]}, serial="A1"), RemoteDown, "wrong_body"),
    "about something else": (
        reply(with_broken("associated_data", "canary"), serial="A1"),
        ConfigRefused,
        "wrong_api_v3_key",
    ),
    "sealed with another key": (
        reply(certificates(("A1", OLD), key=API_V3_KEY[::-1]), serial="A1"),
        ConfigRefused,
        "wrong_api_v3_key",
    ),
    "refused": (answer({"code": "SIGN_ERROR"}, status=401), ConfigRefused, "SIGN_ERROR"),
    "for merchants with a public key": (answer({"code": "SYSTEM_ERROR"}, status=500), RemoteDown, "http_500"),
}


@pytest.mark.gen_test
@pytest.mark.parametrize("wrong", WRONG_LISTS)
async def test_a_list_that_is_not_wechats_changes_nothing(wrong: str) -> None:
    raw, kind, code = WRONG_LISTS[wrong]
    keys = PlatformKeys.of("", None, [CERTIFICATE_PEM])
    async with paying(lambda _: raw, platform_keys=keys) as (pay, _):
        with pytest.raises(kind) as caught:
            await pay.refresh_certificates()
        assert caught.value.code == code and "canary" not in str(caught.value)
        assert hears(pay, CERTIFICATE_SERIAL) and not hears(pay, "A1")


@pytest.mark.gen_test
async def test_check_fetches_certificates_first() -> None:
    def script(asked: Asked) -> bytes:
        unknown = reply({"code": "ORDER_NOT_EXIST"}, status=404, serial="A1")
        return listed(asked) if asked.path == "/v3/certificates" else unknown

    async with paying(script, platform_keys=none_yet()) as (pay, remote):
        await pay.check()
    assert len(remote.seen) == 2
