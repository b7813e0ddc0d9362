"""Races for a link: one planet account, one purchase, one way back, one unlinking; sixteen at once, one wins."""

from functools import partial

from models.audit import AuditEntry
from models.links import Link, LinkAttempt, Membership, RefundWaiver
from services import handshake, links, payments
from services.env import Env
from tests.race_kit import RACE, RACERS, Racer, buys, counted, each_round, hands_over, newcomer, overspends
from tests.site import Site

pytestmark = RACE
LOSERS = RACERS - 1


def comes_back(attempt_id: int, account: str) -> Racer:
    """The planet has said who came back."""
    return partial(links.complete, attempt_id=attempt_id, member_uid=account, display_name=account)


async def counts(site: Site) -> tuple[int, int, int]:
    """Links, live memberships and waivers."""

    def count(_env: Env) -> tuple[int, int, int]:
        live = Membership.select().where(Membership.revoked_at.is_null())
        return Link.select().count(), live.count(), RefundWaiver.select().count()

    return await site.ctx.read(count)


async def many_people(site: Site, number: int) -> list[Racer]:
    """Sixteen people bring the same planet account."""

    def prepare(env: Env) -> list[int]:
        return [newcomer(env, who=f"p{number}-{one}") for one in range(RACERS)]

    return [comes_back(one, f"m{number}") for one in await site.ctx.transact(prepare)]


async def attempts_of_one(site: Site, number: int) -> list[int]:
    """One person with one purchase stands before the planet sixteen times."""

    def prepare(env: Env) -> list[int]:
        person_id = buys(env, who=f"p{number}")
        return [hands_over(env, person_id=person_id)[0] for _ in range(RACERS)]

    return await site.ctx.transact(prepare)


async def many_accounts(site: Site, number: int) -> list[Racer]:
    """One purchase is brought by sixteen planet accounts."""
    attempts = await attempts_of_one(site, number)
    return [comes_back(attempt_id, f"m{number}-{one}") for one, attempt_id in enumerate(attempts)]


async def one_account_often(site: Site, number: int) -> list[Racer]:
    """One purchase is brought sixteen times by its own planet account."""
    return [comes_back(one, f"m{number}") for one in await attempts_of_one(site, number)]


async def one_callback(site: Site, number: int) -> list[Racer]:
    """One way back is called sixteen times; a racer wins who is the first."""
    _, state = await site.ctx.transact(lambda env: hands_over(env, person_id=buys(env, who=f"p{number}")))
    asked = {"provider": "partner", "state": state, "browser": "b", "person_id": None}
    return [lambda env: handshake.take_return(env, **asked).is_first] * RACERS


async def one_unlinking(site: Site, number: int) -> list[Racer]:
    """One link is ended by sixteen taps."""

    def prepare(env: Env) -> tuple[int, int]:
        attempt = LinkAttempt.get_by_id(newcomer(env, who=f"p{number}"))
        comes_back(attempt.id, f"m{number}")(env)
        return attempt.person_id, Link.get(active_uid=f"m{number}").id

    person_id, link_id = await site.ctx.transact(prepare)
    ends = partial(links.unlink, link_id=link_id, person_id=person_id, who=f"person:{person_id}", reason="race")
    return [ends] * RACERS


async def test_one_planet_account_brought_by_sixteen_people_is_linked_to_one(arena, rounds):
    times = rounds(1, soak=200)
    await each_round(arena, many_people, times, ok=1, link_taken=LOSERS)
    assert await counts(arena) == (times, times, times)


async def test_one_purchase_brought_by_sixteen_planet_accounts_opens_one(arena, rounds):
    times = rounds(1, soak=200)
    await each_round(arena, many_accounts, times, ok=1, already_linked=LOSERS)
    assert await counts(arena) == (times, times, times)


async def test_one_purchase_brought_sixteen_times_by_one_account_opens_it_once(arena, rounds):
    times = rounds(1, soak=200)
    await each_round(arena, one_account_often, times, ok=1, already_linked=LOSERS)
    assert await counts(arena) == (times, times, times)


async def test_one_callback_that_comes_sixteen_times_does_the_work_once(arena, rounds):
    await each_round(arena, one_callback, rounds(1, soak=200), ok=1, no=LOSERS)


async def test_one_link_that_is_ended_by_sixteen_taps_ends_once(arena, rounds):
    times = rounds(1, soak=200)
    await each_round(arena, one_unlinking, times, ok=1, not_found=LOSERS)
    assert await counted(arena, AuditEntry, AuditEntry.action == "unlink") == times


async def test_control_without_its_unique_places_a_link_goes_to_many_and_verify_sees_it(
    loose_arena, without, monkeypatch
):
    monkeypatch.setattr(payments, "hold_account", lambda _env, **_account: None)
    guards = [
        (one_account_often, Membership, "active_grant"),
        (many_accounts, Link, "provider", "active_person"),
        (many_people, Link, "provider", "active_uid"),
    ]
    for make, row, *columns in guards:
        without(row, *columns)
        assert await overspends(loose_arena, make), "the race must be able to fail, or the others show nothing"
    found = await loose_arena.broken()
    assert {one[:2] for one in found} >= {"I5", "I6"}, "and verify must see it"


async def test_control_who_looks_before_he_writes_is_not_alone(arena, careless):
    careless(LinkAttempt)
    assert await overspends(arena, one_callback)
    careless(Link)
    assert await overspends(arena, one_unlinking)
