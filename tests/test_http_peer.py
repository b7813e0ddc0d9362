"""Calls to other companies: bounded, classed, and silent about secrets whatever the network does."""

import asyncio
import logging
import socket
import ssl
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from pydantic import BaseModel

from clients.http import Peer, RemoteDown
from tests.stand_in import CUT, HANG, Asked, StandIn, answer, self_signed, stand_in

CANARY = "canary-5f1e"


class Clock:
    """Moves only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def peer_of(remote: StandIn | str, **limits) -> AsyncIterator[Peer]:
    """A peer with a quick temper, closed at the end."""
    url = remote if isinstance(remote, str) else remote.url
    limits = {"monotonic": time.monotonic, "total_seconds": 0.3, "connect_seconds": 0.2} | limits
    peer = Peer("shop", url, **limits)
    yield peer
    await peer.close()


async def down(peer: Peer, **more) -> RemoteDown:
    """The failure of one call that carries a secret in each place a call can carry one."""
    with pytest.raises(RemoteDown) as caught:
        await peer.call(
            "POST",
            f"/pay/{CANARY}",
            operation="test",
            query={"secret": CANARY},
            json={"openid": CANARY},
            basic_auth=("us", CANARY),
            **more,
        )
    return caught.value


FAULTS = {  # name: (script, code, unknown)
    "silence": (lambda _: HANG, "timeout", True),
    "cut line": (lambda _: CUT, "cut", True),
    "half body": (lambda _: b"HTTP/1.1 200 OK\r\nX-Half: 1\r\nContent-Length: 90\r\n\r\n{", "cut", True),
    "half chunk": (
        lambda _: b"HTTP/1.1 200 OK\r\nX-Half: 1\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{",
        "cut",
        True,
    ),
    "no HTTP": (lambda _: b"SSH-2.0-X-Half\r\n\r\n", "cut", True),
    "500": (lambda _: answer(CANARY.encode(), status=500), "http_500", True),
    "503": (lambda _: answer(status=503, headers="Retry-After: 7\r\n"), "http_503", True),
    "429": (lambda _: answer(status=429), "http_429", False),
    "huge": (lambda _: answer(b"x" * 70_000), "too_big", True),
    "announced huge": (
        lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 70_000,
        "too_big",
        True,
    ),
}


@pytest.mark.gen_test
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_of_theirs_is_classed_and_says_no_secret(fault: str, caplog) -> None:
    script, code, unknown = FAULTS[fault]
    caplog.set_level(logging.DEBUG)
    async with stand_in(script) as remote, peer_of(remote) as peer:
        failure = await down(peer)
    assert (failure.code, failure.unknown) == (code, unknown)
    assert len(remote.seen) == 1, "asked once only"
    assert failure.__cause__ is None and failure.__context__ is None
    told = str(failure) + repr(failure) + repr(failure.__dict__) + caplog.text
    assert CANARY not in told + "".join(traceback.format_exception(failure))


@pytest.mark.gen_test
async def test_a_secret_stays_out_of_the_log_even_at_debug_level(caplog) -> None:
    caplog.set_level(logging.DEBUG, logger="tornado.curl_httpclient")
    caplog.set_level(logging.DEBUG)
    async with stand_in(lambda _: answer({"ok": CANARY})) as remote, peer_of(remote) as peer:
        found = await peer.call("GET", f"/{CANARY}", operation="test", query={"code": CANARY})
    assert CANARY not in caplog.text + repr(found)


@pytest.mark.gen_test
async def test_what_surely_was_not_sent_is_known_to_be_undone() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, not listening: refused
        async with peer_of(f"http://127.0.0.1:{unused.getsockname()[1]}") as peer:
            failure = await down(peer)
    assert (failure.code, failure.unknown) == ("connect", False)
    async with peer_of("http://planet.invalid") as peer:
        assert (await down(peer)).unknown is False


@pytest.mark.gen_test
async def test_a_connection_that_never_stands_fails_within_its_limit() -> None:
    with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)  # a full queue: the kernel drops whoever knocks next
        for knock in (first, second):
            knock.setblocking(False)
            knock.connect_ex(deaf.getsockname())
        began = time.monotonic()
        async with peer_of(f"http://127.0.0.1:{deaf.getsockname()[1]}", total_seconds=3) as peer:
            failure = await down(peer)
        assert (failure.code, failure.unknown) == ("connect", False)
        assert time.monotonic() - began < 1


@pytest.mark.gen_test
async def test_https_to_a_machine_that_speaks_no_tls_is_not_sent() -> None:
    async with stand_in(lambda _: answer()) as remote:
        async with peer_of(remote.url.replace("http:", "https:")) as peer:
            assert (await down(peer)).unknown is False
    assert all(CANARY not in str(asked) for asked in remote.seen)


@pytest.mark.gen_test
async def test_only_a_machine_whose_certificate_is_trusted_hears_anything(tmp_path: Path) -> None:
    certificate = str(self_signed(tmp_path))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    async with stand_in(lambda _: answer(), tls=tls) as remote:
        async with peer_of(remote.url.replace("127.0.0.1", "localhost"), ca_file=certificate) as peer:
            assert (await peer.call("GET", "/a", operation="test")).status == 200
        async with peer_of(remote.url.replace("127.0.0.1", "localhost")) as peer:
            assert (await down(peer)).unknown is False
        async with peer_of(remote.url, ca_file=certificate) as peer:
            assert (await down(peer)).unknown is False, "the certificate is another host's"
    assert len(remote.seen) == 1


@pytest.mark.gen_test
async def test_connections_are_kept_and_a_closed_one_is_replaced() -> None:
    async with stand_in(lambda asked: answer({"path": asked.path})) as remote, peer_of(remote) as peer:
        for _ in range(5):
            assert (await peer.call("GET", "/a", operation="test")).json() == {"path": "/a"}
    assert remote.connections == 1


@pytest.mark.gen_test
async def test_a_message_is_never_sent_twice_by_a_kept_connection_that_dies() -> None:
    async with stand_in(lambda _: answer()) as remote, peer_of(remote) as peer:
        await peer.call("POST", "/a", operation="test", json={})
        remote.script = lambda _: CUT
        failure = await down(peer)
    assert failure.unknown
    assert len(remote.seen) == 2


@pytest.mark.gen_test
async def test_no_redirect_is_followed_and_a_refusal_comes_back_as_it_is() -> None:
    async with stand_in(lambda _: answer(status=302, headers="Location: http://127.0.0.1:1/\r\n")) as remote:
        async with peer_of(remote) as peer:
            assert (await peer.call("GET", "/a", operation="test")).status == 302
            remote.script = lambda _: answer({"error": "not_found"}, status=404)
            assert (await peer.call("GET", "/a", operation="test")).status == 404
    assert len(remote.seen) == 2


@pytest.mark.gen_test
async def test_bodies_go_out_as_real_utf8_and_forms_as_forms() -> None:
    async with stand_in(lambda _: answer()) as remote, peer_of(remote) as peer:
        await peer.call("POST", "/a", operation="test", json={"text": "星球"})
        await peer.call("POST", "/a", operation="test", form={"code": "a&b=星"}, basic_auth=("id", "s:c"))
        await peer.call("PUT", "/a", operation="test", json={"n": 1})
        await peer.call("DELETE", "/a/../b", operation="test", query={"reason": "unlink"})
    text, form, put, delete = remote.seen
    assert text.body == '{"text":"星球"}'.encode()
    assert form.form == {"code": "a&b=星"} and form.headers["authorization"] == "Basic aWQ6czpj"
    assert put.json == {"n": 1}
    assert (delete.method, delete.target) == ("DELETE", "/a/../b?reason=unlink")


class Ticket(BaseModel):
    """Something with a shape."""

    ticket: str


@pytest.mark.gen_test
@pytest.mark.parametrize("raw", [b"", b'{"b":1, "a":"\xe8\xaf\xbe"}', bytes(range(256)), b"x" * 100_000])
async def test_a_signed_body_goes_out_byte_by_byte_as_it_is(raw: bytes) -> None:
    async with stand_in(lambda _: answer()) as remote, peer_of(remote) as peer:
        headers = {"Content-Type": "application/x-signed", "Accept": "application/json"}
        await peer.call("POST", "/signed?b=%2A&a=1", operation="test", raw=raw, headers=headers)
    (asked,) = remote.seen
    assert (asked.target, asked.body) == ("/signed?b=%2A&a=1", raw)
    assert asked.headers["content-type"] == "application/x-signed"


@pytest.mark.gen_test
async def test_a_large_file_is_had_where_the_limit_allows_it() -> None:
    file = bytes(range(256)) * 40_000
    async with stand_in(lambda _: answer(file)) as remote:
        async with peer_of(remote, max_body=16 * 1024 * 1024, total_seconds=10) as peer:
            assert (await peer.call("GET", "/file", operation="test")).body == file


@pytest.mark.gen_test
async def test_an_answer_cut_in_its_head_is_never_taken_for_a_success() -> None:
    async with stand_in(lambda _: b"HTTP/1.1 200 OK\r\nX-Half: 1\r\nConte") as remote, peer_of(remote) as peer:
        found = await peer.call("POST", "/a", operation="test", json={})  # libcurl takes it for a whole one
        with pytest.raises(RemoteDown) as caught:
            found.read(Ticket)
    assert caught.value.unknown


JUNK = {
    "empty": b"",
    "html": b"<html>502</html>",
    "half": b'{"ticket": "canary-5f',
    "other shape": b'{"canary-5f1e": 1}',
    "wrong type": b'{"ticket": ["canary-5f1e"]}',
    "list": b"[1]",
    "gbk": '{"ticket": "星球"}'.encode("gbk"),
    "utf-16": '{"ticket": "x"}'.encode("utf-16"),
    "deep": b"[" * 60_000,
    "endless number": b"9" * 60_000,
}


@pytest.mark.gen_test
@pytest.mark.parametrize("junk", JUNK)
async def test_a_200_with_junk_means_that_nobody_knows(junk: str) -> None:
    async with stand_in(lambda _: answer(JUNK[junk])) as remote, peer_of(remote) as peer:
        found = await peer.call("GET", "/a", operation="test")
        with pytest.raises(RemoteDown) as caught:
            found.read(Ticket)
    assert (caught.value.code, caught.value.unknown) == ("wrong_body", True)
    assert caught.value.__context__ is None and CANARY not in str(caught.value)


@pytest.mark.gen_test
async def test_json_is_read_by_its_content_whatever_its_type_says() -> None:
    body = b'\xef\xbb\xbf{"ticket": "\xe6\x98\x9f\x01"}'  # a BOM, and a raw control character of a nickname
    async with stand_in(lambda _: answer(body)) as remote, peer_of(remote) as peer:
        assert (await peer.call("GET", "/a", operation="test")).read(Ticket).ticket == "星\x01"


@pytest.mark.gen_test
async def test_a_full_bulkhead_refuses_at_once_and_a_slow_call_keeps_its_place_though_nobody_waits() -> None:
    async with stand_in(lambda _: HANG) as remote, peer_of(remote, max_in_flight=2, total_seconds=0.2) as peer:
        waiting = [asyncio.ensure_future(down(peer)) for _ in range(2)]
        await remote.has_seen(2)
        waiting[0].cancel()
        began = time.monotonic()
        failure = await down(peer)
        assert (failure.code, failure.unknown) == ("full", False)
        assert time.monotonic() - began < 0.1
        assert (await waiting[1]).code == "timeout"
        remote.script = lambda _: answer()
        await peer.call("GET", "/a", operation="test")


@pytest.mark.gen_test
async def test_the_breaker_opens_after_half_of_ten_calls_and_tries_one_at_a_time() -> None:
    clock = Clock()
    async with stand_in(lambda _: answer()) as remote, peer_of(remote, monotonic=clock) as peer:
        for number in range(10):
            remote.script = lambda _, bad=number % 2: answer(status=503 if bad else 404)
            assert not peer.breaker.is_open
            await (down(peer) if number % 2 else peer.call("GET", "/a", operation="test"))
        assert (await down(peer)).code == "breaker"
        assert len(remote.seen) == 10, "nothing goes out while open"

        clock.now += 15
        remote.script = lambda _: answer(status=500)
        both = await asyncio.gather(down(peer), down(peer))
        assert sorted(failure.code for failure in both) == ["breaker", "http_500"]
        clock.now += 15
        remote.script = lambda _: answer()
        await peer.call("GET", "/a", operation="test")
        await peer.call("GET", "/a", operation="test")
        assert not peer.breaker.is_open


@pytest.mark.gen_test
async def test_failures_older_than_thirty_seconds_do_not_count() -> None:
    clock = Clock()
    async with stand_in(lambda _: answer(status=500)) as remote, peer_of(remote, monotonic=clock) as peer:
        for _ in range(9):
            await down(peer)
        clock.now += 31
        await down(peer)
        assert not peer.breaker.is_open


@pytest.mark.gen_test
async def test_a_trial_that_nobody_waits_for_still_ends() -> None:
    clock = Clock()
    async with stand_in(lambda _: answer(status=500)) as remote, peer_of(remote, monotonic=clock) as peer:
        for _ in range(10):
            await down(peer)
        clock.now += 15
        remote.script = lambda _: HANG
        trial = asyncio.ensure_future(down(peer, within=0.05))
        await remote.has_seen(11)
        trial.cancel()
        await asyncio.sleep(0.08)
        clock.now += 15
        assert (await down(peer, within=0.05)).code == "timeout", "a new trial, not a shut door for ever"


@pytest.mark.gen_test
async def test_calls_are_counted_by_name_never_by_address() -> None:
    def count(outcome: str) -> float:
        labels = {"peer": "shop", "operation": "counted", "outcome": outcome}
        return REGISTRY.get_sample_value("wxbot_remote_calls_total", labels) or 0

    def script(asked: Asked) -> bytes:
        return answer(status=int(asked.path[1:]))

    async with stand_in(script) as remote, peer_of(remote) as peer:
        await peer.call("GET", "/200", operation="counted")
        await peer.call("GET", "/404", operation="counted")
        with pytest.raises(RemoteDown):
            await peer.call("GET", "/429", operation="counted")
    assert (count("ok"), count("refused"), count("limited")) == (1, 1, 1)


@pytest.mark.gen_test
async def test_closing_lets_a_call_in_flight_end_and_takes_no_new_one() -> None:
    async with stand_in(lambda _: HANG) as remote, peer_of(remote, total_seconds=0.1) as peer:
        waiting = asyncio.ensure_future(down(peer))
        await remote.has_seen(1)
        await peer.close()
        assert (await waiting).code == "timeout"
        assert (await down(peer)).code == "closed"


@pytest.mark.gen_test
async def test_closing_in_a_hurry_cuts_a_call_that_hangs_and_says_so(caplog) -> None:
    async with stand_in(lambda _: HANG) as remote, peer_of(remote, total_seconds=30) as peer:
        waiting = asyncio.ensure_future(down(peer))
        gone = asyncio.ensure_future(peer.call("GET", "/", operation="test"))
        await remote.has_seen(2)
        gone.cancel()
        await asyncio.wait_for(peer.close(0.01), 1)
        problem = await waiting
        assert (problem.code, problem.unknown) == ("cut", True)
        await peer.close()
        await asyncio.sleep(0.01)
    assert caplog.records == [], "no timer of the calls is left"


@pytest.mark.gen_test
async def test_how_long_to_wait_is_passed_on_when_they_say_it_in_seconds() -> None:
    said = {"7": 7, "999999": 3600, "Wed, 21 Oct 2026 07:28:00 GMT": None, "²": None, "-1": None}
    async with stand_in(lambda _: answer()) as remote, peer_of(remote) as peer:
        for header, seconds in said.items():
            line = f"Retry-After: {header}\r\n"
            remote.script = lambda _, line=line: answer(status=429, headers=line)
            assert (await down(peer)).retry_after == seconds
