"""Orders at the sandbox's WeChat Pay by HTTP: what it takes and refuses, in WeChat's own words."""

from collections.abc import Iterator

import pytest
from tornado.ioloop import IOLoop

from tests.sandbox_pay_kit import NUMBER, Shop, running

QUERY = f"/v3/pay/transactions/out-trade-no/{NUMBER}"


@pytest.fixture
def shop(io_loop: IOLoop) -> Iterator[Shop]:
    """A merchant and his WeChat Pay."""
    with running(io_loop) as shop:
        yield shop


@pytest.mark.gen_test
async def test_an_order_is_made_looked_at_and_paid(shop: Shop) -> None:
    code, made = await shop.order(attach="o=17")
    assert code == 200 and made["prepay_id"].startswith("wx20270115160000") and len(made["prepay_id"]) == 36
    code, told = await shop.query()
    assert (code, told["trade_state"], told["amount"]["total"]) == (200, "NOTPAY", 19900)
    assert not {"transaction_id", "success_time", "payer", "bank_type", "trade_type"} & set(told)
    order = shop.pay.pays(NUMBER, shop.anna.person)
    _, told = await shop.query()
    assert told == {
        "appid": shop.box.account.app_id,
        "mchid": shop.own.mch_id,
        "out_trade_no": NUMBER,
        "transaction_id": order.transaction_id,
        "trade_type": "JSAPI",
        "trade_state": "SUCCESS",
        "trade_state_desc": "支付成功",
        "bank_type": "OTHERS",
        "attach": "o=17",
        "success_time": "2027-01-15T16:00:00+08:00",
        "payer": {"openid": shop.anna.openid},
        "amount": {"total": 19900, "payer_total": 19900, "currency": "CNY", "payer_currency": "CNY"},
        "promotion_detail": [],
    }
    assert len(order.transaction_id) == 28 and order.transaction_id.startswith("4200")


@pytest.mark.gen_test
async def test_a_paid_order_is_found_by_wechats_own_number_too(shop: Shop) -> None:
    order = await shop.paid()
    by_id = f"/v3/pay/transactions/id/{order.transaction_id}?mchid={shop.own.mch_id}"
    assert await shop.call("GET", by_id) == await shop.query()


@pytest.mark.gen_test
async def test_a_qr_is_made_for_whoever_scans_it(shop: Shop) -> None:
    code, made = await shop.order("native")
    assert code == 200 and made["code_url"].startswith("weixin://wxpay/bizpayurl?pr=")


@pytest.mark.gen_test
async def test_an_unpaid_order_is_closed_and_closing_again_is_nothing(shop: Shop) -> None:
    await shop.order()
    assert await shop.close() == (204, None)
    assert await shop.close() == (204, None)
    assert (await shop.query())[1]["trade_state"] == "CLOSED"
    assert (await shop.order())[1]["code"] == "ORDER_CLOSED"


@pytest.mark.gen_test
async def test_a_paid_order_is_neither_closed_nor_ordered_again(shop: Shop) -> None:
    await shop.paid()
    for code, told in (await shop.close(), await shop.order()):
        assert (code, told) == (400, {"code": "ORDERPAID", "message": "该订单已支付"})
    assert (await shop.query())[1]["trade_state"] == "SUCCESS"


@pytest.mark.gen_test
async def test_a_number_that_was_closed_before_it_was_ordered_is_spoilt(shop: Shop) -> None:
    assert await shop.close() == (204, None)
    code, told = await shop.order()
    assert (code, told["code"], told["message"]) == (400, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致")
    assert (await shop.query())[0] == 404


@pytest.mark.gen_test
async def test_the_same_order_again_is_made_ready_anew_and_another_one_is_refused(shop: Shop) -> None:
    first, again = await shop.order(), await shop.order()
    assert first[1]["prepay_id"] != again[1]["prepay_id"] and len(shop.pay.orders) == 1
    code, told = await shop.order(amount={"total": 1, "currency": "CNY"})
    assert (code, told["code"], told["message"]) == (400, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致")
    code, told = await shop.order("native")
    assert (code, told["code"]) == (403, "OUT_TRADE_NO_USED")
    assert shop.pay.orders[NUMBER].amount == 19900


@pytest.mark.gen_test
async def test_after_its_time_an_order_is_not_paid_and_after_seven_days_it_is_closed(shop: Shop) -> None:
    _, made = await shop.order(time_expire="2027-01-15T16:30:00+08:00")
    shop.world.forward(30 * 60)
    assert (await shop.query())[1]["trade_state"] == "NOTPAY", "WeChat closes nothing at time_expire"
    assert shop.pay.behind(made["prepay_id"])[1] == "该订单已过期，请重新下单"
    code, told = await shop.order(time_expire="2027-01-15T16:30:00+08:00")
    assert (code, told["code"]) == (400, "INVALID_REQUEST")
    shop.world.forward(7 * 86400)
    assert (await shop.query())[1]["trade_state"] == "CLOSED"


@pytest.mark.gen_test
async def test_a_switch_closes_at_the_time_itself(shop: Shop) -> None:
    shop.own.closes_at_time_expire = True
    await shop.order(time_expire="2027-01-15T16:30:00+08:00")
    shop.world.forward(30 * 60)
    assert (await shop.query())[1]["trade_state"] == "CLOSED"


@pytest.mark.gen_test
async def test_a_time_too_near_is_put_off_to_a_minute(shop: Shop) -> None:
    await shop.order(time_expire="2027-01-15T15:00:00+08:00")
    assert shop.pay.orders[NUMBER].time_expire == shop.world.now() + 60


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"out_trade_no": "C2027"}, "PARAM_ERROR", "字节数 5，小于最小值 6"),
        ({"out_trade_no": "C" * 33}, "PARAM_ERROR", "字节数 33，大于最大值 32"),
        ({"out_trade_no": "C20270115@001"}, "PARAM_ERROR", "字符串必须匹配正则表达式"),
        ({"out_trade_no": 20270115}, "PARAM_ERROR", "此字段需要一个 string 类型的 Json 值"),
        ({"out_trade_no": None}, "PARAM_ERROR", "“商户订单号”必填性规则校验失败，此字段为必填项"),
        ({"amount": {"total": 0}}, "PARAM_ERROR", "“总金额”规则校验失败，值低于最小值 1"),
        ({"amount": {"total": 199.0}}, "PARAM_ERROR", "此字段需要一个合法的 64 位有符号整数"),
        ({"amount": {"total": "19900"}}, "PARAM_ERROR", "此字段需要一个合法的 64 位有符号整数"),
        ({"amount": {"total": True}}, "PARAM_ERROR", "此字段需要一个合法的 64 位有符号整数"),
        ({"amount": {"total": 1, "currency": "USD"}}, "PARAM_ERROR", "“货币类型”"),
        ({"amount": 19900}, "PARAM_ERROR", "此字段需要一个 Json 对象"),
        ({"description": ""}, "PARAM_ERROR", "“商品描述”"),
        ({"description": "课" * 43}, "PARAM_ERROR", "字节数 129，大于最大值 127"),
        ({"attach": "a" * 129}, "PARAM_ERROR", "“附加数据”"),
        ({"notify_url": "http://h5.example.com/pay/notify"}, "PARAM_ERROR", "https"),
        ({"notify_url": "https://h5.example.com/pay/notify?a=1"}, "PARAM_ERROR", "正则表达式"),
        ({"notify_url": "h5.example.com"}, "PARAM_ERROR", "正则表达式"),
        ({"time_expire": "2027-01-15 16:30:00"}, "PARAM_ERROR", "“支付结束时间”"),
        ({"time_expire": "2027-02-30T16:30:00+08:00"}, "PARAM_ERROR", "支付结束时间"),
        ({"goods": "x"}, "PARAM_ERROR", "请求中含有未在API文档中定义的参数"),
        ({"payer": {"openid": "oNobody"}}, "PARAM_ERROR", "无效的openid"),
        ({"payer": None}, "PARAM_ERROR", "“支付者”"),
        ({"mchid": "1900000000"}, "MCH_NOT_EXISTS", "商户号不存在"),
        ({"appid": "wx0000000000000000"}, "APPID_MCHID_NOT_MATCH", "不匹配"),
    ],
)
@pytest.mark.gen_test
async def test_what_is_not_as_it_should_be_is_refused_in_wechats_words(shop: Shop, change, code, words) -> None:
    status, told = await shop.order(**change)
    assert (status, told["code"]) == (400, code) and words in told["message"]
    assert shop.pay.orders == {}


@pytest.mark.gen_test
async def test_a_refusal_names_the_field(shop: Shop) -> None:
    _, told = await shop.order(amount={"total": 0.01})
    assert told["detail"]["location"] == "body" and told["detail"]["value"] == 0.01
    assert told["detail"]["field"] == "/amount/total" and told["detail"]["issue"] == told["message"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"{QUERY}?mchid=1900009999", 404, "ORDER_NOT_EXIST"),
        ("/v3/pay/transactions/id/4200000000202701150000000001?mchid=1900009999", 404, "ORDER_NOT_EXIST"),
        (QUERY, 400, "PARAM_ERROR"),
        (f"{QUERY}?mchid=1900000000", 400, "MCH_NOT_EXISTS"),
    ],
)
@pytest.mark.gen_test
async def test_what_is_not_there_is_said_so(shop: Shop, path, status, code) -> None:
    got, told = await shop.call("GET", path)
    assert (got, told["code"]) == (status, code)
