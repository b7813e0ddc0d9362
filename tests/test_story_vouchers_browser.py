"""Vouchers in a real browser: asked for in the chat, spent at the check-out; and from a planet that courses share."""

import pytest
from playwright.async_api import Page, expect

from services import refunds
from tests.arrival_kit import PLANET
from tests.arrival_kit import hears as hears_of_the_planet
from tests.arrival_kit import pays as pays_at_the_planet
from tests.buy_kit import comes, hears, order_of, states
from tests.buy_kit import opens as opens_payment
from tests.site import COURSE, OTHER_COURSE, Site
from tests.test_story_buy_browser import is_so, opens, pays_in_wechat
from tests.test_story_scan_browser import role
from tests.voucher_kit import begins, campaign, claims, has_code, mine, opened, shares

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=120)]


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


async def asks_in_the_chat(site: Site, phone: Page, words: str, name: str = "anna") -> None:
    """Somebody writes to the account on his phone."""
    await phone.goto(f"{site.box.console_url}/phones/{site.phone(name).person.name}")
    if await role(phone, "follow").is_visible():
        await role(phone, "follow").click()
    await role(phone, "say-text").fill(words)
    await role(phone, "say").click()


async def test_a_code_from_the_chat_pays_for_a_part_of_a_course(site, browser):
    await campaign(site, title="调价感谢券")
    await has_code(site, fen=1000, title="老学员礼券", min_fen=5000)
    await site.buys("anna")
    phone = await browser.phone()
    browser.forgive("status of 401")
    await asks_in_the_chat(site, phone, "代金券")
    code = next(one.code for one in await mine(site) if one.amount_fen == 3000)
    await expect(phone.get_by_text(code)).to_be_visible()
    await browser.shot(phone, "voucher-1-chat", whole=False)
    await expect(phone.locator("#chat a", has_text="我的代金券").last).to_be_visible()
    await opens(site, phone, "/me/vouchers")
    await expect(phone.locator(f"[data-role=voucher-code]:text-is('{code}')")).to_be_visible()
    await browser.shot(phone, "voucher-2-wallet")

    await phone.locator("[data-role=voucher]", has_text=code).locator("a.row").first.click()
    await expect(role(phone, "to-pay")).to_have_text("¥69")
    await browser.shot(phone, "voucher-3-checkout")
    for choice, price in (("老学员礼券", "¥89"), ("不用代金券", "¥99"), ("调价感谢券", "¥69")):
        await phone.locator(".choice", has_text=choice).click()
        await expect(role(phone, "to-pay")).to_have_text(price)
    await role(phone, "pay").click()
    await is_so(phone, "unpaid")
    await expect(role(phone, "to-pay")).to_have_text("¥69")
    await browser.shot(phone, "voucher-4-order")
    await pays_in_wechat(phone)
    await hears(site)
    await expect(role(phone, "voucher-code")).to_have_text(code)
    await browser.shot(phone, "voucher-5-paid")
    await opens(site, phone, "/me/vouchers")
    used = phone.locator("[data-role=voucher][data-state=used]")
    await expect(used).to_contain_text(code)
    await browser.shot(phone, "voucher-6-wallet-used")
    assert (await order_of(site)).price_fen == 6900 and await site.broken() == []


async def test_what_was_paid_at_a_shared_planet_buys_the_course_three_days_later(site, browser):
    await shares(site)
    phone = await browser.phone()
    browser.forgive("status of 401")
    pays_at_the_planet(site)
    await opens(site, phone, PLANET)
    await browser.shot(phone, "voucher-7-planet")
    await role(phone, "waiver-agree").check()
    await role(phone, "confirm").click()
    await role(phone, "planet-agree").click()
    await expect(role(phone, "link-state")).to_have_attribute("data-state", "voucher")
    await browser.shot(phone, "voucher-8-arrived")
    await opens(site, phone, "/me/vouchers")
    await expect(role(phone, "voucher")).to_contain_text("起可用")
    await browser.shot(phone, "voucher-9-wallet-early")
    await opens(site, phone, f"/courses/{COURSE}/buy")
    await expect(role(phone, "to-pay")).to_have_text("¥199")
    await browser.shot(phone, "voucher-10-checkout-early")

    site.clock.forward(hours=72)
    await opens(site, phone, f"/courses/{COURSE}/buy")
    await expect(role(phone, "to-pay")).to_have_text("¥0")
    await browser.shot(phone, "voucher-11-checkout-free")
    await role(phone, "pay").click()
    await is_so(phone, "paid")
    await browser.shot(phone, "voucher-12-order-free")
    await opens(site, phone, f"/courses/{COURSE}/lessons/2")
    await expect(phone.get_by_role("heading", level=1)).to_contain_text("密码")
    await hears_of_the_planet(site)
    assert (await states(site))["rights"] == ["lives"] and await site.broken() == []


async def test_the_refund_page_says_what_becomes_of_vouchers(site, browser):
    await campaign(site, title="调价感谢券")
    payment = await opens_payment(site)
    await comes(site, payment)
    await claims(site)
    (voucher,) = await mine(site)
    phone = await browser.phone()
    browser.forgive("status of 401")
    await opens(site, phone, f"/orders/{payment.order.no}/refund")
    await expect(phone.get_by_text(voucher.code)).to_be_visible()
    await browser.shot(phone, "voucher-13-refund-ends-one")
    other = await begins(site, voucher=voucher.code, course=OTHER_COURSE)
    await opens(site, phone, f"/orders/{payment.order.no}/refund")
    await browser.shot(phone, "voucher-14-refund-held")
    await comes(site, await opened(site, other))
    await opens(site, phone, f"/orders/{payment.order.no}/refund")
    await expect(role(phone, "deducted")).to_contain_text("¥30")
    await browser.shot(phone, "voucher-15-refund-deducted")
    await opens(site, phone, f"/orders/{other.no}/refund")
    await browser.shot(phone, "voucher-16-refund-of-its-order")
    await site.ctx.transact(refunds.ask, person_id=other.person_id, no=other.no, reason="")
    await opens(site, phone, "/me/vouchers")
    await browser.shot(phone, "voucher-17-wallet")
    assert await site.broken() == []
