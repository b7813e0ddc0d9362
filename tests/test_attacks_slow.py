"""Those who send slowly, or stop sending: cut off in time, and nobody else waits for them."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.attack_kit import ask, check_calm, jar_of, parse, watched
from tests.site import COURSE
from wxbot.server import BODY_SECONDS, IDLE_SECONDS

gen = pytest.mark.gen_test(timeout=60)
MANY = 200


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


HEAD = "{} {} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n"
STALLED = {
    "a form": HEAD.format("POST", "/oauth/start", 60_000) + "_xsrf=a",
    "a form without a word": HEAD.format("POST", f"/courses/{COURSE}/planet", 10),
    "a body of chunks": "POST /oauth/start HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
    "a purchase": HEAD.format("PUT", "/api/v1/purchases/yiling/A1", 200) + '{"course":',
    "a body of a GET": HEAD.format("GET", "/me", 60_000),
    "a body for nobody": HEAD.format("POST", "/nothing", 60_000) + "a" * 50_000,
    "a push": HEAD.format("POST", "/wx/push?timestamp=1", 60_000) + "<xml>",
    "no head": "GET /me HTT",
    "half a head": "POST /oauth/start HTTP/1.1\r\nHost: x\r\nX-A: b\r\n",
    "not a word": "",
}


def be_patient_for(site, seconds: float) -> None:
    """Let the server wait so long only; how long it waits by itself is looked at first."""
    http = site.server.http
    assert (http.conn_params.body_timeout, http.idle.seconds) == (BODY_SECONDS, IDLE_SECONDS)
    assert BODY_SECONDS <= 5 and IDLE_SECONDS <= 60
    http.conn_params.body_timeout = http.idle.seconds = http.request_callback.reading.seconds = seconds


@asynccontextmanager
async def lines(site, sent: list[str]):
    """Connections on which so much has been sent, and no more comes."""
    port = int(site.base_url.rpartition(":")[2])
    held = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in sent))
    for (_, writer), text in zip(held, sent, strict=True):
        writer.write(text.encode())
    try:
        yield [reader for reader, _ in held]
    finally:
        for _, writer in held:
            writer.close()


@pytest.mark.parametrize("what", STALLED)
@gen
async def test_what_stops_coming_is_cut_off_without_a_word_of_ours(site, what):
    before = await site.every_row()
    be_patient_for(site, 0.2)
    with watched():
        async with lines(site, [STALLED[what]]) as (reader,):
            came = await asyncio.wait_for(reader.read(), 10)
    answer = parse(came, 0)
    check_calm(answer, what)
    assert answer.status in {0, 400}, (what, came)
    assert await site.every_row() == before


@gen
async def test_nobody_waits_for_two_hundred_who_send_slowly(site):
    await site.buys("anna")
    await site.signs_in("anna")
    jar = jar_of(site, "anna")
    be_patient_for(site, 60)
    async with lines(site, list(STALLED.values()) * (MANY // len(STALLED))) as readers:
        assert (await ask(site, "/healthz")).status == 200, "by now all of them have been taken in"
        for path in ("/", "/me", f"/courses/{COURSE}", f"/courses/{COURSE}/planet"):
            answer = await ask(site, path, cookies=jar)
            check_calm(answer, path)
            assert answer.status == 200, path
        assert (await site.links("anna")).find("link-state").attrs["data-state"] == "linked"
        await site.phone("anna").follow()
        assert await site.phone("anna").say("帮助")
        assert not any(reader.at_eof() for reader in readers), "they hold their lines all the while"


@gen
async def test_who_sends_byte_by_byte_is_served_while_he_is_in_time(site):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(site.base_url.rpartition(":")[2]))
    for letter in "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":
        writer.write(letter.encode())
        await writer.drain()
    assert parse(await asyncio.wait_for(reader.read(), 10), 0).status == 200
    writer.close()


@gen
async def test_who_does_not_read_his_answer_keeps_nobody_waiting(site):
    asked = "GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 200
    async with lines(site, [asked] * 20):
        answer = await ask(site, "/")
        check_calm(answer, "/")
        assert answer.status == 200
