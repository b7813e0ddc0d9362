"""WeChat Pay's refusals: each has its kind, says what a person can do, and repeats nothing."""

import logging

import pytest

from clients.errors import ConfigRefused, RemoteDown, RemoteError, RemoteRefused
from clients.pay import NotEnough, NumberUsed, OrderClosed, OrderPaid
from clients.pay_codes import CODES, CallRefused, NoBill, NotKnown, NotReady, TooOften, Unsettled
from tests.pay_calls import (
    CALLS,
    NO,
    REFUND_NO,
    check_silent,
    failure,
    good,
    jsapi,
    native,
    refund,
)
from tests.pay_kit import (
    STRANGER_KEY,
    UNPAID,
    authorised,
    paying,
    refusal,
    reply,
)
from tests.stand_in import CUT, HANG, answer

KINDS = [
    (TooOften, ["FREQUENCY_LIMITED", "RATELIMIT_EXCEEDED", "RATELIMIT_EXCEED"]),
    (Unsettled, ["SYSTEM_ERROR", "BANK_ERROR", "USERPAYING", "USER_PAYING"]),
    (NotReady, ["STATEMENT_CREATING"]),
    (NotEnough, ["NOT_ENOUGH"]),
    (OrderPaid, ["ORDERPAID", "ORDER_PAID"]),
    (OrderClosed, ["ORDER_CLOSED", "ORDERCLOSED"]),
    (NumberUsed, ["OUT_TRADE_NO_USED"]),
    (NotKnown, ["ORDER_NOT_EXIST", "ORDER_NOT_EXISTS", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS", "REFUND_NOT_EXISTS"]),
    (NoBill, ["NO_STATEMENT_EXIST"]),
    (ConfigRefused, ["SIGN_ERROR", "NO_AUTH", "APPID_MCHID_NOT_MATCH", "MCH_NOT_EXISTS", "ACCOUNT_ERROR"]),
    (
        CallRefused,
        [
            "PARAM_ERROR",
            "INVALID_REQUEST",
            "RULE_LIMIT",
            "TRADE_ERROR",
            "USER_ACCOUNT_ABNORMAL",
            "OPENID_MISMATCH",
            "INVALID_TRANSACTIONID",
        ],
    ),
]


FLAT = [(kind, code) for kind, codes in KINDS for code in codes]


def test_every_code_of_the_table_is_tried_here() -> None:
    assert {kind: set(codes) for kind, codes in KINDS} == {kind: set(codes) for kind, codes in CODES.items()}


@pytest.mark.gen_test
@pytest.mark.parametrize(("kind", "code"), FLAT, ids=[code for _, code in FLAT])
async def test_each_refusal_has_its_kind(kind: type[RemoteError], code: str, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    async with paying(lambda _: refusal(code, 403)) as (pay, _):
        found = await failure(pay, refund)
    assert type(found) is kind and (found.code, found.status) == (code, 403)
    assert isinstance(found, RemoteDown) is (kind in {TooOften, Unsettled, NotReady, NotEnough})
    assert getattr(found, "unknown", False) is (kind is Unsettled), "the others have surely not done it"
    check_silent(found, caplog.text)


@pytest.mark.gen_test
async def test_the_status_decides_before_the_code() -> None:
    cases = [
        (500, "ORDERPAID", RemoteDown, "http_500"),
        (503, "NOT_ENOUGH", RemoteDown, "http_503"),
        (429, "NO_AUTH", RemoteDown, "http_429"),
        (401, "ORDERPAID", ConfigRefused, "ORDERPAID"),
        (401, "NEW_TO_US", ConfigRefused, "NEW_TO_US"),
        (202, "USERPAYING", Unsettled, "USERPAYING"),
        (302, "ORDERPAID", Unsettled, "ORDERPAID"),
        (400, "NEW_TO_US", CallRefused, "NEW_TO_US"),
    ]
    async with paying(lambda _: CUT) as (pay, remote):
        for status, code, kind, told in cases:
            remote.script = lambda _, code=code, status=status: refusal(code, status)
            found = await failure(pay, refund)
            assert (type(found), found.code, found.status) == (kind, told, status)


@pytest.mark.gen_test
async def test_an_order_that_is_to_be_changed_after_it_was_made_takes_another_number() -> None:
    async with paying(lambda _: refusal("INVALID_REQUEST", 400)) as (pay, _):
        for call in (jsapi, native):
            assert isinstance(await failure(pay, call), NumberUsed)
        assert type(await failure(pay, refund)) is CallRefused


@pytest.mark.gen_test
@pytest.mark.parametrize("body", [{"code": "canary"}, {"code": ["CANARY"]}, {"code": None}, ["canary"], b"canary", b""])
async def test_a_word_that_is_no_code_is_not_repeated(body: object) -> None:
    async with paying(lambda _: answer(body, status=403)) as (pay, _):
        found = await failure(pay, refund)
    assert str(found) == "wechatpay: http_403 (not in our table)"


@pytest.mark.gen_test
@pytest.mark.parametrize("fault", [HANG, CUT, answer(b"canary", status=500), reply(b"x" * 300_000)])
async def test_when_no_answer_comes_nobody_knows_and_the_same_number_settles_it(fault: bytes | None, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    async with paying(lambda _: fault) as (pay, remote):
        found = await failure(pay, lambda pay: refund(pay, within=0.2))
        assert isinstance(found, RemoteDown) and found.unknown
        check_silent(found, caplog.text)
        remote.script = lambda _: good("refund")
        assert (await refund(pay)).out_refund_no == REFUND_NO
    assert {asked.json["out_refund_no"] for asked in remote.seen} == {REFUND_NO}


@pytest.mark.gen_test
async def test_what_wechat_does_not_know_is_none() -> None:
    for code in ("ORDER_NOT_EXIST", "ORDER_NOT_EXISTS", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS"):
        async with paying(lambda _, code=code: refusal(code, 404)) as (pay, _):
            assert await pay.query(NO) is None
            assert await pay.query_refund(REFUND_NO) is None
            assert await pay.close(NO) is None, "no money can come for it"


@pytest.mark.gen_test
async def test_a_proxys_404_page_says_nothing_about_an_order() -> None:
    async with paying(lambda _: answer(b"<html>canary</html>", status=404)) as (pay, _):
        for name in ("query", "query_refund", "close"):
            found = await failure(pay, CALLS[name][0])
            assert isinstance(found, RemoteRefused) and found.code == "http_404"


@pytest.mark.gen_test
@pytest.mark.parametrize("code", ["ORDER_CLOSED", "ORDERCLOSED"])
async def test_closing_what_is_closed_is_closing_it(code: str) -> None:
    async with paying(lambda _: refusal(code, 400)) as (pay, _):
        assert await pay.close(NO) is None


@pytest.mark.gen_test
@pytest.mark.parametrize("code", ["ORDERPAID", "ORDER_PAID"])
async def test_what_is_paid_is_not_closed(code: str) -> None:
    async with paying(lambda _: refusal(code, 400)) as (pay, remote):
        with pytest.raises(OrderPaid):
            await pay.close(NO)
    assert len(remote.seen) == 1


@pytest.mark.gen_test
@pytest.mark.parametrize("code", ["INVALID_REQUEST", "TRADE_ERROR", "NEW_TO_US"])
async def test_when_closing_is_refused_for_another_word_the_order_itself_says_whether_it_is_paid(code: str) -> None:
    async with paying(lambda asked: good("query") if asked.method == "GET" else refusal(code, 400)) as (pay, remote):
        with pytest.raises(OrderPaid):
            await pay.close(NO)
        remote.script = lambda asked: reply(UNPAID) if asked.method == "GET" else refusal(code, 400)
        with pytest.raises(CallRefused) as caught:
            await pay.close(NO)
    assert caught.value.code == code


@pytest.mark.gen_test
async def test_check_is_content_when_wechat_knows_us_and_we_know_wechat() -> None:
    unknown = {"code": "ORDER_NOT_EXIST", "message": "x"}
    async with paying(lambda _: reply(unknown, status=404)) as (pay, remote):
        await pay.check()
        remote.script = lambda _: refusal("ORDER_NOT_EXIST", 404)
        await pay.check()
    assert len(remote.seen) == 2 and authorised(remote.seen[0])
    assert "/out-trade-no/wxbot-check-no-such-order?mchid=" in remote.seen[0].target


@pytest.mark.gen_test
async def test_check_says_when_wechat_does_not_accept_us_or_we_not_wechat() -> None:
    unknown = {"code": "ORDER_NOT_EXIST"}
    async with paying(lambda _: refusal("SIGN_ERROR", 401)) as (pay, remote):
        with pytest.raises(ConfigRefused, match=r"SIGN_ERROR \(look at merchant id, certificate serial, private key"):
            await pay.check()
        for script, kind in (
            (lambda _: refusal("NO_AUTH", 403), ConfigRefused),
            (lambda _: answer(b"<html>", status=404), RemoteRefused),
            (lambda _: good("query"), RemoteDown),
            (lambda _: reply(unknown, status=404, key=STRANGER_KEY), RemoteDown),
            (lambda _: reply(unknown, status=404, serial="PUB_KEY_ID_9999"), RemoteDown),
        ):
            remote.script = script
            with pytest.raises(kind):
                await pay.check()
