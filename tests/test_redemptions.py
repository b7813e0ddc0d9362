"""Spending a voucher: held, used, free again; each "no" has its reason and changes nothing (V5, V6)."""

from datetime import timedelta

import pytest

from models.catalogue import Course
from models.order_errors import PriceChanged
from models.voucher_errors import (
    VoucherExpired,
    VoucherHeld,
    VoucherMinimum,
    VoucherOutOfScope,
    VoucherUnknown,
    VoucherUsed,
)
from models.vouchers import Voucher
from services import money_in, orders, refund_money, refunds
from services.orders import close
from tests.buy_kit import comes, entries, hears, journal, passes, pays, reprice, rows, states, told_refund
from tests.site import COURSE, OTHER_COURSE, START
from tests.voucher_kit import begins, has_code, mine, opened, redemptions, state_of, tries

gen = pytest.mark.gen_test(timeout=60)


async def refused(site, doing, error):
    """It is refused, and nothing has changed."""
    before = await site.rows()
    with pytest.raises(error) as no:
        await doing
    assert await site.rows() == before
    return no.value


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
        if guess == 30:
            site.clock.forward(minutes=2)
        assert (await tries(site, "2345-6789-ABCD")).status == 404
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
