"""Races for an order and its money: sixteen clicks, notices, closes at once; one wins, no money is forgotten."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from peewee import JOIN

from clients.pay import PayNotice
from models.access import Grant
from models.catalogue import Course, Price
from models.delivery import OutboxItem
from models.journal import JournalEntry
from models.orders import CLOSED, CLOSING, JSAPI, NATIVE, OPEN, PAID, SURPLUS, UNPAID, Order, Payment, Refund
from services import access, money_in, orders, outbox
from services.env import Env
from tests.buy_kit import told
from tests.race_kit import RACE, RACERS, Racer, counted, each_round, goes_wrong, has_more, race
from tests.race_orders_kit import TRIPLES, alone, buyer, clicks, comes, in_threes, opens, ordered, tells
from tests.site import COURSE, Site
from tests.test_races_beside import at_once

pytestmark = RACE
LOSERS = RACERS - 1
PAIRS = RACERS // 2
SALE = JournalEntry.kind == "sale"


def closes(order: Order) -> Racer:
    """Its time is over, or its buyer wants it no more."""
    return lambda env: orders.close(env, Order.get_by_id(order.id)) or None


def closed_there(payment: Payment) -> Racer:
    """WeChat confirms that it takes no more money for it."""
    return partial(money_in.note_closed, payment_id=payment.id)


def is_free(env: Env) -> None:
    """From now on the course costs nothing."""
    Price.create(course=Course.get(slug=COURSE), from_at=env.now, amount_fen=0)


def one_course(env: Env, who: str) -> list[Racer]:
    """One person orders in sixteen tabs."""
    person_id = buyer(env, who)
    return [partial(clicks, person_id=person_id, click=f"{who}-{one}") for one in range(RACERS)]


def one_free_click(env: Env, who: str) -> list[Racer]:
    """One tap for a free course arrives sixteen times."""
    return [partial(clicks, person_id=buyer(env, who), click=who, fen=0)] * RACERS


def one_free_course(env: Env, who: str) -> list[Racer]:
    """One person orders a free course in sixteen tabs."""
    person_id = buyer(env, who)
    return [partial(clicks, person_id=person_id, click=f"{who}-{one}", fen=0) for one in range(RACERS)]


def one_transaction(env: Env, who: str) -> list[Racer]:
    """WeChat tells of one payment by fifteen notices, while we ask it."""
    payment = opens(env, ordered(env, who))
    notices = [PayNotice(f"{who}-{one % 3}", "TRANSACTION.SUCCESS", told(payment)) for one in range(LOSERS)]
    return [*(partial(tells, notice=one) for one in notices), comes(payment)]


def one_query(env: Env, who: str) -> list[Racer]:
    """One payment is found by sixteen who ask WeChat."""
    return [comes(opens(env, ordered(env, who)))] * RACERS


def two_ways(env: Env, who: str) -> list[Racer]:
    """One order is paid inside WeChat and by its QR at the same moment."""
    order = ordered(env, who)
    return [comes(opens(env, order, kind)) for kind in (JSAPI, NATIVE)]


def closing_and_opening(env: Env, who: str) -> list[Racer]:
    """An order is closed while its buyer goes to the cashier."""
    order = ordered(env, who)
    return [closes(order), lambda env: opens(env, order)]


def closing_and_paying(env: Env, who: str) -> list[Racer]:
    """The money comes while the order is closed, here and at WeChat."""
    order = ordered(env, who)
    payment = opens(env, order)
    return [comes(payment), closes(order), closed_there(payment)]


def closing_twice(env: Env, who: str) -> list[Racer]:
    """WeChat confirms both closes of an order at once."""
    order = ordered(env, who)
    both = [opens(env, order, kind) for kind in (JSAPI, NATIVE)]
    orders.close(env, order)
    return [closed_there(one) for one in both]


def closing_one_of_two(env: Env, who: str) -> list[Racer]:
    """One payment of a closing order is confirmed closed while wrong money comes for the other."""
    order = ordered(env, who)
    inside, by_qr = (opens(env, order, kind) for kind in (JSAPI, NATIVE))
    orders.close(env, order)
    return [closed_there(inside), partial(money_in.hear, told=told(by_qr, total_fen=1))]


def late_twice(env: Env, who: str) -> list[Racer]:
    """Money for two closed orders of one person and course comes at once."""
    first = ordered(env, who)
    payments = [given_up(env, first)]
    second = Order.get(no=clicks(env, person_id=first.person_id, click=f"{who}-again"))
    return [comes(one) for one in [*payments, given_up(env, second)]]


def given_up(env: Env, order: Order) -> Payment:
    """An order that was closed before anybody paid it; its payment."""
    payment = opens(env, order)
    orders.close(env, order)
    money_in.note_closed(env, payment_id=payment.id)
    return payment


def wrong_and_closing(env: Env, who: str) -> list[Racer]:
    """Money of another amount comes while its order is given up."""
    order = ordered(env, who)
    payment = opens(env, order)
    wrong = told(payment, total_fen=1)
    return [partial(money_in.hear, told=wrong), closes(order)]


def late_and_new(env: Env, who: str) -> list[Racer]:
    """Money for a closed order comes together with that for the order that was made instead."""
    late = ordered(env, who)
    payment = given_up(env, late)
    fresh = Order.get(no=clicks(env, person_id=late.person_id, click=f"{who}-again"))
    return [comes(payment), comes(opens(env, fresh))]


def looking_before_all_write(row: type[Order | Payment], is_free: Callable[[Any], bool]) -> Callable[..., bool]:
    """A change by a careless hand: a look, and the write when all racers have looked."""
    gate = threading.Barrier(RACERS, timeout=30)

    def change(one: Any, state: str, *, only_from: tuple[str, ...] = (), **values: Any) -> bool:
        free = is_free(row.get_by_id(one.id))
        gate.wait()
        return free and row.update(state=state, **values).where(row.id == one.id).execute() > 0

    return change


async def unheard_closes(site: Site) -> list[int]:
    """Open payments of orders that take no more money, of which WeChat is not told."""

    def found(_env: Env) -> list[int]:
        same = (OutboxItem.subject == Payment.id) & (OutboxItem.kind == outbox.CLOSE)
        rows = Payment.select(Payment.id).join(Order).switch(Payment).join(OutboxItem, JOIN.LEFT_OUTER, on=same)
        return [row.id for row in rows.where(Payment.state == OPEN, Order.state != UNPAID, OutboxItem.id.is_null())]

    return await site.ctx.read(found)


async def test_sixteen_clicks_of_one_person_for_one_course_make_one_order(arena, rounds):
    times = rounds(2, soak=200)
    await each_round(arena, alone(one_course), times, ok=RACERS)
    assert await counted(arena, Order) == times


async def test_control_without_its_place_a_person_has_many_live_orders_for_one_course(loose_arena, without):
    without(Order, "course_id", "active_person")
    assert await goes_wrong(loose_arena, alone(one_course), partial(has_more, loose_arena, Order))


async def given_free(site: Site, one: Callable[[Env, str], list[Racer]], times: int) -> None:
    """Every round makes one order and one right; who comes later is told so, or led to that order."""
    await site.ctx.transact(is_free)
    for number in range(times):
        came = await race(site, await alone(one)(site, number))
        assert came["ok"] and set(came) <= {"ok", "already_enrolled"}, f"round {number}: {came}"
    assert await counted(site, Order, Order.state == PAID) == await counted(site, Order) == times
    assert await counted(site, Grant) == times
    assert await site.broken() == []


async def test_the_same_click_that_comes_sixteen_times_makes_one_order(arena, rounds):
    await given_free(arena, one_free_click, rounds(2, soak=200))


async def test_control_without_the_clicks_own_place_one_click_makes_many(loose_arena, without, monkeypatch):
    monkeypatch.setattr(access, "may_open", lambda _env, **_asked: False)
    await loose_arena.ctx.transact(is_free)
    without(Order, "click_hash")
    assert await goes_wrong(loose_arena, alone(one_free_click), partial(has_more, loose_arena, Order))


async def test_sixteen_clicks_of_one_person_for_a_free_course_give_it_once(arena, rounds):
    await given_free(arena, one_free_course, rounds(2, soak=200))


async def test_fifteen_notices_at_once_pay_once(arena, rounds):
    times = rounds(2, soak=200)
    await each_round(arena, alone(one_transaction), times, ok=RACERS)
    assert await counted(arena, JournalEntry, SALE) == await counted(arena, Grant) == times


async def test_control_who_looks_before_he_takes_money_books_it_often(loose_arena, without, careless, monkeypatch):
    without(JournalEntry, "source")
    careless(Order)
    monkeypatch.setattr(Payment, "arrive", lambda _payment, _state, **_came: True)
    assert await goes_wrong(loose_arena, alone(one_transaction), partial(has_more, loose_arena, JournalEntry))


async def test_of_two_payments_of_one_order_at_once_one_pays_and_one_goes_back(arena, rounds):
    times = rounds(2, soak=200)
    await each_round(arena, at_once(two_ways), times, ok=RACERS)
    made = times * PAIRS
    for state in (PAID, SURPLUS):
        assert await counted(arena, Payment, Payment.state == state) == made
    assert await counted(arena, Refund) == await counted(arena, Grant) == made


async def test_control_who_looks_before_he_pays_an_order_pays_it_twice(arena, monkeypatch):
    monkeypatch.setattr(Order, "move", looking_before_all_write(Order, lambda order: order.state == UNPAID))
    assert await goes_wrong(arena, at_once(two_ways), lambda _times: arena.broken())


async def test_an_order_that_closes_while_a_payment_is_opened_leaves_none_open_unheard(arena, rounds):
    for number in range(rounds(2, soak=200)):
        came = await race(arena, await at_once(closing_and_opening)(arena, number))
        assert set(came) <= {"ok", "order_over"}
        assert await unheard_closes(arena) == [], f"round {number}"
    assert await counted(arena, Order, Order.state == UNPAID) == 0
    assert await arena.broken() == []


async def test_control_without_the_lock_of_the_order_a_payment_stays_open_unheard(arena, monkeypatch):
    monkeypatch.setattr(orders, "hold_unpaid", lambda _order: True)
    assert await goes_wrong(arena, at_once(closing_and_opening), lambda _times: unheard_closes(arena))


async def test_money_that_comes_while_its_order_closes_pays_in_the_end(arena, rounds):
    times = rounds(2, soak=200)
    await each_round(arena, in_threes(closing_and_paying), times, ok=3 * TRIPLES)
    made = times * TRIPLES
    assert await counted(arena, Order, Order.state == PAID) == await counted(arena, JournalEntry, SALE) == made


async def test_control_who_looks_before_he_closes_a_payment_forgets_its_money(arena, careless, monkeypatch):
    monkeypatch.setattr(orders, "hold", lambda _order: None)
    careless(Payment)
    assert await goes_wrong(arena, in_threes(closing_and_paying), lambda _times: arena.broken())


@pytest.mark.parametrize("make", [closing_twice, closing_one_of_two])
async def test_an_order_whose_payments_end_at_once_is_closed(arena, rounds, make):
    times = rounds(2, soak=200)
    await each_round(arena, at_once(make), times, ok=RACERS)
    assert await counted(arena, Order, Order.state == CLOSED) == times * PAIRS


async def test_late_money_beside_that_of_the_order_made_instead_buys_the_course_once(arena, rounds):
    times = rounds(2, soak=200)
    await each_round(arena, at_once(late_and_new), times, ok=RACERS)
    made = times * PAIRS
    assert await counted(arena, Grant) == await counted(arena, Order, Order.state == PAID) == made
    assert await counted(arena, Refund) == made


async def test_late_money_for_two_closed_orders_buys_the_course_once(arena, rounds):
    times = rounds(2, soak=200)
    await each_round(arena, at_once(late_twice), times, ok=RACERS)
    assert await counted(arena, Grant) == await counted(arena, Refund) == times * PAIRS


async def test_wrong_money_beside_a_close_leaves_no_order_closing(arena, rounds):
    for number in range(rounds(4, soak=200)):
        await race(arena, await at_once(wrong_and_closing)(arena, number))
        assert await counted(arena, Order, Order.state == CLOSING) == 0, f"round {number}"
    assert await arena.broken() == []
