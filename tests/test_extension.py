"""`wxbot membership extend`: a year made longer out of goodwill, at both sides, on the record."""

from datetime import timedelta

import pytest

from models.audit import AuditEntry
from tests.reconcile_kit import links_many, look, night, ours, types
from tests.site import START
from tests.test_years import unlink

pytest_plugins = ["tests.commands"]
gen = pytest.mark.gen_test(timeout=60)
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])


def typed(number: int, days: int) -> tuple[str, ...]:
    """The command."""
    return ("membership", "extend", str(number), "--days", str(days), "--reason", "the planet was away")


@gen
async def test_a_membership_is_extended_at_both_sides_and_the_person_is_told(site, wxbot_beside):
    await links_many(site, "anna")
    await site.phone("anna").follow()
    (before,) = await ours(site)
    done = await types(site, wxbot_beside, *typed(before.id, 10))
    assert (done.code, done.out) == (0, f"membership {before.id} ends 2027-12-02 09:30Z\n")
    await site.delivers()
    (after,) = await ours(site)
    assert after.ends_at == before.ends_at + timedelta(days=10)
    assert (after.version, after.delivered_version) == (before.version + 1, before.version + 1)
    (there,) = site.box.planet.memberships("g1")
    assert (there.ref, there.ends_at) == (before.ref, after.ends_at)
    assert site.phone("anna").inbox[-1].text == "「信息安全星球」的有效期延长了 10 天，现在到 2027年12月2日。"
    entry = await site.ctx.read(lambda _env: AuditEntry.get(action="extend"))
    assert (entry.who, entry.subject, entry.reason) == ("command", f"membership:{before.id}", "the planet was away")
    assert (entry.old, entry.new) == ("2027-11-22T09:30:00Z", "2027-12-02T09:30:00Z")
    await night(site)
    assert ((await look(site)).outcome, (await look(site)).repaired) == ("ok", 0)
    assert await site.broken() == []


@gen
async def test_the_years_behind_it_wait_for_it(site, wxbot_beside):
    for order_no in ("A1", "A2", "A3"):
        await site.buys("anna", order_no=order_no)
        await site.links("anna")
    first = (await ours(site))[0]
    assert (await types(site, wxbot_beside, *typed(first.id, 10))).code == 0
    await site.delivers()
    one, two, three = await ours(site)
    assert (one.ends_at, two.ends_at) == (two.starts_at, three.starts_at), "no gap, and none beside another"
    assert [m.ends_at - START for m in (one, two, three)] == [timedelta(days=365 * n + 10) for n in (1, 2, 3)]
    by_ref = site.box.planet.group("g1").by_ref
    assert [by_ref[m.ref].ends_at for m in (one, two, three)] == [one.ends_at, two.ends_at, three.ends_at]
    assert await site.broken() == []


@gen
async def test_what_was_taken_back_or_is_not_there_is_not_extended(site, wxbot_beside):
    await links_many(site, "anna")
    await unlink(site, "anna")
    (anna,) = await ours(site)
    before = await site.every_row()
    for number, line in (
        (anna.id, f"membership {anna.id} was taken back: there is nothing to extend"),
        (999, "there is no membership 999"),
    ):
        done = await types(site, wxbot_beside, *typed(number, 10))
        assert (done.code, done.err) == (1, f"Error: {line}\n")
    assert await site.every_row() == before


@SQLITE
@gen
async def test_a_span_has_bounds_and_needs_a_reason(site, wxbot_beside):
    await links_many(site, "anna")
    (anna,) = await ours(site)
    before = await site.every_row()
    for days in (0, -1, 367):
        assert (await types(site, wxbot_beside, *typed(anna.id, days))).code == 2
    assert (await types(site, wxbot_beside, *typed(anna.id, 1)[:-2])).code == 2
    assert await site.every_row() == before


@gen
async def test_one_that_is_over_comes_back_only_when_the_new_end_is_ahead(site, wxbot_beside):
    await links_many(site, "anna")
    (anna,) = await ours(site)
    site.clock.forward(days=370)
    before = await site.every_row()
    done = await types(site, wxbot_beside, *typed(anna.id, 5))
    assert (done.code, done.err) == (
        1, f"Error: membership {anna.id} ended too long ago: 5 more days are over too\n",
    )  # fmt: skip
    assert await site.every_row() == before
    assert (await types(site, wxbot_beside, *typed(anna.id, 6))).code == 0
    await site.delivers()
    assert [one.status for one in site.box.planet.memberships("g1")] == ["active"]
    page = await site.signs_in("anna", "/me")
    assert page.find("link-state").attrs["data-state"] == "linked"
    assert await site.broken() == []
