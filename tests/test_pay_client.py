"""WeChat Pay, our side: the very bytes that are signed and sent, and what the answers mean."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from clients.errors import RemoteDown
from clients.pay import PlatformKeys
from tests.pay_calls import (
    CALLS,
    NO,
    OPENID,
    REFUND_NO,
    WECHAT_NO,
    failure,
    good,
    jsapi,
    native,
    refund,
)
from tests.pay_kit import (
    API_V3_KEY,
    APP_ID,
    CERTIFICATE_PEM,
    CERTIFICATE_SERIAL,
    KEYS,
    MCH_ID,
    NONCE,
    NOTIFY,
    NOW,
    PUBLIC_ID,
    REFUND,
    REFUND_NOTIFY,
    UNPAID,
    authorised,
    offline,
    pay_at,
    paying,
    refusal,
    reply,
)
from tests.stand_in import CUT, HANG, stand_in

ORDER_SENT = {
    "appid": APP_ID,
    "mchid": MCH_ID,
    "out_trade_no": NO,
    "description": "课程+星球一年",
    "time_expire": "2026-01-01T08:30:00+08:00",
    "amount": {"total": 19900, "currency": "CNY"},
    "notify_url": NOTIFY,
}


REFUND_SENT = {
    "transaction_id": WECHAT_NO,
    "out_refund_no": REFUND_NO,
    "amount": {"refund": 19900, "total": 19900, "currency": "CNY"},
    "reason": "不合适",
    "notify_url": REFUND_NOTIFY,
}


SENT = {  # method, target, body
    "jsapi": ("POST", "/v3/pay/transactions/jsapi", ORDER_SENT | {"payer": {"openid": OPENID}}),
    "native": ("POST", "/v3/pay/transactions/native", ORDER_SENT),
    "query": ("GET", f"/v3/pay/transactions/out-trade-no/{NO}?mchid={MCH_ID}", None),
    "close": ("POST", f"/v3/pay/transactions/out-trade-no/{NO}/close", {"mchid": MCH_ID}),
    "refund": ("POST", "/v3/refund/domestic/refunds", REFUND_SENT),
    "query_refund": ("GET", f"/v3/refund/domestic/refunds/{REFUND_NO}", None),
}


@pytest.mark.gen_test
@pytest.mark.parametrize("name", CALLS)
async def test_what_is_signed_is_what_is_sent(name: str) -> None:
    async with paying(lambda _: good(name)) as (pay, remote):
        await CALLS[name][0](pay)
    (asked,) = remote.seen
    method, target, body = SENT[name]
    assert (asked.method, asked.target) == (method, target)
    assert (json.loads(asked.body) if asked.body else None) == body
    assert authorised(asked) == {
        "mchid": MCH_ID,
        "nonce_str": NONCE,
        "timestamp": str(NOW),
        "serial_no": KEYS["merchant_serial"],
    }
    assert asked.headers["accept"] == "application/json" and asked.headers["user-agent"] == "wxbot"
    assert asked.headers["wechatpay-serial"] == PUBLIC_ID
    assert asked.headers.get("content-type") == ("application/json" if body else None)
    assert "课程".encode() in asked.body or "description" not in (body or {}), "real UTF-8"


@pytest.mark.gen_test
async def test_a_path_of_the_address_itself_is_signed_too() -> None:
    async with stand_in(lambda _: good("query")) as remote, pay_at(f"{remote.url}/wechatpay") as pay:
        await pay.query(NO)
    assert remote.seen[0].target.startswith("/wechatpay/v3/")
    assert authorised(remote.seen[0])


@pytest.mark.gen_test
async def test_answers_are_asked_for_under_the_newest_certificate_where_there_is_no_public_key() -> None:
    keys = PlatformKeys.of("", None, [CERTIFICATE_PEM])
    async with paying(lambda _: good("query", serial=CERTIFICATE_SERIAL), platform_keys=keys) as (pay, remote):
        assert await pay.query(NO)
    assert remote.seen[0].headers["wechatpay-serial"] == CERTIFICATE_SERIAL


@pytest.mark.gen_test
async def test_an_order_is_made_ready_for_a_page_and_for_a_pc() -> None:
    async with paying(lambda asked: good("jsapi" if "jsapi" in asked.path else "native")) as (pay, _):
        assert await jsapi(pay) == "wx01abc"
        assert await native(pay) == "weixin://wxpay/bizpayurl?pr=p4lpSuKzz"


def test_a_page_gets_six_fields_all_of_them_text() -> None:
    found = offline().bridge("wx01abc")
    assert set(found) == {"appId", "timeStamp", "nonceStr", "package", "signType", "paySign"}
    assert all(isinstance(value, str) for value in found.values())
    assert (found["timeStamp"], found["package"], found["signType"]) == (str(NOW), "prepay_id=wx01abc", "RSA")


@pytest.mark.gen_test
async def test_a_long_title_is_cut_to_what_wechat_takes() -> None:
    async with paying(lambda _: good("native")) as (pay, remote):
        await native(pay, description="课" * 200)
    assert remote.seen[0].json["description"] == "课" * 42


@pytest.mark.gen_test
async def test_a_long_reason_is_cut_between_two_characters() -> None:
    async with paying(lambda _: good("refund")) as (pay, remote):
        await refund(pay, reason="ab" + "课" * 40)
        await refund(pay, reason="")
    assert remote.seen[0].json["reason"] == "ab" + "课" * 26
    assert "reason" not in remote.seen[1].json


@pytest.mark.gen_test
async def test_what_wechat_would_never_take_is_not_sent() -> None:
    async with paying(lambda _: CUT) as (pay, remote):
        for number in (
            "",
            "short",
            "x" * 33,
            "课程课程课程",
            "C2026/0001",
            "C2026 0001",
            "C20260001\n",
            "../../..",
            "C2026@0001",
        ):
            for call in (jsapi(pay, out_trade_no=number), native(pay, out_trade_no=number)):
                with pytest.raises(ValueError):
                    await call
            for call in (pay.query(number), pay.close(number)):
                with pytest.raises(ValueError):
                    await call
        for number in ("", "x" * 65, "R 1", "R/1", "退款", ".."):
            for call in (refund(pay, out_refund_no=number), pay.query_refund(number)):
                with pytest.raises(ValueError):
                    await call
        for wrong in ({"amount_fen": 0}, {"amount_fen": -1}, {"expires_at": datetime(2026, 1, 1)}):
            with pytest.raises(ValueError):
                await native(pay, **wrong)
        for fen in (0, -1, 19901):
            with pytest.raises(ValueError):
                await refund(pay, refund_fen=fen)
    assert not remote.seen


@pytest.mark.gen_test
async def test_odd_letters_of_a_number_are_signed_as_they_stand_in_the_path() -> None:
    found = REFUND | {"out_refund_no": "R*|@1"}
    async with paying(lambda _: reply(found)) as (pay, remote):
        assert (await pay.query_refund("R*|@1")).out_refund_no == "R*|@1"
    assert remote.seen[0].target.endswith("/R%2A%7C%401") and authorised(remote.seen[0])


@pytest.mark.gen_test
async def test_a_paid_order_is_read() -> None:
    async with paying(lambda _: good("query")) as (pay, _):
        found = await pay.query(NO)
    assert (found.out_trade_no, found.state, found.transaction_id) == (NO, "SUCCESS", WECHAT_NO)
    assert (found.trade_type, found.payer_openid, found.total_fen, found.currency) == ("JSAPI", OPENID, 19900, "CNY")
    assert found.paid_at == datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC)
    assert OPENID not in repr(found)


@pytest.mark.gen_test
@pytest.mark.parametrize("state", ["NOTPAY", "CLOSED", "REVOKED", "USERPAYING", "PAYERROR", "NEW_TO_US"])
async def test_an_unpaid_order_has_neither_number_nor_payer(state: str) -> None:
    async with paying(lambda _: reply(UNPAID | {"trade_state": state})) as (pay, _):
        found = await pay.query(NO)
    assert (found.state, found.transaction_id, found.payer_openid, found.total_fen) == (state, "", "", None)
    assert found.paid_at is None


@pytest.mark.gen_test
async def test_a_refund_is_accepted_first_and_done_later() -> None:
    async with paying(lambda _: good("refund")) as (pay, remote):
        found = await refund(pay)
        assert (found.out_refund_no, found.status, found.refund_fen, found.total_fen) == (
            REFUND_NO,
            "PROCESSING",
            19900,
            19900,
        )
        remote.script = lambda _: reply(REFUND | {"status": "SUCCESS"})
        done = await pay.query_refund(REFUND_NO)
    assert done.status == "SUCCESS" and done.succeeded_at == datetime(2026, 1, 2, 1, tzinfo=UTC)
    assert (done.refund_id, done.transaction_id, done.out_trade_no) == (found.refund_id, WECHAT_NO, NO)


@pytest.mark.gen_test
async def test_a_person_waits_no_longer_than_was_said() -> None:
    async with paying(lambda _: HANG) as (pay, _):
        for name, (call, _answer) in CALLS.items():
            async with asyncio.timeout(1.5):
                assert isinstance(await failure(pay, lambda pay, call=call: call(pay, within=0.1)), RemoteDown), name


def test_neither_the_client_nor_what_is_in_it_shows_a_secret() -> None:
    pay = offline()
    told = repr(pay) + repr(vars(pay))
    for secret in (API_V3_KEY, NONCE, "PRIVATE KEY"):
        assert secret not in told


@pytest.mark.gen_test
async def test_moments_of_any_zone_are_said_in_shanghai_time() -> None:
    async with paying(lambda _: good("native")) as (pay, remote):
        await native(pay, expires_at=datetime(2025, 12, 31, 19, 30, tzinfo=timezone(timedelta(hours=-5))))
    assert remote.seen[0].json["time_expire"] == "2026-01-01T08:30:00+08:00"


@pytest.mark.gen_test
async def test_days_are_asked_for_as_they_are_called_in_shanghai() -> None:
    async with paying(lambda _: refusal("NO_STATEMENT_EXIST", 404)) as (pay, remote):
        assert await pay.trade_bill(date(2026, 11, 25)) == []
        assert await pay.fund_flow_bill(date(2026, 11, 25)) == []
    assert [asked.target for asked in remote.seen] == [
        "/v3/bill/tradebill?bill_date=2026-11-25&bill_type=ALL",
        "/v3/bill/fundflowbill?bill_date=2026-11-25&account_type=BASIC",
    ]
    assert all(authorised(asked) for asked in remote.seen)
