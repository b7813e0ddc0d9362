"""The year that a link gives: a second purchase, a refund, unlinking and linking again (L6, R2)."""

from datetime import timedelta

import pytest

from models.links import Link, Membership, RefundWaiver
from services import links, outbox, purchases
from tests.site import START
from tests.test_links import PLANET_PAGE, count, no_of, only

gen = pytest.mark.gen_test(timeout=40)


@gen
async def test_two_purchases_of_one_course_attach_their_own_year_to_one_link(site):
    for order_no in ("A1", "A2"):
        await site.buys("anna", order_no=order_no)
        await site.links("anna")
    first, second = await site.ctx.read(lambda _env: list(Membership.select().order_by(Membership.id)))
    assert first.link_id == second.link_id
    assert second.starts_at == first.ends_at, "the second year starts where the first one ends"
    assert second.ends_at - second.starts_at == timedelta(days=365)
    assert await count(site, RefundWaiver) == 2
    assert await site.broken() == []


@gen
async def test_a_second_account_with_a_second_purchase_is_refused(site):
    for order_no in ("A1", "A2"):
        await site.buys("anna", order_no=order_no)
    await site.links("anna")
    site.box.planet.accounts.new(site.phone("anna").person)
    await site.at_planet("anna")
    page = await site.phone("anna").tap("planet-agree")
    assert no_of(page) == (409, "already_linked")
    assert await count(site, Link) == 1


@gen
async def test_when_the_earlier_purchase_is_refunded_the_later_year_moves_forward(site):
    for order_no in ("A1", "A2"):
        await site.buys("anna", order_no=order_no)
        await site.links("anna")
    site.clock.forward(days=100)
    where = {"platform": "yiling", "order_no": "A1"}
    await site.ctx.transact(purchases.refund, override="goodwill", **where)
    await site.delivers()
    first, second = await site.ctx.read(lambda _env: list(Membership.select().order_by(Membership.id)))
    assert first.revoked_reason == "refund"
    assert (second.starts_at, second.ends_at) == (site.clock.now(), site.clock.now() + timedelta(days=365))
    there = {m.ref: m for m in site.box.planet.memberships("g1")}
    assert there[first.ref].status == "revoked"
    assert there[second.ref].ends_at == second.ends_at
    assert await site.broken() == []


@gen
async def test_unlinking_ends_the_membership_and_keeps_the_waiver(site):
    await site.buys("anna")
    await site.links("anna")
    anna = site.phone("anna")
    await anna.open(f"{site.base_url}/me/links")
    page = await anna.tap("unlink")
    assert "放弃" in page.text, "it says what unlinking means"
    before = await count(site, RefundWaiver)
    page = await anna.tap("unlink")
    assert page.url == f"{site.base_url}/me/links"
    await site.delivers()
    (there,) = site.box.planet.memberships("g1")
    assert there.status == "revoked"
    assert await count(site, RefundWaiver) == before
    assert await site.broken() == []


@gen
async def test_linking_again_gets_the_rest_of_the_same_year(site):
    await site.buys("anna")
    await site.links("anna")
    await unlink(site, "anna")
    site.clock.forward(days=30)
    await site.links("anna")
    old, new = await site.ctx.read(lambda _env: list(Membership.select().order_by(Membership.id)))
    assert new.ends_at == old.ends_at == START + timedelta(days=365)
    assert await site.broken() == []


@gen
async def test_when_the_year_is_over_it_says_so_and_asks_for_nothing(site):
    await site.buys("anna")
    await site.links("anna")
    site.clock.forward(days=365)
    page = await site.signs_in("anna", PLANET_PAGE)
    assert no_of(page) == (409, "membership_over"), "also when he never unlinked"
    await unlink(site, "anna")
    page = await site.phone("anna").open(f"{site.base_url}{PLANET_PAGE}")
    assert no_of(page) == (409, "membership_over")
    assert await count(site, Membership) == 1


@gen
async def test_who_buys_again_after_his_year_gets_a_new_one(site):
    await site.buys("anna")
    await site.links("anna")
    await unlink(site, "anna")
    site.clock.forward(days=366)
    await site.buys("anna")
    page = await site.links("anna")
    assert page.find("link-state").attrs["data-state"] == "linked"
    newest = await site.ctx.read(lambda _env: Membership.select().order_by(Membership.id.desc()).get())
    assert newest.ends_at == site.clock.now() + timedelta(days=365)
    page = await site.phone("anna").open(f"{site.base_url}/me")
    assert page.find("link-state").attrs["data-state"] == "linked", "the course is shown by what it gives now"
    assert await site.broken() == []


@gen
async def test_changing_the_planet_account_waits_seven_days_and_ends_after_two_times(site):
    await site.buys("anna")
    await site.links("anna")
    await unlink(site, "anna")
    site.box.planet.accounts.new(site.phone("anna").person)
    await site.at_planet("anna")
    page = await site.phone("anna").tap("planet-agree")
    assert no_of(page) == (403, "relink_limit")
    site.clock.forward(days=7)
    for _ in range(2):
        page = await site.links("anna")
        assert page.find("link-state").attrs["data-state"] == "linked"
        await unlink(site, "anna")
    page = await site.signs_in("anna", PLANET_PAGE)
    assert no_of(page) == (403, "relink_limit"), "two re-links are enough, then the operator"


async def unlink(site, name: str) -> None:
    """Unlink somebody's one active link, and tell the planet."""
    person_id = await site.person_id(name)
    (link,) = await site.ctx.read(lambda _env: links.active_links(person_id))
    await site.ctx.transact(links.unlink, link_id=link.id, person_id=person_id, who="test", reason="test")
    await site.delivers()


@gen
async def test_nobody_unlinks_for_another(site):
    await site.buys("anna")
    await site.links("anna")
    link = await only(site, Link)
    await site.signs_in("bob")
    await site.buys("bob")
    await site.phone("bob").open(f"{site.base_url}{PLANET_PAGE}")
    before = await site.rows()
    path = f"/me/links/{link.id}/unlink"
    assert no_of(await site.phone("bob").open(f"{site.base_url}{path}")) == (404, "not_found")
    assert no_of(await site.posts("bob", path)) == (404, "not_found")
    assert await site.rows() == before


@gen
async def test_a_grant_that_the_planet_refuses_for_good_stands_in_the_operators_list(site):
    await site.buys("anna")
    await site.links("anna")
    site.box.planet.remove(site.phone("anna").person, "g1")
    await unlink(site, "anna")
    page = await site.links("anna")
    assert page.find("link-state").attrs["data-state"] == "refused"
    (waiting,) = await site.ctx.read(outbox.undelivered)
    assert waiting.gave_up
    assert "removed_by_owner" in waiting.error
