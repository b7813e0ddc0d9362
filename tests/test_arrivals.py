"""From the planet to the course, rule by rule: who may, who may not, and that a no changes nothing (L2, L4, L5, R6)."""

from datetime import timedelta

import pytest

from models.links import WAIVER_TEXT, Link, LinkAttempt, Membership, RefundWaiver
from models.mismatches import Mismatch
from models.payments import PlanetPayment
from services import payments
from tests.arrival_kit import (
    PLANET,
    arrives,
    changed_since,
    changes_pairing,
    every,
    grants,
    hears,
    no_of,
    notices,
    pays,
    stands_at_the_planet,
    state,
    uid,
    waived,
)
from tests.attack_kit import ask
from tests.site import COURSE, START

gen = pytest.mark.gen_test(timeout=60)
REFUSED = {"link_attempt", "person", "identity"}


@gen
async def test_the_payment_says_who_was_served_when_and_by_which_right(site):
    order_ref = pays(site)
    await arrives(site)
    (payment,), (link,), (grant,) = await every(site, PlanetPayment), await every(site, Link), await grants(site)
    assert (payment.order_ref, payment.member_uid, payment.group_id) == (order_ref, uid(site), "g1")
    assert (payment.paid_fen, payment.status, payment.gave, payment.served_at) == (19900, "active", "course", START)
    assert (payment.person_id, payment.link_id, payment.grant_id) == (link.person_id, link.id, grant.id)
    assert (grant.source, grant.source_ref) == ("planet", f"partner:{order_ref}")
    assert (grant.starts_at, grant.ends_at) == (START, None)
    assert any("信息安全职场培训" in text for text in await notices(site))
    assert await site.broken() == []


@gen
async def test_what_he_agreed_to_is_in_effect_with_the_course(site):
    pays(site)
    await stands_at_the_planet(site)
    assert await every(site, RefundWaiver) == [], "nothing takes effect before the planet has recognised him"
    await site.phone().tap("planet-agree")
    (waiver,), (grant,), (link,) = await every(site, RefundWaiver), await grants(site), await every(site, Link)
    assert (waiver.grant_id, waiver.link_id, waiver.text) == (grant.id, link.id, WAIVER_TEXT)
    assert (waiver.agreed_at, waiver.effective_at, waiver.openid) == (START, START, site.phone().openid)


@gen
async def test_a_shared_planet_gives_a_voucher_worth_what_was_paid_there(site):
    await changes_pairing(site, mode="shared")
    pays(site, paid_fen=18800)
    page = await arrives(site)
    assert state(page) == "voucher" and "¥188" in page.text and "已发放" in page.text
    (payment,) = await every(site, PlanetPayment)
    assert (payment.gave, payment.grant_id) == ("voucher", None)
    assert await grants(site) == await every(site, RefundWaiver) == []
    for path in ("/me", "/me/access", "/me/links"):
        assert "¥188 代金券" in (await site.phone().open(f"{site.base_url}{path}")).text, path
    again = await site.phone().open(f"{site.base_url}{PLANET}")
    assert state(again) == "voucher" and again.find("confirm") is None
    assert any("¥188.00 代金券" in text for text in await notices(site))
    assert await site.broken() == []


@gen
async def test_who_has_his_course_sees_it_on_the_page_behind_the_post(site):
    pays(site)
    await arrives(site)
    page = await site.phone().open(f"{site.base_url}{PLANET}")
    assert state(page) == "course" and page.find("confirm") is None
    assert f"{site.base_url}/courses/{COURSE}" in page.links
    mine = await site.phone().open(f"{site.base_url}/me")
    assert state(mine) == "paid_there"
    assert "带来了课程" in (await site.phone().open(f"{site.base_url}/me/links")).text
    assert "星球付款" in (await site.phone().open(f"{site.base_url}/me/access")).text


@gen
async def test_a_payment_below_the_floor_gives_nothing_and_is_listed(site):
    order_ref = pays(site, paid_fen=15919)
    page = await arrives(site)
    assert state(page) == "nothing" and "低于" in page.text
    assert await grants(site) == await every(site, RefundWaiver) == []
    (payment,), (listed,) = await every(site, PlanetPayment), await every(site, Mismatch)
    assert payment.gave == "nothing"
    assert (listed.kind, listed.key, listed.payment_id) == ("below_floor", order_ref, payment.id)
    assert any("低于" in text for text in await notices(site))
    again = await site.phone().open(f"{site.base_url}{PLANET}")
    assert state(again) == "nothing" and again.find("confirm"), "he may pay the price and come again"
    assert await site.broken() == []


@gen
async def test_exactly_the_floor_is_enough(site):
    pays(site, paid_fen=15920)
    assert state(await arrives(site)) == "course"


@gen
async def test_without_the_tick_nothing_begins(site):
    pays(site)
    await site.signs_in("anna", PLANET)
    before = await site.rows()
    for waiver in (None, "2018-01"):
        page = await site.posts("anna", PLANET, **({"waiver": waiver} if waiver else {}))
        assert no_of(page) == (422, "waiver_not_agreed")
    assert await site.rows() == before


@gen
async def test_looking_changes_nothing(site):
    pays(site)
    await site.signs_in("anna", PLANET)
    before = await site.rows()
    page = await site.phone().open(f"{site.base_url}{PLANET}")
    assert page.find("confirm") and "checked" not in page.find("waiver-agree").attrs
    assert await site.rows() == before


@pytest.mark.parametrize("kind", ["safari", "planet"])
@gen
async def test_another_browser_is_told_how_to_get_into_wechat(site, kind):
    site.phone().kind = kind
    page = await site.phone().open(f"{site.base_url}{PLANET}")
    assert page.status == 200 and page.find("open-in-wechat") and page.find("copy-link")
    assert page.find("confirm") is None and page.find("sign-in") is None
    answer = await ask(site, PLANET, "POST", form={"_xsrf": "ab12" * 8}, cookies={"_xsrf": "ab12" * 8})
    assert answer.status == 401, "and nobody who is not signed in begins anything"


@gen
async def test_an_unknown_planet_is_not_found(site):
    await site.signs_in("anna", PLANET)
    before = await site.rows()
    assert no_of(await site.phone().open(f"{site.base_url}/planets/nowhere")) == (404, "not_found")
    assert no_of(await site.posts("anna", "/planets/nowhere", waiver=site.waiver)) == (404, "not_found")
    assert await site.rows() == before


@gen
async def test_a_pairing_that_is_paused_lets_nobody_in(site):
    pays(site)
    await site.signs_in("anna", PLANET)
    await changes_pairing(site, paused_at=START)
    before = await site.rows()
    page = await site.phone().open(f"{site.base_url}{PLANET}")
    assert state(page) == "not_live" and page.find("confirm") is None
    page = await site.posts("anna", PLANET, waiver=site.waiver)
    assert no_of(page) == (409, "pairing_not_live")
    assert await site.rows() == before


@gen
async def test_a_pause_while_he_is_at_the_planet_keeps_the_link_away(site):
    pays(site)
    await stands_at_the_planet(site)
    await changes_pairing(site, paused_at=START)
    before = await site.rows()
    assert no_of(await site.phone().tap("planet-agree")) == (409, "pairing_not_live")
    assert await changed_since(site, before) == {"link_attempt"}


def refunded(site):
    """His money is back."""
    site.box.planet.refund(pays(site))


def removed(site):
    """The owner has put him out."""
    pays(site)
    site.box.planet.remove(site.phone().person, "g1")


def invited(site):
    """The owner has let him in for nothing."""
    site.box.planet.joins_free(site.phone().person, "g1")


def expired(site):
    """His year is over."""
    pays(site)
    site.clock.forward(days=366)


def elsewhere(site):
    """He is a member of another planet of the same company."""
    site.box.planet.member_buys(site.phone().person, "g2")


@pytest.mark.parametrize("how", [refunded, removed, invited, expired, elsewhere])
@gen
async def test_who_has_no_payment_that_holds_gets_nothing_and_nothing_changes(site, how):
    how(site)
    before = await site.rows()
    assert no_of(await arrives(site)) == (403, "not_a_member")
    assert await changed_since(site, before) <= REFUSED
    assert await site.broken() == []


@gen
async def test_a_membership_that_we_gave_brings_no_course_back(site):
    await site.buys("anna")
    await site.links("anna")
    before = await site.rows()
    assert no_of(await arrives(site)) == (403, "not_a_member"), "no loops"
    assert await changed_since(site, before) == {"link_attempt"}


@gen
async def test_the_planet_account_of_another_person_is_refused(site):
    pays(site)
    await arrives(site)
    planet = site.box.planet
    planet.accounts.lend(planet.account_of(site.phone("anna").person), site.phone("bob").person)
    before = await site.rows()
    assert no_of(await arrives(site, "bob")) == (409, "link_taken")
    assert await changed_since(site, before) <= REFUSED


@gen
async def test_a_payment_that_served_one_person_serves_no_second(site):
    pays(site)
    await arrives(site)
    planet = site.box.planet
    planet.accounts.lend(planet.account_of(site.phone("anna").person), site.phone("bob").person)
    await site.phone("anna").open(f"{site.base_url}/me/links")
    await site.phone("anna").tap("unlink")
    await site.phone("anna").submit("unlink")
    before = await site.rows()
    assert no_of(await arrives(site, "bob")) == (409, "payment_served")
    assert await changed_since(site, before) <= REFUSED
    assert len(await grants(site, "anna")) == 1, "what she paid for herself stays, also without the link"
    assert state(await arrives(site, "anna")) == "course", "and she may link again, for nothing more"
    assert len(await grants(site, "anna")) == 1
    assert await site.broken() == []


@gen
async def test_a_second_planet_account_of_one_person_is_refused(site):
    pays(site)
    await arrives(site)
    site.box.planet.accounts.new(site.phone().person)
    pays(site)
    before = await site.rows()
    await site.posts("anna", PLANET, waiver=site.waiver)
    assert no_of(await site.phone().tap("planet-agree")) == (409, "already_linked")
    assert await changed_since(site, before) == {"link_attempt"}


@gen
async def test_a_purchase_and_its_renewal_are_two_rights_and_one_yes_is_one_waiver(site):
    pays(site)
    site.box.planet.member_renews(site.phone().person, "g1")
    await arrives(site)
    assert [one.source for one in await grants(site)] == ["planet", "planet"]
    assert len(await every(site, RefundWaiver)) == 1
    assert await site.broken() == []


@gen
async def test_no_is_no_at_the_planet(site):
    pays(site)
    await stands_at_the_planet(site)
    page = await site.phone().tap("planet-deny")
    assert page.find("error-code").text == "declined"
    assert await every(site, Link) == await every(site, PlanetPayment) == await every(site, RefundWaiver) == []


@pytest.mark.parametrize("kind", ["down", "error", "junk", "half"])
@gen
async def test_a_planet_that_cannot_say_what_he_paid_leaves_nothing_half_made(site, kind):
    pays(site)
    await stands_at_the_planet(site)
    site.world.faults.set("planet", kind, operation="planet.member")
    before = await site.rows()
    assert no_of(await site.phone().tap("planet-agree")) == (503, "remote_away")
    assert await changed_since(site, before) == {"link_attempt"}
    site.world.faults.clear("planet")
    site.clock.forward(minutes=1)
    assert state(await arrives(site)) == "course", "he begins again"
    assert await site.broken() == []


@gen
async def test_the_same_callback_again_shows_the_same_page_and_does_the_work_once(site):
    pays(site)
    site.phone().person.callback_twice = True
    page = await arrives(site)
    callback = next(hop.url for hop in page.hops if "/links/callback/" in hop.url)
    before = await site.rows()
    again = await site.phone().open(callback)
    assert (again.url, state(again)) == (page.url, "course")
    assert await site.rows() == before
    assert len(site.world.journal.entries(operation="planet.token")) == 1
    assert len(site.world.journal.entries(operation="planet.member")) == 1
    site.clock.forward(seconds=61)
    assert no_of(await site.phone().open(callback)) == (400, "state_invalid")
    assert no_of(await site.phone("bob").open(callback))[0] in {400, 403}
    assert len(await grants(site)) == 1


@gen
async def test_who_has_the_course_from_both_sides_keeps_it_when_one_ends(site):
    order_ref = pays(site)
    await hears(site)
    await site.buys("anna")
    await site.links("anna")
    assert [one.source for one in await grants(site)] == ["purchase", "planet"], "both, with the first link"
    assert await waived(site) == ["purchase"], "what she agreed to is about what she bought here"
    site.box.planet.refund(order_ref)
    await hears(site)
    assert [one.source for one in await grants(site)] == ["purchase"]
    assert await site.broken() == []


@gen
async def test_words_that_changed_since_he_read_them_bind_nobody(site):
    pays(site)
    await stands_at_the_planet(site)
    await site.ctx.transact(lambda _env: LinkAttempt.update(text_hash="0" * 64).execute())
    before = await site.rows()
    assert no_of(await site.phone().tap("planet-agree")) == (422, "waiver_not_agreed")
    assert await changed_since(site, before) == {"link_attempt"}


@gen
async def test_a_payment_that_is_paid_there_opens_no_membership_of_ours(site):
    pays(site)
    await arrives(site)
    assert no_of(await site.signs_in("anna", f"/courses/{COURSE}/planet")) == (409, "already_member")
    assert await every(site, Membership) == []
    await site.buys("anna")
    assert state(await site.links("anna")) == "linked", "but what she buys here does"


@gen
async def test_a_payment_that_is_over_at_this_moment_does_not_count_whatever_its_word_is(site):
    """The planet may be late with its own words."""
    pays(site)
    await stands_at_the_planet(site)
    (membership,) = site.box.planet.memberships("g1")
    membership.ends_at = START - timedelta(seconds=1)
    site.box.planet.sweep = lambda: None
    before = await site.rows()
    assert no_of(await site.phone().tap("planet-agree")) == (403, "not_a_member")
    assert await changed_since(site, before) == {"link_attempt"}


@gen
async def test_a_membership_with_an_order_that_is_none_of_a_payment_does_not_count(site):
    pays(site)
    (membership,) = site.box.planet.memberships("g1")
    for source in ("partner", "free"):
        membership.source = source
        await stands_at_the_planet(site)
        before = await site.rows()
        assert no_of(await site.phone().tap("planet-agree")) == (403, "not_a_member")
        assert await changed_since(site, before) == {"link_attempt"}


@gen
async def test_what_the_browser_claims_about_a_payment_counts_for_nothing(site):
    """The account, the payment and the planet are what the planet says, and what the attempt's own row says."""
    pays(site, "bob")
    await site.signs_in("anna", PLANET)
    claimed = {"member_uid": uid(site, "bob"), "order_ref": "O-1", "group_id": "g2", "source": "paid", "gave": "course"}
    await site.posts("anna", PLANET, waiver=site.waiver, **claimed)
    before = await site.rows()
    assert no_of(await site.phone().tap("planet-agree")) == (403, "not_a_member")
    assert await changed_since(site, before) == {"link_attempt"}


def test_every_word_of_the_contract_is_known():
    assert set(payments.STATUS) == {"active", "expired", "revoked", "refunded"}
