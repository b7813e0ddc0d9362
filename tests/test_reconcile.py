"""Reconciliation: ours is repaired, theirs is listed, and whom the owner removed is a person's matter (R4)."""

from datetime import timedelta

import pytest

from models.delivery import OutboxItem
from models.mismatches import Mismatch
from sandbox.planet_members import Membership as There
from services import memberships, outbox
from tests.reconcile_kit import differences, later, links_many, look, night, ours, there

gen = pytest.mark.gen_test(timeout=60)


@gen
async def test_when_both_sides_agree_a_night_changes_nothing(site):
    await links_many(site, "anna", "bob")
    before = there(site)
    (one, two) = [m.version for m in await ours(site)]
    found = await night(site)
    assert (found.outcome, found.members, found.repaired, found.listed) == ("ok", 2, 0, 0)
    assert there(site) == before
    assert [m.version for m in await ours(site)] == [one, two]
    assert await site.broken() == []


@gen
async def test_a_membership_that_the_planet_has_lost_is_told_again(site):
    await links_many(site, "anna", "bob")
    (anna, _) = await ours(site)
    group = site.box.planet.group("g1")
    gone = group.by_ref.pop(anna.ref)
    group.members[gone.account.uid].memberships.remove(gone)
    found = await night(site)
    assert (found.outcome, found.repaired) == ("ok", 1)
    assert there(site)[anna.ref] == "active"
    assert await site.broken() == []


@gen
async def test_a_membership_that_has_expired_too_early_or_ends_at_another_time_is_told_again(site):
    await links_many(site, "anna", "bob")
    (anna, bob) = await ours(site)
    by_ref = site.box.planet.group("g1").by_ref
    by_ref[anna.ref].change(status="expired")
    by_ref[bob.ref].change(ends_at=bob.ends_at - timedelta(days=3))
    assert (await night(site)).repaired == 2
    assert [by_ref[one.ref].status for one in (anna, bob)] == ["active", "active"]
    assert [by_ref[one.ref].ends_at for one in (anna, bob)] == [anna.ends_at, bob.ends_at]
    assert await site.broken() == []


@gen
async def test_what_has_ended_here_and_lives_on_there_is_ended_again_and_looked_after(site):
    await links_many(site, "anna", "bob")
    link = (await ours(site))[0].link
    await site.posts("anna", f"/me/links/{link.id}/unlink")
    await site.delivers()
    ref = (await ours(site))[0].ref
    site.box.planet.group("g1").by_ref[ref].change(status="active")
    site.world.journal.clear()
    found = await night(site)
    assert (found.outcome, found.repaired, found.listed) == ("ok", 1, 0)
    assert there(site)[ref] == "revoked"
    asked = [one.operation for one in site.world.journal.entries(side="planet")]
    assert asked.index("planet.revoke") < asked.index("planet.member"), "it looks whether he is gone"
    assert await differences(site) == []
    assert await site.broken() == []


@gen
async def test_who_is_still_there_after_his_removal_is_listed_and_ended_again(site, monkeypatch):
    await links_many(site, "anna", "bob")
    link = (await ours(site))[0].link
    await site.posts("anna", f"/me/links/{link.id}/unlink")
    await site.delivers()
    group, ref = site.box.planet.group("g1"), (await ours(site))[0].ref
    group.by_ref[ref].change(status="active")
    shown = There.shown
    monkeypatch.setattr(There, "shown", lambda self: shown(self) | ({"status": "active"} if self.ref == ref else {}))
    found = await night(site)
    assert (found.listed, await differences(site)) == (1, [("left", ref)])
    versions = [one.version for one in await ours(site)]
    await night(site)
    assert [one.version for one in await ours(site)] > versions, "tried again each night"
    monkeypatch.undo()
    await night(site)
    assert await differences(site) == []
    assert await site.broken() == []


@gen
async def test_whom_the_owner_removed_is_listed_and_never_granted_again_by_itself(site):
    await links_many(site, "anna", "bob")
    (anna, _) = await ours(site)
    site.box.planet.remove(site.phone("anna").person, "g1")
    for _ in range(3):
        found = await night(site)
        assert (found.outcome, found.repaired, found.listed) == ("ok", 0, 1)
    assert await differences(site) == [("removed", anna.ref)]
    assert there(site)[anna.ref] == "revoked"
    site.box.planet.readmit(site.phone("anna").person, "g1")
    assert (await night(site)).repaired == 0, "readmitted alone gives nothing: a person decides"
    assert await site.broken() == []


@gen
async def test_a_refusal_because_the_owner_removed_him_is_listed_too(site):
    await links_many(site, "anna", "bob")
    site.world.add_person("cara")
    await site.buys("cara")
    await site.at_planet("cara")
    person = site.phone("cara").person
    site.box.planet.joins_free(person, "g1")
    site.box.planet.remove(person, "g1")
    await site.phone("cara").tap("planet-agree")
    await night(site)
    cara = (await ours(site))[-1]
    assert await differences(site) == [("removed", cara.ref)]
    assert cara.refused_code == "removed_by_owner"


@gen
async def test_a_membership_in_our_name_that_we_never_gave_is_listed_with_its_age_until_it_is_gone(site):
    await links_many(site, "anna")
    planet = site.box.planet
    stranger = planet.account_of(site.phone("bob").person)
    foreign = planet.group("g1").add(There(stranger, "partner", planet.now, None, ref="not-ours"))
    for _ in range(2):
        assert (await night(site)).listed == 1
    assert await differences(site) == [("unknown", "not-ours")]
    assert foreign.status == "active", "listed, not touched"
    row = await site.ctx.read(lambda _env: Mismatch.get())
    assert row.last_seen_at - row.first_seen_at == timedelta(days=1)
    foreign.change(status="revoked")
    await night(site)
    assert await differences(site) == []
    assert await site.broken() == []


@gen
async def test_what_waits_for_a_planet_that_was_away_is_told_as_soon_as_its_list_was_read(site):
    await links_many(site, "anna")
    await site.buys("bob")
    site.world.faults.set("planet", "down", operation="planet.grant")
    await site.links("bob")
    (waiting,) = [one for one in await site.ctx.read(outbox.undelivered) if one.kind == outbox.MEMBERSHIP]
    for_want_of_an_answer = {"gave_up_at": site.clock.now(), "due_at": None, "attempts": 16}
    given_up = OutboxItem.update(**for_want_of_an_answer).where(OutboxItem.id == waiting.id)
    await site.ctx.transact(lambda _env: given_up.execute())
    site.world.faults.clear()
    await later(site, minutes=10)
    assert set(there(site).values()) == {"active"} and len(there(site)) == 2
    assert await site.broken() == []


@gen
async def test_what_the_planet_has_refused_is_left_to_a_person(site):
    await links_many(site, "anna", "bob")
    site.box.planet.remove(site.phone("anna").person, "g1")
    (anna, _) = await ours(site)
    await site.ctx.transact(memberships.tell_again, ids=[anna.id])
    await site.delivers()
    await night(site)
    (waiting,) = await site.ctx.read(outbox.undelivered)
    assert (waiting.gave_up, waiting.attempts) == (True, 1)


@gen
async def test_what_is_told_again_already_is_not_told_twice(site):
    await links_many(site, "anna")
    (anna,) = await ours(site)
    told = [await site.ctx.transact(memberships.tell_again, ids=[anna.id]) for _ in range(2)]
    assert told == [[anna.id], []]
    await site.delivers()
    assert (await ours(site))[0].delivered_version == anna.version + 1
    assert await site.broken() == []


@gen
async def test_it_runs_once_a_night_and_after_a_night_that_nobody_was_there_for(site):
    await links_many(site, "anna")
    await later(site, minutes=1)
    first = (await look(site)).id
    await later(site, hours=9)  # 02:31 in Shanghai
    assert (await look(site)).id == first
    await later(site, hours=1)  # 03:31
    assert (await look(site)).id > first
    second = (await look(site)).id
    await later(site, hours=20)
    assert (await look(site)).id == second
