"""The way to rows: bounded, patient with deadlocks and locks, and back by itself after the database was away."""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections import Counter

import pytest
from peewee import InterfaceError
from prometheus_client import REGISTRY

from models.errors import RowsAway, TooBusy
from models.people import Person
from services import database
from services.database import DatabaseThreads
from services.turns import Turns
from tests.databases import ask, connect, create_database
from tests.site import START, Site

gen = pytest.mark.gen_test(timeout=90)
servers = pytest.mark.parametrize("kind", ["postgresql", "mariadb"])


@pytest.fixture
def threads(database_url):
    """Two threads and a queue for three calls."""
    made = DatabaseThreads(database.connect(database_url), threads=2, queue=3, turns=Turns(4))
    yield made
    made.close()


def add_person() -> int:
    """One row more; its id."""
    return Person.create(created_at=START).id


@gen
async def test_a_raise_rolls_back_and_a_return_commits(threads):
    def fail():
        add_person()
        raise RowsAway

    with pytest.raises(RowsAway):
        await threads.write(fail)
    assert await threads.read(Person.select().count) == 0
    await threads.write(add_person)
    assert await threads.read(Person.select().count) == 1


def test_a_row_that_is_asked_for_outside_the_threads_opens_no_connection_that_nobody_would_close(threads):
    with pytest.raises(InterfaceError):
        Person.select().count()
    assert threads.db.is_closed()


@gen
async def test_a_full_queue_refuses_at_once_and_the_loop_goes_on(threads):
    go = threading.Event()
    waiting = [asyncio.ensure_future(threads.read(lambda: go.wait(30))) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(TooBusy):
        await threads.read(add_person)
    go.set()
    assert await asyncio.gather(*waiting) == [True] * 3
    assert await threads.read(Person.select().count) == 0


@pytest.fixture
def wide(database_url):
    """Two threads, and room for a crowd."""
    made = DatabaseThreads(database.connect(database_url), threads=2, queue=100, turns=Turns(4))
    yield made
    made.close()


@gen
async def test_a_crowd_of_calls_brings_few_answers_in_one_turn_of_the_loop(wide):
    """A loop that handles them all at once would stand still for everybody else meanwhile."""
    turn, answered_in = 0, []

    async def ask() -> None:
        await wide.read(lambda: None)
        answered_in.append(turn)

    crowd = [asyncio.ensure_future(ask()) for _ in range(40)]
    while not all(one.done() for one in crowd):
        turn += 1
        time.sleep(0.005)  # noqa: ASYNC251 - a loop that is busy, so that all answers could gather
        await asyncio.sleep(0)
    most = max(Counter(answered_in).values())
    assert most <= wide.turns.few


@pytest.mark.parametrize("database_kind", ["sqlite"])
@gen
async def test_readers_do_not_wait_for_a_writer_elsewhere(threads, database_url):
    other = sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.ensure_future(threads.write(add_person))
    for _ in range(5):
        assert await asyncio.wait_for(threads.read(Person.select().count), 1) == 0
    assert not writing.done()
    other.execute("COMMIT")
    other.close()
    await writing


@servers
@gen
async def test_two_that_lock_each_other_both_get_through(fresh_database, migrate, kind):
    url = fresh_database(kind)
    migrate(url)
    threads = DatabaseThreads(database.connect(url), threads=2, queue=10, turns=Turns(4))
    first, second = await threads.write(add_person), await threads.write(add_person)
    meet = threading.Barrier(2)

    def cross(one: int, other: int):
        Person.update(erased_at=START).where(Person.id == one).execute()
        if meet.n_waiting < 2 and not meet.broken:
            with contextlib.suppress(threading.BrokenBarrierError):
                meet.wait(2)
        return Person.update(erased_at=START).where(Person.id == other).execute()

    calls = [threads.write(lambda: cross(first, second)), threads.write(lambda: cross(second, first))]
    assert await asyncio.gather(*calls) == [1, 1], "the one whom the database chose to end was run again"
    threads.close()


@pytest.fixture
def mortal_site(private_server, migrate, clock, io_loop, kind):
    """A site on a database server of its own, which may be killed."""
    server = private_server(kind)
    url = create_database(server, "own")
    migrate(url)
    site = Site(url, clock)
    io_loop.run_sync(site.start)
    yield site, server
    io_loop.run_sync(site.stop)


@servers
@gen
async def test_a_killed_database_is_said_and_its_return_needs_nobody(mortal_site, kind):
    site, server = mortal_site
    await site.signs_in("anna")
    server.kill()
    page = await site.phone("anna").open(f"{site.base_url}/me")
    assert (page.status, page.find("error-code").text) == (503, "maintenance")
    assert page.headers["Retry-After"]
    assert (await site.fetch("/healthz")).code == 200
    assert (await site.fetch("/readyz")).code == 503
    server.restart()
    page = await site.phone("anna").open(f"{site.base_url}/me")
    assert page.status == 200
    assert (await site.fetch("/readyz")).code == 200


@pytest.fixture
def limited(fresh_database, migrate, kind):
    """Threads on a database of this kind that lets no statement run for longer than 0.3 s; and its URL."""
    url = fresh_database(kind)
    migrate(url)
    db = database.connect(url)
    db.connect_params |= {"options": "-c statement_timeout=300ms"} if kind == "postgresql" else {"read_timeout": 0.3}
    made = DatabaseThreads(db, threads=2, queue=3, turns=Turns(4))
    yield made, url
    made.close()


@pytest.fixture
def rerun():
    """How often something was run again since the test began, for a reason."""
    at_first = {why: counted(why) for why in database.TRIES}
    return lambda why: counted(why) - at_first[why]


def counted(why: str) -> float:
    """How often something was run again for this reason."""
    return REGISTRY.get_sample_value("wxbot_database_retries_total", {"why": why}) or 0


LOCK_LIMITS = {"postgresql": "SET LOCAL lock_timeout = '50ms'", "mariadb": "SET innodb_lock_wait_timeout = 0"}


@servers
@pytest.mark.parametrize("is_let_go", [True, False])
@gen
async def test_a_lock_that_lasts_is_waited_for_once_more_and_then_said(limited, rerun, kind, is_let_go):
    threads, url = limited
    person, tries = await threads.write(add_person), []

    def erase():
        tries.append(person)
        if is_let_go and len(tries) == 2:
            ask(holder, "ROLLBACK")
        threads.db.execute_sql(LOCK_LIMITS[kind])
        return Person.update(erased_at=START).where(Person.id == person).execute()

    with contextlib.closing(connect(url)) as holder:
        ask(holder, "BEGIN")
        ask(holder, "UPDATE person SET erased_at = created_at")
        with contextlib.nullcontext() if is_let_go else pytest.raises(RowsAway):
            assert await threads.write(erase) == 1
    assert (len(tries), rerun("locked")) == (2, 1)
    await threads.write(add_person)


@pytest.mark.parametrize("database_kind", ["sqlite"])
@gen
async def test_the_only_writer_does_not_stand_still_for_a_lock_of_somebody_else(threads, database_url, rerun):
    threads.db.timeout = 0.02
    with contextlib.closing(sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RowsAway):
            await threads.write(add_person)
    assert rerun("locked") == 1, "the first try has waited for as long as a lock is waited for"
    await threads.write(add_person)


@servers
@pytest.mark.parametrize("how", ["read", "write"])
@gen
async def test_a_statement_that_takes_too_long_is_said_and_not_run_again(limited, kind, how):
    threads, _ = limited
    tries = []

    def dawdle():
        tries.append(how)
        threads.db.execute_sql({"postgresql": "SELECT pg_sleep(3)", "mariadb": "SELECT SLEEP(3)"}[kind])

    with pytest.raises(RowsAway):
        await getattr(threads, how)(dawdle)
    assert tries == [how]
    await threads.write(add_person)
    assert await threads.read(Person.select().count) == 1
