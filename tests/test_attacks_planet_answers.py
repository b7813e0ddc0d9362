"""A planet that lies, babbles or leads elsewhere: it is not believed, and no address it names is ever asked."""

import json
import time
from contextlib import asynccontextmanager

import pytest

from clients.http import Peer
from clients.planets import partner
from models.links import Link, LinkAttempt
from models.purchases import Purchase
from tests.attack_kit import ask, check_calm, watched
from tests.departures import departs
from tests.stand_in import answer as said
from tests.stand_in import stand_in

gen = pytest.mark.gen_test(timeout=60)
GOOD = {
    "access_token": "t",
    "token_type": "Bearer",
    "expires_in": 600,
    "member_uid": "u-1",
    "display_name": "\u5c0f\u660e",
}
GOOD |= {"auth_time": "2026-11-22T09:00:00Z"}


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


@pytest.fixture
def roomy(make_site):
    """A site whose limits no list of answers reaches."""
    return make_site(limits_factor=100_000)


@asynccontextmanager
async def planet_that_says(site, token: bytes):
    """Put a planet in place that answers every question of who this is with these bytes, and has no memberships."""
    before = site.ctx.planets["partner"]
    script = lambda asked: token if asked.path == "/oauth/token" else said(status=500)  # noqa: E731
    async with stand_in(script) as remote:
        peer = Peer("planet", remote.url, monotonic=time.monotonic, **partner.LIMITS)
        site.ctx.planets["partner"] = partner.Partner(remote.url, "wxbot", "secret", peer)
        try:
            yield remote
        finally:
            await peer.close()
            site.ctx.planets["partner"] = before


def changed(**parts) -> bytes:
    """A good answer with some parts changed; `...` leaves one out."""
    return said({name: value for name, value in (GOOD | parts).items() if value is not ...})


MEMBERS = [
    ...,
    None,
    "",
    1,
    1.5,
    True,
    [],
    ["u-1"],
    {},
    {"id": "u-1"},
    "a b",
    "u\n1",
    "u\0",
    "\u661f",
    "u" * 129,
    "\u202eu",
]
NAMES = [..., None, 1, True, [], {}, "x" * 201, "x" * 100_000]
TIMES = [
    ...,
    None,
    0,
    1.5e9,
    1e400,
    "",
    "yesterday",
    "2026-11-22",
    "2026-11-22T09:00:00",
    "99999-01-01T00:00:00Z",
    [],
    {},
]
BODIES = [
    b"", b"{}", b"[]", b"null", b"true", b"1", b'"u-1"', b"{", b"\xff\xfe", b"<html>ok</html>", b"[" * 50_000,
    b'{"member_uid": NaN}', b"{}" * 2, json.dumps([GOOD]).encode(), json.dumps(json.dumps(GOOD)).encode(),
    json.dumps(GOOD).encode("utf-16"), json.dumps(GOOD)[:-1].encode(), b" " * 2_000_000 + json.dumps(GOOD).encode(),
    json.dumps(GOOD).replace("u-1", "\\ud800").encode(), json.dumps({"data": GOOD}).encode(),
]  # fmt: skip
WRONG = (
    [changed(member_uid=one) for one in MEMBERS] + [changed(display_name=one) for one in NAMES]
    + [changed(auth_time=one) for one in TIMES] + [said(body) for body in BODIES]
    + [said(GOOD, status=status) for status in (201, 204, 301, 400, 401, 403, 404, 418, 429, 500, 503)]
    + [said({"error": one}, status=400) for one in (None, 1, [], {"a": 1}, "invalid_grant", "<script>", "x" * 9999)]
    + [b"", b"HTTP/1.1 200 OK\r\nX-Half: 1\r\n\r\n", b"junk\r\nX-Half: 1\r\n\r\n"]
)  # fmt: skip


@gen
async def test_an_answer_that_does_not_say_who_this_is_makes_no_link(roomy):
    await roomy.buys("anna")
    with watched() as lines:
        for token in WRONG:
            async with planet_that_says(roomy, token) as remote:
                anna = await departs(roomy)
                before = await roomy.rows()
                came = await anna.returns(anna.back())
                check_calm(came, token[:300])
                status, code = await anna.outcome(came)
                assert (status, code) in {(400, "state_invalid"), (503, "remote_away")}, token[:300]
                assert [asked.path for asked in remote.seen] == ["/oauth/token"], "asked once, and nothing after it"
            after = await roomy.rows()
            assert {name for name in after if after[name] != before[name]} == {"link_attempt"}, token[:300]
    assert "u-1" not in lines.getvalue() and "\u5c0f\u660e" not in lines.getvalue()
    assert await roomy.broken() == []


HOSTILE_NAMES = [
    "",
    " ",
    "<script>alert(1)</script>",
    "\u202eevil\u202c",
    "a\nb\r\nc",
    "\x00\x1b[31m",
    "\U0001f600" * 200,
]
HOSTILE_NAMES += ["{{7*7}}", "' OR 1=1 --", "\u200b" * 50, "x" * 200, '" onload="alert(1)', "\u0430dmin", "]]>"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
@gen
async def test_a_hostile_name_is_kept_short_and_printable_and_shown_as_text(site, name):
    await site.buys("anna")
    async with planet_that_says(site, changed(display_name=name)):
        anna = await departs(site)
        with watched():
            came = await anna.returns(anna.back())
            assert await anna.outcome(came) == (200, "linked")
    link = await site.ctx.read(lambda _env: Link.get())
    assert len(link.display_name) <= 128 and (link.display_name.isprintable() or not link.display_name)
    for path in ("/me/links", f"/me/links/{link.id}/unlink", came.headers["Location"]):
        page = await ask(site, path, cookies=anna.cookies | came_with(came))
        check_calm(page, path)
        assert page.status == 200 and b"<script>alert" not in page.body and b' onload="' not in page.body


def came_with(answer) -> dict[str, str]:
    """The new session that a way back sets."""
    lines = answer.headers.get("Set-Cookie", "").split("\n")
    return dict(line.partition(";")[0].split("=", 1) for line in lines if line)


@gen
async def test_no_address_that_the_planet_names_is_ever_asked_or_shown(site):
    await site.buys("anna")
    async with stand_in(lambda _asked: said(GOOD)) as canary:
        urls = {"entry_url": canary.url, "next": canary.url, "avatar_url": "http://169.254.169.254/latest/meta-data/"}
        named = urls | {"display_name": canary.url, "jwks_uri": canary.url, "userinfo_endpoint": canary.url}
        async with planet_that_says(site, changed(**named)):
            anna = await departs(site)
            came = await anna.returns(anna.back())
            assert await anna.outcome(came) == (200, "linked")
            shown = await ask(site, came.headers["Location"], cookies=anna.cookies)
            assert f'href="{canary.url}'.encode() not in shown.body
            assert b"169.254" not in shown.body
        assert canary.connections == 0
        assert await site.ctx.read(lambda _env: LinkAttempt.get().planet.entry_url) not in urls.values()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@gen
async def test_a_planet_that_leads_us_elsewhere_is_not_followed(site, status):
    await site.buys("anna")
    async with stand_in(lambda _asked: said(GOOD)) as canary:
        for url in (canary.url, "http://169.254.169.254/", "file:///etc/passwd"):
            token = said(GOOD, status=status, headers=f"Location: {url}\r\n")
            async with planet_that_says(site, token):
                anna = await departs(site)
                assert (await anna.outcome(await anna.returns(anna.back())))[0] in {400, 503}
        assert canary.connections == 0
    assert await site.ctx.read(lambda _env: Link.select().count()) == 0


@gen
async def test_a_planet_that_answers_slowly_is_not_waited_for_longer_than_a_person_waits(site):
    await site.buys("anna")
    before = await site.ctx.read(lambda _env: Purchase.select().count())
    async with planet_that_says(site, None) as remote:
        anna = await departs(site)
        came = await anna.returns(anna.back())
        assert came.seconds < 4
        remote.release.set()
        assert await anna.outcome(came) == (503, "remote_away")
    assert await site.ctx.read(lambda _env: (Purchase.select().count(), Link.select().count())) == (before, 0)
