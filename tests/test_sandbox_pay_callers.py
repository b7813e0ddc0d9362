"""Who may call the sandbox's WeChat Pay, and how it proves its answers."""

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
