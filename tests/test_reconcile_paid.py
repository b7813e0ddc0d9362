"""What members paid at the planet, as its list shows it: taken in by version, braked when many, listed when gone."""

from datetime import timedelta

import pytest

from models.access import Grant
from models.payments import COURSE, PlanetPayment
from services import access, payments
from services.env import Env
from tests.reconcile_kit import differences, later, links_many, look, metric, night
from tests.site import Site

gen = pytest.mark.gen_test(timeout=60)
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])


async def paid(site: Site) -> dict[str, str]:
    """Payments that we know: their state by order number there."""
    rows = PlanetPayment.select().order_by(PlanetPayment.id)
    return await site.ctx.read(lambda _env: {one.order_ref: one.status for one in rows})


def gives_course(env: Env, *, order_ref: str) -> None:
    """A payment has given its course, as when its member came here."""
    payment, other = PlanetPayment.get(order_ref=order_ref), Grant.get()
    where = {"source": "planet", "source_ref": f"partner:{order_ref}", "starts_at": env.now}
    grant = access.give(env, person=other.person, course=other.course, **where)
    served = {"person": other.person, "grant": grant, "gave": COURSE, "served_at": env.now}
    PlanetPayment.update(**served).where(PlanetPayment.id == payment.id).execute()


async def pays(site: Site, name: str) -> str:
    """A linked person renews at the planet, and we are not told; the number."""
    return site.box.planet.member_buys(site.phone(name).person, "g1")


@gen
async def test_what_a_linked_member_paid_is_taken_in_though_no_event_came_and_of_strangers_nothing_is_kept(site):
    await links_many(site, "anna")
    mine = await pays(site, "anna")
    await pays(site, "bob")
    assert (await night(site)).repaired == 1
    assert await paid(site) == {mine: "active"}
    assert (await night(site)).repaired == 0
    site.box.planet.refund(mine)
    assert (await night(site)).repaired == 1
    assert await paid(site) == {mine: "refunded"}
    assert await site.broken() == []


@gen
async def test_an_older_version_changes_nothing(site):
    await links_many(site, "anna")
    mine = await pays(site, "anna")
    await night(site)
    await site.ctx.transact(lambda _env: PlanetPayment.update(version=9, status="refunded").execute())
    assert (await night(site)).repaired == 0
    assert await paid(site) == {mine: "refunded"}


@gen
async def test_a_known_payment_that_the_list_has_no_more_is_listed_until_it_is_back(site):
    await links_many(site, "anna")
    mine = await pays(site, "anna")
    await night(site)
    member = site.box.planet.group("g1").find(site.box.planet.account_of(site.phone("anna").person).uid)
    gone = next(one for one in member.memberships if one.order_ref)
    member.memberships.remove(gone)
    await night(site)
    assert await differences(site) == [("gone", mine)]
    await site.server.measure()
    assert metric("wxbot_mismatches", kind="gone") == 1
    assert await paid(site) == {mine: "active"}, "listed, not ended"
    member.memberships.append(gone)
    await night(site)
    assert await differences(site) == []


@gen
async def test_whom_the_owner_removed_though_he_paid_is_listed(site):
    await links_many(site, "anna")
    mine = await pays(site, "anna")
    await night(site)
    await site.ctx.transact(gives_course, order_ref=mine)
    site.box.planet.remove(site.phone("anna").person, "g1")
    await night(site)
    assert ("removed", mine) in await differences(site)
    assert await paid(site) == {mine: "removed"}


@SQLITE
@gen
async def test_many_refunds_at_once_wait_for_a_person(site):
    names = [f"l{number}" for number in range(7)]
    await links_many(site, *names)
    refs = [await pays(site, name) for name in names]
    await night(site)
    for ref in refs:
        await site.ctx.transact(gives_course, order_ref=ref)
        site.box.planet.refund(ref)
    await night(site)
    found = await look(site)
    assert (found.outcome, found.repaired, found.held_back) == ("braked", 0, 7)
    assert set((await paid(site)).values()) == {"active"}
    site.clock.forward(minutes=1)
    await later(site, minutes=1)
    assert (await look(site)).id == found.id, "not tried again at once"
    assert timedelta(0) < site.clock.now() - found.started_at < timedelta(minutes=10)


@gen
async def test_a_payment_is_kept_once_whoever_comes_first(site):
    await links_many(site, "anna")
    await pays(site, "anna")
    (page,) = [one async for one in site.ctx.planets["partner"].pages("g1")]
    (right,) = [one for one in page.members[0].memberships if one.order_ref]
    told = payments.Told.of(right, group_id="g1")
    for _ in range(2):
        await site.ctx.transact(payments.hear, provider="partner", told=told)
    assert await site.ctx.read(lambda _env: PlanetPayment.select().count()) == 1
