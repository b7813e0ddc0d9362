"""`wxbot order`, `refund` and `pay`: what an operator types, reads, and decides."""

import pytest

from models.audit import AuditEntry
from models.orders import Order, PayDifference, Refund
from services import pay_differences, refund_money, refunds
from tests.buy_kit import buys, comes, differences, journal, opens, rows, states, told_refund
from tests.reconcile_kit import refused, types
from tests.site import START

pytest_plugins = ["tests.commands"]
gen = pytest.mark.gen_test(timeout=60)
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])


@SQLITE
@gen
async def test_orders_are_listed_and_shown_by_any_of_their_numbers(site, wxbot_beside):
    order = await buys(site)
    await opens(site, "bob")
    done = await types(site, wxbot_beside, "order", "list")
    assert [line.split("\t")[1] for line in done.out.splitlines()] == ["unpaid", "paid"]
    person = f"p{order.person_id}"
    done = await types(site, wxbot_beside, "order", "list", "--state", "paid", "--person", person)
    made = f"{START:%Y-%m-%d %H:%M}Z"
    assert done.out == f"{order.no}\tpaid\t{person}\tinfosec-workplace\t199.00\t{made}\n"
    (payment,) = await site.ctx.read(lambda _env: list(order.payments))
    for number in (order.no, payment.transaction_id):
        done = await types(site, wxbot_beside, "order", "show", number)
        assert done.code == 0 and f"{order.no} JSAPI paid, 19900 fen as {payment.transaction_id}" in done.out
        assert site.phone("anna").openid not in done.out
    assert "not_found" in await refused(site, wxbot_beside, "order", "show", "nothing")
    assert "p12" in await refused(site, wxbot_beside, "order", "list", "--person", "anna")


@SQLITE
@gen
async def test_a_refund_that_waits_is_approved_or_refused_with_a_reason(site, wxbot_beside):
    for name in ("anna", "bob"):
        payment = await opens(site, name)
        await comes(site, payment)
        await site.ctx.transact(
            lambda env, p=payment: refunds.put(
                env, Order.get_by_id(p.order_id), cause="learner", who="p", reason="不合适"
            )
        )
    first, second = await rows(site, Refund)
    done = await types(site, wxbot_beside, "refund", "list")
    assert [line.split("\t")[1] for line in done.out.splitlines()] == ["asked, course suspended"] * 2
    assert "不合适" in done.out
    await refused(site, wxbot_beside, "refund", "approve", first.no)
    done = await types(site, wxbot_beside, "refund", "approve", first.no, "--reason", "in time")
    assert done.code == 0 and (await states(site))["refunds"] == ["agreed", "asked"]
    done = await types(site, wxbot_beside, "refund", "refuse", second.no, "--reason", "已经学完")
    assert done.code == 0 and (await states(site))["rights"] == ["rests", "lives"]
    assert "decided already" in await refused(site, wxbot_beside, "refund", "refuse", first.no, "--reason", "x")
    assert "decided already" in await refused(site, wxbot_beside, "refund", "approve", second.no, "--reason", "x")
    reasons = [one.reason for one in await rows(site, AuditEntry) if one.action.startswith("refund")]
    assert reasons[-2:] == ["in time", "已经学完"]
    done = await types(site, wxbot_beside, "refund", "list", "--all")
    assert len(done.out.splitlines()) == 2


@SQLITE
@gen
async def test_a_part_is_given_back_by_command_and_never_more_than_came(site, wxbot_beside):
    order = await buys(site)
    done = await types(site, wxbot_beside, "refund", "open", order.no, "--yuan", "50.5", "--reason", "goodwill")
    assert done.code == 0 and (await rows(site, Refund))[0].amount_fen == 5050
    await site.delivers()
    site.box.pay.settle_refunds()
    await site.box.pay.notices.deliver_due()
    assert (await journal(site))["clearing:wechat"] == 19900 - 5050
    for yuan in ("0", "-1", "1.234", "1e3", "１", "149.51", ""):
        await refused(site, wxbot_beside, "refund", "open", order.no, f"--yuan={yuan}", "--reason", "x")
    assert "not_found" in await refused(site, wxbot_beside, "refund", "open", "nothing", "--reason", "x")


@SQLITE
@gen
async def test_a_waiver_is_overridden_only_on_purpose(site, wxbot_beside):
    order = await buys(site)
    await site.links()
    assert "waived" in await refused(site, wxbot_beside, "refund", "open", order.no, "--reason", "x")
    done = await types(site, wxbot_beside, "refund", "open", order.no, "--override-waiver", "--reason", "lecturer left")
    assert done.code == 0 and (await rows(site, Refund))[0].override == "lecturer left"
    done = await types(site, wxbot_beside, "order", "show", order.no)
    assert "waived" in done.out and "course suspended" in done.out


@SQLITE
@gen
async def test_a_failed_refund_is_seen_and_tried_again(site, wxbot_beside):
    order = await buys(site)
    number = await site.ctx.transact(refunds.ask, person_id=order.person_id, no=order.no, reason="")
    site.box.pay.refund_outcome = "CLOSED"
    await site.delivers()
    site.box.pay.settle_refunds()
    await site.box.pay.notices.deliver_due()
    done = await types(site, wxbot_beside, "refund", "list")
    assert done.out.split("\t")[1] == "failed, course given_back"
    site.box.pay.refund_outcome = "SUCCESS"
    done = await types(site, wxbot_beside, "refund", "retry", number, "--reason", "card renewed")
    assert done.code == 0
    site.clock.forward(minutes=1)  # WeChat takes one refund of an order a minute
    await site.delivers()
    site.box.pay.settle_refunds()
    await site.box.pay.notices.deliver_due()
    assert (await states(site))["refunds"] == ["done"] and await site.broken() == []
    await refused(site, wxbot_beside, "refund", "retry", number, "--reason", "x")


@SQLITE
@gen
async def test_a_difference_is_closed_once_with_a_reason(site, wxbot_beside):
    payment = await opens(site)
    await comes(site, payment, transaction_id="4200001", out_trade_no="SOMEBODYELSES")
    done = await types(site, wxbot_beside, "pay", "differences")
    (row,) = await rows(site, PayDifference)
    since = f"since {START:%Y-%m-%d %H:%M}Z"
    assert done.out == f"{row.id}\tunknown_order\t4200001\tSOMEBODYELSES: 19900 fen\torder -\t{since}\n"
    what = ("pay", "resolve", str(row.id))
    await refused(site, wxbot_beside, *what)
    assert "no money is held" in await refused(site, wxbot_beside, *what, "--send-back", "--reason", "x")
    done = await types(site, wxbot_beside, *what, "--reason", "another shop of ours")
    assert done.code == 0 and await differences(site) == []
    assert "no open difference" in await refused(site, wxbot_beside, *what, "--reason", "again")


@SQLITE
@gen
async def test_money_that_is_held_goes_back_by_a_persons_decision(site, wxbot_beside):
    payment = await opens(site)
    await comes(site, payment, total_fen=1)
    (row,) = await rows(site, PayDifference)
    done = await types(site, wxbot_beside, "pay", "resolve", str(row.id), "--send-back", "--reason", "paid by mistake")
    assert done.code == 0 and (await states(site))["payments"] == ["surplus"]
    (refund,) = await rows(site, Refund)
    assert (refund.amount_fen, refund.state) == (1, "agreed")
    told = await site.ctx.read(lambda _env: told_refund(Refund.get()))
    await site.ctx.transact(refund_money.hear, told=told)
    assert await journal(site) == {} and await site.broken() == []


@SQLITE
@gen
async def test_money_that_is_held_goes_back_also_after_its_difference_was_closed(site, wxbot_beside):
    payment = await opens(site)
    await comes(site, payment, total_fen=1)
    (row,) = await rows(site, PayDifference)
    await types(site, wxbot_beside, "pay", "resolve", str(row.id), "--reason", "asked him")
    done = await types(site, wxbot_beside, "pay", "resolve", str(row.id), "--send-back", "--reason", "he wants it back")
    assert done.code == 0 and (await states(site))["refunds"] == ["agreed"]


@SQLITE
@gen
async def test_a_difference_that_is_seen_again_keeps_its_age(site):
    for hours in (0, 5):
        site.clock.forward(hours=hours)
        await site.ctx.transact(pay_differences.note, kind="only_there", key="4200001", detail=f"{hours}")
    (row,) = await rows(site, PayDifference)
    assert row.first_seen_at == START and row.last_seen_at == site.clock.now() and row.detail == "5"


@SQLITE
@gen
async def test_a_closed_difference_opens_again_for_other_news_only(site):
    note = {"kind": "balance", "key": "2026-11-22"}
    await site.ctx.transact(pay_differences.note, **note, detail="1")
    await site.ctx.transact(pay_differences.resolve, difference_id=1, reason="seen")
    await site.ctx.transact(pay_differences.note, **note, detail="1")
    assert await differences(site) == []
    await site.ctx.transact(pay_differences.note, **note, detail="2")
    assert await differences(site) == ["balance"]
    await site.ctx.transact(pay_differences.resolve_gone, **note)
    assert await differences(site) == []
    await site.ctx.transact(pay_differences.note, **note, detail="2")
    assert await differences(site) == ["balance"]


@SQLITE
@gen
async def test_a_days_bill_is_compared_by_command(site, wxbot_beside):
    await buys(site)
    site.clock.forward(days=1)
    done = await types(site, wxbot_beside, "pay", "bill", "2026-11-22")
    assert (done.code, done.out) == (0, "2026-11-22: 1 lines, fees 1.19, 0 open differences\n")
    for day in ("yesterday", "2026-13-01", "20261122x"):
        await refused(site, wxbot_beside, "pay", "bill", day)


@SQLITE
@gen
async def test_check_says_whether_the_merchants_key_is_accepted(site, wxbot_beside):
    done = await types(site, wxbot_beside, "check")
    assert "ok      pay: the merchant's key is accepted" in done.out
    wrong = site.settings() | {"pay_cert_serial": "0" * 40, "clock_url": f"{site.box.console_url}/control/clock"}
    done = await wxbot_beside("check", **wrong)
    assert done.code == 1 and "wrong   pay: " in done.out and "SIGN_ERROR" in done.out
