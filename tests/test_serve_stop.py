"""`wxbot serve` and `wxbot worker` are told to stop while something hangs: the end comes within ten seconds."""

import asyncio
import os
import signal
import time
from contextlib import suppress

import pytest

from tests.databases import ask, connect, create_database
from tests.serving import children_of
from tests.test_outbox import item_of, untold

gen = pytest.mark.gen_test(timeout=90)
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])


async def ends_in_time(served) -> None:
    """It is told to stop, and ends in order within what is promised."""
    began = time.monotonic()
    served.tell_to_stop()
    assert await served.ends() == 0
    assert time.monotonic() - began < 10
    assert "Traceback" not in served.said()


@SQLITE
@pytest.mark.parametrize("command", ["serve", "worker"])
@gen
async def test_a_planet_that_hangs_is_cut_and_what_it_was_told_is_settled(
    site, running, place, beside_sandbox, command
):
    await untold(site)
    site.world.faults.set("planet", "slow", operation="planet.grant", seconds=60)
    clock = {"clock_url": f"{site.box.console_url}/control/clock", "database_url": site.database_url}
    served = running(command, listen=place.listen, base_url=site.base_url, **clock, **beside_sandbox)
    while not (await item_of(site)).leased_by:
        assert served.process.poll() is None, served.said()[-2000:]
    await ends_in_time(served)
    item = await item_of(site)
    assert (item.leased_by, item.error_class, item.attempts) == (None, "unknown", 2)


@pytest.fixture
def hanging(private_server, migrate):
    """The URL of a database that can be made to hang, and what makes it: nothing answers, nothing is closed."""
    server = private_server("postgresql")
    url = create_database(server, "hanging")
    migrate(url)
    stopped = []

    def hang() -> None:
        stopped.extend([server.process.pid, *children_of(server.process.pid)])
        send(signal.SIGSTOP)

    def send(what: signal.Signals) -> None:
        for pid in stopped:
            with suppress(ProcessLookupError):  # a process of the server that has ended meanwhile
                os.kill(pid, what)

    yield url, hang
    send(signal.SIGCONT)


@pytest.mark.parametrize("command", ["serve", "worker"])
@gen
async def test_a_database_that_hangs_keeps_nobody_from_ending(running, place, hanging, command):
    url, hang = hanging
    served = running(command, listen=place.listen, base_url=place.url, database_url=url, log_level="info")
    if command == "serve":
        await place.is_up(served)
    with connect(url) as connection:
        await served.until(lambda: ask(connection, "SELECT 1 FROM job_lease"))
    hang()
    await asyncio.sleep(1.1)  # the next look, which is never answered
    await ends_in_time(served)
