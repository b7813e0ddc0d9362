"""Tricks with addresses, headers and the wire: refused or cut off, nothing changes, nothing is told."""

from urllib.parse import urlencode

import pytest

from h5.heads import GetUsesUp
from models.base import database
from tests.attack_kit import TOKEN, ask, check_calm, raw, routes_of, session, watched
from tests.departures import departs
from tests.site import COURSE

gen = pytest.mark.gen_test(timeout=60)
JSON = "application/json"
UNLIKE = {"Date": "", "Etag": ""}  # a page holds a token that is never the same


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


HUGE = {
    "a header of 100 kB": b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    "an address of 100 kB": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "10,000 headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(10_000)) + b"\r\n",
    "a cookie of 60 kB": b"GET /me HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: session="
    + b"a" * 60_000
    + b"\r\n\r\n",
    "1,000 cookies": b"GET /me HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: "
    + b"; ".join(b"c%d=%d" % (n, n) for n in range(1000))
    + b"\r\n\r\n",
    "a body of 1 MB": b"POST /oauth/start HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"a" * 1_000_000,
    "no host": b"GET /me HTTP/1.1\r\nConnection: close\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "HTTP 9": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    "NUL in a header": b"GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n",
    "a folded header": b"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b: c\r\n\r\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("what", HUGE)
@gen
async def test_what_is_too_large_or_no_http_is_cut_off(site, what):
    before = await site.rows()
    with watched():
        answer = await raw(site, HUGE[what])
    check_calm(answer, what)
    assert answer.status in {0, 400, 401, 403, 404, 413, 414, 431, 505}, (what, answer)
    assert (await ask(site, "/healthz")).status == 200
    assert await site.rows() == before


TRICKS = [
    "/..%2f..%2fetc/passwd", "/../../etc/passwd", "//etc/passwd", "//evil.example/", "/;/me", "/me;jsessionid=1",
    "/me/", "/me//links", "/./me", "/%2e/me", "/me%2flinks", "/%6de", "/ME", "/me%20", "/me%00", "/me.json",
    "/static/../h5/base.py", "/static/..%2f..%2fservices/config.py", "/static/%2e%2e/%2e%2e/pyproject.toml",
    "/static//etc/passwd", "/static/%2fetc%2fpasswd", "/static/..\\..\\pyproject.toml",
    "/static/..%5c..%5cpyproject.toml", "/static/.", "/static/..", "/static/site.css/", "/static/site.css%00.js",
    "/static/C:/x", "/weui/..%2fpackage.json", "/.env", "/.git/config", "/var/wxbot.db", "/wxbot.db",
    "/static/../../var/wxbot.db", "/server-status", "/admin", "/openapi.json/x", "/courses/%2e%2e/planet",
    "/courses/..;/me", "http://evil.example/me", "/\\evil.example", "/%5cevil.example",
]  # fmt: skip


@gen
async def test_no_trick_with_an_address_finds_anything(site):
    mine, before = await session(site), await site.rows()
    with watched():
        for path in TRICKS:
            answer = await ask(site, path, cookies=mine)
            check_calm(answer, path)
            assert answer.status in {400, 403, 404}, (path, answer.status, answer.body[:200])
            assert "Location" not in answer.headers, path
            for word in (b"root:", b"import ", b"[project]", b"SQLite"):
                assert word not in answer.body, path
    assert await site.rows() == before


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1@evil.example", "x", "\xe9", "a b", "[::1]"]
)
@gen
async def test_no_page_repeats_the_host_it_was_asked_by(site, host):
    before = await site.rows()
    for path in ("/", "/me", f"/courses/{COURSE}/planet", "/openapi.json", "/wx/share?path=/", "/nothing"):
        answer = await ask(site, path, Host=host, X_Forwarded_Host=host, User_Agent="Firefox", Forwarded=f"host={host}")
        check_calm(answer, (host, path))
        assert b"evil.example" not in answer.body and "evil" not in str(answer.headers)
    answer = await ask(
        site, "/oauth/start", "POST", form={"_xsrf": TOKEN, "target": "me"}, cookies={"_xsrf": TOKEN}, Host=host
    )
    assert "evil" not in answer.headers.get("Location", "")
    assert await site.rows() == before


@pytest.mark.parametrize("accept", ["text/html", JSON])
@gen
async def test_head_says_what_get_says_without_its_words(site, accept):
    mine = await session(site)
    for route in routes_of(site):
        for cookies in (mine, {}):
            how = {"cookies": cookies | {"_xsrf": TOKEN}, "Accept": accept}
            answer = await ask(site, route.path, "HEAD", **how)
            assert answer.body == b"", route.pattern
            if issubclass(route.handler, GetUsesUp):
                assert answer.status == 405
            elif route.path != "/metrics":
                said = await ask(site, route.path, **how)
                assert answer.status == said.status, route.pattern
                assert answer.headers | UNLIKE == said.headers | UNLIKE, route.pattern


@gen
async def test_who_only_looks_ahead_does_not_use_up_the_way_back(site):
    await site.buys("anna")
    anna = await departs(site)
    before = await site.every_row()
    for path in (f"/links/callback/partner?{urlencode(anna.back())}", "/oauth/callback?state=x"):
        assert (await ask(site, path, "HEAD", cookies=anna.cookies)).status == 405
    assert await site.every_row() == before
    assert await anna.outcome(await anna.returns(anna.back())) == (200, "linked")


@gen
async def test_a_fault_of_ours_is_said_without_a_word_about_it(site):
    """A row that cannot be: the page fails, and tells only its number."""
    await site.buys("anna")
    mine = await session(site)
    await site.ctx.transact(lambda _env: database.execute_sql("ALTER TABLE course RENAME COLUMN title TO gone"))
    for accept in ("text/html", JSON):
        answer = await ask(site, f"/courses/{COURSE}/planet", cookies=mine, may_fail=True, Accept=accept)
        assert answer.status == 500
        for word in (b"Traceback", b"gone", b"SELECT", b"column", b"OperationalError", b"sqlite", b"peewee", b"/h5/"):
            assert word not in answer.body
    assert set(answer.json) == {"code", "message", "rid"} and answer.json["code"] == "failed"
