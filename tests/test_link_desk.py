"""What an operator does with links: sees them, ends one, allows one more; never a new year (L6)."""

import pytest

from models.audit import AuditEntry
from models.links import Membership, RefundWaiver, RelinkPermit
from tests.reconcile_kit import links_many, ours, there, types
from tests.site import COURSE, START
from tests.test_links import PLANET_PAGE, count, no_of
from tests.test_years import unlink

pytest_plugins = ["tests.commands"]
gen = pytest.mark.gen_test(timeout=60)
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])


@gen
async def test_the_list_shows_links_with_their_memberships_by_pseudonym(site, wxbot_beside):
    await links_many(site, "anna", "bob")
    await unlink(site, "bob")
    anna, bob = await ours(site)
    people = [f"p{await site.person_id(name)}" for name in ("anna", "bob")]
    until, since = "until 2027-11-22 09:30Z", "since 2026-11-22 09:30Z"
    theirs = [
        f"{bob.link_id}\t{people[1]}\tpartner\t{since}\tended 2026-11-22 09:30Z by test",
        f"  membership {bob.id}\t{COURSE} > infosec\trevoked\t{until}",
    ]
    hers = [
        f"{anna.link_id}\t{people[0]}\tpartner\t{since}\tactive",
        f"  membership {anna.id}\t{COURSE} > infosec\tlinked\t{until}",
    ]
    done = await types(site, wxbot_beside, "link", "list")
    assert (done.code, done.out.splitlines()) == (0, theirs + hers)
    assert (await types(site, wxbot_beside, "link", "list", "--person", people[0])).out.splitlines() == hers
    assert anna.link.member_uid not in done.out and anna.link.display_name not in done.out
    done = await types(site, wxbot_beside, "link", "list", "--person", "anna")
    assert (done.code, done.err) == (1, "Error: anna: a person is written as p12\n")


@gen
async def test_a_link_that_is_removed_ends_at_both_sides_keeps_the_waiver_and_the_person_is_told(site, wxbot_beside):
    await links_many(site, "anna", "bob")
    await site.phone("anna").follow()
    anna, bob = await ours(site)
    site.world.journal.clear()
    done = await types(site, wxbot_beside, "link", "remove", str(anna.link_id), "--reason", "asked by phone")
    assert (done.code, done.out) == (0, f"removed link {anna.link_id}\n")
    await site.delivers()
    assert there(site) == {anna.ref: "revoked", bob.ref: "active"}
    (asked,) = site.world.journal.entries(side="planet", operation="planet.revoke")
    assert asked.path.endswith("?reason=operator")
    assert await count(site, RefundWaiver) == 2
    assert "我们的同事解除了您与星球账号" in site.phone("anna").inbox[-1].text
    assert "asked by phone" not in site.phone("anna").inbox[-1].text
    entry = await site.ctx.read(lambda _env: AuditEntry.get(action="unlink"))
    assert (entry.who, entry.subject, entry.reason) == ("command", f"link:{anna.link_id}", "asked by phone")
    assert await site.broken() == []


@gen
async def test_removing_twice_or_what_is_not_there_or_without_a_reason_is_one_clear_line(site, wxbot_beside):
    await links_many(site, "anna")
    (anna,) = await ours(site)
    before = await site.every_row()
    for reason in ((), ("--reason", " ")):
        done = await types(site, wxbot_beside, "link", "remove", str(anna.link_id), *reason)
        assert done.code == 2 and "--reason" in done.err
    assert await site.every_row() == before
    remove = ("link", "remove", str(anna.link_id), "--reason", "x")
    assert (await types(site, wxbot_beside, *remove)).code == 0
    before = await site.every_row()
    done = await types(site, wxbot_beside, *remove)
    assert (done.code, done.err) == (1, f"Error: link {anna.link_id} has ended already\n")
    done = await types(site, wxbot_beside, "link", "remove", "999", "--reason", "x")
    assert (done.code, done.err) == (1, "Error: there is no link 999\n")
    assert await site.every_row() == before


@gen
async def test_after_an_operator_has_removed_it_linking_again_gets_the_rest_of_the_same_year(site, wxbot_beside):
    await links_many(site, "anna")
    (anna,) = await ours(site)
    await types(site, wxbot_beside, "link", "remove", str(anna.link_id), "--reason", "x")
    await site.delivers()
    site.clock.forward(days=30)
    page = await site.links("anna")
    assert page.find("link-state").attrs["data-state"] == "linked"
    old, new = await ours(site)
    assert new.ends_at == old.ends_at
    assert (new.ends_at - START).days == 365
    assert await site.broken() == []


async def spent(site) -> Membership:
    """Anna has linked, re-linked twice, and unlinked: the last of her memberships."""
    for _ in range(3):
        await links_many(site, "anna") if not await count(site, Membership) else await site.links("anna")
        await site.delivers()
        await unlink(site, "anna")
    return (await ours(site))[-1]


@gen
async def test_after_two_re_links_an_operator_may_allow_one_more_and_it_is_one(site, wxbot_beside):
    last = await spent(site)
    assert no_of(await site.signs_in("anna", PLANET_PAGE)) == (403, "relink_limit")
    allow = ("link", "allow", str(last.link_id), "--reason", "lost her phone")
    done = await types(site, wxbot_beside, *allow)
    assert (done.code, done.out) == (0, f"one more link is allowed for {COURSE}\n")
    entry = await site.ctx.read(lambda _env: AuditEntry.get(action="allow relink"))
    assert (entry.who, entry.subject, entry.reason) == ("command", f"grant:{last.grant_id}", "lost her phone")
    before = await site.every_row()
    done = await types(site, wxbot_beside, *allow)
    assert (done.code, done.err.count("\n")) == (1, 1), "not two in store"
    assert await site.every_row() == before
    page = await site.links("anna")
    assert page.find("link-state").attrs["data-state"] == "linked"
    assert {one.ends_at for one in await ours(site)} == {last.ends_at}, "the same year"
    await unlink(site, "anna")
    assert no_of(await site.signs_in("anna", PLANET_PAGE)) == (403, "relink_limit")
    assert await count(site, RelinkPermit) == 1
    assert await site.broken() == []


@gen
async def test_a_permit_shortens_no_pause_between_two_accounts(site, wxbot_beside):
    last = await spent(site)
    await types(site, wxbot_beside, "link", "allow", str(last.link_id), "--reason", "x")
    site.box.planet.accounts.new(site.phone("anna").person)
    await site.at_planet("anna")
    assert no_of(await site.phone("anna").tap("planet-agree")) == (403, "relink_limit")
    site.clock.forward(days=7)
    page = await site.links("anna")
    assert page.find("link-state").attrs["data-state"] == "linked"


@gen
async def test_there_is_nothing_to_allow_while_re_links_are_left(site, wxbot_beside):
    await links_many(site, "anna")
    (anna,) = await ours(site)
    allow = ("link", "allow", str(anna.link_id), "--reason", "x")
    for act in (lambda: site.delivers(), lambda: unlink(site, "anna")):
        await act()
        before = await site.every_row()
        done = await types(site, wxbot_beside, *allow)
        assert done.code == 1
        assert done.err == (
            f"Error: no purchase of link {anna.link_id} has used up its re-links: there is nothing to allow\n"
        )
        assert await site.every_row() == before
