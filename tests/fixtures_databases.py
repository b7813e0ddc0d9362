"""Fixtures for tests that touch rows or Redis: `database_url`, `fresh_database`, `redis_url`, `private_server`.

A test that asks for `database_url` runs once for each kind, on a migrated and clean database. To run on some only:
`@pytest.mark.parametrize("database_kind", ["postgresql", "mariadb"])`; for quick work: `--databases=sqlite`.
"""

import os
from collections.abc import Callable, Iterator

import pytest
import redis

from tests.databases import KINDS, Databases, Migrate
from tests.server_process import Server, ServerMissing
from tests.servers import SERVERS

CI = os.environ.get("CI") == "true"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--databases`, for quick work."""
    parser.addoption("--databases", default=",".join(KINDS), help="which kinds to run on, comma-separated")


def need(kind: str) -> None:
    """Leave the test out when this machine cannot run such a server; with CI=true that is an error."""
    if kind == "sqlite":
        return
    try:
        SERVERS[kind].check_available()
    except ServerMissing as missing:
        if CI:
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def migrate() -> Migrate:
    """What makes the tables in the database of a URL. The conftest overrides it with our migrations."""

    def nothing(url: str) -> None:
        """Leave the database empty."""

    return nothing


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """All databases of this run; servers start when first asked for and end with the run."""
    every = Databases(tmp_path_factory.mktemp("databases"))
    yield every
    every.close()


@pytest.fixture(params=KINDS)
def database_kind(request: pytest.FixtureRequest) -> str:
    """Which kind of database the test runs on."""
    return request.param


@pytest.fixture
def furnish(migrate: Migrate) -> Migrate:
    """What a test finds in its database; overridden where most tests want more than empty tables."""
    return migrate


@pytest.fixture
def database_url(database_kind: str, databases: Databases, furnish: Migrate, pytestconfig: pytest.Config) -> str:
    """A migrated database, clean, for each kind this machine has."""
    if database_kind not in pytestconfig.getoption("--databases").split(","):
        pytest.skip(f"--databases leaves out {database_kind}")
    need(database_kind)
    return databases.clean(database_kind, furnish)


@pytest.fixture
def fresh_database(databases: Databases) -> Iterator[Callable[[str], str]]:
    """`fresh_database("mariadb")` makes an empty database and returns its URL; it is dropped after the test."""
    made: list[str] = []

    def make(kind: str) -> str:
        need(kind)
        made.append(databases.empty(kind))
        return made[-1]

    yield make
    for url in made:
        databases.drop(url)


@pytest.fixture
def redis_url(databases: Databases) -> str:
    """A real Redis, empty."""
    need("redis")
    url = databases.server("redis").url
    with redis.Redis.from_url(url) as client:
        client.flushall()
    return url


@pytest.fixture
def private_server() -> Iterator[Callable[[str], Server]]:
    """`private_server("postgresql")` starts a server of the test's own, to kill and restart as it likes."""
    running: list[Server] = []

    def start(kind: str) -> Server:
        need(kind)
        running.append(SERVERS[kind]())
        return running[-1].start()

    yield start
    for server in running:
        server.remove()
