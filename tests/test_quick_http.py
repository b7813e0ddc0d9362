"""What is done once for many requests: it must come to the same as Tornado's own way, for every caller."""

import asyncio
import socket
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPInputError

from tests.pushes import Served, push, request, serving
from tests.test_push_http import FRAMES
from wxbot.quick_http import HeaderMemory

gen = pytest.mark.gen_test


def connection() -> HTTP1Connection:
    """A connection without a socket: reading headers needs none."""
    return HTTP1Connection.__new__(HTTP1Connection)


def outcome(read, data: bytes) -> object:
    """What reading comes to: line and headers, or the refusal."""
    try:
        line, headers = read(data)
    except HTTPInputError as no:
        return str(no)
    return line, sorted(headers.get_all())


LINES = [
    "POST /wx/push?a=1 HTTP/1.1", "POST /wx/push?b=2 HTTP/1.1", "GET /wx/push?c HTTP/1.0", "POST /me?x HTTP/1.1",
    "\r\nPOST /wx/push?a HTTP/1.1", "\rPOST /wx/push? HTTP/1.1", "POST /me HTTP/1.1\nA: /wx/push?", "",
    "POST /wx/push?d HTTP/1.1\nA: b",
]  # fmt: skip
PIECES = [
    "Host: x", "Content-Length: 3", "Content-Length: 4, 4", "A: b\nC: d", "A : b", " folded", "no colon",
    "Transfer-Encoding: chunked", "X: /wx/push?", "host: y", "", "E: \xe9", "N: a\0b",
]  # fmt: skip
ends = st.sampled_from(["\r\n", "\n"])
heads = st.tuples(st.sampled_from(LINES), st.lists(st.sampled_from(PIECES), max_size=4), ends)


@given(st.lists(heads, min_size=1, max_size=12))
def test_headers_are_read_as_tornado_reads_them_whatever_came_before(asked) -> None:
    one = connection()
    memory = HeaderMemory("/wx/push")
    for line, pieces, end in asked:
        data = end.join([line, *pieces, "", ""]).encode("latin1")
        true = outcome(one._parse_headers, data)
        assert outcome(lambda data: memory.parse(one, data), data) == true


def test_equal_headers_of_the_path_are_read_once_and_few_are_kept() -> None:
    memory, one = HeaderMemory("/wx/push"), connection()

    def headers_of(path: str, block: str) -> object:
        return memory.parse(one, f"POST {path} HTTP/1.1\r\n{block}\r\n\r\n".encode())[1]

    assert headers_of("/wx/push?a", "A: b") is headers_of("/wx/push?c", "A: b")
    assert headers_of("/me?a", "A: b") is not headers_of("/me?a", "A: b"), "only the path's own are shared"
    for number in range(10 * memory.most):
        headers_of("/wx/push?a", f"A: {number}")
    assert len(memory._known) <= memory.most


@gen
@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
async def test_a_doubtful_frame_is_refused_also_when_it_comes_again(frame: str) -> None:
    async with serving() as wechat:
        sent = f"POST /wx/push?{push()[0]} HTTP/1.1\r\nHost: x\r\n{frame}".encode()
        for _ in range(3):
            assert (await wechat.raw(sent))[:12] in {b"HTTP/1.1 400", b"HTTP/1.1 413", b""}
        assert wechat.talk.heard == []


@gen
@pytest.mark.parametrize("sent", [b"", b"POST /wx/push?x HTTP/1.1\r\nHost", request("GET", "/nothing")])
async def test_who_asks_for_nothing_more_is_let_go(sent: bytes) -> None:
    async with serving(idle_seconds=0.05) as wechat:
        begun = perf_counter()
        await wechat.raw(sent)
        assert 0.04 < perf_counter() - begun < 1.0
        assert (await wechat.post(*push()))[0] == 200


@gen
async def test_nobody_who_left_is_remembered() -> None:
    async with serving() as wechat:
        half = request("POST", f"/wx/push?{push()[0]}", b"x" * 100)[:-50]
        for sent in (b"", b"GET / HT", half, request("GET", "/")):
            await leave(wechat, sent)
        site = wechat.server.request_callback
        while wechat.server.idle or site.reading:  # noqa: ASYNC110 - hanging up sets no event
            await asyncio.sleep(0)


async def leave(wechat: Served, sent: bytes) -> None:
    """Say something and hang up."""
    _, writer = await asyncio.open_connection("127.0.0.1", wechat.port)
    writer.write(sent)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


MANY = 200


@gen
async def test_an_answer_that_does_not_fit_into_the_socket_arrives_whole() -> None:
    query, body = push()
    ask = request("POST", f"/wx/push?{query}", body)
    async with serving() as wechat:
        reader, writer = await asyncio.open_connection("127.0.0.1", wechat.port, limit=1024)
        writer.write(ask)
        while not wechat.talk.heard:  # noqa: ASYNC110 - it is ours that hears
            await asyncio.sleep(0)
        (served,) = wechat.server._connections
        served.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        writer.write(ask * MANY + request("POST", f"/wx/push?{query}", body, Connection="close"))
        while not served.stream.writing():  # noqa: ASYNC110 - nobody reads, so the way back fills up
            await asyncio.sleep(0)
        answers = b""
        while more := await reader.read(4096):
            answers += more
        writer.close()
        assert answers.count(b"HTTP/1.1 200 OK\r\n") == answers.count(b"</xml>") == MANY + 2
