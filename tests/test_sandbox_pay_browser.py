"""The console's cashier in a real browser: a page's own script opens it, a thumb pays, the page hears of it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.async_api import Frame, Page
from tornado.ioloop import IOLoop

from sandbox.console_phones import view_url
from tests.sandbox_pay_kit import NUMBER, Shop, running

PAGE = """<!doctype html><html lang="zh-CN"><head><meta name="viewport" content="width=device-width"><title>订单</title>
<style>p, button { font: 20px serif; color: red; }</style></head><body><p>课程一门，199 元</p>
<button data-role="pay">微信支付</button><output></output><script>
var said = document.querySelector("output"), ready = [];
document.addEventListener("WeixinJSBridgeReady", function () { said.dataset.ready = "yes"; });
document.querySelector("button").addEventListener("click", function () {
  WeixinJSBridge.invoke("getBrandWCPayRequest", %s, function (told) { said.textContent = told.err_msg; });
});</script></body></html>"""


@pytest.fixture
def shop(io_loop: IOLoop) -> Iterator[Shop]:
    """A merchant and his WeChat Pay."""
    with running(io_loop) as shop:
        yield shop


async def opened(shop: Shop, page: Page, **changes: Any) -> Frame:
    """Anna's phone in the console, on the page of a fresh order."""
    _, made = await shop.order()
    shop.page = PAGE % json.dumps(shop.bridge(made["prepay_id"]) | changes)
    await page.goto(shop.box.console_url + view_url("anna", shop.url))
    frame = page.frame("web")
    await frame.wait_for_url("**/notify")
    return frame


@pytest.mark.browser
@pytest.mark.gen_test(timeout=60)
async def test_a_thumb_pays_in_the_consoles_phone(shop: Shop, browser) -> None:
    page = await browser.phone()
    frame = await opened(shop, page)
    await frame.locator("[data-role=pay]").click()
    await frame.locator("[data-role=sandbox-pay]").wait_for()
    assert await frame.locator("[data-role=cashier-amount]").inner_text() == "¥199.00"
    await browser.shot(page, "pay-sheet-phone")
    await frame.locator("[data-role=sandbox-pay]").click()
    await frame.locator("[data-role=cashier-done]").wait_for()
    await browser.shot(page, "pay-paid-phone")
    await frame.locator("[data-role=cashier-done]").click()
    assert await frame.locator("output[data-ready=yes]").inner_text() == "get_brand_wcpay_request:ok"
    assert shop.pay.orders[NUMBER].state == "SUCCESS"
    assert await frame.locator("[data-role=cashier]").count() == 0


@pytest.mark.browser
@pytest.mark.gen_test(timeout=60)
async def test_the_cross_cancels_and_the_page_can_try_again(shop: Shop, browser) -> None:
    page = await browser.phone()
    frame = await opened(shop, page)
    for _ in range(2):
        await frame.locator("[data-role=pay]").click()
        await frame.locator("[data-role=sandbox-cancel]").click()
        await frame.get_by_text("get_brand_wcpay_request:cancel").wait_for()
        await frame.evaluate("document.querySelector('output').textContent = ''")
    assert shop.pay.orders[NUMBER].state == "NOTPAY"


@pytest.mark.browser
@pytest.mark.gen_test(timeout=60)
async def test_what_cannot_be_paid_says_why_and_fails(shop: Shop, browser) -> None:
    page = await browser.phone()
    frame = await opened(shop, page, nonceStr="another")
    await frame.locator("[data-role=pay]").click()
    await frame.get_by_text("支付验证签名失败").wait_for()
    await browser.shot(page, "pay-refused-phone")
    await frame.locator("[data-role=cashier-done]").click()
    await frame.get_by_text("get_brand_wcpay_request:fail").wait_for()


@pytest.mark.browser
@pytest.mark.gen_test(timeout=60)
async def test_a_qr_is_scanned_and_paid_and_the_merchant_sees_it(shop: Shop, browser) -> None:
    page = await browser.phone()
    _, made = await shop.order("native", description="信息安全职场培训：一门讲得很细、名字也很长的课程")
    await page.goto(shop.box.console_url + "/phones/anna")
    await page.locator("[data-role=scan-what]").fill(made["code_url"])
    await page.locator("[data-role=scan]").click()
    frame = page.frame_locator("iframe[data-role=web]")
    await frame.locator("[data-role=sandbox-pay]").wait_for()
    await browser.shot(page, "pay-native-phone")
    await frame.locator("[data-role=sandbox-pay]").click()
    await frame.get_by_text("支付成功").wait_for()
    await page.goto(shop.box.console_url + "/pay")
    await browser.shot(page, "pay-merchant-phone")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    desk = await browser.pc()
    await desk.goto(shop.box.console_url + "/pay")
    await browser.shot(desk, "pay-merchant-pc")
    await desk.goto(shop.box.console_url + "/switches")
    await browser.shot(desk, "pay-switches-pc")
