"""Killed while WeChat Pay tells of payments: what was answered is paid once, what was not is paid when told again."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import pytest
from peewee import JOIN, fn
from tornado.ioloop import IOLoop

from models.access import Grant
from models.journal import JournalEntry, JournalLine
from models.orders import PAID, UNPAID, Order
from sandbox.letters import Letter
from sandbox.pay_notices import Notices
from services.env import Env
from tests.databases import create_database
from tests.dying import Mortal
from tests.pay_load import transaction, unpaid
from tests.server_process import Server
from tests.site import Clock, Site
from tests.test_server_kills import is_ready

pytestmark = pytest.mark.soak
gen = pytest.mark.gen_test(timeout=3600)
servers = pytest.mark.parametrize("database_kind", ["postgresql", "mariadb"])
NOTIFY = "/wechatpay/notify"
LANES = 8
EACH_ROUND = 50
HEARD_BEFORE = (5, 15, 25, 35)
TIME_FACTOR = 0.01  # of WeChat's 15 s, 15 s, 30 s, 3 min, 10 min …
LOOK_SECONDS = 0.02
AGAIN_SECONDS = 20.0
VERIFIED_EVERY = 25
PAID_ONCE, UNTOUCHED = (PAID, 1, 1), (UNPAID, 0, 0)


@dataclass
class Told:
    """WeChat Pay, which tells of many payments at once, and again of those that were not answered."""

    site: Site
    lanes: list[Notices] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    is_over: bool = False

    def __post_init__(self) -> None:
        self.lanes = [Notices(self.site.world, self.site.box.pay.settings) for _ in range(LANES)]
        for lane in self.lanes:
            lane.time_factor = TIME_FACTOR

    async def pay(self, times: int) -> None:
        """So many people have paid; their notices are on their way."""
        merchant, app_id = self.site.box.pay.settings, self.site.box.account.settings.app_id
        made = await self.site.ctx.transact(unpaid, times=times)
        for lane, (number, openid) in zip(cycle(self.lanes), made, strict=False):
            told = transaction(self.site.world, merchant, app_id, number=number, openid=openid)
            url = f"{self.site.base_url}{NOTIFY}"
            self.letters.append(lane.tell("TRANSACTION.SUCCESS", url, told, about=number))

    @property
    def heard(self) -> list[str]:
        """The orders of which WeChat was told that we have heard."""
        return [one.about for one in self.letters if one.state == "delivered"]

    @property
    def numbers(self) -> list[str]:
        """All orders of this round."""
        return [one.about for one in self.letters]

    async def until_heard(self, number: int, seconds: float = AGAIN_SECONDS) -> None:
        """Wait until so many of this round were answered."""
        async with asyncio.timeout(seconds):
            while len(self.heard) < number:  # noqa: ASYNC110 - many lanes bring it nearer
                await asyncio.sleep(LOOK_SECONDS)

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """All lanes tell what is due, again and again, while time passes."""
        self.is_over = False
        tasks = [asyncio.create_task(self.tells(lane)) for lane in self.lanes] + [asyncio.create_task(self.passes())]
        try:
            yield
        finally:
            self.is_over = True
            await asyncio.gather(*tasks)

    async def tells(self, lane: Notices) -> None:
        """One lane, until it is over."""
        while not self.is_over:
            await lane.deliver_due()
            await asyncio.sleep(LOOK_SECONDS)

    async def passes(self) -> None:
        """The sandbox's clock goes as ours does."""
        before = time.monotonic()
        while not self.is_over:
            await asyncio.sleep(LOOK_SECONDS)
            now = time.monotonic()
            self.site.clock.forward(seconds=now - before)
            before = now


def sales(_env: Env, *, numbers: list[str]) -> dict[str, tuple[str, int, int]]:
    """Of each order: its state, how often it was booked as sold, how often its course was given."""
    its = (JournalEntry.order == Order.id) & (JournalEntry.kind == "sale")
    given = (Grant.source == "order") & (Grant.source_ref == Order.no)
    entries, grants = fn.COUNT(JournalEntry.id.distinct()), fn.COUNT(Grant.id.distinct())
    rows = Order.select(Order.no, Order.state, entries, grants).join(JournalEntry, JOIN.LEFT_OUTER, on=its)
    rows = rows.join_from(Order, Grant, JOIN.LEFT_OUTER, on=given).where(Order.no.in_(numbers))
    return {no: (state, sold, gave) for no, state, sold, gave in rows.group_by(Order.no, Order.state).tuples()}


async def check(site: Site, numbers: list[str], heard: list[str]) -> None:
    """What was answered is paid once; nothing is paid by half or twice; the journal sums to 0."""
    found = await site.ctx.read(sales, numbers=numbers)
    assert {found[no] for no in heard} <= {PAID_ONCE}, "answered, and not paid once"
    assert set(found.values()) <= {PAID_ONCE, UNTOUCHED} and len(found) == len(numbers)
    assert await site.ctx.read(lambda _env: JournalLine.select(fn.SUM(JournalLine.amount_fen)).scalar()) in {0, None}


async def comes_back(process: Mortal) -> None:
    """It serves again, itself: beside another one `is_up` alone would not tell."""
    process.log.unlink(missing_ok=True)
    await process.serves()

    async def says_so() -> bool:
        return process.log.exists() and "serving " in process.log.read_text("utf-8")

    await process.until(says_so)


@dataclass
class Arena:
    """A site whose address is served by two processes, on a database of the test's own; all can be killed."""

    site: Site
    database: Server
    processes: list[Mortal]

    async def one_dies(self) -> None:
        """One of the processes."""
        first = self.processes[0]
        await first.is_killed()
        await comes_back(first)
        self.processes.reverse()

    async def both_die(self) -> None:
        """Both at once."""
        for one in self.processes:
            await one.is_killed()
        for one in self.processes:
            await comes_back(one)

    async def database_dies(self) -> None:
        """The database, which is back a moment later."""
        await asyncio.to_thread(self.database.kill)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(self.database.start)
        await is_ready(self.site)


@pytest.fixture
def arena(
    io_loop: IOLoop, private_server: Callable, migrate: Callable, clock: Clock, database_kind: str, tmp_path: Path
) -> Iterator[Arena]:
    """Two processes serve; neither is a worker, whose own deaths test_kills.py is about."""
    database = private_server(database_kind)
    url = create_database(database, "arena")
    migrate(url)
    site = Site(url, clock, database_threads=4)
    io_loop.run_sync(site.start)
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    made = Arena(site, database, [Mortal(site, folder) for folder in folders])

    async def begin() -> None:
        await made.processes[0].takes_over()
        for one in made.processes:
            await comes_back(one)

    io_loop.run_sync(begin)
    yield made
    for one in made.processes:
        one.close()
    io_loop.run_sync(site.stop)


@servers
@gen
async def test_whoever_is_killed_what_wechat_was_answered_is_paid_once_and_the_rest_when_told_again(arena, rounds):
    told, again = Told(arena.site), 0
    victims = cycle([arena.one_dies, arena.database_dies, arena.both_die])
    async with told.telling():
        for number in range(rounds(3, soak=102)):
            told.letters.clear()
            await told.pay(EACH_ROUND)
            await told.until_heard(HEARD_BEFORE[number % len(HEARD_BEFORE)])
            await next(victims)()
            await check(arena.site, told.numbers, told.heard)
            arena.site.clock.forward(seconds=AGAIN_SECONDS)  # the next tries of all that were not answered
            await told.until_heard(EACH_ROUND)
            await check(arena.site, told.numbers, told.numbers)
            again += sum(one.attempts > 1 for one in told.letters)
            if number % VERIFIED_EVERY == VERIFIED_EVERY - 1:
                assert await arena.site.broken() == []
    assert again, "nobody was told anything meanwhile: the test shows nothing"
    assert await arena.site.broken() == []


@servers
@gen
@pytest.mark.parametrize(("when", "stands"), [("before_commit", False), ("before_answer", True)])
async def test_killed_at_a_commit_it_is_told_again_and_paid_once(mortal, rounds, when, stands):
    site, told = mortal.site, Told(mortal.site)
    for _ in range(rounds(1, soak=52)):
        told.letters.clear()
        await told.pay(1)
        await mortal.serves(when, "keep")
        await asyncio.gather(told.lanes[0].deliver_due(), mortal.has_died())
        assert told.heard == [], "the answer never came"
        assert await site.ctx.read(sales, numbers=told.numbers) == {told.numbers[0]: PAID_ONCE if stands else UNTOUCHED}
        await mortal.serves()
        site.clock.forward(seconds=1)
        await told.lanes[0].deliver_due()
        await check(site, told.numbers, told.heard)
        assert told.heard == told.numbers
        await mortal.is_killed()
    assert await site.broken() == []
