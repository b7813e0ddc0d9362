"""Buying in a real browser: on the phone, at a PC whose QR a phone pays, and having the money back or not."""

import pytest
from playwright.async_api import Page, expect

from sandbox.rewriting import to_phone
from services import people
from tests.browser import Browser
from tests.buy_kit import hears, order_of, states
from tests.site import COURSE, Site
from tests.test_story_scan_browser import role

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=120)]
SOON_MS = 8000


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


async def opens(site: Site, phone: Page, path: str, name: str = "anna") -> None:
    """A page of ours in somebody's phone, signed in."""
    site.phone(name)  # now there is one
    await phone.goto(f"{site.box.console_url}{to_phone(name, site.base_url + path)}")
    if await role(phone, "sign-in").is_visible():
        await role(phone, "sign-in").click()


async def is_so(page: Page, state: str) -> None:
    """The order's page comes to this state by itself."""
    await expect(role(page, "order-state")).to_have_attribute("data-state", state, timeout=SOON_MS)


async def orders(site: Site, phone: Page, browser: Browser | None = None) -> None:
    """From the course's page to the order's, on the phone."""
    browser and browser.forgive("status of 401")
    await opens(site, phone, f"/courses/{COURSE}")
    await role(phone, "buy").click()
    if await role(phone, "sign-in").is_visible():
        await role(phone, "sign-in").click()
    await role(phone, "to-pay").wait_for()


async def pays_in_wechat(phone: Page) -> None:
    """WeChat's own cashier: look, and pay."""
    await role(phone, "pay").click()
    await role(phone, "sandbox-pay").click()
    await role(phone, "cashier-done").click()
    await is_so(phone, "paid")


async def test_a_course_is_bought_on_the_phone_and_given_back_in_time(site, browser):
    phone = await browser.phone()
    await orders(site, phone, browser)
    await browser.shot(phone, "buy-1-phone-checkout")
    await role(phone, "pay").click()
    await is_so(phone, "unpaid")
    await browser.shot(phone, "buy-2-phone-order")
    await role(phone, "pay").click()
    await role(phone, "sandbox-cancel").click()
    await expect(phone.get_by_text("没有付款")).to_be_visible()
    await role(phone, "pay").click()
    await role(phone, "sandbox-pay").wait_for()
    await browser.shot(phone, "buy-3-phone-cashier", whole=False)
    await role(phone, "sandbox-pay").click()
    await role(phone, "cashier-done").click()
    await is_so(phone, "paid")
    await browser.shot(phone, "buy-4-phone-paid")
    await hears(site)

    order = await order_of(site)
    await opens(site, phone, f"/orders/{order.no}/refund")
    await browser.shot(phone, "buy-5-phone-refund")
    await phone.get_by_label("为什么退款").fill("买错了")
    await role(phone, "refund").click()
    await expect(phone.get_by_role("heading", name="退款处理中")).to_be_visible()
    await browser.shot(phone, "buy-6-phone-refund-open")
    await site.delivers()
    site.box.pay.settle_refunds()
    await hears(site)
    await is_so(phone, "refunded")
    await browser.shot(phone, "buy-7-phone-refunded")
    await opens(site, phone, "/me/orders")
    await browser.shot(phone, "buy-8-phone-orders")
    await opens(site, phone, "/me/access")
    await browser.shot(phone, "buy-9-phone-access")
    assert (await states(site))["rights"] == ["over"] and await site.broken() == []


async def test_at_a_pc_a_phone_pays_the_qr_and_the_page_moves_on_by_itself(site, browser):
    phone, pc = await browser.phone(), await browser.pc()
    browser.forgive("status of 401")
    await signs_in_at_the_pc(site, pc)
    await pc.goto(f"{site.base_url}/courses/{COURSE}")
    await browser.shot(pc, "buy-10-pc-course")
    await role(pc, "buy").click()
    await role(pc, "pay").click()
    await is_so(pc, "unpaid")
    await browser.shot(pc, "buy-11-pc-qr")
    code = await role(pc, "pay-code").text_content()
    await phone.goto(f"{site.box.console_url}/phones/{site.phone('bob').person.name}")
    await role(phone, "scan-what").fill(code)
    await role(phone, "scan").click()
    frame = phone.frame_locator("iframe[data-role=web]")
    await frame.locator("[data-role=sandbox-pay]").wait_for()
    await browser.shot(phone, "buy-12-phone-native", whole=False)
    await frame.locator("[data-role=sandbox-pay]").click()
    await frame.get_by_text("支付成功").wait_for()
    await hears(site)
    await is_so(pc, "paid")
    await browser.shot(pc, "buy-13-pc-paid")
    assert (await states(site))["rights"] == ["lives"] and await site.broken() == []


async def signs_in_at_the_pc(site: Site, pc: Page) -> None:
    """Somebody's session, as the scan for signing in leaves it in a PC's browser."""
    token = await site.ctx.transact(people.new_session, person_id=await site.person_id())
    await pc.context.add_cookies([{"name": "session", "value": token, "url": site.base_url}])


async def test_after_entering_the_planet_the_page_shows_what_was_agreed_to(site, browser):
    phone = await browser.phone()
    await orders(site, phone, browser)
    await role(phone, "pay").click()
    await pays_in_wechat(phone)
    await hears(site)
    await site.links()
    order = await order_of(site)
    await opens(site, phone, f"/orders/{order.no}")
    await browser.shot(phone, "buy-14-phone-waived-order")
    await opens(site, phone, f"/orders/{order.no}/refund")
    await expect(role(phone, "waiver-text")).to_be_visible()
    assert not await role(phone, "refund").is_visible()
    await browser.shot(phone, "buy-15-phone-waived")
