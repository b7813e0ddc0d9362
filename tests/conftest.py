"""The fixtures every test may ask for."""

import asyncio
from collections.abc import Iterator
from functools import cache

import pytest
import structlog
from tornado.ioloop import IOLoop

from clients import pay_crypto
from services import database
from tests.databases import Migrate

pytest_plugins = [
    "tests.fixtures_databases",
    "tests.left_out",
    "tests.soak",
    "tests.browser",
    "tests.example",
    "tests.site",
    "tests.commands",
    "tests.serving",
    "tests.foreign_kit",
    "tests.dying",
    "tests.race_kit",
]

# Plain lines: the renderer for terminals draws every fault with all its values, which takes seconds.
structlog.configure(
    processors=[
        structlog.stdlib.add_log_level,
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(),
    ]
)

# To prove that a private key is one takes some 50 ms, and each site reads the merchant's twice: once a run is enough.
pay_crypto.load_pem_private_key = cache(pay_crypto.load_pem_private_key)


@pytest.fixture
def io_loop() -> Iterator[IOLoop]:
    """A loop of the test's own (pytest-tornado's fixture calls a deprecated method)."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    io_loop = IOLoop(asyncio_loop=loop, make_current=False)
    yield io_loop
    asyncio.set_event_loop(None)
    io_loop.close(all_fds=True)


@pytest.fixture(scope="session")
def migrate() -> Migrate:
    """Our own migrations, for the fixtures that make clean databases."""

    def run(url: str) -> None:
        db = database.connect(url)
        database.migrate(db)
        db.close()

    return run
