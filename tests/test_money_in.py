"""Money that comes: once, for what it was asked for; what is late, doubled or wrong is neither lost nor believed."""

from datetime import timedelta
from itertools import permutations

import pytest

from models.access import Grant
from models.orders import NATIVE, Order, Payment, Refund
from services import money_in, refund_money
from services.orders import close
from tests.buy_kit import (
    closes,
    comes,
    differences,
    entries,
    journal,
    opens,
    payment_of,
    reprice,
    rows,
    states,
    told,
    told_refund,
)
from tests.site import COURSE, START

gen = pytest.mark.gen_test(timeout=60)
SOLD = {"clearing:wechat": 19900, "payable:lecturer:caoz": -13930, "revenue:platform": -5970}
OWED = {"clearing:wechat": 19900, "payable:refund": -19900}


@gen
async def test_the_same_money_told_of_again_has_no_second_effect(site):
    payment = await opens(site)
    await comes(site, payment)
    before = await site.rows()
    for _ in range(15):
        await comes(site, payment)
    assert await site.rows() == before and await journal(site) == SOLD
    assert await site.broken() == []


@gen
@pytest.mark.parametrize("state", ["NOTPAY", "CLOSED", "REVOKED", "USERPAYING", "PAYERROR", "SOMETHING_NEW"])
async def test_what_is_not_paid_has_no_effect(site, state):
    payment = await opens(site)
    before = await site.rows()
    await comes(site, payment, state=state)
    assert await site.rows() == before


@gen
@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"total_fen": 19899}, "amount"),
        ({"total_fen": 19901}, "amount"),
        ({"currency": "USD"}, "amount"),
        ({"payer_openid": "oSOMEBODY"}, "payer"),
    ],
)
async def test_money_that_is_not_as_asked_for_is_held_for_a_person_and_opens_nothing(site, change, kind):
    await site.phone("anna").follow()
    payment = await opens(site)
    for _ in range(2):
        await comes(site, payment, **change)
    assert await states(site) == {"orders": ["unpaid"], "payments": ["held"], "refunds": [], "rights": []}
    assert await differences(site) == [kind] and await entries(site) == ["late_money"]
    await site.delivers()
    assert "正在人工核对" in site.phone("anna").inbox[-1].text
    await site.signs_in("anna")
    page = await site.phone("anna").open(f"{site.base_url}/orders/{payment.order.no}")
    assert "人工核对" in page.text and not page.find("pay")
    assert await site.broken() == []


@gen
async def test_whoever_scans_the_qr_may_pay_it(site):
    payment = await opens(site, kind=NATIVE)
    await comes(site, payment, payer_openid="oSPOUSE")
    assert (await states(site))["orders"] == ["paid"] and await differences(site) == []


@gen
async def test_money_for_an_order_that_we_do_not_know_is_listed(site):
    payment = await opens(site)
    before = await site.rows()
    await comes(site, payment, out_trade_no="SOMEBODYELSES", transaction_id="4200001")
    after = await site.rows()
    assert {name for name in after if after[name] != before[name]} == {"pay_difference"}
    assert await differences(site) == ["unknown_order"] and await site.broken() == []


@gen
async def test_one_number_paid_by_two_transactions_is_listed(site):
    payment = await opens(site)
    await comes(site, payment)
    await comes(site, payment, transaction_id="4200002")
    assert await differences(site) == ["twice"] and await journal(site) == SOLD


@gen
async def test_of_two_ways_to_pay_one_order_the_second_goes_back_by_itself(site):
    inside, by_qr = await opens(site), await opens(site, kind=NATIVE)
    assert inside.order_id == by_qr.order_id and inside.out_trade_no != by_qr.out_trade_no
    await comes(site, by_qr)
    await comes(site, inside)
    assert await states(site) == {
        "orders": ["paid"], "payments": ["surplus", "paid"], "refunds": ["agreed"], "rights": ["lives"],
    }  # fmt: skip
    (refund,) = await rows(site, Refund)
    assert refund.amount_fen == 19900 and refund.payment_id == inside.id
    await site.ctx.transact(lambda env: refund_money.hear(env, told=told_refund(Refund.get())))
    assert (await states(site))["rights"] == ["lives"] and await journal(site) == SOLD
    assert await site.broken() == []


@gen
async def test_money_that_comes_after_the_close_opens_the_order_again_while_the_price_holds(site):
    payment = await opens(site)
    await closes(site, payment)
    assert (await states(site))["orders"] == ["closed"]
    await comes(site, payment)
    assert await states(site) == {"orders": ["paid"], "payments": ["paid"], "refunds": [], "rights": ["lives"]}
    assert await journal(site) == SOLD and await site.broken() == []


@gen
async def test_money_that_comes_after_the_close_and_after_a_rise_goes_back(site):
    await site.phone("anna").follow()
    payment = await opens(site)
    await closes(site, payment)
    await reprice(site, COURSE, 29900)
    await comes(site, payment)
    assert await states(site) == {"orders": ["closed"], "payments": ["surplus"], "refunds": ["agreed"], "rights": []}
    assert await journal(site) == OWED
    await site.delivers()
    assert "原路退回" in "\n".join(one.text for one in site.phone("anna").inbox)
    assert await site.broken() == []


@gen
async def test_money_that_comes_after_the_close_goes_back_to_who_has_the_course_otherwise(site):
    payment = await opens(site)
    await closes(site, payment)
    await site.buys("anna")
    await comes(site, payment)
    assert (await states(site))["payments"] == ["surplus"] and len(await rows(site, Grant)) == 1
    assert await journal(site) == OWED and await site.broken() == []


@gen
async def test_late_money_closes_the_order_that_was_made_instead(site):
    late = await opens(site)
    await closes(site, late)
    fresh = await opens(site)
    await comes(site, late)
    assert (await states(site))["orders"] == ["paid", "closing"]
    await site.ctx.transact(money_in.note_closed, payment_id=fresh.id)
    assert (await states(site))["orders"] == ["paid", "closed"]
    await comes(site, fresh)
    assert (await states(site))["payments"] == ["paid", "surplus"] and await site.broken() == []


@gen
async def test_what_he_pays_while_it_closes_goes_back_when_late_money_has_bought_the_course(site):
    late = await opens(site)
    await closes(site, late)
    fresh = await opens(site)
    await comes(site, late)
    await comes(site, fresh)
    found = await states(site)
    assert (found["orders"], found["payments"]) == (["paid", "closed"], ["paid", "surplus"])
    assert found["rights"] == ["lives"] and await site.broken() == []


@gen
async def test_who_has_got_the_course_meanwhile_is_not_led_to_the_cashier(site):
    payment = await opens(site)
    await site.buys("anna")
    await site.signs_in("anna")
    page = await site.posts("anna", f"/orders/{payment.order.no}/pay")
    assert page.status == 409 and page.find("error-code").text == "already_enrolled"


@gen
async def test_wrong_money_for_an_order_that_closes_lets_it_close(site):
    payment = await opens(site)
    await site.ctx.transact(lambda env: close(env, Order.get_by_id(payment.order_id)))
    await comes(site, payment, total_fen=1)
    assert (await states(site))["orders"] == ["closed"] and await site.broken() == []


@gen
async def test_money_that_has_gone_again_at_wechats_console_is_listed(site):
    await comes(site, await opens(site), state="REFUND")
    assert (await states(site))["orders"] == ["paid"] and await differences(site) == ["unknown_refund"]


@gen
async def test_money_for_somebody_who_has_left_waits_for_a_person(site):
    payment = await opens(site, kind=NATIVE)
    await site.box.wechat.revoke(site.phone("anna").person, cancel=True)
    await comes(site, payment)
    assert (await states(site))["payments"] == ["held"] and (await states(site))["rights"] == []


@gen
async def test_a_clock_that_was_ahead_keeps_nobody_out(site):
    payment = await opens(site)
    site.clock.forward(minutes=10)
    await comes(site, payment)
    site.clock.forward(minutes=-10)
    await site.signs_in("anna")
    assert (await site.phone("anna").open(f"{site.base_url}/courses/{COURSE}/lessons/2")).status == 200


@gen
async def test_what_wechat_says_of_the_moment_is_kept_and_ours_decides_about_the_window(site):
    payment = await opens(site)
    site.clock.forward(minutes=3)
    await comes(site, payment, paid_at=START + timedelta(minutes=2))
    payment = await payment_of(site, payment.id)
    assert (payment.paid_at, payment.arrived_at) == (START + timedelta(minutes=2), START + timedelta(minutes=3))
    assert payment.order.paid_at == START + timedelta(minutes=3)


STIMULI = ("pay notice", "query", "close", "refund notice")


@gen
async def test_in_whatever_order_they_come_notices_a_query_and_a_close_end_alike(site):
    """A second payment of a paid order: its money, the close that we asked for, and the refund that we send."""
    ends = set()
    for number, order in enumerate(permutations(STIMULI)):
        name = f"p{number}"
        paid, second = await opens(site, name), await opens(site, name, kind=NATIVE)
        await comes(site, paid)
        pending = []
        for what in order:
            if what in {"pay notice", "query"}:
                state = {"pay notice": "SUCCESS", "query": "REFUND"}[what]
                await comes(site, second, state=state)
            elif what == "close":
                await site.ctx.transact(money_in.note_closed, payment_id=second.id)
            else:
                pending.append(what)
            await told_of_refund(site, second, pending)
        ends.add(await end_of(site, paid, second))
    assert ends == {("paid", "paid", "surplus", ("done",), 1, 0)}
    assert await site.broken() == []


async def told_of_refund(site, payment, pending):
    """WeChat tells of a refund only when there is one; one that it told too early it tells again."""
    refund = await site.ctx.read(lambda _env: Refund.get_or_none(payment=payment.id))
    if pending and refund:
        for status in ("PROCESSING", "SUCCESS", "PROCESSING"):
            news = await site.ctx.read(lambda _env, s=status: told_refund(Refund.get_by_id(refund.id), s))
            await site.ctx.transact(refund_money.hear, told=news)


async def end_of(site, paid, second):
    """How an order, its payments, its refunds, its rights and its owed money ended."""

    def look(_env):
        order = Order.get_by_id(paid.order_id)
        refunds = tuple(one.state for one in order.refunds)
        rights = Grant.select().where(Grant.source_ref == order.no, Grant.revoked_at.is_null()).count()
        first, other = Payment.get_by_id(paid.id), Payment.get_by_id(second.id)
        return order.state, first.state, other.state, refunds, rights, other.arrived_fen - other.refunded_fen

    return await site.ctx.read(look)


@gen
async def test_the_close_and_the_money_in_either_order_give_the_course(site):
    for number, order in enumerate(permutations(["expiry", "close", "money", "query"])):
        payment = await opens(site, f"q{number}")
        for what in order:
            if what == "expiry":
                await site.ctx.transact(lambda env, p=payment: close(env, Order.get_by_id(p.order_id)))
            elif what == "close":
                await site.ctx.transact(money_in.note_closed, payment_id=payment.id)
            else:
                await comes(site, payment)
        payment = await payment_of(site, payment.id)
        assert (payment.state, payment.order.state) == ("paid", "paid"), order
        assert told(payment).total_fen == payment.arrived_fen
    assert await site.broken() == []
