"""Races for a payment at the planet: sixteen who bring it, sixteen callbacks, an event beside a link; served once."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from clients.planets import PlanetNews, RemoteMembership
from models.access import Grant
from models.links import WAIVER_VERSION, Link, LinkAttempt
from models.payments import PlanetAccount, PlanetPayment
from models.people import digest
from services import arrivals, handshake, links, payments, people, planet_events
from services.env import Env
from tests.race_kit import RACE, RACERS, Racer, buys, counted, each_round, goes_wrong, hands_over, overspends, race
from tests.site import START, Site

pytestmark = RACE
LOSERS = RACERS - 1
PEOPLE = RACERS // 2
PLANET_RIGHT = Grant.source == "planet"


def leaves(env: Env, *, who: str) -> tuple[int, str]:
    """Somebody has agreed on the pinned post's page and stands before the planet: his attempt and its state."""
    person_id = people.person_with_openid(env, f"oRACER_{who}").id
    where = {"ip": "127.0.0.1", "user_agent": "test", "agreed": WAIVER_VERSION, "planet_slug": "infosec"}
    state = arrivals.begin(env, person_id=person_id, browser="b", **where).state
    return LinkAttempt.get(state_hash=digest(state)).id, state


def comes_back(attempt_id: int, account: str, order_ref: str) -> Racer:
    """The planet has said who came back, and that he has paid."""
    paid = {"source": "paid", "status": "active", "starts_at": START, "ends_at": None, "version": 1}
    found = (RemoteMembership(account, **paid, order_ref=order_ref, paid_fen=19900),)
    who = {"member_uid": account, "display_name": account}
    return partial(arrivals.complete, attempt_id=attempt_id, found=found, **who)


def happens(account: str, order_ref: str, kind: str = "purchased", version: int = 1) -> Racer:
    """The planet tells of a payment."""
    about = {"group_id": "g1", "member_uid": account, "source": "paid", "order_ref": order_ref, "ref": None}
    when = {"told_at": START, "starts_at": START, "ends_at": None}
    news = PlanetNews(kind=kind, paid_fen=19900, version=version, **about, **when)
    return partial(planet_events.keep, provider="partner", event_id=f"{order_ref}-{kind}-{version}", news=news)


async def one_account(site: Site, number: int) -> list[Racer]:
    """Sixteen people bring one planet account with its payment."""

    def prepare(env: Env) -> list[int]:
        return [leaves(env, who=f"p{number}-{one}")[0] for one in range(RACERS)]

    return [comes_back(one, f"m{number}", f"O{number}") for one in await site.ctx.transact(prepare)]


async def one_payment(site: Site, number: int) -> list[Racer]:
    """Sixteen people bring one payment, each with an account of his own; the planet has told of it before."""

    def prepare(env: Env) -> list[int]:
        happens(f"m{number}", f"O{number}")(env)
        return [leaves(env, who=f"p{number}-{one}")[0] for one in range(RACERS)]

    attempts = await site.ctx.transact(prepare)
    return [comes_back(attempt, f"m{number}-{one}", f"O{number}") for one, attempt in enumerate(attempts)]


async def one_person_often(site: Site, number: int) -> list[Racer]:
    """One person stands before the planet sixteen times, and comes back at once from all."""

    def prepare(env: Env) -> list[int]:
        return [leaves(env, who=f"p{number}")[0] for _ in range(RACERS)]

    return [comes_back(one, f"m{number}", f"O{number}") for one in await site.ctx.transact(prepare)]


async def one_callback(site: Site, number: int) -> list[Racer]:
    """One way back is called sixteen times; a racer wins who is the first."""
    _, state = await site.ctx.transact(lambda env: leaves(env, who=f"p{number}"))
    asked = {"provider": "partner", "state": state, "browser": "b", "person_id": None}
    return [lambda env: handshake.take_return(env, **asked).is_first] * RACERS


async def event_beside_arrival(site: Site, number: int) -> list[Racer]:
    """Eight people come back while the planet tells of their payment."""

    def prepare(env: Env) -> list[Racer]:
        racers: list[Racer] = []
        for one in range(PEOPLE):
            account, order_ref = f"m{number}-{one}", f"O{number}-{one}"
            attempt_id, _ = leaves(env, who=f"p{number}-{one}")
            racers += [comes_back(attempt_id, account, order_ref), happens(account, order_ref)]
        return racers

    return await site.ctx.transact(prepare)


async def event_beside_link(site: Site, number: int) -> list[Racer]:
    """Two people link the course that they bought while the planet tells of seven payments of each."""

    def prepare(env: Env) -> list[Racer]:
        racers: list[Racer] = []
        for one in range(2):
            who, account = f"p{number}-{one}", f"m{number}-{one}"
            attempt_id, _ = hands_over(env, person_id=buys(env, who=who))
            racers.append(partial(links.complete, attempt_id=attempt_id, member_uid=account, display_name=who))
            racers += [happens(account, f"O{number}-{one}-{each}") for each in range(PEOPLE - 1)]
        return racers

    return await site.ctx.transact(prepare)


async def purchase_beside_refund(site: Site, number: int) -> list[Racer]:
    """Of eight who have linked the planet tells a payment and its refund at once."""

    def prepare(env: Env) -> list[Racer]:
        racers: list[Racer] = []
        for one in range(PEOPLE):
            who, account, order_ref = f"p{number}-{one}", f"m{number}-{one}", f"O{number}-{one}"
            attempt_id, _ = hands_over(env, person_id=buys(env, who=who))
            links.complete(env, attempt_id=attempt_id, member_uid=account, display_name=who)
            racers += [happens(account, order_ref), happens(account, order_ref, "refunded", 2)]
        return racers

    return await site.ctx.transact(prepare)


def meets(look: Callable[..., Any]) -> Callable[..., Any]:
    """The same look, after which each of the racers waits until all others have looked."""
    gate = threading.Barrier(RACERS)

    def look_and_wait(env: Env, **account: str) -> Any:
        found = look(env, **account)
        with suppress(threading.BrokenBarrierError):
            gate.wait(timeout=5)
        return found

    return look_and_wait


async def forgotten(site: Site) -> int:
    """Payments that nobody was served with, though their accounts are linked."""
    linked = Link.select(Link.active_uid).where(Link.active_uid.is_null(False))
    waiting = (PlanetPayment.served_at.is_null(), PlanetPayment.member_uid.in_(linked))
    return await site.ctx.read(lambda _env: PlanetPayment.select().where(*waiting).count())


async def test_one_planet_account_brought_by_sixteen_people_serves_one(arena, rounds):
    times = rounds(1, soak=200)
    await each_round(arena, one_account, times, ok=1, link_taken=LOSERS)
    assert await counted(arena, Grant, PLANET_RIGHT) == times


async def test_one_payment_brought_by_sixteen_people_serves_one(arena, rounds):
    times = rounds(1, soak=200)
    await each_round(arena, one_payment, times, ok=1, payment_served=LOSERS)
    assert await counted(arena, Grant, PLANET_RIGHT) == times


async def test_one_person_who_comes_back_sixteen_times_at_once_is_served_once(arena, rounds):
    times = rounds(1, soak=200)
    await each_round(arena, one_person_often, times, ok=RACERS)
    assert await counted(arena, Grant, PLANET_RIGHT) == times


async def test_one_callback_that_comes_sixteen_times_asks_the_planet_once(arena, rounds):
    await each_round(arena, one_callback, rounds(1, soak=200), ok=1, no=LOSERS)


@pytest.mark.parametrize(("make", "paid"), [(event_beside_arrival, PEOPLE), (event_beside_link, LOSERS - 1)])
async def test_a_payment_told_while_its_person_links_is_served_once_and_not_forgotten(arena, rounds, make, paid):
    times = rounds(1, soak=200)
    await each_round(arena, make, times, ok=RACERS)
    assert await forgotten(arena) == 0
    assert await counted(arena, Grant, PLANET_RIGHT) == times * paid


async def test_a_payment_and_its_refund_told_at_once_leave_nothing(arena, rounds):
    await each_round(arena, purchase_beside_refund, rounds(1, soak=200), ok=RACERS)
    assert await counted(arena, Grant, PLANET_RIGHT & Grant.revoked_at.is_null()) == 0


@pytest.mark.parametrize("is_known", [False, True])
async def test_who_is_at_a_planet_account_keeps_others_waiting(arena, is_known):
    account = {"provider": "partner", "member_uid": "m"}
    at_it, passed = threading.Event(), threading.Event()

    def first(env: Env) -> bool:
        payments.hold_account(env, **account)
        at_it.set()
        return passed.wait(timeout=0.5)

    def second(env: Env) -> None:
        at_it.wait(timeout=10)
        payments.hold_account(env, **account)
        passed.set()

    if is_known:
        await arena.ctx.transact(payments.hold_account, **account)
    was_passed, _ = await asyncio.gather(arena.ctx.transact(first), arena.ctx.transact(second))
    assert not was_passed and passed.is_set()
    assert await counted(arena, PlanetAccount) == 1


async def test_a_payment_told_while_the_link_ends_waits(arena):
    """The event has found the link, and the unlinking is quicker."""

    def prepare(env: Env) -> tuple[int, int]:
        attempt_id, _ = hands_over(env, person_id=buys(env, who="p"))
        links.complete(env, attempt_id=attempt_id, member_uid="m", display_name="m")
        link = Link.get(active_uid="m")
        return link.id, link.person_id

    link_id, person_id = await arena.ctx.transact(prepare)
    ended, told = threading.Event(), threading.Event()

    def unlinks(env: Env) -> None:
        links.unlink(env, link_id=link_id, person_id=person_id, who="test", reason="race")
        ended.set()
        told.wait(timeout=0.5)  # the event looks for the link meanwhile, and still sees it

    def tells(env: Env) -> None:
        ended.wait(timeout=10)
        happens("m", "O1")(env)
        told.set()

    await asyncio.gather(arena.ctx.transact(unlinks), arena.ctx.transact(tells))
    assert await counted(arena, Grant, PLANET_RIGHT) == 0
    assert await counted(arena, PlanetPayment, PlanetPayment.served_at.is_null()) == 1
    assert await arena.broken() == []


async def test_control_without_turns_at_the_account_a_payment_is_forgotten(arena, monkeypatch):
    monkeypatch.setattr(payments, "hold_account", lambda _env, **_account: None)
    monkeypatch.setattr(payments, "of_account", meets(payments.of_account))
    assert await goes_wrong(arena, event_beside_link, lambda _times: forgotten(arena))


async def test_control_who_looks_before_he_serves_serves_many(arena, careless):
    careless(PlanetPayment)
    assert await overspends(arena, one_payment)


async def test_control_who_looks_before_he_takes_the_way_back_is_not_alone(arena, careless):
    careless(LinkAttempt)
    assert await overspends(arena, one_callback)


async def test_what_the_losers_of_a_race_brought_leaves_no_trace(arena):
    await race(arena, await one_account(arena, 0))
    (link,) = await arena.ctx.read(lambda _env: list(Link.select()))
    (payment,) = await arena.ctx.read(lambda _env: list(PlanetPayment.select()))
    assert payment.person_id == link.person_id
    assert await counted(arena, LinkAttempt, LinkAttempt.outcome.is_null(False)) == 1
