"""How a day's bill is had: from where WeChat Pay says under its signature, unchanged, or not at all."""

import hashlib
from collections.abc import Callable

import pytest

from clients.errors import RemoteDown, RemoteError, RemoteRefused
from clients.pay import WeChatPay
from clients.pay_bills import read_fund_bill, read_trade_bill
from clients.pay_codes import NotReady
from tests.bill_kit import DAY, FEE, INCOME, PAID, WHOLE, WRONG_BILLS, bill, fund_bill
from tests.pay_kit import STRANGER_KEY, authorised, paying, refusal, reply
from tests.stand_in import Asked, answer


class Desk:
    """WeChat Pay's desk for bills: says where the file is, and hands it out."""

    def __init__(self, file: bytes) -> None:
        self.file = file
        self.told: dict[str, object] = {}
        self.signing: dict[str, object] = {}

    def __call__(self, asked: Asked) -> bytes:
        if asked.path == "/v3/billdownload/file":
            return answer(self.file)
        url = f"http://{asked.headers['host']}/v3/billdownload/file?token=a%2Fb-_"
        told = {"hash_type": "SHA1", "hash_value": hashlib.sha1(self.file).hexdigest(), "download_url": url}
        return reply(told | self.told, **self.signing)


@pytest.mark.gen_test
async def test_a_days_bill_is_had_from_where_wechat_says_and_read() -> None:
    async with paying(Desk(WHOLE)) as (pay, remote):
        assert await pay.trade_bill(DAY) == read_trade_bill(WHOLE)
    first, second = remote.seen
    assert first.target == "/v3/bill/tradebill?bill_date=2026-11-25&bill_type=ALL"
    assert (second.method, second.target) == ("GET", "/v3/billdownload/file?token=a%2Fb-_")
    assert authorised(first) and authorised(second), "the file is asked for by us, too"


@pytest.mark.gen_test
async def test_a_days_movements_are_had_the_same_way() -> None:
    file = fund_bill(INCOME, FEE)
    async with paying(Desk(file)) as (pay, _):
        assert await pay.fund_flow_bill(DAY) == read_fund_bill(file)


@pytest.mark.gen_test
@pytest.mark.parametrize("status", [400, 404])
async def test_a_day_on_which_nothing_happened_has_an_empty_bill(status: int) -> None:
    async with paying(lambda _: refusal("NO_STATEMENT_EXIST", status)) as (pay, remote):
        assert await pay.trade_bill(DAY) == [] and await pay.fund_flow_bill(DAY) == []
    assert len(remote.seen) == 2


@pytest.mark.gen_test
async def test_a_bill_that_is_being_made_is_asked_for_later() -> None:
    async with paying(lambda _: refusal("STATEMENT_CREATING", 400)) as (pay, _):
        with pytest.raises(NotReady):
            await pay.trade_bill(DAY)


def elsewhere(url: str) -> Callable[[Desk], None]:
    """The file is said to lie at `url`."""

    def change(desk: Desk) -> None:
        desk.told = {"download_url": url}

    return change


def told(**changed: object) -> Callable[[Desk], None]:
    """WeChat tells something else of the file."""

    def change(desk: Desk) -> None:
        desk.told = changed

    return change


def signed(**changed: object) -> Callable[[Desk], None]:
    """The address is signed otherwise."""

    def change(desk: Desk) -> None:
        desk.signing = changed

    return change


WRONG_DESKS: dict[str, tuple[Callable[[Desk], None], type[RemoteError], str]] = {
    "elsewhere": (elsewhere("https://evil.example/v3/billdownload/file?token=a"), RemoteRefused, "foreign_address"),
    "a name that begins alike": (elsewhere("http://127.0.0.1.evil.example/"), RemoteRefused, "foreign_address"),
    "a user before the host": (elsewhere("http://127.0.0.1@evil.example/"), RemoteRefused, "foreign_address"),
    "a file of this machine": (elsewhere("file:///etc/passwd"), RemoteRefused, "foreign_address"),
    "no address": (told(download_url=""), RemoteDown, "wrong_body"),
    "two lines": (told(download_url="http://a/\r\nb: c"), RemoteDown, "wrong_body"),
    "another sum": (told(hash_value="0" * 40), RemoteDown, "wrong_sha1"),
    "no sum": (told(hash_value=""), RemoteDown, "wrong_body"),
    "another kind of sum": (told(hash_type="MD5"), RemoteDown, "wrong_body"),
    "signed by a stranger": (signed(key=STRANGER_KEY), RemoteDown, "signature"),
}


async def no_bill(pay: WeChatPay) -> RemoteError:
    """What asking came to."""
    with pytest.raises(RemoteError) as caught:
        await pay.trade_bill(DAY)
    return caught.value


@pytest.mark.gen_test
@pytest.mark.parametrize("wrong", WRONG_DESKS)
async def test_a_file_that_wechat_does_not_vouch_for_is_not_read(wrong: str) -> None:
    change, kind, code = WRONG_DESKS[wrong]
    desk = Desk(WHOLE)
    change(desk)
    async with paying(desk) as (pay, remote):
        found = await no_bill(pay)
    assert isinstance(found, kind) and found.code == code
    assert len(remote.seen) == (2 if code == "wrong_sha1" else 1)


@pytest.mark.gen_test
async def test_a_sum_in_capitals_is_the_same_sum() -> None:
    desk = Desk(WHOLE)
    desk.told = {"hash_value": hashlib.sha1(WHOLE).hexdigest().upper()}
    async with paying(desk) as (pay, _):
        assert len(await pay.trade_bill(DAY)) == 2


@pytest.mark.gen_test
@pytest.mark.parametrize("wrong", WRONG_BILLS)
async def test_a_file_that_is_no_bill_is_none_though_it_is_the_one_meant(wrong: str) -> None:
    async with paying(Desk(WRONG_BILLS[wrong])) as (pay, _):
        found = await no_bill(pay)
    assert isinstance(found, RemoteDown) and found.code == "wrong_bill"


@pytest.mark.gen_test
async def test_a_refused_file_is_refused() -> None:
    desk = Desk(WHOLE)
    async with paying(lambda asked: refusal("NO_AUTH", 403) if "file" in asked.path else desk(asked)) as (pay, _):
        assert (await no_bill(pay)).code == "NO_AUTH"


@pytest.mark.gen_test
async def test_a_great_days_bill_is_had_too() -> None:
    file = bill(*[PAID] * 5_000)
    async with paying(Desk(file)) as (pay, _):
        assert len(await pay.trade_bill(DAY)) == 5_000
