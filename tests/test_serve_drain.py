"""SIGTERM under load: every request that was let in gets its whole answer, on connections that are kept, too."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from services.turns import Turns
from tests.commands import Running
from tests.serving import Kept, Place, request
from tests.shop import Shop
from tests.site import Site
from tests.test_serve import refuses
from wxbot.draining import DrainingServer

gen = pytest.mark.gen_test(timeout=120)
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])
SHARED = pytest.mark.parametrize("database_kind", ["postgresql"])
CALLERS = 8


@pytest.fixture
def connects(place: Place, io_loop: IOLoop) -> Iterator[Callable[[], Awaitable[Kept]]]:
    """`await connects()` makes a connection that is kept; all are closed after the test."""
    made: list[Kept] = []

    async def connect() -> Kept:
        made.append(await Kept.to(place))
        return made[-1]

    async def close() -> None:
        for one in made:
            one.writer.close()
            with suppress(ConnectionError):
                await one.writer.wait_closed()

    yield connect
    io_loop.run_sync(close)


@dataclass
class Load:
    """Callers that tell of purchases, each on a connection that is kept as long as the server keeps it."""

    site: Site
    place: Place
    acknowledged: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)
    is_over: bool = False

    async def caller(self, name: str) -> None:
        """One caller, until nobody listens or it is over."""
        number = 0
        while not self.is_over:
            try:
                kept = await Kept.to(self.place)
            except ConnectionRefusedError:
                return
            is_kept = True
            while is_kept and not self.is_over:
                number += 1
                is_kept = await self.tells(kept, f"{name}-{number}")
            kept.writer.close()

    async def tells(self, kept: Kept, order_no: str) -> bool:
        """One purchase; whether the connection is kept."""
        shop = Shop(self.site)
        body = json.dumps(shop.body()).encode()
        try:
            status, is_kept = await kept.ask(self.put(shop, order_no, body))
        except (ConnectionError, asyncio.IncompleteReadError) as problem:
            self.cut.append(f"{order_no}: {type(problem).__name__}")
            return False
        self.statuses.add(status)
        self.acknowledged.append(order_no)
        return is_kept

    @staticmethod
    def put(shop: Shop, order_no: str, body: bytes) -> bytes:
        """The request."""
        machine = {"Authorization": shop.authorization, "Content-Type": "application/json"}
        return request("PUT", f"/api/v1/purchases/yiling/{order_no}", body, **machine)

    def begins(self) -> list[asyncio.Task[None]]:
        """All callers."""
        return [asyncio.create_task(self.caller(f"c{number}")) for number in range(CALLERS)]

    async def has_told(self, more: int) -> None:
        """Wait until so many more were acknowledged."""
        enough = len(self.acknowledged) + more
        async with asyncio.timeout(30):
            while len(self.acknowledged) < enough:  # noqa: ASYNC110 - many callers bring it nearer
                await asyncio.sleep(0.01)

    async def is_whole(self) -> None:
        """Nothing was cut or refused, and what was acknowledged is there."""
        assert self.cut == []
        assert self.statuses == {201}
        known = {one.source_ref.partition(":")[2] for one in await Shop(self.site).grants()}
        assert set(self.acknowledged) <= known
        assert await self.site.broken() == []


FAST = {"limits_factor": 1000}


@pytest.mark.parametrize("processes", [1, 2])
@SHARED
@gen
async def test_nobody_is_cut_when_it_is_told_to_stop_under_load(
    site, serve, place, redis_url, processes, beside_sandbox
):
    served = serve("--processes", str(processes), "--no-worker", redis_url=redis_url, **FAST | beside_sandbox)
    await place.is_up(served)
    await served.until(lambda: served.said().count("serving ") == processes)
    load = Load(site, place)
    callers = load.begins()
    await load.has_told(50)
    served.tell_to_stop()
    assert await served.ends() == 0
    await asyncio.wait_for(asyncio.gather(*callers), 10)
    await load.is_whole()


@SQLITE
@gen
async def test_a_request_on_a_kept_connection_after_the_signal_is_answered_as_its_last(serve, place, connects):
    served = serve("--no-worker")
    await place.is_up(served)
    kept = [await connects() for _ in range(3)]
    for one in kept:
        assert await one.ask(request("GET", "/healthz")) == (200, True)
    served.tell_to_stop()
    await served.until(lambda: refuses(place))
    assert await kept[0].ask(request("GET", "/healthz")) == (200, False)
    assert await kept[1].ask(request("GET", "/wx/push?x=1")) == (404, False)
    assert await kept[2].reader.read() == b"", "who says nothing more is let go"
    assert await served.ends(seconds=5) == 0


@SQLITE
@gen
async def test_a_request_whose_half_has_come_is_read_to_its_end(site, serve, place, connects, beside_sandbox):
    served = serve("--no-worker", **beside_sandbox)
    await place.is_up(served)
    load, shop = Load(site, place), Shop(site)
    whole = load.put(shop, "half", json.dumps(shop.body()).encode())
    halves = [(whole[:30], whole[30:]), (whole[:-9], whole[-9:])]
    kept = [await connects() for _ in halves]
    for one, (first, _) in zip(kept, halves, strict=True):
        one.writer.write(first)
    await asyncio.sleep(0.2)  # it has come
    served.tell_to_stop()
    await served.until(lambda: refuses(place))
    await asyncio.sleep(1.5)  # longer than who says nothing is waited for
    answers = [await one.ask(rest) for one, (_, rest) in zip(kept, halves, strict=True)]
    assert answers == [(201, False), (200, False)]
    assert await served.ends() == 0


class OkHandler(RequestHandler):
    """Always there."""

    def get(self) -> None:
        self.finish("ok")


@gen
async def test_who_has_connected_before_the_signal_is_let_in():
    (listening,) = bind_sockets(0, "127.0.0.1")
    routes, options = [("/", OkHandler)], {"quick_path": "/wx/push", "idle_seconds": 60, "turns": Turns(4)}
    server = DrainingServer(Application(routes), **options)
    server.add_sockets([listening])
    callers = [socket.create_connection(listening.getsockname()) for _ in range(20)]
    server.leave()  # before the loop has looked who is there
    for caller in callers:
        kept = Kept(*await asyncio.open_connection(sock=caller))
        assert await kept.ask(request("GET", "/")) == (200, False)
        kept.writer.close()
        await kept.writer.wait_closed()
    await server.close_all_connections()


@pytest.fixture
def listening(place: Place) -> Iterator[socket.socket]:
    """The address, listened on by somebody who stays, as a service manager does: blocking, as systemd's are."""
    host, _, port = place.listen.rpartition(":")
    with socket.create_server((host, int(port)), backlog=128) as made:
        yield made


@pytest.mark.soak
@SHARED
@pytest.mark.gen_test(timeout=900)
async def test_a_rolling_restart_of_two_servers_on_one_address_loses_nothing(
    site, running: Callable[..., Running], place, listening, redis_url, beside_sandbox, rounds
):
    where = {"base_url": place.url, "database_url": site.database_url, "redis_url": redis_url}

    async def another() -> Running:
        number = str(listening.fileno())
        one = running("serve", "--fd", number, fds=[listening.fileno()], **FAST | where | beside_sandbox)
        await one.until(lambda: "serving " in one.said())
        return one

    serving = [await another(), await another()]
    load = Load(site, place)
    callers = load.begins()
    for _ in range(rounds(2, soak=20)):
        await load.has_told(20)
        serving.append(await another())
        old = serving.pop(0)
        old.tell_to_stop()
        assert await old.ends() == 0
    await load.has_told(20)
    load.is_over = True
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.gather(*callers), 10)
    await load.is_whole()
