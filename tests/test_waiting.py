"""How a waiting PC hears: by lines, by long polls, from other processes, and by looks when Redis tells nothing."""

import asyncio
import json
from contextlib import suppress

import pytest
from tornado.ioloop import IOLoop

from services.waiting import CHANNEL
from tests.attack_kit import ask
from tests.pc import PC
from tests.site import COURSE, Site

gen = pytest.mark.gen_test(timeout=60)


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


@pytest.fixture
def pc(site: Site) -> PC:
    """Somebody's PC."""
    return PC(site)


class Heard:
    """A line to the server, as a browser keeps it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str) -> None:
        self.reader, self.writer, self.head = reader, writer, head

    @classmethod
    async def by(cls, pc: PC) -> "Heard":
        """Open it with the cookies of this browser."""
        host, port = pc.site.base_url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        cookies = "; ".join(f"{name}={value}" for name, value in pc.cookies.items())
        writer.write(f"GET /scans/{pc.id}/events HTTP/1.1\r\nHost: x\r\nCookie: {cookies}\r\n\r\n".encode())
        return cls(reader, writer, (await reader.readuntil(b"\r\n\r\n")).decode())

    async def frame(self) -> bytes:
        """The next one that says something."""
        while (frame := await self.reader.readuntil(b"\n\n")).startswith((b":", b"retry")):
            continue
        return frame


@pytest.fixture
def listens(io_loop: IOLoop):
    """`await listens(pc)` opens a line; all are closed at the end."""
    opened: list[Heard] = []

    async def listen(pc: PC) -> Heard:
        opened.append(await Heard.by(pc))
        return opened[-1]

    async def close() -> None:
        for line in opened:
            line.writer.close()
            with suppress(ConnectionError):
                await line.writer.wait_closed()

    yield listen
    io_loop.run_sync(close)


@gen
async def test_a_line_says_that_there_is_something_new_and_nothing_more(site, pc, listens):
    await pc.asks("link", course=COURSE)
    line = await listens(pc)
    assert line.head.startswith("HTTP/1.1 200 OK\r\n")
    for header in ("text/event-stream", "X-Accel-Buffering: no", "Cache-Control: no-store", "frame-ancestors 'none'"):
        assert header in line.head
    assert await line.frame() == b'data: {"v": 1}\n\n'
    await site.ctx.limits.check("wait", "nobody")
    await pc.post(f"/scans/{pc.id}/cancel", {})
    assert await line.frame() == b'data: {"v": 2}\n\n'
    assert site.ctx.in_flight == 0, "a waiting PC is no request under way"


@gen
async def test_a_line_that_is_gone_is_forgotten(site, pc, listens):
    await pc.asks("link", course=COURSE)
    line, lines = await listens(pc), site.server.application.settings["lines"]
    await line.frame()
    assert len(lines) == 1
    line.writer.close()
    while len(lines):  # noqa: ASYNC110 - the server's own callback sets no event
        await asyncio.sleep(0)
    assert await site.ctx.read(lambda _env: 1) == 1 and not site.ctx.waiting._watchers


@gen
async def test_a_process_that_leaves_ends_its_lines_and_waits_so_that_they_come_again_elsewhere(site, pc, listens):
    await pc.asks("link", course=COURSE)
    line = await listens(pc)
    await line.frame()
    wait = asyncio.create_task(pc.ask(f"/scans/{pc.id}/wait?v=1", may_fail=True))
    while len(site.ctx.waiting._watchers[pc.id]) < 2:  # noqa: ASYNC110 - as above
        await asyncio.sleep(0)
    site.ctx.waiting.leave()
    assert await line.reader.read() == b"" and (await wait).status == 204
    late = await listens(pc)
    assert (await late.reader.read()).endswith(b'{"v": 1}\n\n'), "who was let in at the last moment is told, and let go"
    assert not site.ctx.waiting._watchers


@gen
async def test_a_wait_for_what_is_known_already_is_answered_at_once(site, pc):
    await pc.asks("link", course=COURSE)
    for known in ("", "?v=0"):
        assert (await pc.ask(f"/scans/{pc.id}/wait{known}")).json == {"v": 1}
    for wrong in ("x", "-1", "1e9", "99999999999"):
        assert (await pc.ask(f"/scans/{pc.id}/wait?v={wrong}")).status == 422


@gen
async def test_what_another_process_has_moved_is_found_by_the_next_look(site, pc, listens):
    await pc.asks("link", course=COURSE)
    line = await listens(pc)
    await line.frame()
    waiting, tell = site.ctx.waiting, site.ctx.waiting.tell
    waiting.tell = lambda _woken: None  # as if it were another process, and Redis dead
    await pc.post(f"/scans/{pc.id}/cancel", {})
    waiting.tell = tell
    await waiting.look(site.ctx.read)
    assert await line.frame() == b'data: {"v": 2}\n\n'


@pytest.mark.gen_test(timeout=60)
async def test_what_another_process_tells_by_redis_is_heard_and_rubbish_is_not(make_shared, listens):
    site = make_shared
    pc = PC(site)
    await pc.asks("link", course=COURSE)
    line = await listens(pc)
    await line.frame()
    for words in ("", "x", "[1]", '{"a": "b"}', "7", json.dumps({pc.id: 5})):
        while not await site.ctx.redis.publish(CHANNEL, words):  # noqa: ASYNC110 - until somebody listens
            await asyncio.sleep(0.01)
    assert await line.frame() == b'data: {"v": 5}\n\n'


@pytest.fixture
def make_shared(make_site, redis_url) -> Site:
    """A site that shares a Redis with others."""
    return make_site(redis_url=redis_url)


@gen
async def test_a_look_asks_no_row_while_nobody_waits(site):
    asked = []

    async def read(service):
        asked.append(service)

    await site.ctx.waiting.look(read)
    assert asked == []


@gen
async def test_a_look_ahead_opens_no_line(site, pc):
    await pc.asks("link", course=COURSE)
    answer = await ask(site, f"/scans/{pc.id}/events", "HEAD", cookies=pc.cookies)
    assert answer.status == 405 and not site.ctx.waiting._watchers
