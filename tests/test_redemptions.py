"""Spending a voucher: held, used, free again; each "no" has its reason and changes nothing (V5, V6)."""

from datetime import timedelta

import pytest
from peewee import IntegrityError

from models.catalogue import Course
from models.order_errors import PriceChanged
from models.orders import Order
from models.voucher_errors import (
    VoucherExpired,
    VoucherHeld,
    VoucherMinimum,
    VoucherOutOfScope,
    VoucherUnknown,
    VoucherUsed,
)
from models.vouchers import Campaign, Redemption, Voucher
from services import money_in, orders, refund_money, refunds
from services.orders import close
from tests.buy_kit import comes, entries, hears, journal, passes, pays, refused, reprice, rows, states, told_refund
from tests.site import COURSE, OTHER_COURSE, START
from tests.voucher_kit import begins, has_code, mine, opened, redemptions, state_of, tries

gen = pytest.mark.gen_test(timeout=60)


@gen
async def test_a_voucher_takes_its_worth_off_and_is_used_with_the_payment(site):
    code = await has_code(site)
    await site.signs_in("anna", f"/courses/{OTHER_COURSE}/buy")
    page = site.phone().page
    assert page.find("to-pay").text == "¥69" and "减 ¥30" in page.text
    await site.phone().submit("buy")
    assert await state_of(site, code) == "held" and await redemptions(site) == [(True, False, False)]
    assert site.phone().page.find("to-pay").text == "¥69"
    await pays(site)
    await hears(site)
    assert await state_of(site, code) == "used" and await redemptions(site) == [(True, True, False)]
    page = await site.phone().open(site.phone().page.url)
    assert "减 ¥30" in page.text and "原价" in page.text and page.find("voucher-code").text == code
    assert await site.broken() == []


@gen
async def test_he_may_leave_it_aside(site):
    code = await has_code(site)
    await site.signs_in("anna", f"/courses/{OTHER_COURSE}/buy")
    await site.phone().submit("buy", voucher="")
    assert site.phone().page.find("to-pay").text == "¥99" and await state_of(site, code) == "open"


@gen
async def test_a_price_never_falls_below_nothing_and_such_an_order_needs_no_pay(site):
    code = await has_code(site, fen=12345)
    order = await begins(site, voucher=code)
    assert (order.list_fen, order.price_fen, order.voucher_fen, order.state) == (9900, 0, 9900, "paid")
    assert await state_of(site, code) == "used" and (await states(site))["rights"] == ["lives"]
    assert len(await rows(site, Voucher)) == 1, "what is left over of a gift is gone"
    assert await site.broken() == []


@gen
async def test_it_is_free_again_only_when_wechat_has_confirmed_the_close(site):
    code = await has_code(site)
    order = await begins(site, voucher=code)
    payment = await opened(site, order)
    await site.ctx.transact(orders.cancel, person_id=order.person_id, no=order.no)
    assert await state_of(site, code) == "held"
    await refused(site, begins(site, voucher=code, course=COURSE), VoucherHeld)
    await site.ctx.transact(money_in.note_closed, payment_id=payment.id)
    assert await state_of(site, code) == "open" and await redemptions(site) == [(False, False, True)]
    assert (await begins(site, voucher=code, course=COURSE)).voucher_fen == 3000
    assert await site.broken() == []


@gen
async def test_at_another_checkout_one_that_is_held_is_shown_with_its_reason_and_not_offered(site):
    code = await has_code(site)
    await begins(site, voucher=code)
    page = await site.signs_in("anna", f"/courses/{COURSE}/buy")
    assert page.find("use-voucher") is None and "正用在另一笔没有付款的订单上" in page.text
    assert page.find("to-pay").text == "¥199"


@gen
async def test_who_does_not_pay_may_take_it_off_again_and_the_price_is_the_old_one(site):
    code = await has_code(site)
    await site.signs_in("anna", f"/courses/{OTHER_COURSE}/buy")
    await site.phone().submit("buy")
    assert await site.phone().pay("cancel") == "get_brand_wcpay_request:cancel"
    assert await state_of(site, code) == "held"
    await site.phone().tap("cancel-order")
    await site.delivers()
    assert await state_of(site, code) == "open"
    await site.phone().open(f"{site.base_url}/courses/{OTHER_COURSE}/buy")
    page = await site.phone().submit("buy", voucher="")
    assert page.find("to-pay").text == "¥99" and await state_of(site, code) == "open"


@gen
async def test_a_second_voucher_for_one_order_is_refused(site):
    codes = [await has_code(site), await has_code(site, fen=1000)]
    await site.signs_in("anna")
    page = await tries(site, " ".join(codes))
    assert page.status == 404
    for code in codes:
        await tries(site, code)
    assert [await state_of(site, code) for code in codes] == ["held", "open"], "the live order goes on as it is"
    (order,) = await rows(site, Order)
    assert (order.price_fen, order.voucher_fen) == (6900, 3000) and len(await redemptions(site)) == 1


@gen
async def test_the_database_keeps_one_order_for_a_voucher_and_one_voucher_for_an_order(site):
    code = await has_code(site)
    order = await begins(site, voucher=code)
    (voucher,) = await mine(site)
    facts = {"voucher": voucher, "amount_fen": 1, "held_at": START}
    other = await begins(site, "bert", voucher="")
    before = await site.rows()
    for values in ({"order": order}, {"order": other, "active_voucher": voucher.id}):
        with pytest.raises(IntegrityError):
            await site.ctx.transact(lambda _env, more=values: Redemption.create(**facts, **more))
    assert await site.rows() == before


@gen
async def test_the_same_money_told_of_twice_uses_it_once(site):
    code = await has_code(site)
    payment = await opened(site, await begins(site, voucher=code))
    for _ in range(3):
        await comes(site, payment)
    assert await state_of(site, code) == "used" and await redemptions(site) == [(True, True, False)]
    assert (await states(site))["payments"] == ["paid"] and (await states(site))["refunds"] == []
    assert await site.broken() == []


@gen
async def test_one_that_was_used_cannot_be_deleted(site):
    code = await has_code(site, fen=9900)
    await begins(site, voucher=code)
    before = await site.rows()
    for row in (Voucher, Campaign):
        with pytest.raises(IntegrityError):
            await site.ctx.transact(lambda _env, one=row: one.delete().execute())
    assert await site.rows() == before


@gen
async def test_an_order_that_nobody_pays_lets_it_go_after_its_time(site):
    code = await has_code(site)
    await begins(site, voucher=code)
    await passes(site, minutes=31)
    assert await state_of(site, code) == "open"
    assert await site.broken() == []


@gen
async def test_late_money_finds_its_voucher_again(site):
    code = await has_code(site)
    order = await begins(site, voucher=code)
    payment = await opened(site, order)
    await site.ctx.transact(lambda env: close(env, orders.of_person(order.person_id, order.no)))
    await site.ctx.transact(money_in.note_closed, payment_id=payment.id)
    await comes(site, payment)
    assert await state_of(site, code) == "used" and (await states(site))["orders"] == ["paid"]
    assert await redemptions(site) == [(True, True, False)]
    assert await site.broken() == []


@pytest.mark.parametrize("how", ["spent", "expired"])
@gen
async def test_late_money_goes_back_when_its_voucher_is_gone(site, how):
    code = await has_code(site, ends=START + timedelta(days=1))
    order = await begins(site, voucher=code)
    payment = await opened(site, order)
    await site.ctx.transact(lambda env: close(env, orders.of_person(order.person_id, order.no)))
    await site.ctx.transact(money_in.note_closed, payment_id=payment.id)
    if how == "spent":
        await begins(site, voucher=code, course=COURSE)
    else:
        site.clock.forward(days=1)
    await comes(site, payment)
    assert (await states(site))["orders"][0] == "closed" and (await states(site))["refunds"] == ["agreed"]
    assert await site.broken() == []


@gen
async def test_a_refund_gives_it_back_with_its_old_end(site):
    code = await has_code(site)
    (before,) = await mine(site)
    order = await begins(site, voucher=code)
    await comes(site, await opened(site, order))
    await site.ctx.transact(refunds.ask, person_id=order.person_id, no=order.no, reason="")
    assert await state_of(site, code) == "used"
    (refund,) = await site.ctx.read(lambda _env: [told_refund(one) for one in order.refunds])
    for _ in range(2):
        await site.ctx.transact(refund_money.hear, told=refund)
    (after,) = await mine(site)
    assert (after.state, after.code, after.expires_at) == ("open", code, before.expires_at)
    assert await redemptions(site) == [(False, True, True)]
    assert {account: fen for account, fen in (await journal(site)).items() if fen} == {}
    assert await site.broken() == []


@gen
async def test_an_order_that_a_voucher_paid_wholly_can_be_refunded_too(site):
    code = await has_code(site, fen=9900)
    order = await begins(site, voucher=code)
    assert await entries(site) == ["sale"]
    await site.ctx.transact(refunds.ask, person_id=order.person_id, no=order.no, reason="")
    assert await state_of(site, code) == "open" and (await states(site))["rights"] == ["over"]
    assert await journal(site) == {} and await entries(site) == ["sale", "refund"]
    assert await site.broken() == []


@pytest.mark.parametrize(
    ("changes", "course", "error"),
    [
        ({"except_courses": [OTHER_COURSE]}, OTHER_COURSE, VoucherOutOfScope),
        ({"course": OTHER_COURSE}, OTHER_COURSE, VoucherOutOfScope),  # for any other one (V2)
        ({"scope": [COURSE]}, OTHER_COURSE, VoucherOutOfScope),
        ({"scope": "linlan"}, COURSE, VoucherOutOfScope),
        ({"min_fen": 10_000}, OTHER_COURSE, VoucherMinimum),
    ],
)
@gen
async def test_it_pays_for_what_its_campaign_says_and_for_nothing_else(site, changes, course, error):
    code = await has_code(site, **changes)
    no = await refused(site, begins(site, voucher=code, course=course), error)
    assert error is not VoucherMinimum or "¥100.00" in no.message


@gen
async def test_an_expired_one_says_when_it_ended(site):
    code = await has_code(site, ends=START + timedelta(days=3))
    site.clock.forward(days=3, seconds=-1)
    order = await begins(site, voucher=code)
    await site.ctx.transact(orders.cancel, person_id=order.person_id, no=order.no)
    site.clock.forward(seconds=1)
    no = await refused(site, begins(site, voucher=code), VoucherExpired)
    assert "2026年11月25日" in no.message


@gen
async def test_a_used_one_is_not_used_again(site):
    code = await has_code(site, fen=9900)
    await begins(site, voucher=code)
    await refused(site, begins(site, voucher=code, course=COURSE), VoucherUsed)


@gen
async def test_anothers_and_an_unknown_code_get_the_same_answer(site):
    code = await has_code(site, "bert")
    await site.signs_in("anna")
    before = await site.rows()
    pages = [await tries(site, typed) for typed in (code, "2345-6789-ABCD", "junk", "０" * 12)]
    assert {page.status for page in pages} == {404}
    assert {page.find("error-code").text for page in pages} == {"voucher_unknown"}
    assert len({page.text.partition("编号")[0] for page in pages}) == 1
    assert await site.rows() == before
    with pytest.raises(VoucherUnknown):
        await begins(site, voucher=code)


@pytest.mark.parametrize("typed", [str.lower, lambda code: code.replace("-", ""), lambda code: f"  {code} "])
@gen
async def test_a_code_may_be_typed_as_people_type(site, typed):
    code = await has_code(site)
    await site.signs_in("anna")
    page = await tries(site, typed(code))
    assert page.status == 200 and await state_of(site, code) == "held"


@gen
async def test_the_61st_guess_within_an_hour_is_stopped_and_nobody_else_is(site):
    own, code = await has_code(site, "bert"), await has_code(site)
    for name in ("anna", "bert"):
        await site.signs_in(name)
    for guess in range(60):
        if guess % 20 == 0:
            site.clock.forward(minutes=1)  # else it would be the limit of orders in a minute
        assert (await tries(site, "2345-6789-ABCD")).status == 404
    site.clock.forward(minutes=1)
    assert (await tries(site, code)).status == 429 and await state_of(site, code) == "open"
    assert (await tries(site, own, "bert")).status == 200
    site.clock.forward(hours=1)
    assert (await tries(site, code)).status == 200


@gen
async def test_the_price_he_saw_is_the_list_price(site):
    code = await has_code(site)
    await reprice(site, OTHER_COURSE, 19900)
    await refused(site, begins(site, voucher=code), PriceChanged)


@gen
async def test_the_same_click_holds_one_voucher(site):
    code, click = await has_code(site), site.new_code(128)
    first = await begins(site, voucher=code, click=click)
    again = await begins(site, voucher=code, click=click)
    assert first.no == again.no and len(await rows(site, Voucher)) == 1 and len(await redemptions(site)) == 1


@gen
async def test_what_a_campaign_costs_stands_on_its_bearers_account(site):
    lecturer = await site.ctx.read(lambda _env: Course.get(slug=COURSE).lecturer.slug)
    await begins_and_pays(site, "anna", "platform")
    split = await journal(site)
    assert split == {
        "clearing:wechat": 16900, f"payable:lecturer:{lecturer}": -13930, "revenue:platform": -5970,
        "discount:platform": 3000,
    }  # fmt: skip
    await begins_and_pays(site, "bert", "lecturer")
    both = await journal(site)
    assert both[f"discount:lecturer:{lecturer}"] == 3000
    assert both[f"payable:lecturer:{lecturer}"] - split[f"payable:lecturer:{lecturer}"] == -(11830 + 3000)
    assert both["revenue:platform"] - split["revenue:platform"] == -5070
    assert await site.broken() == []


async def begins_and_pays(site, name, bearer):
    """Somebody buys the course of 199 yuan with a voucher of 30."""
    code = await has_code(site, name, slug=f"of-{bearer}", bearer=bearer)
    order = await begins(site, name, voucher=code, course=COURSE)
    await comes(site, await opened(site, order))
