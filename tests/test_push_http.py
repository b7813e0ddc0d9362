"""The push path as an HTTP server: limits, framing, methods, a bounded fuzz, and what passes it by."""

import asyncio
import re
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tornado.web import HTTPError, RequestHandler, stream_request_body

from tests.pushes import TEXT, Served, counts, encrypt, envelope, plain_query, push, request, sealed_query, serving


@pytest.mark.gen_test
@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO"])
async def test_other_methods_are_not_allowed(method: str) -> None:
    async with serving() as wechat:
        status, head, body = await wechat.ask(method, f"/wx/push?{push()[0]}", b"" if method == "HEAD" else b"x")
        assert (status, body) == (405, b"") and "Allow: GET, POST" in head


@pytest.mark.gen_test
async def test_one_connection_serves_many_pushes_in_turn() -> None:
    async with serving() as wechat:
        query, body = push()
        last = request("POST", f"/wx/push?{query}", body, Connection="close")
        answer = await wechat.raw(request("POST", f"/wx/push?{query}", body) * 3 + last)
        assert answer.count(b"HTTP/1.1 200 OK") == 4


@pytest.mark.gen_test
async def test_http_1_0_is_answered_and_closed() -> None:
    async with serving() as wechat:
        query, body = push()
        one = request("POST", f"/wx/push?{query}", body).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
        assert b" 200 OK" in await wechat.raw(one)


FRAMES = {
    "length and chunks": "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "length with sign": "Content-Length: +4\r\n\r\nabcd",
    "length with underscore": "Content-Length: 1_0\r\n\r\nabcdefghij",
    "negative length": "Content-Length: -1\r\n\r\n",
    "bad chunk": "Transfer-Encoding: chunked\r\n\r\nzz\r\nabcd\r\n0\r\n\r\n",
    "chunk with sign": "Transfer-Encoding: chunked\r\n\r\n+4\r\nabcd\r\n0\r\n\r\n",
    "unknown coding": "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "folded header": "X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "NUL in a header": "X: a\0b\r\nContent-Length: 0\r\n\r\n",
    "200 MB": "Content-Length: 200000000\r\n\r\n",
    "65 KiB": "Content-Length: 66561\r\n\r\n",
    "65 KiB in chunks": "Transfer-Encoding: chunked\r\n\r\n10400\r\n" + "a" * 66560 + "\r\n0\r\n\r\n",
}


@pytest.mark.gen_test
@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
async def test_a_body_too_large_or_doubtful_is_refused_at_once(frame: str) -> None:
    async with serving() as wechat:
        begun = perf_counter()
        answer = await wechat.raw(f"POST /wx/push?{push()[0]} HTTP/1.1\r\nHost: x\r\n{frame}".encode())
        assert answer[:12] in {b"HTTP/1.1 400", b"HTTP/1.1 413", b""}
        assert perf_counter() - begun < 1.0
        assert wechat.talk.heard == []


@pytest.mark.gen_test
async def test_64_kib_are_read_and_refused_by_what_they_say() -> None:
    async with serving() as wechat:
        assert (await wechat.post(push()[0], b"a" * 65536))[0] == 403


@pytest.mark.gen_test
async def test_a_body_that_stops_coming_is_cut_off() -> None:
    async with serving(body_seconds=0.05) as wechat:
        head = f"POST /wx/push?{push()[0]} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\nabc".encode()
        begun = perf_counter()
        with counts("rejected:broken_off", 3):
            assert await asyncio.gather(*(wechat.raw(head) for _ in range(3))) == [b""] * 3
        assert 0.04 < perf_counter() - begun < 1.0
        assert (await wechat.post(*push()))[0] == 200


@pytest.mark.gen_test
async def test_a_slow_body_within_the_limit_is_heard() -> None:
    async with serving() as wechat:
        reader, writer = await asyncio.open_connection("127.0.0.1", wechat.port)
        query, body = push()
        whole = request("POST", f"/wx/push?{query}", body, Connection="close")
        for at in range(0, len(whole), 97):
            writer.write(whole[at : at + 97])
            await asyncio.sleep(0)
        assert b" 200 OK" in await reader.read()
        writer.close()


class Other(RequestHandler):
    """Something else of the application."""

    def get(self) -> None:
        self.write("page")

    def post(self) -> None:
        self.write(str(len(self.request.body)))

    def put(self) -> None:
        raise HTTPError(409)


@stream_request_body
class Upload(RequestHandler):
    """Takes its body in pieces."""

    def prepare(self) -> None:
        self.pieces: list[bytes] = []

    async def data_received(self, chunk: bytes) -> None:
        self.pieces.append(chunk)

    def post(self) -> None:
        self.write(f"{sum(map(len, self.pieces))} in {'one' if len(self.pieces) == 1 else 'many'}")


class Waiting(RequestHandler):
    """Holds the connection until the other side leaves."""

    left: asyncio.Event

    async def get(self) -> None:
        await self.flush()
        await self.left.wait()

    def on_connection_close(self) -> None:
        self.left.set()


ROUTES = [("/other", Other), ("/upload", Upload), ("/waiting", Waiting), ("/wx/push", Other)]


@pytest.mark.gen_test
async def test_all_else_reaches_the_application_unchanged() -> None:
    async with serving(routes=ROUTES) as wechat:
        assert (await wechat.ask("GET", "/other?wx/push"))[::2] == (200, b"page")
        assert (await wechat.ask("HEAD", "/other"))[0] == 405
        assert (await wechat.ask("PUT", "/other"))[0] == 409
        assert (await wechat.ask("POST", "/other", b"a" * 100_000))[2] == b"100000", "its own limits"
        assert (await wechat.ask("POST", "/upload", b"a" * 500_000))[2] == b"500000 in many"
        for path in ("/wx/push/", "/wx/pus", "//wx/push", "/wx/push;a", "/", "/wx/%70ush"):
            assert (await wechat.ask("GET", path))[0] == 404
        query, body = push()
        mixed = request("GET", "/other") + request("POST", f"/wx/push?{query}", body)
        answer = await wechat.raw(mixed + request("GET", "/other", Connection="close"))
        assert len(re.findall(rb"HTTP/1.1 200", answer)) == 3


@pytest.mark.gen_test
async def test_the_application_hears_when_its_caller_leaves() -> None:
    Waiting.left = asyncio.Event()
    async with serving(routes=ROUTES) as wechat:
        reader, writer = await asyncio.open_connection("127.0.0.1", wechat.port)
        writer.write(request("GET", "/waiting"))
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await asyncio.wait_for(Waiting.left.wait(), 2)


def test_whatever_comes_is_answered_but_never_with_500() -> None:
    """A bounded fuzz of the door: rightly signed or not, sealed or not, any bytes."""
    statuses = set()

    @settings(max_examples=150, deadline=None, database=None)
    @given(
        st.sampled_from(["POST", "GET", "PUT"]),
        st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="#"), max_size=80),
        st.one_of(st.binary(max_size=300), st.text(max_size=100).map(lambda text: TEXT.replace("帮助", text))),
        st.sampled_from(["raw", "plain", "sealed"]),
    )
    def one(method: str, query: str, inside: bytes | str, kind: str) -> None:
        body = inside if isinstance(inside, bytes) else inside.encode()
        if kind == "plain":
            query = plain_query()
        elif kind == "sealed":
            encrypted = encrypt(body.decode("latin1") if isinstance(inside, bytes) else inside)
            query, body = sealed_query(encrypted), envelope(encrypted)
        status, _, _ = runner.run(served.ask(method, f"/wx/push?{query}", body))
        statuses.add(status)

    with asyncio.Runner() as runner:
        context = serving()
        served: Served = runner.run(context.__aenter__())
        one()
        runner.run(context.__aexit__(None, None, None))
    assert statuses <= {200, 403, 405, 400, 413} and {200, 403, 405} <= statuses
