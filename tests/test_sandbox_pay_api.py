"""The sandbox's WeChat Pay by HTTP: what it takes and refuses, in WeChat's own words, and how it proves itself."""

import json
from collections.abc import Iterator

import pytest
from tornado.ioloop import IOLoop

from tests.sandbox_pay_kit import NUMBER, Shop, running

JSAPI = "/v3/pay/transactions/jsapi"
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


@pytest.mark.gen_test
async def test_a_body_that_was_changed_on_the_way_is_refused_and_shown(shop: Shop) -> None:
    body = json.dumps(shop.asked()).encode()
    header = shop.authorization("POST", JSAPI, body.replace(b"19900", b"1"))
    answer = await shop.send("POST", JSAPI, body, Authorization=header)
    told = json.loads(answer.body)
    assert (answer.code, told["code"], told["message"]) == (401, "SIGN_ERROR", "错误的签名，验签失败")
    detail, nonce = told["detail"], header.split('nonce_str="')[1].split('"')[0]
    assert (detail["field"], detail["location"]) == ("signature", "authorization")
    assert detail["detail"] == {"issue": "sign not match"}
    shown = f'POST\n{JSAPI}\n1800000000\n{nonce}\n{{"appid"\n'
    length = len(shown) - 8 + len(body)
    own = {"method": "POST", "url": JSAPI, "truncated_sign_message": shown, "sign_message_length": length}
    assert detail["sign_information"] == own
    assert shop.pay.orders == {}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{QUERY}?mchid=1900009999"),
        ("GET", f"{QUERY}?a=1&mchid=1900009999"),
        ("POST", f"{QUERY}/close?x=%E8%AF%BE"),
    ],
)
@pytest.mark.gen_test
async def test_method_and_address_are_signed_as_they_are_sent(shop: Shop, method, path) -> None:
    for other in (("PUT", path), (method, path.partition("?")[0]), (method, path + "&b=2")):
        answer = await shop.send(method, path, Authorization=shop.authorization(*other))
        assert answer.code == 401
        assert json.loads(answer.body)["detail"]["sign_information"]["url"] == path
    assert (await shop.send(method, path, b"{}" if method == "POST" else None)).code != 401


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"timestamp": "1799999699"}, "timestamp与发起请求的时间不得超过5分钟"),
        ({"timestamp": "1800000301"}, "timestamp与发起请求的时间不得超过5分钟"),
        ({"timestamp": "yesterday"}, "timestamp与发起请求的时间不得超过5分钟"),
        ({"timestamp": "1799999999"}, "错误的签名"),
        ({"nonce_str": "other"}, "错误的签名"),
        ({"nonce_str": ""}, "签名信息错误"),
        ({"nonce_str": "n" * 33}, "签名信息错误"),
        ({"nonce_str": "a b"}, "签名信息错误"),
        ({"serial_no": "0" * 40}, "商户证书序列号有误"),
        ({"mchid": "1900000000"}, "签名错误"),
        ({"signature": "ZmFrZQ=="}, "错误的签名"),
        ({"signature": "%%%"}, "错误的签名"),
        ({"more": "1"}, "签名信息错误"),
    ],
)
@pytest.mark.gen_test
async def test_a_caller_who_is_not_the_merchant_is_refused_without_a_signature(shop: Shop, change, words) -> None:
    path = f"{QUERY}?mchid={shop.own.mch_id}"
    answer = await shop.send("GET", path, Authorization=shop.authorization("GET", path, **change))
    assert answer.code == 401 and words in json.loads(answer.body)["message"]
    assert not [name for name in answer.headers if name.lower().startswith("wechatpay-")]


@pytest.mark.gen_test
async def test_five_minutes_are_allowed(shop: Shop) -> None:
    path = f"{QUERY}?mchid={shop.own.mch_id}"
    header = shop.authorization("GET", path)
    shop.world.forward(300)
    assert (await shop.send("GET", path, Authorization=header)).code == 404
    shop.world.forward(1)
    assert (await shop.send("GET", path, Authorization=header)).code == 401


@pytest.mark.parametrize(
    ("path", "headers", "status", "words"),
    [
        ("/v3/certificates", {"Authorization": ""}, 401, "Http头Authorization值格式错误"),
        ("/v3/certificates", {"User_Agent": ""}, 400, "Http头缺少Accept或User-Agent"),
        (f"{QUERY}?mchid=1", {"Authorization": ""}, 401, "签名信息错误，验签失败"),
        (f"{QUERY}?mchid=1", {"Authorization": "Bearer x"}, 401, "签名信息错误，验签失败"),
        (f"{QUERY}?mchid=1900009999", {"User_Agent": ""}, 404, "订单不存在"),
    ],
)
@pytest.mark.gen_test
async def test_the_two_gateways_of_wechat_refuse_each_in_its_words(shop: Shop, path, headers, status, words) -> None:
    answer = await shop.send("GET", path, **headers)
    assert answer.code == status and words in json.loads(answer.body)["message"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", JSAPI, 405), ("GET", "/v3/pay/nothing", 404)])
@pytest.mark.gen_test
async def test_a_wrong_method_and_a_wrong_address_are_answered_without_a_word(shop: Shop, method, path, status) -> None:
    answer = await shop.send(method, path)
    assert (answer.code, answer.body) == (status, b"")
    assert "Wechatpay-Signature" not in answer.headers


@pytest.mark.parametrize("mode", ["public_key", "certificate"])
@pytest.mark.gen_test
async def test_every_answer_is_signed_by_the_key_of_the_mode_or_the_one_that_is_asked_for(shop: Shop, mode) -> None:
    shop.own.mode = mode
    own = {"public_key": shop.own.public_key_id, "certificate": shop.own.platform_serial}
    made = await shop.send("POST", JSAPI, json.dumps(shop.asked()).encode())
    closed = await shop.send("POST", f"{QUERY}/close", b'{"mchid":"1900009999"}')
    refused = await shop.send("GET", f"{QUERY}x?mchid={shop.own.mch_id}")
    assert [one.code for one in (made, closed, refused)] == [200, 204, 404]
    for answer in (made, closed, refused):
        assert answer.headers["Wechatpay-Serial"] == own[mode] and shop.proves(answer.headers, answer.body)
        assert answer.headers["Request-ID"]
    for serial in own.values():
        answer = await shop.send("GET", f"{QUERY}?mchid={shop.own.mch_id}", Wechatpay_Serial=serial)
        assert answer.headers["Wechatpay-Serial"] == serial and shop.proves(answer.headers, answer.body)
    code, told = await shop.call("GET", f"{QUERY}?mchid={shop.own.mch_id}", Wechatpay_Serial="7" * 40)
    assert (code, told["code"], told["message"]) == (400, "PARAM_ERROR", "平台证书序列号Wechatpay-Serial错误")


@pytest.mark.gen_test
async def test_the_platform_certificate_is_given_sealed(shop: Shop) -> None:
    code, told = await shop.call("GET", "/v3/certificates")
    (only,) = told["data"]
    assert (code, only["serial_no"]) == (200, shop.own.platform_serial)
    assert only["effective_time"].endswith("+08:00") and only["expire_time"] > "2100"
    sealed = only["encrypt_certificate"]
    assert (sealed["algorithm"], sealed["associated_data"]) == ("AEAD_AES_256_GCM", "certificate")
    assert len(sealed["nonce"]) == 12 and shop.unsealed(sealed) == shop.own.platform_certificate_pem


@pytest.mark.gen_test
async def test_a_merchant_of_today_has_no_platform_certificate(shop: Shop) -> None:
    shop.own.is_certificates_open = False
    code, told = await shop.call("GET", "/v3/certificates")
    assert (code, told["code"]) == (404, "RESOURCE_NOT_EXISTS") and "无可用的平台证书" in told["message"]
