"""Buying through the outer doors: in WeChat, at a PC by another's phone, for nothing; and having the money back."""

import pytest

from models.access import Grant
from models.links import RefundWaiver
from tests.buy_kit import (
    buys,
    entries,
    hears,
    journal,
    mark,
    order_of,
    orders,
    passes,
    pays,
    reprice,
    rows,
    signed_in_pc,
    stands_at_checkout,
    states,
)
from tests.site import COURSE, OTHER_COURSE

gen = pytest.mark.gen_test(timeout=60)


@gen
async def test_somebody_buys_a_course_in_wechat_and_has_it_the_moment_the_money_is_there(site):
    page = await site.phone("anna").open(f"{site.base_url}/courses/{COURSE}")
    assert page.find("buy") and "¥199" in page.text
    page = await stands_at_checkout(site)
    assert page.find("to-pay").text == "¥199" and "7 天内" in page.text
    assert await rows(site, Grant) == [], "a look orders nothing"
    page = await site.phone("anna").submit("buy")
    assert page.find("order-state").attrs["data-state"] == "unpaid"
    assert page.find("pay").attrs["data-pay"], "WeChat's cashier can be opened at once"
    assert (await states(site))["rights"] == []

    assert await pays(site) == "get_brand_wcpay_request:ok"
    page = await site.phone("anna").submit("check")
    assert page.find("order-state").attrs["data-state"] == "paid", "his tap asks WeChat, before its notice came"
    assert await journal(site) == {"clearing:wechat": 19900, "payable:lecturer:caoz": -13930, "revenue:platform": -5970}
    await hears(site)
    assert await states(site) == {"orders": ["paid"], "payments": ["paid"], "refunds": [], "rights": ["lives"]}
    assert await entries(site) == ["sale"], "the notice that came after changed nothing"
    page = await site.phone("anna").open(f"{site.base_url}/courses/{COURSE}/lessons/2")
    assert page.status == 200 and "二次验证" in page.text
    assert await site.broken() == []


@gen
async def test_at_a_pc_the_phone_of_somebody_else_pays_and_the_page_hears_of_it(site):
    pc = await signed_in_pc(site)
    await pc.open(f"{site.base_url}/courses/{COURSE}")
    await pc.tap("buy")
    page = await pc.submit("buy")
    assert page.find("pay").tag == "img" and page.find("pay-code"), "a QR to be scanned"
    before = await mark(site, pc)
    page = await site.phone("bob").scan(page.find("pay-code").text)
    assert "199.00" in page.text
    await site.phone("bob").tap("sandbox-pay")
    await hears(site)
    assert await mark(site, pc) != before and "已支付" in (await pc.refresh()).text
    assert await states(site) == {"orders": ["paid"], "payments": ["paid"], "refunds": [], "rights": ["lives"]}
    assert (await rows(site, Grant))[0].person_id == await site.person_id("anna"), "who ordered has it, not who paid"


@gen
async def test_a_course_that_costs_nothing_is_ordered_without_any_payment(site):
    await reprice(site, OTHER_COURSE, 0)
    page = await orders(site, course=OTHER_COURSE)
    assert page.find("order-state").attrs["data-state"] == "paid"
    assert await states(site) == {"orders": ["paid"], "payments": [], "refunds": [], "rights": ["lives"]}
    assert await entries(site) == [] and await site.broken() == []


@gen
async def test_in_the_first_days_the_money_goes_back_by_itself_and_the_course_rests_meanwhile(site):
    order = await buys(site)
    phone = site.phone("anna")
    page = await phone.open(f"{site.base_url}/orders/{order.no}/refund")
    assert page.find("refund") and "¥199" in page.text
    assert (await states(site))["refunds"] == [], "a look asks for nothing"
    page = await phone.submit("refund", reason="买错了")
    assert "退款处理中" in page.text and (await states(site))["rights"] == ["rests"]
    assert (await phone.open(f"{site.base_url}/courses/{COURSE}/lessons/2")).status == 403

    await site.delivers()
    assert (await states(site))["refunds"] == ["processing"], "processing is not refunded"
    site.box.pay.settle_refunds()
    await hears(site)
    assert await states(site) == {
        "orders": ["refunded"], "payments": ["paid"], "refunds": ["done"], "rights": ["over"],
    }  # fmt: skip
    assert await journal(site) == {} and await entries(site) == ["sale", "refund"]
    page = await phone.open(f"{site.base_url}/orders/{order.no}")
    assert page.find("order-state").attrs["data-state"] == "refunded" and "¥199 已经原路退回" in page.text
    assert await site.broken() == []


@gen
async def test_who_entered_the_planet_through_the_course_is_shown_what_he_agreed_to(site):
    order = await buys(site)
    await site.links()
    page = await site.phone("anna").open(f"{site.base_url}/orders/{order.no}/refund")
    assert page.find("waiver-text") and not page.find("refund")
    before = await site.rows()
    page = await site.posts("anna", f"/orders/{order.no}/refund")
    assert page.status == 409 and page.find("error-code").text == "waived"
    assert await site.rows() == before and len(await rows(site, RefundWaiver)) == 1


@gen
async def test_an_order_that_nobody_pays_closes_at_wechat_too_and_leaves_room_for_another(site):
    await orders(site)
    first = await order_of(site)
    await passes(site, minutes=29)
    assert (await states(site))["orders"] == ["unpaid"]
    await passes(site, minutes=2)
    assert await states(site) == {"orders": ["closed"], "payments": ["closed"], "refunds": [], "rights": []}
    assert site.box.pay.orders[first.no].state == "CLOSED"
    page = await orders(site)
    assert page.find("order-state").attrs["data-state"] == "unpaid" and (await order_of(site)).no != first.no
