"""Sixteen at once: who tells a planet again, reminds of an end, closes a difference, or extends a year."""

from datetime import timedelta
from functools import partial

from models.audit import AuditEntry
from models.links import Link, Membership, MembershipReminder
from models.mismatches import Mismatch
from services import extension, links, memberships, mismatches, reminders
from services.env import Env
from tests.race_kit import RACE, RACERS, Racer, counted, each_round, newcomer, overspends
from tests.site import Site

pytestmark = RACE
ROUNDS = 5


def delivered(env: Env, *, who: str) -> int:
    """Somebody is linked, and the planet has confirmed it; his membership."""
    number = links.complete(env, attempt_id=newcomer(env, who=who), member_uid=f"u{who}", display_name="x")
    memberships.note_delivered(env, membership_id=number, version=1)
    return number


def told(env: Env, *, number: int) -> bool:
    """Whether this one told the planet again."""
    return bool(memberships.tell_again(env, ids=[number]))


async def tellers(site: Site, number: int) -> list[Racer]:
    """Sixteen who see the same difference."""
    one = await site.ctx.transact(delivered, who=f"t{number}")
    return [partial(told, number=one)] * RACERS


async def test_a_difference_that_sixteen_see_is_told_once(arena):
    await each_round(arena, tellers, ROUNDS, ok=1, no=RACERS - 1)
    assert await counted(arena, Membership, Membership.version == 2) == ROUNDS


async def test_without_the_condition_it_would_be_told_more_often(arena, careless):
    careless(Membership)
    assert await overspends(arena, tellers)


def reminded(env: Env, *, number: int) -> bool:
    """Whether this one reminded him."""
    return reminders.remind_some(env, ids=[number], days=30) == 1


async def reminding(site: Site, number: int) -> list[Racer]:
    """Sixteen processes whose hour has come."""
    one = await site.ctx.transact(delivered, who=f"r{number}")
    return [partial(reminded, number=one)] * RACERS


async def test_sixteen_processes_remind_once(arena):
    await each_round(arena, reminding, ROUNDS, ok=1, no=RACERS - 1)
    assert await counted(arena, MembershipReminder) == ROUNDS


async def test_without_unique_they_would_remind_more_often(loose_arena, without):
    without(MembershipReminder, "membership_id", "days")
    assert await overspends(loose_arena, reminding)


async def closing(site: Site, number: int) -> list[Racer]:
    """Sixteen operators who decide the same difference."""

    def listed(env: Env) -> int:
        place = mismatches.Place("partner", "g1")
        mismatches.see(env, place=place, kind="unknown", found={f"k{number}": {"member_uid": "m"}})
        return Mismatch.get(key=f"k{number}").id

    one = await site.ctx.transact(listed)
    return [partial(mismatches.close, mismatch_id=one, reason="seen")] * RACERS


async def test_sixteen_decisions_about_one_difference_are_one(arena):
    await each_round(arena, closing, ROUNDS, ok=1, wrong_input=RACERS - 1)
    assert await counted(arena, AuditEntry, AuditEntry.action == "close mismatch") == ROUNDS


async def test_without_the_condition_they_would_be_more(arena, careless):
    careless(Mismatch)
    assert await overspends(arena, closing)


async def extending(site: Site, number: int) -> list[Racer]:
    """Sixteen who extend the same year."""
    one = await site.ctx.transact(delivered, who=f"e{number}")
    return [partial(extension.extend, membership_id=one, days=1, reason="goodwill")] * RACERS


async def test_sixteen_extensions_at_once_add_up(arena):
    await each_round(arena, extending, ROUNDS, ok=RACERS)
    rows = await arena.ctx.read(lambda _env: list(Membership.select(Membership, Link).join(Link)))
    assert {row.ends_at - row.starts_at for row in rows} == {timedelta(days=365 + RACERS)}
