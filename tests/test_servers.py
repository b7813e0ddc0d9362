"""The ground under the tests themselves: servers come back after a kill, databases are clean and isolated."""

import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from urllib.parse import urlsplit

import pytest
import redis

from tests.databases import Migrate, ask, connect
from tests.server_process import Server
from tests.servers import SERVERS, available

TABLES = (
    "CREATE TABLE parent (id {number} PRIMARY KEY, name VARCHAR(20))",
    "CREATE TABLE child (id {number} PRIMARY KEY, parent_id INT REFERENCES parent (id))",
    "CREATE TABLE history (name VARCHAR(20) PRIMARY KEY)",
    "INSERT INTO history VALUES ('0001')",
)
NUMBER = {"sqlite": "INTEGER", "postgresql": "SERIAL", "mysql": "INT AUTO_INCREMENT"}


def run(url: str, *statements: str) -> list[tuple]:
    """Run statements on any kind of database; the rows of the last."""
    if not url.startswith("sqlite:"):
        with connect(url) as connection:
            return [ask(connection, statement) for statement in statements][-1]
    with closing(sqlite3.connect(urlsplit(url).path[1:], isolation_level=None)) as connection:
        return [connection.execute(statement).fetchall() for statement in statements][-1]


@pytest.fixture(scope="session")
def migrate() -> Migrate:
    """A stand-in for our migrations."""

    def make(url: str) -> None:
        run(url, *(table.format(number=NUMBER[urlsplit(url).scheme]) for table in TABLES))

    return make


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_committed_row_survives_a_kill(kind: str, private_server: Callable[[str], Server]) -> None:
    server = private_server(kind)
    run(server.url, "CREATE TABLE kept (n INT)", "INSERT INTO kept VALUES (7)")

    server.kill()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=2).close()
    server.restart()

    assert run(server.url, "SELECT n FROM kept") == [(7,)]


def test_what_redis_answered_survives_a_kill(private_server: Callable[[str], Server]) -> None:
    server = private_server("redis")
    with redis.Redis.from_url(server.url) as client:
        client.set("kept", "7")
    server.kill()
    server.restart()
    with redis.Redis.from_url(server.url) as client:
        assert client.get("kept") == b"7"


def test_a_removed_server_leaves_nothing(private_server: Callable[[str], Server]) -> None:
    server = private_server("redis")
    server.stop()
    assert server.folder.exists(), "a stopped one may come back"
    server.remove()
    assert not server.folder.exists()


def test_each_kind_is_there_or_says_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(available()) == set(SERVERS)
    monkeypatch.setattr(SERVERS["redis"], "programs", ("no-such-server",))
    assert available()["redis"] == "no-such-server is not installed"


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_finds_the_database_as_migrated(turn: int, database_url: str) -> None:
    assert run(database_url, "SELECT count(*) FROM parent") == [(0,)]
    assert run(database_url, "SELECT name FROM history") == [("0001",)]

    run(database_url, "INSERT INTO parent (name) VALUES ('a')", "INSERT INTO child (parent_id) VALUES (1)")
    run(database_url, "DELETE FROM history", "INSERT INTO history VALUES ('0002')")

    assert run(database_url, "SELECT id FROM parent") == [(1,)], f"numbered from 1 in turn {turn}"
    assert run(database_url, "SELECT parent_id FROM child") == [(1,)]


@pytest.mark.parametrize("turn", [1, 2])
def test_a_forgotten_transaction_does_not_reach_the_next_test(
    turn: int, database_url: str, request: pytest.FixtureRequest
) -> None:
    assert run(database_url, "SELECT count(*) FROM parent") == [(0,)], f"turn {turn}"
    if not database_url.startswith("sqlite:"):
        forgotten = connect(database_url)
        request.addfinalizer(forgotten.close)
        ask(forgotten, "BEGIN")
        ask(forgotten, "INSERT INTO parent (name) VALUES ('late')")


def test_fresh_databases_are_empty_and_apart(database_kind: str, fresh_database: Callable[[str], str]) -> None:
    one, other = fresh_database(database_kind), fresh_database(database_kind)
    run(one, "CREATE TABLE only_here (n INT)")
    run(other, "CREATE TABLE only_here (n INT)", "INSERT INTO only_here VALUES (1)")
    assert run(one, "SELECT count(*) FROM only_here") == [(0,)]


def test_the_shared_redis_starts_empty(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
