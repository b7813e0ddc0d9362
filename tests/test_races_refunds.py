"""Races for money that goes back: sixteen requests, parts, words of WeChat, a link beside; never more than came."""

from functools import partial

import pytest

from clients.pay import PayNotice
from models.journal import JournalEntry
from models.links import Link, RefundWaiver
from models.orders import Order, Payment, Refund
from services import links, orders, refund_money, refunds
from services.env import Env
from tests.buy_kit import PRICES, told_refund
from tests.race_kit import RACE, RACERS, Racer, counted, each_round, goes_wrong, hands_over, has_more, overspends, race
from tests.race_orders_kit import alone, bought, tells
from tests.site import COURSE, Site
from tests.test_races_beside import at_once, only_finds

pytestmark = RACE
LOSERS, PEOPLE = RACERS - 1, RACERS // 2
PART_FEN = PRICES[COURSE] // 4
REVERSAL = JournalEntry.kind == "refund"


def gives_back(order: Order, fen: int | None = None) -> Racer:
    """The operator refunds it."""
    return partial(refunds.open_by_operator, no=order.no, fen=fen, reason="race", override=None)


def asks_back(order: Order) -> Racer:
    """The buyer wants his money back."""
    return partial(refunds.ask, person_id=order.person_id, no=order.no, reason="race")


def one_refund(env: Env, who: str) -> list[Racer]:
    """One person asks for his money sixteen times."""
    return [asks_back(bought(env, who))] * RACERS


def many_parts(env: Env, who: str) -> list[Racer]:
    """The operator gives back a quarter sixteen times."""
    return [gives_back(bought(env, who), PART_FEN)] * RACERS


def linking_and_asking_back(env: Env, who: str) -> list[Racer]:
    """A bought course is linked while its buyer wants his money back."""
    order = bought(env, who)
    attempt_id, _ = hands_over(env, person_id=order.person_id)
    return [partial(links.complete, attempt_id=attempt_id, member_uid=f"m-{who}", display_name=who), asks_back(order)]


def one_return(env: Env, who: str) -> list[Racer]:
    """One refund is told done by notices, by queries, and by what WeChat answers when it is asked for it."""
    gives_back(bought(env, who), 100)(env)
    refund = Refund.select().order_by(Refund.id.desc()).get()
    refund_money.hear(env, told=told_refund(refund, "PROCESSING"))
    done = told_refund(refund)
    notices = [partial(tells, notice=PayNotice(f"{who}-{one}", "REFUND.SUCCESS", refund=done)) for one in range(5)]
    accepted = partial(refund_money.hear, told=told_refund(refund, "PROCESSING"))
    return [*notices, *[partial(refund_money.hear, told=done)] * 6, *[accepted] * 5]


async def over_refunded(site: Site) -> int:
    """Payments of which more goes back than came."""
    return await counted(site, Payment, Payment.refunded_fen > Payment.arrived_fen)


@pytest.fixture
def unheld(monkeypatch):
    """Nobody waits for the row of an order any more."""
    monkeypatch.setattr(orders, "hold", lambda _order: None)


async def test_sixteen_requests_for_one_refund_make_one(arena, rounds):
    times = rounds(2, soak=200)
    await each_round(arena, alone(one_refund), times, ok=1, refund_open=LOSERS)
    assert await counted(arena, Refund) == times


@pytest.mark.usefixtures("unheld")
async def test_control_without_its_guards_one_order_is_refunded_often(loose_arena, without, careless, monkeypatch):
    without(Refund, "active_order")
    careless(Payment)
    monkeypatch.setattr(refunds, "suspend", lambda _env, order: orders.grant_of(order))
    assert await overspends(loose_arena, alone(one_refund))
    assert await loose_arena.broken() != []


async def test_a_course_that_is_linked_while_its_money_is_asked_for_is_either_linked_or_refunded(arena, rounds):
    times = rounds(2, soak=200)
    for number in range(times):
        came = await race(arena, await at_once(linking_and_asking_back)(arena, number))
        assert came["ok"] == PEOPLE and set(came) <= {"ok", "waived", "not_enrolled"}, f"round {number}: {came}"
    linked, waived = await counted(arena, Link), await counted(arena, RefundWaiver)
    assert linked == waived and linked + await counted(arena, Refund) == times * PEOPLE
    assert await arena.broken() == []


async def test_control_without_the_lock_of_the_right_it_is_both(arena, monkeypatch):
    monkeypatch.setattr(links, "hold_grant", only_finds)
    assert await goes_wrong(arena, at_once(linking_and_asking_back), lambda _times: arena.broken())


async def test_of_sixteen_refunds_of_a_part_one_is_open_at_a_time(arena, rounds):
    times = rounds(2, soak=200)
    await each_round(arena, alone(many_parts), times, ok=1, refund_open=LOSERS)
    assert await counted(arena, Payment, Payment.refunded_fen == PART_FEN) == times


async def test_also_without_that_they_are_together_never_more_than_came(loose_arena, rounds, without):
    without(Refund, "active_order")
    await each_round(loose_arena, alone(many_parts), rounds(2, soak=200), ok=4, refund_open=RACERS - 4)
    assert await over_refunded(loose_arena) == 0


@pytest.mark.usefixtures("unheld")
async def test_control_who_looks_before_he_sets_aside_gives_back_more_than_came(loose_arena, without, careless):
    without(Refund, "active_order")
    careless(Payment)
    assert await goes_wrong(loose_arena, alone(many_parts), lambda _times: over_refunded(loose_arena))


async def test_a_refund_told_done_by_sixteen_is_booked_once(arena, rounds):
    times = rounds(2, soak=200)
    await each_round(arena, alone(one_return), times, ok=RACERS)
    assert await counted(arena, JournalEntry, REVERSAL) == times


@pytest.mark.usefixtures("unheld")
async def test_control_who_looks_before_he_books_a_refund_books_it_often(loose_arena, without, careless):
    without(JournalEntry, "source")
    careless(Refund)
    more = partial(has_more, loose_arena, JournalEntry, condition=REVERSAL)
    assert await goes_wrong(loose_arena, alone(one_return), more)
