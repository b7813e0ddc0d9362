"""Reconciliation while the planet's list lies or breaks off: nothing is changed, and soon after both agree (I18)."""

from collections.abc import Awaitable, Callable

import pytest

from models.audit import AuditEntry
from services.reconcile_list import is_mass
from tests.reconcile_kit import differences, later, links_many, look, metric, night, ours, there, types
from tests.site import Site

pytest_plugins = ["tests.commands"]
gen = pytest.mark.gen_test(timeout=120)
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])
CHANGED_BY_LOOKING = {"reconciliation", "job_lease"}
MEMBERS = 250


TRIED: set[str] = set()


def lie(name: str) -> Callable[[Site], None]:
    """The list pretends."""
    TRIED.add(name)
    return lambda site: setattr(site.box.planet, "list_lie", name)


def fault(kind: str, **how: object) -> Callable[[Site], None]:
    """The call for a page goes wrong."""
    return lambda site: site.world.faults.set("planet", kind, operation="planet.members", **how) and None


FAULTS = {
    "empty": (lie("empty"), "empty"),
    "half": (lie("half"), "partial"),
    "stale": (lie("stale"), "stale"),
    "30 % smaller": (lie("smaller"), "smaller"),
    "doubled": (lie("doubled"), "doubled"),
    "a cursor that leads back": (lie("circle"), "down"),
    "a cursor that is lost": (lie("lost_cursor"), "down"),
    "500 in the middle": (fault("error", after=1), "down"),
    "cut in the middle": (fault("half", after=1), "down"),
    "junk in the middle": (fault("junk", after=1), "down"),
    "down": (fault("down"), "down"),
    "busy": (fault("busy"), "down"),
    "no answer": (fault("timeout_after_commit"), "down"),
}


async def drifts_apart(site: Site) -> tuple[str, str]:
    """Many members; anna has unlinked and is there still, bob's membership is lost there: their refs."""
    await links_many(site, "anna", "bob")
    for number in range(MEMBERS):
        site.box.planet.joins_free(site.world.add_person(f"m{number}"), "g1")
    assert (await night(site)).outcome == "ok"
    anna, bob = await ours(site)
    await site.posts("anna", f"/me/links/{anna.link_id}/unlink")
    await site.delivers()
    group = site.box.planet.group("g1")
    group.by_ref[anna.ref].change(status="active")
    gone = group.by_ref.pop(bob.ref)
    group.members[gone.account.uid].memberships.remove(gone)
    return anna.ref, bob.ref


async def changed_by(site: Site, act: Callable[[], Awaitable[object]]) -> set[str]:
    """The tables that something changes."""
    before = await site.rows()
    await act()
    after = await site.rows()
    return {name for name in after if after[name] != before[name]}


@pytest.mark.parametrize("name", FAULTS)
@SQLITE
@gen
async def test_a_list_that_lies_or_breaks_off_changes_nothing_and_both_sides_agree_soon_after(site, name):
    gone_wrong, outcome = FAULTS[name]
    anna, bob = await drifts_apart(site)
    at_planet = there(site)
    gone_wrong(site)
    assert await changed_by(site, lambda: night(site)) <= CHANGED_BY_LOOKING
    assert ((await look(site)).outcome, (await look(site)).repaired) == (outcome, 0)
    assert there(site) == at_planet, "nobody is removed, nobody is told"
    await site.server.measure()
    assert metric("wxbot_reconciliation_braked", planet="infosec") == 1

    site.world.faults.clear()
    site.box.planet.list_lie = None
    await later(site, minutes=10)
    found = await look(site)
    assert (found.outcome, found.repaired) == ("ok", 2)
    assert there(site) == {anna: "revoked", bob: "active"}
    await site.server.measure()
    assert metric("wxbot_reconciliation_braked", planet="infosec") == 0
    assert await differences(site) == []
    assert await site.broken() == []


@SQLITE
@gen
async def test_a_slow_list_is_read_to_its_end(site):
    anna, bob = await drifts_apart(site)
    site.world.faults.set("planet", "slow", operation="planet.members", seconds=0.3)
    assert (await night(site)).outcome == "ok"
    assert there(site) == {anna: "revoked", bob: "active"}


@SQLITE
@gen
async def test_a_first_list_of_two_days_ago_is_not_believed(site):
    await links_many(site, "anna")
    site.box.planet.list_lie = "stale"
    assert (await night(site)).outcome == "stale"


async def unlinks_all(site: Site, number: int, of: int) -> list[str]:
    """So many of some linked people have unlinked, and the planet has them all the same: their refs."""
    await links_many(site, *(f"l{one}" for one in range(of)))
    assert (await night(site)).outcome == "ok"
    group, gone = site.box.planet.group("g1"), (await ours(site))[:number]
    for one, membership in enumerate(gone):
        await site.posts(f"l{one}", f"/me/links/{membership.link_id}/unlink")
    await site.delivers()
    for membership in gone:
        group.by_ref[membership.ref].change(status="active")
    return [membership.ref for membership in gone]


@SQLITE
@gen
async def test_a_mass_of_removals_waits_for_a_person_who_confirms_it(site, wxbot_beside):
    refs = await unlinks_all(site, 6, of=10)
    assert await changed_by(site, lambda: night(site)) <= CHANGED_BY_LOOKING
    found = await look(site)
    assert (found.outcome, found.repaired, found.held_back) == ("braked", 0, 6)
    done = await types(site, wxbot_beside, "reconcile", "--planet", "infosec")
    assert (done.code, done.out.splitlines()[0]) == (
        1, "infosec: braked, 10 members compared, 0 repaired, 0 listed, 6 held back",
    )  # fmt: skip
    assert done.err == "Error: nothing was changed for infosec: over 20 % of its memberships would be removed\n"
    assert {there(site)[ref] for ref in refs} == {"active"}
    confirmed = ("reconcile", "--planet", "infosec", "--confirm", "the owner asked for it")
    assert (await types(site, wxbot_beside, *confirmed)).code == 0
    assert {there(site)[ref] for ref in refs} == {"revoked"}
    entry = await site.ctx.read(lambda _env: AuditEntry.get(action="reconcile"))
    assert (entry.subject, entry.reason) == ("planet:infosec", "the owner asked for it")
    assert await site.broken() == []


@SQLITE
@gen
async def test_a_handful_of_removals_is_no_mass(site):
    refs = await unlinks_all(site, 2, of=3)
    assert (await night(site)).outcome == "ok"
    assert {there(site)[ref] for ref in refs} == {"revoked"}


def test_a_mass_is_over_a_fifth_and_more_than_a_handful():
    assert not is_mass(5, 5, most_percent=20)
    assert not is_mass(20, 100, most_percent=20)
    assert is_mass(21, 100, most_percent=20)
    assert is_mass(6, 29, most_percent=20)
    assert not is_mass(6, 30, most_percent=20)
