"""PostgreSQL, MariaDB and Redis killed under load: a 503 that says when to come again, and nothing lost."""

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import pytest
from redis import Redis

from models.purchases import Purchase
from services.env import Env
from tests.attack_kit import Answer, ask, post, session
from tests.databases import create_database
from tests.departures import departed
from tests.dying import links_of, live_refs
from tests.server_process import Server
from tests.shop import Shop
from tests.site import COURSE, Site

pytestmark = pytest.mark.soak
gen = pytest.mark.gen_test(timeout=1200)
BACK_SECONDS = 10.0
LONGEST_SECONDS = 30.0
CALLERS = 2
AWAY = {"busy", "maintenance"}


@dataclass
class Load:
    """A few callers of each kind, one call after the other; what was acknowledged is remembered."""

    site: Site
    purchases: list[str] = field(default_factory=list)
    claimed: list[str] = field(default_factory=list)
    linked: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    is_over: bool = False

    def begins(self) -> list[asyncio.Task[None]]:
        """All callers."""
        kinds = (self.tells, self.claims, self.links, self.talks)
        return [
            asyncio.create_task(self.goes_on(kind, f"{kind.__name__}{number}"))
            for kind in kinds for number in range(CALLERS)
        ]  # fmt: skip

    async def goes_on(self, kind: Callable[[str], Awaitable[None]], who: str) -> None:
        """One caller, until it is over."""
        number = 0
        while not self.is_over:
            number += 1
            await kind(f"{who}n{number}")

    def heard(self, answer: Answer) -> bool:
        """Keep an answer; whether it was a yes."""
        self.answers.append(answer)
        return 200 <= answer.status < 400

    async def put(self, order_no: str, **changes: object) -> Answer:
        """The platform tells of a purchase."""
        shop = Shop(self.site)
        machine = {"Authorization": shop.authorization, "Content_Type": "application/json"}
        body = json.dumps(shop.body(openid=self.site.phone(order_no).openid) | changes).encode()
        answer = await ask(self.site, f"/api/v1/purchases/yiling/{order_no}", "PUT", body=body, **machine)
        if self.heard(answer):
            self.purchases.append(order_no)
        return answer

    async def tells(self, name: str) -> None:
        """A purchase."""
        await self.put(name)

    async def claims(self, name: str) -> None:
        """A purchase by phone, and its claim link."""
        told = await self.put(name, openid=None, phone="13800000000")
        if told.status == 201 and (cookies := await self.cookies(name)):
            path = told.json["claim_url"].removeprefix(self.site.base_url)
            if self.heard(await post(self.site, path, cookies)):
                self.claimed.append(name)

    async def links(self, name: str) -> None:
        """A purchase, and its link."""
        if (await self.put(name)).status != 201 or not (cookies := await self.cookies(name)):
            return
        sent = await post(self.site, f"/courses/{COURSE}/planet", cookies, {"waiver": self.site.waiver})
        if not self.heard(sent):
            return
        departure = departed(self.site, name, cookies, sent)
        came = await departure.returns(departure.back())
        if self.heard(came) and (await departure.outcome(came))[1] == "linked":
            self.linked.append(name)

    async def talks(self, name: str) -> None:
        """A message with an effect, and one without."""
        await self.site.phone(name).follow()
        await self.site.phone(name).say("帮助")

    async def cookies(self, name: str) -> dict[str, str]:
        """A session of somebody, made beside the load; none while rows are away."""
        try:
            return await session(self.site, name)
        except Exception:  # noqa: BLE001 - the site's own rows are as dead as the server's
            return {}

    async def hears(self, more: int) -> None:
        """Wait until so many more were acknowledged, some of each kind."""
        enough = (len(self.purchases) + more, len(self.linked) + 1)
        async with asyncio.timeout(60):
            while len(self.purchases) < enough[0] or len(self.linked) < enough[1]:  # noqa: ASYNC110 - many callers bring it nearer
                await asyncio.sleep(0.02)

    async def is_whole(self) -> None:
        """No fault of ours, no endless wait; what was acknowledged is there, told once, and no rule is broken."""
        assert {one.status for one in self.answers} <= {200, 201, 303, 503}
        assert max(one.seconds for one in self.answers) < LONGEST_SECONDS
        self.site.clock.forward(minutes=2)
        await self.site.delivers()
        assert set(self.purchases) <= await self.site.ctx.read(order_numbers)
        have = {one.person_id for one in await Shop(self.site).grants()}
        assert {await self.site.person_id(name) for name in self.claimed} <= have
        linked = [await self.site.person_id(name) for name in self.linked]
        assert [await self.site.ctx.read(links_of, person_id=one) for one in linked] == [(1, 1)] * len(linked)
        there = [one.ref for one in self.site.box.planet.memberships("g1")]
        assert len(set(there)) == len(there)
        assert sorted(there) == await self.site.ctx.read(live_refs)
        assert await self.site.broken() == []


def order_numbers(_env: Env) -> set[str]:
    """Every purchase that we know."""
    return {one.order_no for one in Purchase.select()}


@dataclass
class Arena:
    """A site whose address is served by two processes, on a database and a Redis of the test's own."""

    site: Site
    database: Server
    redis: Server


@pytest.fixture
def make_arena(io_loop, private_server, migrate, clock, running) -> Iterator[Callable[[str], Awaitable[Arena]]]:
    """`make_arena("mariadb")`"""
    made: list[tuple[Site, socket.socket]] = []

    async def make(kind: str) -> Arena:
        database, redis = private_server(kind), private_server("redis")
        url = create_database(database, "arena")
        migrate(url)
        site = Site(url, clock, redis_url=redis.url)
        await site.start()
        listening = site.sockets[0].dup()
        site.server.http.leave()
        made.append((site, listening))
        settings = site.settings() | {"redis_url": redis.url, "limits_factor": 1000, "database_threads": 4}
        settings |= {"clock_url": f"{site.box.console_url}/control/clock"}
        number = listening.fileno()
        served = running("serve", "--processes", "2", "--fd", str(number), fds=[number], **settings)
        await served.until(lambda: served.said().count("serving ") == 2)
        return Arena(site, database, redis)

    yield make
    for site, listening in made:
        listening.close()
        io_loop.run_sync(site.stop)


async def is_ready(site: Site) -> None:
    """Ten seconds at most until it serves."""
    until = time.monotonic() + BACK_SECONDS
    while (await ask(site, "/readyz")).status != 200:
        assert time.monotonic() < until
        await asyncio.sleep(0.05)


async def survives(arena: Arena, hurt: Callable[[], object], heal: Callable[[], object], *, rounds: int) -> Load:
    """Under load something is hurt and heals, again and again; then what was acknowledged is there."""
    load = Load(arena.site)
    callers = load.begins()
    for _ in range(rounds):
        await load.hears(5)
        await asyncio.to_thread(hurt)
        await asyncio.sleep(1)  # the load goes on meanwhile
        await asyncio.to_thread(heal)
        await is_ready(arena.site)
    await load.hears(5)
    load.is_over = True
    await asyncio.gather(*callers)
    await load.is_whole()
    return load


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
@gen
async def test_a_database_killed_under_load_is_a_503_and_loses_nothing_that_was_acknowledged(make_arena, kind, rounds):
    arena = await make_arena(kind)
    load = await survives(arena, arena.database.kill, arena.database.start, rounds=rounds(1, soak=10))
    away = [one for one in load.answers if one.status == 503]
    assert away, "nobody noticed: the test shows nothing"
    assert all(one.headers["Retry-After"].isdigit() for one in away)
    assert {one.json["code"] for one in away if one.headers["Content-Type"].startswith("application/json")} <= AWAY


@gen
async def test_a_redis_killed_under_load_is_not_noticed(make_arena, rounds):
    arena = await make_arena("postgresql")
    load = await survives(arena, arena.redis.kill, arena.redis.start, rounds=rounds(1, soak=10))
    assert {one.status for one in load.answers} <= {200, 201, 303}


@gen
async def test_a_redis_that_was_emptied_loses_no_link_and_no_consent(make_arena, rounds):
    arena = await make_arena("postgresql")

    def empty() -> None:
        with Redis.from_url(arena.redis.url) as client:
            client.flushall()

    load = await survives(arena, empty, empty, rounds=rounds(1, soak=10))
    assert {one.status for one in load.answers} <= {200, 201, 303}
