"""The day's bill beside orders, refunds and the journal: none differs on a good day, each is listed on a bad one."""

from datetime import timedelta

import pytest

from models.orders import PayBill
from services import pay_bills
from tests.buy_kit import buys, differences, entries, hears, journal, orders, pays, rows, states
from tests.site import OTHER_COURSE

gen = pytest.mark.gen_test(timeout=60)
DAY = "2026-11-22"


async def next_morning(site):
    """Half past ten of the next day in Shanghai, when the bill is there; what the job came to."""
    site.clock.moment = site.clock.moment.replace(hour=2, minute=30) + timedelta(days=1)
    return await pay_bills.run_due(site.ctx)


@gen
async def test_a_good_day_has_no_difference_and_its_fees_are_booked_once(site):
    await buys(site)
    await buys(site, "bob", course=OTHER_COURSE)
    assert await pay_bills.run_due(site.ctx) == [], "there is no bill of today"
    (report,) = await next_morning(site)
    assert (report.day, report.lines, report.differences) == (DAY, 2, 0)
    assert report.fees_fen == 119 + 59 and (await journal(site))["fees:channel"] == report.fees_fen
    assert await pay_bills.run_due(site.ctx) == []
    assert (await entries(site)).count("fees") == 1 and await site.broken() == []


@gen
async def test_a_refund_of_the_day_is_on_the_bill_too(site):
    order = await buys(site)
    await site.posts("anna", f"/orders/{order.no}/refund")
    await site.delivers()
    site.box.pay.settle_refunds()
    await hears(site)
    (report,) = await next_morning(site)
    assert (report.lines, report.differences) == (2, 0) and await site.broken() == []


@gen
async def test_money_that_no_notice_and_no_look_has_told_of_is_found_by_the_bill(site):
    site.world.faults.set("pay", "lost", operation="pay.notice")
    await orders(site)
    await pays(site)
    await hears(site)
    assert (await states(site))["orders"] == ["unpaid"]
    (report,) = await next_morning(site)
    assert report.differences == 0 and (await states(site))["rights"] == ["lives"]
    assert await site.broken() == []


@gen
@pytest.mark.parametrize(
    ("lie", "kind"),
    [
        (lambda bill, no: bill.left_out.add(no), "only_here"),
        (lambda bill, no: bill.amounts.update({no: 19800}), "bill_amount"),
        (lambda bill, _no: bill.added.update({"SOMEBODYELSES": 100}), "only_there"),
    ],
)
async def test_each_difference_is_listed_and_nothing_is_smoothed_over(site, lie, kind):
    order = await buys(site)
    before = await journal(site)
    lie(site.box.pay.bill_changes, order.no)
    (report,) = await next_morning(site)
    assert kind in await differences(site) and report.differences >= 1
    after = await journal(site)
    assert {name: fen for name, fen in after.items() if "lecturer" in name} == {
        name: fen for name, fen in before.items() if "lecturer" in name
    }
    (bill,) = await rows(site, PayBill)
    assert bill.outcome == "differs"


@gen
async def test_one_payment_that_cannot_be_asked_about_keeps_no_other_from_being_found(site):
    site.world.faults.set("pay", "lost", operation="pay.notice")
    for name in ("anna", "bob"):
        await orders(site, name)
        await pays(site, name)
    site.world.faults.set("pay", "error", operation="pay.query", times=1)
    (report,) = await next_morning(site)
    assert sorted((await states(site))["orders"]) == ["paid", "unpaid"]
    assert report.differences == 1 and await differences(site) == ["only_there"]


@gen
async def test_a_refund_that_the_bill_knows_to_be_done_is_asked_about(site):
    order = await buys(site)
    site.world.faults.set("pay", "lost", operation="pay.refund_notice")
    await site.posts("anna", f"/orders/{order.no}/refund")
    await site.delivers()
    site.box.pay.settle_refunds()
    assert (await states(site))["refunds"] == ["processing"]
    (report,) = await next_morning(site)
    assert (await states(site))["refunds"] == ["done"] and report.differences == 0


@gen
async def test_a_bill_that_cannot_be_had_is_tried_again(site):
    await buys(site)
    site.world.faults.set("pay", "down", operation="pay.bill")
    assert await next_morning(site) == []
    site.world.faults.clear("pay")
    assert await pay_bills.run_due(site.ctx) == [], "not at once"
    site.clock.forward(minutes=30)
    (report,) = await pay_bills.run_due(site.ctx)
    assert report.day == DAY and report.differences == 0


@gen
async def test_the_bills_of_a_week_that_was_missed_are_had_one_after_the_other(site):
    await buys(site)
    site.clock.forward(days=4)
    site.clock.moment = site.clock.moment.replace(hour=3)
    done = await pay_bills.run_due(site.ctx)
    assert [one.day for one in done] == ["2026-11-22", "2026-11-23", "2026-11-24", "2026-11-25"]
    assert [one.lines for one in done] == [1, 0, 0, 0] and await differences(site) == []
