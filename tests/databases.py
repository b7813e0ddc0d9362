"""Databases for tests: an empty one, or a migrated one that is clean again for each test.

Migrating is done once for each kind. For each test SQLite gets a copy of the file; on PostgreSQL and MariaDB touched
tables alone are emptied (a copy by TEMPLATE takes 100 to 200 ms), without row triggers, and what was there comes back.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pymysql

from tests.server_process import Server, quick_temporary
from tests.servers import SERVERS, PostgreSQL

KINDS = ("sqlite", "postgresql", "mariadb")
Migrate = Callable[[str], None]
Rows = list[tuple[Any, ...]]


def url_of(server: Server, name: str) -> str:
    """The address of one database on a server."""
    return urlunsplit(urlsplit(server.url)._replace(path=f"/{name}"))


def connect(url: str) -> Any:
    """A DB-API connection that commits each statement; close it with `with`."""
    if url.startswith("postgresql:"):
        return psycopg.connect(url, autocommit=True)
    at = urlsplit(url)
    login = {"user": at.username, "password": at.password or ""}
    return pymysql.connect(host="127.0.0.1", port=at.port or 0, database=at.path[1:], autocommit=True, **login)


def ask(connection: Any, statement: str, values: Iterable[Any] = ()) -> Rows:
    """Run one statement and return its rows, if it has any."""
    with connection.cursor() as cursor:
        cursor.execute(statement, tuple(values) or None)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


def create_database(server: Server, name: str) -> str:
    """A new, empty database with the server's own defaults; returns its URL."""
    with connect(server.url) as connection:
        ask(connection, f"CREATE DATABASE {name}")
    return url_of(server, name)


def drop_database(server: Server, name: str) -> None:
    """Drop it, whoever is still connected."""
    force = " WITH (FORCE)" if isinstance(server, PostgreSQL) else ""
    with connect(server.url) as connection:
        ask(connection, f"DROP DATABASE IF EXISTS {name}{force}")


class Cleaned(Protocol):
    """A migrated database that can be had clean again and again."""

    def clean(self) -> str:
        """The URL of a database as migrated."""

    def close(self) -> None:
        """Let go of what is held."""


class CleanedFile:
    """SQLite: the migrated file, copied for each test; the copy of the test before goes."""

    def __init__(self, migrate: Migrate) -> None:
        self.folder, self.number = Path(tempfile.mkdtemp(prefix="sqlite-", dir=quick_temporary())), count(1)
        migrated, self.template = self.folder / "migrated.db", self.folder / "template.db"
        migrate(f"sqlite:///{migrated}")
        with closing(sqlite3.connect(migrated)) as source, closing(sqlite3.connect(self.template)) as copy:
            source.backup(copy)  # takes what still stands in the write-ahead log along

    def clean(self) -> str:
        """A copy of a new name: whoever is late does not write into it."""
        for old in self.folder.glob("test*"):
            old.unlink(missing_ok=True)
        return f"sqlite:///{shutil.copyfile(self.template, self.folder / f'test{next(self.number)}.db')}"

    def close(self) -> None:
        """Delete all of it."""
        shutil.rmtree(self.folder, ignore_errors=True)


class CleanedSchema:
    """PostgreSQL or MariaDB: one migrated database, emptied where a test left something."""

    tables_of = ""
    quote = '"'

    def __init__(self, server: Server, name: str, migrate: Migrate) -> None:
        self.url = create_database(server, name)
        migrate(self.url)
        self.connection = connect(self.url)  # kept: a new one for each test would cost more than the cleaning
        self.tables = [self.quoted(name) for (name,) in self.ask(self.tables_of)]
        self.kept = {table: self.rows(table) for table in self.touched()}

    def ask(self, statement: str, values: Iterable[Any] = ()) -> Rows:
        """Run one statement on the connection that is kept."""
        return ask(self.connection, statement, values)

    def quoted(self, name: str) -> str:
        """A name as this database wants it."""
        return f"{self.quote}{name}{self.quote}"

    def rows(self, table: str) -> Rows:
        """All rows of a table, in any order that stays the same."""
        return sorted(self.ask(f"SELECT * FROM {table}"), key=repr)

    def touched(self) -> list[str]:
        """The tables that hold rows now."""
        each = [f"SELECT {number}, EXISTS(SELECT 1 FROM {name})" for number, name in enumerate(self.tables)]
        return [self.tables[number] for number, filled in self.ask(" UNION ALL ".join(each)) if filled]

    def clean(self) -> str:
        """Throw out who is still connected, empty what was touched, put back what the migrations wrote."""
        self.disconnect_others()
        dirty = {table for table in self.touched() if table not in self.kept}
        dirty |= {table for table, rows in self.kept.items() if self.rows(table) != rows}
        if dirty:
            self.empty(sorted(dirty))
        return self.url

    def close(self) -> None:
        """Let go of the server."""
        self.connection.close()

    def disconnect_others(self) -> None:
        """End every other connection to this database: a late one must not write into the next test."""
        raise NotImplementedError

    def empty(self, tables: list[str]) -> None:
        """Empty these tables, whatever refers to them, and number from 1 again."""
        raise NotImplementedError

    def put_back(self, tables: list[str]) -> None:
        """Write the rows of the migrations again."""
        for table in tables:
            for row in self.kept.get(table, []):
                self.ask(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(row))})", row)


class CleanedPostgreSQL(CleanedSchema):
    """The role of a replica fires neither triggers nor foreign keys, so plain DELETEs in one commit do."""

    tables_of = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    numbers_of = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = 'public'"

    def __init__(self, server: Server, name: str, migrate: Migrate) -> None:
        super().__init__(server, name, migrate)
        self.numbers = dict(self.ask(self.numbers_of))

    def disconnect_others(self) -> None:
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        self.ask(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {others}")

    def empty(self, tables: list[str]) -> None:
        with self.connection.transaction():
            self.ask("SET LOCAL session_replication_role = replica")
            for table in tables:
                self.ask(f"DELETE FROM {table}")
            for sequence, _ in set(self.ask(self.numbers_of)) - set(self.numbers.items()):
                before = self.numbers.get(sequence)
                values = (self.quoted(sequence), before or 1, before is not None)
                self.ask("SELECT setval(%s::text::regclass, %s, %s)", values)
            self.put_back(tables)


class CleanedMariaDB(CleanedSchema):
    """TRUNCATE numbers from 1 again and fires no trigger; only the foreign keys must look away."""

    tables_of = "SELECT table_name FROM information_schema.tables WHERE table_schema = database()"
    quote = "`"

    def disconnect_others(self) -> None:
        others = "db = database() AND id <> connection_id()"
        for (number,) in self.ask(f"SELECT id FROM information_schema.processlist WHERE {others}"):
            try:
                self.ask(f"KILL {number}")
            except pymysql.err.OperationalError as gone:
                if gone.args[0] != 1094:  # it left by itself in between
                    raise

    def empty(self, tables: list[str]) -> None:
        self.ask("SET foreign_key_checks = 0")
        for table in tables:
            self.ask(f"TRUNCATE TABLE {table}")
        self.put_back(tables)


class Databases:
    """All databases of one test run; a server starts when the first test asks for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.number = count(1)
        self.running: dict[str, Server] = {}
        self.cleaned: dict[tuple[str, Migrate], Cleaned] = {}

    def server(self, kind: str) -> Server:
        """The run's shared server of this kind. A test that wants to kill one takes a server of its own."""
        if kind not in self.running:
            self.running[kind] = SERVERS[kind](durable=False)
            self.running[kind].start()
        return self.running[kind]

    def empty(self, kind: str) -> str:
        """The URL of a new, empty database."""
        if kind == "sqlite":
            return f"sqlite:///{self.folder / f'empty{next(self.number)}.db'}"
        return create_database(self.server(kind), f"empty{next(self.number)}")

    def drop(self, url: str) -> None:
        """Drop what `empty` made."""
        if url.startswith("sqlite:"):
            for file in self.folder.glob(Path(url).name + "*"):
                file.unlink()
        else:
            kind = "postgresql" if url.startswith("postgresql:") else "mariadb"
            drop_database(self.server(kind), urlsplit(url).path[1:])

    def clean(self, kind: str, migrate: Migrate) -> str:
        """The URL of a database as `migrate` leaves it; migrated once, cleaned before each test."""
        key = (kind, migrate)
        if key not in self.cleaned:
            self.cleaned[key] = self._migrated(kind, migrate)
        return self.cleaned[key].clean()

    def _migrated(self, kind: str, migrate: Migrate) -> Cleaned:
        if kind == "sqlite":
            return CleanedFile(migrate)
        schema = CleanedPostgreSQL if kind == "postgresql" else CleanedMariaDB
        return schema(self.server(kind), f"migrated{next(self.number)}", migrate)

    def close(self) -> None:
        """End all servers and delete their folders."""
        for cleaned in self.cleaned.values():
            cleaned.close()
        for server in self.running.values():
            server.remove()
        self.running.clear()
