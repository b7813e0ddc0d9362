"""WeChat Pay in the console: the merchant's page, the cashier of the phones, and the calls of acceptance runs."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.ioloop import IOLoop

from sandbox.browser import Browser
from sandbox.rewriting import to_phone
from tests.sandbox_pay_kit import NUMBER, Shop, running


@pytest.fixture
def shop(io_loop: IOLoop) -> Iterator[Shop]:
    """A merchant and his WeChat Pay."""
    with running(io_loop) as shop:
        yield shop


@pytest.fixture
def pc(shop: Shop) -> Iterator[Browser]:
    """The newcomer's own browser, on the console."""
    browser = Browser(shop.world)
    yield browser
    browser.close()


async def post(shop: Shop, path: str, body: Any = None) -> tuple[int, Any]:
    """One JSON call of the console; without a body it is a GET."""
    how = {"method": "GET"} if body is None else {"method": "POST", "body": json.dumps(body)}
    answer = await AsyncHTTPClient().fetch(HTTPRequest(shop.box.console_url + path, **how), raise_error=False)
    return answer.code, json.loads(answer.body) if answer.body.startswith(b"{") else None


@pytest.mark.gen_test
async def test_the_merchants_page_shows_orders_refunds_and_notices(shop: Shop, pc: Browser) -> None:
    page = await pc.open(shop.box.console_url + "/pay")
    assert page.status == 200 and shop.own.merchant_serial in page.text and "还没有人下单" in page.text
    await shop.order("native")
    await pc.open(shop.box.console_url + "/pay")
    page = await pc.submit("pay-order", person="anna")
    assert "anna付了款" in page.find("said").text and "已支付" in page.text and "收到了 第 1 次，204" in page.text
    assert len(shop.heard) == 1
    await pc.tap("send-again")
    assert len(shop.heard) == 2 and len({one["id"] for one in shop.heard}) == 1


@pytest.mark.gen_test
async def test_the_merchants_page_turns_its_switches(shop: Shop, pc: Browser) -> None:
    await shop.paid()
    asked = {"out_trade_no": NUMBER, "out_refund_no": "R1", "amount": {"refund": 1, "total": 19900, "currency": "CNY"}}
    await shop.call("POST", "/v3/refund/domestic/refunds", asked)
    await pc.open(shop.box.console_url + "/pay")
    await pc.submit("save", mode="certificate", refund_outcome="ABNORMAL", is_certificates_open=False)
    assert (shop.own.mode, shop.own.is_certificates_open) == ("certificate", False)
    page = await pc.tap("settle")
    assert "1 笔退款有了结果" in page.find("said").text and "退款异常" in page.text


@pytest.mark.gen_test
async def test_the_keys_can_be_taken_as_files(shop: Shop, pc: Browser) -> None:
    page = await pc.open(shop.box.console_url + "/pay")
    for link in [one for one in page.links if one.endswith(".pem")]:
        assert (await pc.open(link)).raw.startswith(b"-----BEGIN ")
    assert (await pc.open(shop.box.console_url + "/pay/apiclient_key.pem")).raw == shop.own.merchant_private_key_pem
    assert (await pc.open(shop.box.console_url + "/pay/other.pem")).status == 404


@pytest.mark.gen_test
async def test_pages_have_wechats_bridge_in_wechat_alone(shop: Shop, pc: Browser) -> None:
    inside = shop.box.console_url + to_phone("anna", shop.url)
    shop.page = "<html><head lang=zh><title>x</title>"
    assert '<head lang=zh><script src="/pay-bridge.js"></script><title>' in (await pc.open(inside)).body
    shop.anna.kind = "safari"
    assert "bridge" not in (await pc.open(inside)).body
    script = await pc.open(shop.box.console_url + "/pay-bridge.js")
    assert "WeixinJSBridgeReady" in script.body and ".cashier-sheet{" in script.body


@pytest.mark.gen_test
async def test_the_bridge_asks_the_cashier_and_pays(shop: Shop) -> None:
    _, made = await shop.order()
    told = {"page": to_phone("anna", shop.url), "asked": shop.bridge(made["prepay_id"])}
    shown = {"merchant": "微课", "sum": "199.00", "description": "信息安全职场培训"}
    assert await post(shop, "/phones/anna/pay", told | {"how": "look"}) == (200, shown)
    assert (await post(shop, "/phones/anna/pay", told | {"how": "cancel"}))[1] == {
        "err_msg": "get_brand_wcpay_request:cancel"
    }
    assert (await post(shop, "/phones/anna/pay", told | {"how": "ok"}))[1] == {"err_msg": "get_brand_wcpay_request:ok"}
    assert shop.pay.orders[NUMBER].openid == shop.anna.openid
    shown = {"merchant": "微课", "problem": "该订单已支付"}
    assert await post(shop, "/phones/anna/pay", told | {"how": "look"}) == (200, shown)
    told = (await post(shop, "/phones/anna/pay", told | {"how": "ok"}))[1]
    assert told == {"err_msg": "get_brand_wcpay_request:fail", "err_desc": "该订单已支付"}


@pytest.mark.parametrize(
    "change", [{"page": "/elsewhere"}, {"asked": "x"}, {"how": "steal"}, {"page": None}, {"asked": None}]
)
@pytest.mark.gen_test
async def test_the_bridge_is_not_for_anything_else(shop: Shop, change) -> None:
    told = {"page": to_phone("anna", shop.url), "asked": {}, "how": "look"}
    assert (await post(shop, "/phones/anna/pay", told | change))[0] == 400
    assert (await post(shop, "/phones/nobody/pay", told))[0] == 404
    shop.anna.kind = "safari"
    assert (await post(shop, "/phones/anna/pay", told))[0] == 400


@pytest.mark.gen_test
async def test_scanning_in_the_console_opens_the_cashier(shop: Shop, pc: Browser) -> None:
    _, made = await shop.order("native")
    page = await pc.open(shop.box.console_url + "/phones/anna")
    assert "付款码 ¥199.00 信息安全职场培训" in page.text
    page = await pc.submit("scan", what=made["code_url"])
    inside = shop.box.console_url + page.find("web").attrs["src"]
    page = await pc.open(inside)
    assert page.find("cashier-amount").text == "¥199.00"
    page = await pc.tap("sandbox-pay")
    assert "支付成功" in page.text and shop.pay.orders[NUMBER].openid == shop.anna.openid


@pytest.mark.gen_test
async def test_switches_and_journal_know_wechat_pay(shop: Shop, pc: Browser) -> None:
    page = await pc.open(shop.box.console_url + "/switches")
    words = page.find("fault-kind-pay").text
    assert "用别的密钥加密" in words and "SIGNTEST" in words and "填充" not in words
    await pc.submit("fault-on-pay", kind="signtest", operation="pay.notice", times="1")
    assert [(one.side, one.kind) for one in shop.world.faults.active()] == [("pay", "signtest")]
    await shop.order()
    page = await pc.open(shop.box.console_url + "/journal?side=pay")
    assert "微信支付 收到" in page.text and "pay.jsapi" in page.text


@pytest.mark.gen_test
async def test_acceptance_runs_pay_and_refund_by_json(shop: Shop) -> None:
    await shop.order("native")
    assert (await post(shop, "/control/pay/orders"))[1]["orders"][0]["trade_state"] == "NOTPAY"
    code, told = await post(shop, "/control/pay/orders", {"out_trade_no": NUMBER, "person": "anna"})
    assert (code, told["trade_state"], told["openid"]) == (200, "SUCCESS", shop.anna.openid)
    assert await post(shop, "/control/pay/notices", {}) == (200, {"delivered": 1, "waiting": 0})
    (notice,) = (await post(shop, "/control/pay/notices"))[1]["notices"]
    assert (notice["state"], notice["content"]["out_trade_no"]) == ("delivered", NUMBER)
    assert (await post(shop, "/control/pay/notices", {"id": notice["id"]}))[1]["delivered"] == 1
    asked = {"out_trade_no": NUMBER, "out_refund_no": "R1", "amount": {"refund": 1, "total": 19900, "currency": "CNY"}}
    await shop.call("POST", "/v3/refund/domestic/refunds", asked)
    code, told = await post(shop, "/control/pay/refunds", {"outcome": "CLOSED"})
    assert (code, told["refunds"][0]["status"], shop.pay.refund_outcome) == (200, "CLOSED", "CLOSED")
    told = {"left_out": [NUMBER], "amounts": {"R1": 2}, "added": {"X1": 3}}
    assert await post(shop, "/control/pay/bills", told) == (200, told)


@pytest.mark.gen_test
async def test_acceptance_runs_read_the_keys_and_change_settings(shop: Shop) -> None:
    _, told = await post(shop, "/control/pay")
    assert told["settings"]["merchant_private_key_pem"] == shop.own.merchant_private_key_pem.decode()
    changes = {"mode": "certificate", "refund_seconds": None, "balance_fen": 7, "is_delivering": True}
    code, told = await post(shop, "/control/pay", changes)
    assert (code, told["settings"]["mode"], told["refund_seconds"], told["balance_fen"]) == (
        200,
        "certificate",
        None,
        7,
    )
    assert shop.own.is_delivering is True
    index = (await post(shop, "/control"))[1]
    assert index["addresses"]["pay"] == shop.box.pay_url
    assert {"/control/clock", "/control/pay/orders", "/control/planet/groups"} <= set(index["calls"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {"mode": "secret"}),
        ("", {"api_v3_key": "short"}),
        ("", {"merchant_private_key_pem": "x"}),
        ("", {"refund_outcome": "LOST"}),
        ("/orders", {"out_trade_no": "nothing", "person": "anna"}),
        ("/orders", {"out_trade_no": NUMBER, "person": "nobody"}),
        ("/refunds", {"outcome": "LOST"}),
        ("/notices", {"id": "nothing"}),
        ("/bills", {"lost": []}),
    ],
)
@pytest.mark.gen_test
async def test_a_call_that_makes_no_sense_is_refused(shop: Shop, path, body) -> None:
    await shop.order()
    code, told = await post(shop, f"/control/pay{path}", body)
    assert code == 400 and told["error"]
