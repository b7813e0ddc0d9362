"""`wxbot reconcile` and `wxbot mismatch`: what an operator types, reads, and decides."""

import asyncio
import os
import pty
from pathlib import Path

import pytest

from models.audit import AuditEntry
from models.mismatches import Mismatch
from sandbox.planet_members import Membership as There
from services import jobs
from tests.reconcile_kit import differences, links_many, look, night, ours, there, types

pytest_plugins = ["tests.commands"]
gen = pytest.mark.gen_test(timeout=60)
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])


async def removed(site) -> Mismatch:
    """The planet's owner has put anna out, a night has passed, and it stands in the list."""
    await links_many(site, "anna", "bob")
    site.box.planet.remove(site.phone("anna").person, "g1")
    await night(site)
    return await site.ctx.read(lambda _env: Mismatch.get())


@gen
async def test_it_says_of_each_planet_what_was_done_and_what_is_open_for_how_long(site, wxbot_beside):
    row = await removed(site)
    (anna, bob) = await ours(site)
    by_ref = site.box.planet.group("g1").by_ref
    by_ref[bob.ref].change(status="expired")
    site.clock.forward(hours=5)
    done = await types(site, wxbot_beside, "reconcile")
    first, second, third = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert first == "infosec: ok, 2 members compared, 1 repaired, 1 listed, 0 held back"
    person = f"p{await site.person_id('anna')}"
    since = f"for 5 h, since {row.first_seen_at:%Y-%m-%d %H:%M}Z"
    assert second == f"  {row.id}\tremoved\tinfosec\t{person}\t{anna.ref}\t{since}"
    assert third == "python: ok, 0 members compared, 0 repaired, 0 listed, 0 held back"
    assert by_ref[bob.ref].status == "active"
    assert site.phone("anna").openid not in done.out and anna.link.member_uid not in done.out
    assert await site.broken() == []


@SQLITE
@gen
async def test_an_unknown_planet_or_a_confirmation_without_one_is_one_clear_line(site, wxbot_beside):
    before = await site.every_row()
    done = await types(site, wxbot_beside, "reconcile", "--planet", "nowhere")
    assert (done.code, done.err) == (1, "Error: unknown planet nowhere\n")
    done = await types(site, wxbot_beside, "reconcile", "--confirm", "all is well")
    assert done.code == 2 and "--planet" in done.err
    assert await site.every_row() == before


@SQLITE
@gen
async def test_without_a_planet_that_shows_its_members_it_says_so(site, wxbot_beside):
    nobody = {**site.settings(), "planet_url": "", "planet_client_id": "", "planet_client_secret": ""}
    done = await wxbot_beside("reconcile", **nobody)
    assert (done.code, done.err) == (1, "Error: no planet: its provider shows no members here, or is not set up\n")


@gen
async def test_while_one_process_compares_another_does_not(site, wxbot_beside):
    await links_many(site, "anna")
    take = {"name": "reconcile", "every": jobs.RECONCILE.every, "holder": "another"}
    assert await site.ctx.transact(jobs.take, **take)
    before = await site.every_row()
    done = await types(site, wxbot_beside, "reconcile")
    assert done.code == 1
    assert done.err == "Error: another process compares at this moment: wait for its end, then run this again\n"
    assert await site.every_row() == before
    await site.ctx.transact(jobs.let_go, name="reconcile", holder="another", error="")
    assert (await types(site, wxbot_beside, "reconcile")).code == 0, "by hand it does not wait for its time"


@gen
async def test_a_difference_that_a_person_has_closed_stays_closed_until_it_was_gone(site, wxbot_beside):
    row = await removed(site)
    close = ("mismatch", "close", str(row.id), "--reason", "he broke the rules there")
    assert (await types(site, wxbot_beside, *close)).out == f"closed mismatch {row.id}\n"
    await night(site)
    assert await differences(site) == []
    done = await types(site, wxbot_beside, *close)
    assert (done.code, done.err) == (1, f"Error: there is no open mismatch {row.id}\n")
    entry = await site.ctx.read(lambda _env: AuditEntry.get(action="close mismatch"))
    assert (entry.who, entry.old, entry.new, entry.reason) == (
        "command",
        "removed",
        "closed",
        "he broke the rules there",
    )
    (anna, _) = await ours(site)
    site.box.planet.group("g1").by_ref[anna.ref].change(status="active")
    await night(site)
    site.box.planet.group("g1").by_ref[anna.ref].change(status="revoked")
    await night(site)
    assert await differences(site) == [("removed", anna.ref)], "it is another one now"
    assert await site.broken() == []


@gen
async def test_a_removed_member_is_granted_again_only_when_a_person_says_so(site, wxbot_beside):
    row = await removed(site)
    (anna, _) = await ours(site)
    again = ("mismatch", "grant-again", str(row.id), "--reason", "the owner has let her in again")
    site.box.planet.readmit(site.phone("anna").person, "g1")
    assert (await types(site, wxbot_beside, *again)).out == "the planet is told again\n"
    await site.delivers()
    assert there(site)[anna.ref] == "active"
    await night(site)
    assert await differences(site) == []
    assert (await types(site, wxbot_beside, *again)).code == 1
    assert await site.broken() == []


@gen
async def test_granted_again_against_the_owners_will_it_stays_in_the_list(site, wxbot_beside):
    row = await removed(site)
    again = ("mismatch", "grant-again", str(row.id), "--reason", "try it")
    for _ in range(2):
        assert (await types(site, wxbot_beside, *again)).code == 0
        await site.delivers()
        await night(site)
    (anna, _) = await ours(site)
    assert (anna.refused_code, there(site)[anna.ref]) == ("removed_by_owner", "revoked")
    assert await differences(site) == [("removed", anna.ref)]


@SQLITE
@gen
async def test_what_is_no_membership_of_ours_cannot_be_granted_again(site, wxbot_beside):
    await links_many(site, "anna")
    planet = site.box.planet
    stranger = planet.account_of(site.phone("bob").person)
    planet.group("g1").add(There(stranger, "partner", planet.now, None, ref="not-ours"))
    assert (await night(site)).listed == 1
    row = await site.ctx.read(lambda _env: Mismatch.get())
    before = await site.rows()
    done = await types(site, wxbot_beside, "mismatch", "grant-again", str(row.id), "--reason", "x")
    assert (done.code, done.err) == (
        1, f"Error: mismatch {row.id} is no membership of ours that can be granted again\n",
    )  # fmt: skip
    assert await site.rows() == before
    assert (await types(site, wxbot_beside, "mismatch", "list")).out.split("\t")[1] == "unknown"
    assert (await look(site)).outcome == "ok"


@SQLITE
@gen
async def test_on_a_terminal_it_shows_how_far_it_has_read_and_not_in_the_answer(site, command_server, tmp_path):
    await links_many(site, "anna")
    screen, terminal = pty.openpty()
    settings = {**site.settings(), "clock_url": f"{site.box.console_url}/control/clock"}
    where = Path(os.ttyname(terminal))
    done = await asyncio.to_thread(command_server.run, tmp_path, ("reconcile",), settings, err=where)
    shown = os.read(screen, 65536).decode()
    for handle in (screen, terminal):
        os.close(handle)
    assert done.code == 0 and "infosec" in shown and "100%" in shown
    assert "100%" not in done.out
