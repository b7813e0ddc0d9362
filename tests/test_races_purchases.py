"""Races for a purchase: one order number, one claim link, one refund, one newcomer; sixteen at once."""

from functools import partial

from models.audit import AuditEntry
from models.people import Identity, Person
from models.purchases import Purchase
from services import people, purchases
from services.env import Env
from tests.race_kit import RACE, RACERS, Racer, buys, counted, each_round, goes_wrong, has_more, overspends
from tests.site import COURSE, Site

pytestmark = RACE
LOSERS = RACERS - 1


def body(env: Env, **whom: str) -> purchases.PurchaseBody:
    """What a platform tells of a purchase of this person."""
    return purchases.PurchaseBody(course=COURSE, paid_fen=1, paid_at=env.now, **whom)


async def one_order_number(site: Site, number: int) -> list[Racer]:
    """The platform tells sixteen times of one purchase; who makes it new, wins."""

    def told(env: Env) -> bool:
        bought = {"platform": "yiling", "order_no": f"A{number}", "body": body(env, openid=f"oRACER_{number}")}
        return purchases.put(env, **bought)[1]

    return [told] * RACERS


async def one_claim_link(site: Site, number: int) -> list[Racer]:
    """Sixteen people open one claim link."""

    def prepare(env: Env) -> tuple[str, list[int]]:
        bought = {"platform": "yiling", "order_no": f"C{number}", "body": body(env, phone="13900000000")}
        answer, _ = purchases.put(env, **bought)
        racers = [people.person_with_openid(env, f"oRACER_{one}").id for one in range(RACERS)]
        return answer.claim_url.rsplit("/", 1)[1], racers

    code, racers = await site.ctx.transact(prepare)
    return [partial(purchases.claim, code=code, person_id=one) for one in racers]


async def one_refund(site: Site, number: int) -> list[Racer]:
    """The platform tells sixteen times of one refund; told again is the same, so all are content."""
    await site.ctx.transact(lambda env: buys(env, who=f"p{number}"))
    return [partial(purchases.refund, platform="yiling", order_no=f"p{number}", override="")] * RACERS


async def one_newcomer(site: Site, number: int) -> list[Racer]:
    """Sixteen messages and purchases bring an openid that nobody knows."""
    return [partial(people.person_with_openid, openid=f"oRACER_{number}")] * RACERS


async def test_one_order_number_told_sixteen_times_is_one_purchase(arena, rounds):
    times = rounds(1, soak=200)
    await each_round(arena, one_order_number, times, ok=1, no=LOSERS)
    assert await counted(arena, Purchase) == times


async def test_one_claim_link_opened_by_sixteen_people_has_one_owner(arena, rounds):
    times = rounds(1, soak=200)
    await each_round(arena, one_claim_link, times, ok=1, claim_taken=LOSERS)
    assert await counted(arena, AuditEntry, AuditEntry.action == "claimed") == times


REFUNDED = AuditEntry.action == "refunded at the platform"


async def test_one_refund_told_sixteen_times_is_one_refund(arena, rounds):
    times = rounds(1, soak=200)
    await each_round(arena, one_refund, times, ok=RACERS)
    assert await counted(arena, AuditEntry, REFUNDED) == times


async def test_one_openid_that_comes_sixteen_times_is_one_person(arena, rounds):
    before, times = await counted(arena, Person), rounds(1, soak=200)
    await each_round(arena, one_newcomer, times, ok=RACERS)
    assert await counted(arena, Person) - before == await counted(arena, Identity) == times


async def test_control_without_its_unique_place_one_is_many_and_verify_sees_it(loose_arena, without):
    without(Identity, "side", "provider", "uid")
    assert await goes_wrong(loose_arena, one_newcomer, partial(has_more, loose_arena, Identity))
    without(Purchase, "platform_id", "order_no")
    assert await overspends(loose_arena, one_order_number)
    assert [one for one in await loose_arena.broken() if one.startswith("I10")]


async def test_control_who_looks_before_he_writes_takes_it_from_another_and_verify_sees_it(arena, careless):
    careless(Purchase)
    assert await goes_wrong(arena, one_refund, partial(has_more, arena, AuditEntry, condition=REFUNDED))
    assert await overspends(arena, one_claim_link)
    assert await arena.broken() != []
