"""The sandbox's switches, seen by a client: each fault looks on the wire as it does in life."""

import asyncio

import pytest
from tornado.httpclient import HTTPError, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.simple_httpclient import HTTPTimeoutError, SimpleAsyncHTTPClient
from tornado.testing import bind_unused_port
from tornado.web import Application

from sandbox.handler import BaseSandboxHandler
from sandbox.world import World


class CounterHandler(BaseSandboxHandler):
    """Counts how often it really ran."""

    side = "shop"
    operation = "count"
    ran = 0

    async def get(self) -> None:
        CounterHandler.ran += 1
        self.write({"ran": CounterHandler.ran})


@pytest.fixture
def world():
    return World(seed=1)


@pytest.fixture
def ask(io_loop, world):
    """A function that asks the counter once."""
    CounterHandler.ran = 0
    socket, port = bind_unused_port()
    server = HTTPServer(Application([("/", CounterHandler, {"world": world})]))
    server.add_sockets([socket])
    client = SimpleAsyncHTTPClient(force_instance=True)

    async def fetch(seconds: float = 1) -> HTTPResponse:
        return await client.fetch(f"http://127.0.0.1:{port}/", raise_error=False, request_timeout=seconds)

    yield fetch
    server.stop()
    client.close()


@pytest.mark.gen_test
@pytest.mark.parametrize("kind, ran", [("down", 0), ("timeout_after_commit", 1), ("half", 1)])
async def test_a_lost_answer_is_a_cut_connection(ask, world, kind, ran):
    world.faults.set("shop", kind, times=1)
    with pytest.raises((StreamClosedError, HTTPError)):
        (await ask()).rethrow()
    assert CounterHandler.ran == ran
    assert (await ask()).code == 200, "the switch was for one call only"


@pytest.mark.gen_test
@pytest.mark.parametrize("kind, status, ran", [("error", 500, 0), ("busy", 429, 0), ("junk", 200, 0), ("slow", 200, 1)])
async def test_a_bad_day_has_its_status(ask, world, kind, status, ran):
    world.faults.set("shop", kind, operation="cou*", seconds=0.01)
    assert (await ask()).code == status
    assert CounterHandler.ran == ran
    world.faults.clear("shop")
    assert (await ask()).code == 200


@pytest.mark.gen_test
async def test_who_does_not_wait_for_a_slow_answer_cannot_know_what_happened(ask, world):
    world.faults.set("shop", "slow", seconds=5, times=1)
    with pytest.raises(HTTPTimeoutError):
        await ask(0.05)
    for _ in range(20):
        await asyncio.sleep(0.005)
    assert CounterHandler.ran == 1


@pytest.mark.gen_test
async def test_other_calls_and_other_sides_are_not_hit(ask, world):
    world.faults.set("shop", "error", operation="other")
    world.faults.set("bank", "error")
    world.faults.set("shop", "doubled")
    assert (await ask()).code == 200


@pytest.mark.gen_test
async def test_the_journal_tells_what_was_asked_answered_and_broken(ask, world):
    world.faults.set("shop", "error", times=1)
    await ask()
    await ask()
    first, second = world.journal.entries("shop", "count")
    assert (first.status, first.fault) == (500, "error")
    assert (second.status, second.fault, second.response) == (200, "", '{"ran": 1}')


def test_the_clock_moves_stops_and_runs_on():
    real = [1000.0]
    world = World(clock=lambda: real[0])
    world.forward(seconds=10)
    assert world.now() == 1010
    world.freeze()
    real[0] += 5
    assert world.now() == 1010
    world.thaw()
    real[0] += 5
    assert world.now() == 1015
    world.freeze(7)
    assert world.now() == 7


def test_one_person_has_another_openid_at_every_account():
    world = World(seed=3)
    anna = world.add_person("anna", "小安")
    ours, theirs = world.openid(anna, "wx1"), world.openid(anna, "wx2")
    assert ours != theirs and len(ours) == 28
    assert world.person_by_openid(ours, "wx1") is anna
    assert world.person_by_openid(ours, "wx2") is None
