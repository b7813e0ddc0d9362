"""What was paid at a shared planet comes back as a voucher, whole: later, once, and without a way back into it (V3)."""

from datetime import timedelta

import pytest

from models.catalogue import Planet
from models.errors import AlreadyMember, WrongInput
from models.mismatches import Mismatch
from models.payments import PlanetPayment
from models.voucher_errors import VoucherNotYet, VoucherOutOfScope
from models.vouchers import Campaign, Voucher
from services import campaigns, links, money_in, payments, refund_money, refunds
from services.orders import close
from tests.arrival_kit import arrives, hears, notices, pays
from tests.buy_kit import comes, journal, rows, told_refund
from tests.site import COURSE, OTHER_COURSE, START
from tests.voucher_kit import begins, campaign, mine, opened, shares, state_of

gen = pytest.mark.gen_test(timeout=60)


async def member(site, *, paid_fen=19900, name="anna"):
    """Somebody has paid a shared planet, and brings that here; the planet's number of it."""
    await shares(site)
    order_ref = pays(site, name, paid_fen=paid_fen)
    await arrives(site, name)
    return order_ref


async def the_one(site, name="anna"):
    """Somebody's only voucher."""
    (voucher,) = await mine(site, name)
    return voucher


@gen
async def test_it_shows_at_once_and_can_be_spent_after_the_planets_own_refund_time(site):
    await member(site)
    voucher = await the_one(site)
    assert (voucher.amount_fen, voucher.starts_at) == (19900, START + timedelta(hours=72))
    assert voucher.code in (await site.signs_in("anna", "/me/vouchers")).text
    assert any(voucher.code in text and "2026年11月25日起可以使用" in text for text in await notices(site))
    site.clock.forward(hours=72, seconds=-1)
    before = await site.rows()
    with pytest.raises(VoucherNotYet):
        await begins(site, voucher=voucher.code, course=COURSE)
    assert await site.rows() == before
    site.clock.forward(seconds=1)
    assert (await begins(site, voucher=voucher.code, course=COURSE)).state == "paid"
    assert await site.broken() == []


@gen
async def test_it_is_good_for_a_year_of_shanghai_days(site):
    await member(site)
    voucher = await the_one(site)
    assert voucher.expires_at.isoformat() == "2027-11-22T16:00:00+00:00", "until the end of the 365th day after"


@gen
async def test_it_pays_for_that_lecturers_courses_and_is_borne_by_him(site):
    await member(site)
    voucher = await the_one(site)
    site.clock.forward(hours=72)
    with pytest.raises(VoucherOutOfScope):
        await begins(site, voucher=voucher.code, course=OTHER_COURSE)
    await begins(site, voucher=voucher.code, course=COURSE)
    assert await journal(site) == {"payable:lecturer:caoz": -19900, "discount:lecturer:caoz": 19900}


@gen
async def test_what_is_left_of_it_comes_back_as_a_new_one_with_the_same_end(site):
    await member(site, paid_fen=25000)
    first = await the_one(site)
    site.clock.forward(hours=72)
    await begins(site, voucher=first.code, course=COURSE)
    used, rest = await mine(site)
    assert (used.state, rest.state, rest.amount_fen) == ("used", "open", 5100)
    assert rest.expires_at == first.expires_at and rest.code != first.code
    (row,) = await rows(site, Campaign)
    assert (row.issued, row.issued_fen) == (1, 25000)
    assert await site.broken() == []


@pytest.mark.parametrize("rest_is_spent", [False, True])
@gen
async def test_a_refund_of_the_order_gives_back_exactly_what_it_took(site, rest_is_spent):
    await member(site, paid_fen=25000)
    first = await the_one(site)
    site.clock.forward(hours=72)
    order = await begins(site, voucher=first.code, course=COURSE)
    if rest_is_spent:
        rest = (await mine(site))[1]
        await site.ctx.transact(lambda _env: Voucher.update(state="used").where(Voucher.id == rest.id).execute())
    await site.ctx.transact(refunds.ask, person_id=order.person_id, no=order.no, reason="")
    open_ones = [one.amount_fen for one in await mine(site) if one.state == "open"]
    assert open_ones == ([19900] if rest_is_spent else [25000])
    assert {one.expires_at for one in await mine(site)} == {first.expires_at}


@gen
async def test_each_payment_has_its_own_and_only_one(site):
    await member(site)
    site.box.planet.member_renews(site.phone().person, "g1")
    for _ in range(2):
        await hears(site)
    assert len(await mine(site)) == 2
    assert len({one.cause for one in await mine(site)}) == 2 and await site.broken() == []


@gen
async def test_a_renewal_that_was_paid_a_year_ahead_can_be_spent_as_soon(site):
    await member(site)
    site.clock.forward(days=10)
    site.box.planet.member_renews(site.phone().person, "g1")
    await hears(site)
    renewed = (await mine(site))[1]
    assert renewed.starts_at == START + timedelta(days=10, hours=72)
    assert renewed.expires_at > START + timedelta(days=10 + 365)


@gen
async def test_no_limit_cuts_what_was_paid(site):
    await campaign(site, slug="ours", kind="shared_planet", planet="infosec", amount_fen=None, scope="caoz")
    before = await site.rows()
    for limit in ({"quota": 9}, {"budget_fen": 9_999_999}):
        with pytest.raises(WrongInput):
            await site.ctx.transact(campaigns.change, slug="ours", **limit)
    assert await site.rows() == before


@gen
async def test_a_refund_at_the_planet_ends_it(site):
    order_ref = await member(site)
    voucher = await the_one(site)
    site.box.planet.refund(order_ref)
    await hears(site)
    assert await state_of(site, voucher.code) == "dead"
    site.clock.forward(hours=72)
    page = await site.phone().open(f"{site.base_url}/courses/{COURSE}/buy")
    assert page.find("use-voucher") is None


@gen
async def test_a_refund_after_it_was_spent_puts_the_order_before_the_operator(site):
    order_ref = await member(site)
    voucher = await the_one(site)
    site.clock.forward(hours=72)
    await begins(site, voucher=voucher.code, course=COURSE)
    site.box.planet.refund(order_ref)
    await hears(site)
    (mismatch,) = await rows(site, Mismatch)
    assert (mismatch.kind, mismatch.key) == ("voucher_spent", order_ref)
    assert await state_of(site, voucher.code) == "used"


@pytest.mark.parametrize("then", ["paid", "closed"])
@gen
async def test_a_refund_while_an_unpaid_order_holds_it(site, then):
    order_ref = await member(site, paid_fen=16000)
    voucher = await the_one(site)
    site.clock.forward(hours=72)
    order = await begins(site, voucher=voucher.code, course=COURSE)
    payment = await opened(site, order)
    site.box.planet.refund(order_ref)
    await hears(site)
    assert await state_of(site, voucher.code) == "held"
    if then == "paid":
        await comes(site, payment)
        assert await state_of(site, voucher.code) == "used"
        assert [one.kind for one in await rows(site, Mismatch)] == ["voucher_spent"]
        await site.ctx.transact(refunds.ask, person_id=order.person_id, no=order.no, reason="")
        (news,) = await site.ctx.read(lambda _env: [told_refund(one) for one in order.refunds])
        await site.ctx.transact(refund_money.hear, told=news)
    else:
        site.clock.forward(minutes=31)
        await site.ctx.transact(lambda env: site_closes(env, order, payment))
    assert await state_of(site, voucher.code) == "dead"


def site_closes(env, order, payment):
    """The order's time is over, and WeChat has confirmed its close."""
    close(env, order)
    money_in.note_closed(env, payment_id=payment.id)


@gen
async def test_what_was_bought_with_it_does_not_open_the_planet_again(site):
    await member(site)
    voucher = await the_one(site)
    site.clock.forward(hours=72)
    await begins(site, voucher=voucher.code, course=COURSE)
    person_id = await site.person_id()
    course_id = await site.ctx.read(lambda env: links.catalogue.live_pairing(COURSE).course_id)
    with pytest.raises(AlreadyMember):
        await site.ctx.read(links.choose_grant, person_id=person_id, course_id=course_id)
    page = await site.phone().open(f"{site.base_url}/me")
    assert page.find("link-state").attrs["data-state"] == "paid_there"


@gen
async def test_a_campaign_of_the_catalogue_sets_the_amount_for_its_planet(site):
    await campaign(site, slug="ours", kind="shared_planet", planet="infosec", amount_fen=5000, scope="caoz")
    await member(site)
    voucher = await the_one(site)
    assert (voucher.amount_fen, voucher.campaign.slug, voucher.campaign.bearer) == (5000, "ours", "lecturer")
    assert "¥50 代金券" in (await site.phone().open(f"{site.base_url}/me")).text
    assert "¥50 的代金券" in (await site.phone().open(f"{site.base_url}/planets/infosec")).text


@gen
async def test_a_voucher_that_was_owed_before_there_were_any_is_issued(site):
    await member(site)
    await site.ctx.transact(lambda _env: Voucher.delete().execute() and Campaign.delete().execute())
    for _ in range(2):
        await payments.serve_late(site.ctx)
    voucher = await the_one(site)
    (payment,) = await rows(site, PlanetPayment)
    assert voucher.payment_id == payment.id and await site.broken() == []


@pytest.mark.parametrize("other", [{"scope": "linlan"}, {"scope": "caoz", "starts": START + timedelta(days=1)}])
@gen
async def test_a_campaign_of_another_lecturer_or_of_another_time_gives_nothing_for_a_planet(site, other):
    await campaign(site, slug="other", kind="shared_planet", amount_fen=100, **other)
    await member(site)
    voucher = await the_one(site)
    assert (voucher.amount_fen, voucher.campaign.slug) == (19900, "planet:infosec")


@gen
async def test_one_that_was_owed_and_refunded_meanwhile_is_not_issued(site):
    order_ref = await member(site)
    await site.ctx.transact(lambda _env: Voucher.delete().execute())
    site.box.planet.refund(order_ref)
    await hears(site)
    await payments.serve_late(site.ctx)
    assert await rows(site, Voucher) == []


@gen
async def test_a_planet_that_costs_nothing_gives_no_voucher(site):
    await site.ctx.transact(lambda _env: Planet.update(price_fen=0).execute())
    await member(site, paid_fen=0)
    assert await mine(site) == [] and [one.gave for one in await rows(site, PlanetPayment)] == ["nothing"]
    assert await site.broken() == []
