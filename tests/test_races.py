"""Races on the two databases that have them: one winner, also when sixteen try at once; and a control that breaks."""

import asyncio
import threading

import pytest
from peewee import MySQLDatabase

from models.access import Grant
from models.base import database as bound
from models.errors import BusinessError
from models.links import WAIVER_VERSION, Link, LinkAttempt, Membership, RefundWaiver
from models.people import digest
from services import handshake, links, purchases
from tests.site import COURSE, Site

RACERS = 16
gen = pytest.mark.gen_test(timeout=120)
servers = pytest.mark.parametrize("database_kind", ["postgresql", "mariadb"])


@pytest.fixture
def arena(make_site) -> Site:
    """A site with a database thread for each racer."""
    return make_site(database_threads=RACERS)


async def attempt_of(site: Site, name: str) -> int:
    """Somebody with the course has agreed and stands before the planet; the id of his attempt."""
    who = {"person_id": await site.person_id(name), "browser": f"browser of {name}"}
    where = {"ip": "127.0.0.1", "user_agent": "test", "agreed": WAIVER_VERSION, "course_slug": COURSE}
    departure = await site.ctx.transact(links.begin, **who, **where)
    found = LinkAttempt.state_hash == digest(departure.state)
    return await site.ctx.read(lambda _env: LinkAttempt.get(found).id)


async def at_the_start(site: Site) -> None:
    """Every thread has its connection, so that the racers really run at once."""
    barrier = threading.Barrier(RACERS, timeout=30)
    await asyncio.gather(*(site.ctx.read(lambda _env: barrier.wait()) for _ in range(RACERS)))


async def race(site: Site, calls: list) -> list[str]:
    """Run all at once; `ok`, or the code of the refusal, for each."""
    await at_the_start(site)
    results = await asyncio.gather(*calls, return_exceptions=True)
    unexpected = [one for one in results if isinstance(one, BaseException) and not isinstance(one, BusinessError)]
    assert not unexpected, unexpected
    return sorted(one.code if isinstance(one, BusinessError) else "ok" for one in results)


async def counts(site: Site) -> tuple[int, int, int]:
    """Links, live memberships and waivers."""

    def count(_env):
        live = Membership.select().where(Membership.revoked_at.is_null())
        return Link.select().count(), live.count(), RefundWaiver.select().count()

    return await site.ctx.read(count)


async def people_at_one_account(site: Site) -> list[str]:
    """Sixteen people bring the same planet account at once."""
    names = [f"p{number}" for number in range(RACERS)]
    for name in names:
        await site.buys(name)
    attempts = [await attempt_of(site, name) for name in names]
    same = {"member_uid": "m-one", "display_name": "one"}
    return await race(site, [site.ctx.transact(links.complete, attempt_id=one, **same) for one in attempts])


async def accounts_at_one_purchase(site: Site) -> list[str]:
    """One person's purchase is brought by sixteen planet accounts at once."""
    await site.buys("anna")
    attempts = [await attempt_of(site, "anna") for _ in range(RACERS)]
    uids = [{"member_uid": f"m-{number}", "display_name": str(number)} for number in range(RACERS)]
    calls = zip(attempts, uids, strict=True)
    return await race(site, [site.ctx.transact(links.complete, attempt_id=one, **uid) for one, uid in calls])


@servers
@gen
async def test_sixteen_people_and_one_planet_account_make_one_link(arena):
    assert await people_at_one_account(arena) == ["link_taken"] * (RACERS - 1) + ["ok"]
    assert await counts(arena) == (1, 1, 1)
    assert await arena.broken() == []


@servers
@gen
async def test_one_purchase_and_sixteen_planet_accounts_make_one_link(arena):
    assert await accounts_at_one_purchase(arena) == ["already_linked"] * (RACERS - 1) + ["ok"]
    assert await counts(arena) == (1, 1, 1)
    assert await arena.broken() == []


@servers
@gen
async def test_one_callback_sixteen_times_does_the_work_once(arena):
    await arena.buys("anna")
    who = {"person_id": await arena.person_id("anna"), "browser": "b"}
    where = {"ip": "127.0.0.1", "user_agent": "test", "agreed": WAIVER_VERSION, "course_slug": COURSE}
    departure = await arena.ctx.transact(links.begin, **who, **where)
    asked = {"provider": "partner", "state": departure.state, "browser": "b", "person_id": None}
    calls = [arena.ctx.transact(handshake.take_return, **asked) for _ in range(RACERS)]
    await at_the_start(arena)
    came = await asyncio.gather(*calls)
    assert sum(one.is_first for one in came) == 1


@servers
@gen
async def test_one_claim_link_and_sixteen_people_make_one_owner(arena):
    told = {"course": COURSE, "phone": "13900000000", "paid_fen": 1, "paid_at": arena.clock.now()}
    body = purchases.PurchaseBody(**told)
    answer, _ = await arena.ctx.transact(purchases.put, platform="yiling", order_no="C1", body=body)
    code = answer.claim_url.rsplit("/", 1)[1]
    people = [await arena.person_id(f"p{number}") for number in range(RACERS)]
    calls = [arena.ctx.transact(purchases.claim, code=code, person_id=one) for one in people]
    assert await race(arena, calls) == ["claim_taken"] * (RACERS - 1) + ["ok"]
    assert await arena.broken() == []


@servers
@gen
async def test_one_order_number_told_sixteen_times_is_one_purchase(arena):
    told = {"course": COURSE, "openid": arena.phone("anna").openid, "paid_fen": 1, "paid_at": arena.clock.now()}
    put = {"platform": "yiling", "order_no": "C1", "body": purchases.PurchaseBody(**told)}
    await at_the_start(arena)
    answers = await asyncio.gather(*(arena.ctx.transact(purchases.put, **put) for _ in range(RACERS)))
    assert sum(is_new for _, is_new in answers) == 1
    assert len({answer for answer, _ in answers}) == 1
    assert await arena.broken() == []


async def linked_with_a_second_attempt(site: Site, name: str) -> tuple[int, int, int]:
    """Somebody is linked by a first purchase and stands before the planet with a second: person, link, attempt."""
    await site.buys(name, order_no=f"{name}-1")
    who = {"member_uid": f"m-{name}", "display_name": name}
    await site.ctx.transact(links.complete, attempt_id=await attempt_of(site, name), **who)
    await site.buys(name, order_no=f"{name}-2")
    person_id = await site.person_id(name)
    (link,) = await site.ctx.read(lambda _env: links.active_links(person_id))
    return person_id, link.id, await attempt_of(site, name)


def complete(site: Site, name: str, attempt_id: int):
    """Somebody's planet account comes back."""
    return site.ctx.transact(links.complete, attempt_id=attempt_id, member_uid=f"m-{name}", display_name=name)


@servers
@gen
async def test_linking_a_second_course_while_unlinking_leaves_no_membership_without_a_link(arena):
    names = [f"p{number}" for number in range(RACERS // 2)]
    calls = []
    for name in names:
        person_id, link_id, attempt_id = await linked_with_a_second_attempt(arena, name)
        why = {"who": "test", "reason": "race"}
        calls.append(complete(arena, name, attempt_id))
        calls.append(arena.ctx.transact(links.unlink, link_id=link_id, person_id=person_id, **why))
    await race(arena, calls)
    assert await arena.broken() == []


@servers
@gen
async def test_linking_a_second_purchase_while_the_first_is_refunded_leaves_no_gap(arena):
    names = [f"p{number}" for number in range(RACERS // 2)]
    calls = []
    for name in names:
        _, _, attempt_id = await linked_with_a_second_attempt(arena, name)
        told = {"platform": "yiling", "order_no": f"{name}-1", "override": "goodwill"}
        calls.append(complete(arena, name, attempt_id))
        calls.append(arena.ctx.transact(purchases.refund, **told))
    assert await race(arena, calls) == ["ok"] * len(calls)
    live = await arena.ctx.read(lambda _env: list(Membership.select().where(Membership.revoked_at.is_null())))
    assert [one.starts_at for one in live] == [arena.clock.now()] * len(names), "each second year begins now"
    assert await arena.broken() == []


def point_at(_env, *, attempt_id: int, source_ref: str) -> None:
    """Let an attempt be about another of the person's purchases."""
    grant = Grant.get(source_ref=source_ref)
    LinkAttempt.update(grant=grant).where(LinkAttempt.id == attempt_id).execute()


@servers
@gen
async def test_two_purchases_linked_at_once_get_one_year_after_the_other(arena):
    names = [f"p{number}" for number in range(RACERS // 2)]
    calls = []
    for name in names:
        attempts = []
        for number in (1, 2):
            await arena.buys(name, order_no=f"{name}-{number}")
            attempts.append(await attempt_of(arena, name))
        await arena.ctx.transact(point_at, attempt_id=attempts[1], source_ref=f"yiling:{name}-2")
        calls += [complete(arena, name, one) for one in attempts]
    assert await race(arena, calls) == ["ok"] * len(calls)
    years = await arena.ctx.read(lambda _env: list(Membership.select().order_by(Membership.link, Membership.starts_at)))
    for first, second in zip(years[::2], years[1::2], strict=True):
        assert first.link_id == second.link_id
        assert second.starts_at == first.ends_at
    assert await arena.broken() == []


@pytest.fixture
def loose_arena(io_loop, fresh_database, database_kind, migrate, clock):
    """An arena on a database of its own whose UNIQUE for planet accounts is switched off."""
    url = fresh_database(database_kind)
    migrate(url)
    site = Site(url, clock, database_threads=RACERS)
    io_loop.run_sync(site.start)
    with bound.connection_context():
        table = " ON link" if isinstance(bound.obj, MySQLDatabase) else ""
        bound.execute_sql(f"DROP INDEX link_provider_active_uid{table}")
    yield site
    io_loop.run_sync(site.stop)


@servers
@gen
async def test_control_without_its_guard_the_account_goes_to_many(loose_arena):
    results = await people_at_one_account(loose_arena)
    assert results.count("ok") > 1, "the race must be able to fail, or the other tests show nothing"
    assert await loose_arena.broken() != [], "and verify must see it"
