"""Races for vouchers: the last of a quota, one code spent by sixteen, one person who asks sixteen times (V5)."""

from functools import partial

from models.orders import Order
from models.vouchers import Campaign, Redemption, Voucher
from services import campaigns, earned, money_in, orders, vouchers
from services.env import Env
from tests.buy_kit import told
from tests.race_kit import RACE, RACERS, Racer, counted, each_round, goes_wrong, overspends, race
from tests.race_orders_kit import alone, opens
from tests.race_vouchers_kit import WORTH_FEN, campaign, courses, learner, orders_with, with_code

pytestmark = RACE
QUOTA = 5
LOSERS = RACERS - 1


def asks(env: Env, *, person_id: int) -> bool:
    """Somebody asks for his voucher; whether he has it now."""
    vouchers.claim(env, person_id=person_id)
    return Voucher.select().where(Voucher.person == person_id).exists()


def sixteen_ask(env: Env, who: str, **limits: int) -> list[Racer]:
    """As many people as racers have earned one, and there are fewer."""
    campaign(env, who, **limits)
    return [partial(asks, person_id=learner(env, f"{who}-{one}")) for one in range(RACERS)]


def one_asks(env: Env, who: str) -> list[Racer]:
    """One person asks in the chat, on the page, and again."""
    campaign(env, who)
    return [partial(asks, person_id=learner(env, who))] * RACERS


def is_not_told_of_an_end(env: Env, *, person_id: int) -> bool:
    """Somebody asks for his voucher; whether he was given it without a word that there is none left."""
    return vouchers.claim(env, person_id=person_id).noes == ()


def one_asks_for_the_last(env: Env, who: str) -> list[Racer]:
    """One person asks again and again, and there is one."""
    campaign(env, who, quota=1)
    return [partial(is_not_told_of_an_end, person_id=learner(env, who))] * RACERS


def asked_while_lowered(env: Env, who: str) -> list[Racer]:
    """An operator lowers the quota while people ask."""
    *people, _ = sixteen_ask(env, who, quota=RACERS)
    return [*people, partial(campaigns.change, slug=who, quota=QUOTA)]


def one_code(env: Env, who: str) -> list[Racer]:
    """One person orders sixteen courses with one code."""
    voucher = with_code(env, who)
    return [
        partial(orders_with, voucher=voucher, course=course, click=f"{who}-{course.slug}") for course in courses(env)
    ]


def refund_and_spending(env: Env, who: str) -> list[Racer]:
    """The purchase that earned it is refunded while it is spent."""
    voucher = with_code(env, who)
    spend = partial(orders_with, voucher=voucher, course=courses(env)[0], click=who)
    return [spend, lambda _env: earned.rest(voucher.earned_by)]


def refund_and_many_spendings(env: Env, who: str) -> list[Racer]:
    """One purchase has earned fifteen, which are all spent while it is refunded."""
    person_id = learner(env, who)
    for number in range(LOSERS):
        campaign(env, f"{who}-{number}")
        vouchers.claim(env, person_id=person_id)
    mine = list(Voucher.select().where(Voucher.person == person_id))
    asked = [
        {"voucher": one, "course": course, "click": one.code} for one, course in zip(mine, courses(env), strict=False)
    ]
    return [lambda _env: earned.rest(mine[0].earned_by), *(partial(orders_with, **one) for one in asked)]


async def over_quota(site, times: int) -> bool:
    """Whether more was given than may be."""
    return await counted(site, Voucher) > times * QUOTA


async def test_of_sixteen_who_ask_as_many_get_one_as_there_are(arena, rounds):
    make = alone(partial(sixteen_ask, quota=QUOTA))
    await each_round(arena, make, rounds(3, soak=200), ok=QUOTA, no=RACERS - QUOTA)


async def test_a_budget_is_kept_to_the_fen(arena, rounds):
    make = alone(partial(sixteen_ask, budget_fen=QUOTA * WORTH_FEN + WORTH_FEN - 1))
    await each_round(arena, make, rounds(3, soak=200), ok=QUOTA, no=RACERS - QUOTA)


async def test_without_its_guard_a_campaign_gives_too_many(arena, careless):
    careless(Campaign)
    assert await goes_wrong(arena, alone(partial(sixteen_ask, quota=QUOTA)), partial(over_quota, arena))


async def test_one_who_asks_sixteen_times_at_once_has_one_voucher(arena, rounds):
    times = rounds(3, soak=200)
    await each_round(arena, alone(one_asks), times, ok=RACERS)
    assert await counted(arena, Voucher) == times


async def test_one_who_asks_for_the_last_one_sixteen_times_is_never_told_that_there_is_none(arena, rounds):
    await each_round(arena, alone(one_asks_for_the_last), rounds(3, soak=200), ok=RACERS)


async def test_a_limit_that_is_lowered_while_people_ask_holds_or_is_refused(arena, rounds):
    for number in range(rounds(3, soak=200)):
        came = await race(arena, await alone(asked_while_lowered)(arena, number))
        assert came["ok"] + came["no"] + came["wrong_input"] == RACERS, came
        assert await arena.broken() == []


async def test_without_unique_one_person_gets_several(loose_arena, without):
    without(Voucher, "campaign_id", "cause")

    async def is_wrong(times: int) -> bool:
        return await counted(loose_arena, Voucher) > times

    assert await goes_wrong(loose_arena, alone(one_asks), is_wrong)


async def test_one_code_is_spent_once(arena, rounds):
    times = rounds(3, soak=200)
    await each_round(arena, alone(one_code), times, ok=1, voucher_held=LOSERS)
    assert await counted(arena, Redemption) == await counted(arena, Order) == times


async def test_without_its_guards_one_code_is_spent_often(loose_arena, careless, without):
    careless(Voucher)
    without(Redemption, "active_voucher")
    assert await overspends(loose_arena, alone(one_code))


async def test_a_refund_beside_its_spending_ends_it_or_waits_for_it(arena, rounds):
    for number in range(rounds(5, soak=200)):
        racers = await alone(refund_and_spending)(arena, number)
        came = await race(arena, racers)
        assert came["ok"] == 1 and set(came) & {"voucher_used", "voucher_held", "earned_voucher_held"}, came
    assert await arena.broken() == []


async def test_a_refund_beside_many_spendings_ends_all_or_waits_for_all(arena, rounds):
    for number in range(rounds(3, soak=200)):
        came = await race(arena, await alone(refund_and_many_spendings)(arena, number))
        assert came["ok"] == 1 or came == {"ok": LOSERS, "earned_voucher_held": 1}, came
    assert await arena.broken() == []


async def test_late_money_beside_another_order_with_its_voucher_spends_it_once(arena, rounds):
    for number in range(rounds(5, soak=200)):
        racers = await alone(late_and_new)(arena, number)
        came = await race(arena, racers)
        assert came in ({"ok": 2}, {"ok": 1, "voucher_held": 1}, {"ok": 1, "voucher_used": 1}), came
    assert await arena.broken() == []


def late_and_new(env: Env, who: str) -> list[Racer]:
    """Money comes for a closed order, while its voucher is spent on another course."""
    voucher = with_code(env, who)
    first, second = courses(env)[:2]
    late = Order.get(no=orders_with(env, voucher=voucher, course=first, click=who))
    payment = opens(env, late)
    orders.close(env, late)
    money_in.note_closed(env, payment_id=payment.id)
    again = partial(orders_with, voucher=voucher, course=second, click=f"{who}-2")
    return [partial(money_in.hear, told=told(payment)), again]
