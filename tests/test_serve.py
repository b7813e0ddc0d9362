"""`wxbot serve` as a service manager sees it: starts, drains, restarts what was killed, and says why it cannot."""

import asyncio
import os
import re
import signal
import socket
import time
from pathlib import Path

import pytest
from tornado.netutil import bind_sockets

from tests.serving import Place, children_of, is_alive
from tests.site import COURSE

gen = pytest.mark.gen_test(timeout=90)
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])


@gen
async def test_it_serves_says_how_it_is_and_ends_when_told(serve, place):
    served = serve()
    await place.is_up(served)
    assert (await place.ask("/healthz")).body == b"ok"
    assert (await place.ask("/")).code == 200
    assert b"wxbot_requests_total" in (await place.ask("/metrics")).body
    served.tell_to_stop()
    assert await served.ends() == 0
    assert f"serving {place.url}" in served.said() and "Traceback" not in served.said()


@SQLITE
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
@gen
async def test_either_signal_ends_it_quickly_when_nothing_is_under_way(serve, place, how):
    served = serve("--no-worker")
    await place.is_up(served)
    began = time.monotonic()
    served.process.send_signal(how)
    assert await served.ends() == 0
    assert time.monotonic() - began < 3


@SQLITE
@gen
async def test_what_is_under_way_is_finished_before_it_ends(site, serve, place, beside_sandbox):
    served = serve("--no-worker", **beside_sandbox)
    await place.is_up(served)
    site.world.faults.set("wechat", "slow", seconds=1.5)
    slow = asyncio.ensure_future(place.ask("/wx/share?path=/", request_timeout=20))
    await asyncio.sleep(0.3)  # the request is now waiting for WeChat
    began = time.monotonic()
    served.tell_to_stop()
    await served.until(lambda: refuses(place))
    answer = await slow
    assert answer.code == 200 and b"signature" in answer.body
    assert await served.ends() == 0
    assert 0.5 < time.monotonic() - began < 10


def refuses(place: Place) -> bool:
    """Whether nobody listens there any more."""
    host, _, port = place.listen.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0


@SQLITE
@gen
async def test_what_hangs_does_not_keep_it_longer_than_ten_seconds(site, serve, place, beside_sandbox):
    served = serve("--no-worker", **beside_sandbox)
    await place.is_up(served)
    site.world.faults.set("wechat", "slow", seconds=60)
    hangs = asyncio.ensure_future(place.ask("/wx/share?path=/", request_timeout=80))
    await asyncio.sleep(0.3)
    began = time.monotonic()
    served.tell_to_stop()
    assert await served.ends() == 0
    assert time.monotonic() - began < 10
    await asyncio.wait([hangs], timeout=5)


@SQLITE
@gen
async def test_a_second_signal_does_not_break_the_draining(serve, place):
    served = serve()
    await place.is_up(served)
    for _ in range(3):
        served.tell_to_stop()
    assert await served.ends() == 0


@SQLITE
@gen
async def test_a_port_that_is_taken_is_one_line(serve, place):
    taken = bind_sockets(int(place.listen.rpartition(":")[2]), "127.0.0.1")
    for options in ((), ("--processes", "2")):
        served = serve(*options, redis_url="redis://127.0.0.1:1")
        assert await served.ends() == 1
        assert re.fullmatch(rf"Error: WXBOT_LISTEN {place.listen}: [^\n]+in use[^\n]*\n", served.said())
    for one in taken:
        one.close()


@SQLITE
@gen
async def test_several_processes_need_a_real_redis(serve):
    served = serve("--processes", "2")
    assert await served.ends() == 1
    assert served.said() == "Error: WXBOT_REDIS_URL is empty: the embedded Redis serves one process only\n"


@SQLITE
@pytest.mark.parametrize("answer", ["", "http://127.0.0.1:1/clock"])
@gen
async def test_a_clock_that_does_not_tell_the_time_is_one_line(site, serve, answer):
    clock_url = answer or f"{site.base_url}/healthz"
    served = serve(clock_url=clock_url)
    assert await served.ends() == 1
    assert served.said() == f"Error: WXBOT_CLOCK_URL {clock_url} does not tell the time\n"


async def seen_by(place: Place, times: int) -> float:
    """How many catalogue pages the metrics know of."""
    for _ in range(times):
        assert (await place.ask("/")).code == 200
    text = (await place.ask("/metrics")).body.decode()
    return sum(
        float(number) for number in re.findall(r"wxbot_requests_total\{[^}]*CatalogueHandler[^}]*\} (\S+)", text)
    )


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
@pytest.mark.parametrize("database_kind", ["postgresql"])
@gen
async def test_two_processes_share_the_work_and_one_that_is_killed_comes_back(serve, place, redis_url):
    served = serve("--processes", "2", redis_url=redis_url)
    await place.is_up(served)
    first = await served.until(lambda: len(found := children_of(served.pid)) == 2 and found)
    await served.until(lambda: served.said().count("serving ") == 2)
    assert await seen_by(place, 30) == 30, "the metrics are those of both, whichever answers"
    os.kill(first[0], signal.SIGKILL)
    await served.until(lambda: len(now := children_of(served.pid)) == 2 and first[0] not in now)
    await served.until(lambda: served.said().count("serving ") == 3)
    assert await seen_by(place, 10) == 40, "what the killed one has counted is not forgotten"
    served.tell_to_stop()
    assert await served.ends() == 0
    assert await place.ask("/healthz") is None


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
@pytest.mark.parametrize("database_kind", ["postgresql"])
@gen
async def test_told_to_stop_while_it_starts_it_leaves_nobody_behind(serve, redis_url):
    served = serve("--processes", "2", redis_url=redis_url)
    children = await served.until(lambda: children_of(served.pid))
    served.tell_to_stop()
    assert await served.ends() in {0, 1, -signal.SIGTERM}
    await asyncio.sleep(0.05)
    assert not [child for child in children if is_alive(child)]


@gen
async def test_a_worker_delivers_what_is_left_at_the_time_of_the_sandbox(site, running, beside_sandbox):
    await site.buys("anna")
    await site.at_planet("anna")
    site.world.faults.set("planet", "down", operation="planet.grant")
    page = await site.phone("anna").tap("planet-agree")
    assert page.find("link-state").attrs["data-state"] == "pending"
    site.world.faults.clear()
    site.clock.forward(minutes=1)
    at = {"database_url": site.database_url, "base_url": site.base_url}
    worker = running("worker", clock_url=f"{site.box.console_url}/control/clock", **at, **beside_sandbox)
    await worker.until(lambda: site.box.planet.memberships("g1"))
    worker.tell_to_stop()
    assert await worker.ends() == 0
    assert COURSE not in worker.said() and "Traceback" not in worker.said()
