"""Races for tests: sixteen who begin at the same moment, round after round; and guards that can be switched off.

`arena` is a site with a database thread for each racer. `careless(Row)` and `without(Row, "column")` switch a guard
off, for the control of a race: then it must over-spend, or the race itself shows nothing.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from typing import Any

import pytest
from peewee import MySQLDatabase
from tornado.ioloop import IOLoop

from models.base import Row
from models.base import database as bound
from models.errors import BusinessError
from models.links import WAIVER_VERSION, LinkAttempt
from models.orders import CLOSED, OPEN, Moving, Payment
from models.people import digest
from models.vouchers import Campaign
from services import database, links, people, purchases
from services.env import Env
from tests.databases import Databases
from tests.fixtures_databases import need
from tests.site import COURSE, Clock, Site

RACERS = 16
OVERSPENT_WITHIN = 40
NUMBERS = count()  # several controls share an arena, and no two rounds a number
RACE = [
    pytest.mark.soak,
    pytest.mark.race,
    pytest.mark.gen_test(timeout=1800),
    pytest.mark.parametrize("database_kind", ["postgresql", "mariadb"]),
]
Racer = Callable[[Env], Any]
Round = Callable[[Site, int], Awaitable[list[Racer]]]


class AtOnce:
    """One racer, who stands in his transaction until all others do; after a deadlock he need not wait again."""

    def __init__(self, racer: Racer, gate: threading.Barrier) -> None:
        self.racer, self.gate = racer, gate
        self.has_begun = False

    def __call__(self, env: Env) -> Any:
        if not self.has_begun:
            self.has_begun = True
            self.gate.wait()
        return self.racer(env)


async def race(site: Site, racers: list[Racer]) -> Counter[str]:
    """Run all at once; how many were `ok`, how many were told `no` (False), how many were refused by which code."""
    gate = threading.Barrier(len(racers), timeout=30)
    results = await asyncio.gather(
        *(site.ctx.transact(AtOnce(one, gate)) for one in racers), return_exceptions=True
    )  # fmt: skip
    unexpected = [one for one in results if isinstance(one, BaseException) and not isinstance(one, BusinessError)]
    assert not unexpected, unexpected
    return Counter(word_of(one) for one in results)


def word_of(result: Any) -> str:
    """How a racer came out, in a word."""
    if isinstance(result, BusinessError):
        return result.code
    return "no" if result is False else "ok"


async def each_round(site: Site, make: Round, times: int, **expected: int) -> None:
    """Every round comes out so, and in the end no row breaks a promise."""
    for number in range(times):
        came = await race(site, await make(site, number))
        assert came == Counter(expected), f"round {number}: {came}"
    assert await site.broken() == []


async def overspends(site: Site, make: Round) -> bool:
    """Whether more than one wins, in one of some rounds."""
    for _ in range(OVERSPENT_WITHIN):
        if (await race(site, await make(site, next(NUMBERS))))["ok"] > 1:
            return True
    return False


async def goes_wrong(site: Site, make: Round, is_wrong: Callable[[int], Awaitable[Any]]) -> bool:
    """Whether rows are wrong after one of some rounds; `is_wrong` is told how many have been run."""
    for times in range(1, OVERSPENT_WITHIN + 1):
        await race(site, await make(site, next(NUMBERS)))
        if await is_wrong(times):
            return True
    return False


async def has_more(site: Site, row: type[Row], times: int, condition: Any = True) -> bool:
    """Whether there are more such rows than rounds."""
    return await counted(site, row, condition) > times


async def counted(site: Site, row: type[Row], condition: Any = True) -> int:
    """How many such rows there are."""
    return await site.ctx.read(lambda _env: row.select().where(condition).count())


def buys(env: Env, *, who: str, order_no: str = "") -> int:
    """Somebody bought the course at the platform; his id."""
    openid = f"oRACER_{who}"
    told = {"course": COURSE, "openid": openid, "paid_fen": 1, "paid_at": env.now}
    body = purchases.PurchaseBody(**told)
    purchases.put(env, platform="yiling", order_no=order_no or who, body=body)
    return people.person_with_openid(env, openid).id


def hands_over(env: Env, *, person_id: int) -> tuple[int, str]:
    """Somebody with the course has agreed and stands before the planet: his attempt and its state."""
    where = {"ip": "127.0.0.1", "user_agent": "test", "agreed": WAIVER_VERSION, "course_slug": COURSE}
    state = links.begin(env, person_id=person_id, browser="b", **where).state
    return LinkAttempt.get(state_hash=digest(state)).id, state


def newcomer(env: Env, *, who: str) -> int:
    """Somebody has bought and stands before the planet; his attempt."""
    return hands_over(env, person_id=buys(env, who=who))[0]


def look_then_write(cls: type[Row], *conditions: Any, **values: Any) -> bool:
    """`change_if` as a careless hand writes it: first a look whether it is so, then the change."""
    found = [row.id for row in cls.select(cls.id).where(*conditions)]
    return bool(found) and cls.update(**values).where(cls.id.in_(found)).execute() > 0


def careless_move(self: Moving, state: str, *, only_from: tuple[str, ...] = (), **values: Any) -> bool:
    """A move by the same hand."""
    cls = type(self)
    before = [one for one, then in cls.moves.items() if state in then and one in (only_from or cls.moves)]
    return look_then_write(cls, cls.id == self.id, cls.state.in_(before), state=state, **values)


def careless_arrival(self: Payment, state: str, **came: Any) -> bool:
    """Money taken by the same hand."""
    free = (Payment.id == self.id, Payment.transaction_id.is_null(), Payment.state.in_([OPEN, CLOSED]))
    return look_then_write(Payment, *free, state=state, active_type=None, look_at=None, **came)


def careless_count(self: Campaign, amount_fen: int) -> bool:
    """A voucher counted by the same hand."""
    now = Campaign.get_by_id(self.id)
    free = now.quota is None or now.issued < now.quota
    more = {"issued": now.issued + 1, "issued_fen": now.issued_fen + amount_fen}
    return free and Campaign.update(**more).where(Campaign.id == self.id).execute() == 1


@pytest.fixture
def arena(make_site: Callable[..., Site]) -> Site:
    """A site with a database thread for each racer."""
    return make_site(database_threads=RACERS)


@pytest.fixture
def careless(monkeypatch: pytest.MonkeyPatch) -> Callable[[type[Row]], None]:
    """`careless(Link)`: its conditional UPDATEs become a look and a write."""

    def make(row: type[Row]) -> None:
        monkeypatch.setattr(row, "change_if", classmethod(look_then_write))
        if issubclass(row, Moving):
            monkeypatch.setattr(row, "move", careless_move)
        if row is Payment:
            monkeypatch.setattr(row, "arrive", careless_arrival)
        if row is Campaign:
            monkeypatch.setattr(row, "count", careless_count)

    return make


def migrate_loose(url: str) -> None:
    """Our migrations, for databases whose guards are taken away and put back."""
    db = database.connect(url)
    database.migrate(db)
    db.close()


@pytest.fixture
def loose_arena(
    io_loop: IOLoop, databases: Databases, database_kind: str, pytestconfig: pytest.Config, clock: Clock
) -> Iterator[Site]:
    """An arena on a database of its own, from which `without` may take indexes."""
    if database_kind not in pytestconfig.getoption("--databases").split(","):
        pytest.skip(f"--databases leaves out {database_kind}")
    need(database_kind)
    site = Site(databases.clean(database_kind, migrate_loose), clock, database_threads=RACERS)
    io_loop.run_sync(site.start)
    yield site
    io_loop.run_sync(site.stop)


@pytest.fixture
def without(databases: Databases, database_kind: str, loose_arena: Site) -> Iterator[Callable[..., None]]:
    """`without(Link, "provider", "active_uid")`: the UNIQUE over these columns is gone until the test's end."""
    put_back: list[str] = []

    def drop(row: type[Row], *columns: str) -> None:
        table, is_mariadb = row._meta.table_name, isinstance(bound.obj, MySQLDatabase)
        indexes = [one for one in bound.get_indexes(table) if one.unique and set(one.columns) == set(columns)]
        assert indexes, f"{table} has no UNIQUE over {columns}"
        name, quote, on = indexes[0].name, *(("`", f" ON {table}") if is_mariadb else ('"', ""))
        place = f"ON {table} ({', '.join(quote + column + quote for column in indexes[0].columns)})"
        if is_mariadb:  # a foreign key wants some index there
            bound.execute_sql(f"CREATE INDEX {name}_plain {place}")
        bound.execute_sql(f"DROP INDEX {name}{on}")
        put_back.append(f"CREATE UNIQUE INDEX {name} {place}")
        put_back.extend([f"DROP INDEX {name}_plain{on}"] if is_mariadb else [])

    with bound.connection_context():
        yield drop
    databases.clean(database_kind, migrate_loose)
    with bound.connection_context():
        for statement in put_back:
            bound.execute_sql(statement)
