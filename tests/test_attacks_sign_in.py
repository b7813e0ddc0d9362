"""The way back from WeChat, forged in every part, and a WeChat that babbles: nobody is signed in by them."""

import asyncio
from urllib.parse import urlencode, urlsplit

import pytest

from models.people import Person, Session
from tests.attack_kit import TOKEN, ask, check_calm, routes_of, session, watched
from tests.departures import begins_to_sign_in, forged_states, given_cookies
from tests.site import COURSE
from tests.stand_in import CUT, HANG, answer
from tests.wechat_stand_in import wechat_of

gen = pytest.mark.gen_test(timeout=60)


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


@pytest.fixture
def roomy(make_site):
    """A site whose limits no list of mutations reaches."""
    return make_site(limits_factor=100_000)


def calls(site) -> int:
    """How many codes were shown to WeChat."""
    return len(site.world.journal.entries(operation="sns.exchange"))


@gen
async def test_no_forged_way_back_from_wechat_asks_it_or_changes_anything(roomy):
    anna = await begins_to_sign_in(roomy)
    true, before = anna.back(), await roomy.every_row()
    with watched():
        for what, state in forged_states(true["state"]).items():
            answer = await anna.returns({name: value for name, value in (true | {"state": state}).items() if value})
            check_calm(answer, what)
            assert (answer.status, answer.json["code"]) == (400, "state_invalid"), what
            assert "session" not in given_cookies(answer), what
        for text in ("", "&", "=", "state", "state=%ff&code=%fd", "state[]=x", ";".join(urlencode(true).split("&"))):
            answer = await anna.returns(text)
            check_calm(answer, text)
            assert answer.status == 400, text
    assert calls(roomy) == 0 and await roomy.every_row() == before
    answer = await anna.returns(true)
    assert (answer.status, answer.headers["Location"]) == (303, "/me"), "the true way back is as good as ever"


@gen
async def test_no_other_browser_is_signed_in_by_the_way_back_of_one(roomy):
    anna, bob = await begins_to_sign_in(roomy), await begins_to_sign_in(roomy, "bob")
    bobs_session = await session(roomy, "bob")
    jars = {
        "nobody's": {}, "another's": bob.cookies, "another who is signed in": bobs_session | bob.cookies,
        "empty": {"browser": ""}, "in quotes": {"browser": '"' + "0" * 64 + '"'},
        "upper case": {"browser": anna.cookies["browser"].upper() + "A"},
        "the state itself": {"browser": anna.state + anna.state},
    }  # fmt: skip
    true, before = anna.back(), await roomy.every_row()
    for what, cookies in jars.items():
        answer = await anna.returns(true, cookies=cookies)
        check_calm(answer, what)
        assert (answer.status, answer.json["code"]) == (403, "start_from_your_course"), what
        assert not {"session", "browser"} & set(given_cookies(answer)), what
    assert calls(roomy) == 0 and await roomy.every_row() == before


@gen
async def test_a_used_state_with_another_code_signs_nobody_else_in(site):
    anna = await begins_to_sign_in(site)
    first = await anna.returns(anna.back())
    people, before = await site.ctx.read(lambda _env: Person.select().count()), await site.rows()
    bobs_code = site.box.account.oauth.new_code(site.phone("bob").person, "snsapi_base")
    for code in (bobs_code, "", "x" * 20):
        answer = await anna.returns(anna.back(code=code))
        assert (answer.status, answer.headers["Location"]) == (303, first.headers["Location"])
        whose = await site.ctx.read(lambda _env: {row.person_id for row in Session.select()})
        assert whose == {await site.person_id("anna")}, "the same browser hears its own outcome again, and no more"
    assert calls(site) == 1 and people == 1
    site.clock.forward(seconds=61)
    answer = await anna.returns(anna.back(code=bobs_code))
    assert (answer.status, answer.json["code"]) == (400, "state_invalid")
    assert calls(site) == 1 and await site.rows() == before


@gen
async def test_a_hand_over_of_another_links_nothing_in_the_browser_of_who_opens_it(site):
    for name in ("anna", "bob"):
        await site.buys(name)
        await site.signs_in(name)
    await site.at_planet("anna")
    hers = site.phone("anna").page.url
    before, exchanged = await site.rows(), len(site.world.journal.entries(operation="planet.token"))
    await site.phone("bob").open(hers)
    page = await site.phone("bob").tap("planet-agree")
    assert (page.status, page.find("error-code").text) == (403, "start_from_your_course")
    assert await site.rows() == before
    assert len(site.world.journal.entries(operation="planet.token")) == exchanged


EVIL = ["//evil.example", "https:evil.example", "/\\evil.example", "%2f%2fevil.example", "javascript:alert(1)",
        "https://evil.example", "\thttps://evil.example", "///evil.example", "https://me@evil.example"]  # fmt: skip
WAYS = ("next", "target", "return_to", "redirect_uri", "redirect", "url", "to", "path", "state", "iss", "continue")


@gen
async def test_nobody_is_ever_sent_to_an_address_that_a_request_names(roomy):
    await roomy.buys("anna")
    allowed = {"", *(urlsplit(url).netloc for url in (roomy.box.wechat_open_url, roomy.box.planet_url))}
    mine = await session(roomy)
    for evil in EVIL:
        for route in routes_of(roomy):
            for method in ("GET", "POST"):
                if not route.serves(method) or not route.asks_anything or "sign-out" in route.pattern:
                    continue
                fields = [("_xsrf", TOKEN), ("waiver", roomy.waiver), *((name, evil) for name in WAYS)]
                how = {"form": fields if method == "POST" else None, "cookies": {"_xsrf": TOKEN} | mine}
                path = f"{route.path}?{urlencode([(name, evil) for name in WAYS])}"
                reply = await ask(roomy, path, method, Referer=evil.strip(), Origin=evil.strip(), **how)
                check_calm(reply, (method, path))
                to = reply.headers.get("Location", "")
                assert urlsplit(to).netloc in allowed and not to.startswith(("//", "/\\")), (path, to)
                assert "evil" not in to and b"evil" not in reply.body, (method, path)


SAYS = {
    "an old code": (answer({"errcode": 40029, "errmsg": "invalid code, rid: 1-2-3"}), 403, "sign_in_refused"),
    "a used code": (answer({"errcode": 40163, "errmsg": "code been used"}), 403, "sign_in_refused"),
    "too many calls": (answer({"errcode": 45011, "errmsg": "api minute-quota reach limit"}), 503, "remote_away"),
    "busy": (answer({"errcode": -1, "errmsg": "system error"}), 503, "remote_away"),
    "a wrong secret": (answer({"errcode": 40125, "errmsg": "invalid appsecret"}), 503, "remote_away"),
    "an unknown code": (answer({"errcode": 99999}), 503, "remote_away"),
    "HTML": (answer(b"<html>ok</html>"), 503, "remote_away"),
    "huge JSON": (answer({"openid": "o" * 2_000_000}), 503, "remote_away"),
    "not UTF-8": (answer(b'{"openid": "\xff\xfe"}'), 503, "remote_away"),
    "nothing": (answer(b""), 503, "remote_away"),
    "an empty object": (answer({}), 503, "remote_away"),
    "a list": (answer([1]), 503, "remote_away"),
    "no openid": (answer({"access_token": "t", "scope": "snsapi_base"}), 503, "remote_away"),
    "an openid that is none": (answer({"access_token": "t", "openid": ["o"], "scope": "x"}), 503, "remote_away"),
    "deep JSON": (answer(b"[" * 60_000), 503, "remote_away"),
    "500": (answer(status=500), 503, "remote_away"),
    "302": (answer(status=302, headers="Location: http://127.0.0.1:9/\r\n"), 503, "remote_away"),
    "a cut line": (CUT, 503, "remote_away"),
    "half an answer": (b"HTTP/1.1 200 OK\r\nX-Half: 1\r\nContent-Length: 90\r\n\r\n{", 503, "remote_away"),
}


@pytest.mark.parametrize("what", SAYS)
@gen
async def test_whatever_wechat_says_instead_of_who_this_is_nobody_is_signed_in(roomy, what):
    said, status, code = SAYS[what]
    anna = await begins_to_sign_in(roomy)
    before = await roomy.rows()
    async with wechat_of(roomy, lambda _asked: said) as remote:
        with watched():
            came = await anna.returns(anna.back())
            again = await anna.returns(anna.back())
    assert (came.status, came.json["code"]) == (status, code) == (again.status, again.json["code"])
    assert (status != 503) or came.headers["Retry-After"]
    assert len(remote.seen) == 1, "asked once, and the second call of the browser hears the same"
    assert await roomy.rows() == before
    assert await roomy.ctx.read(lambda _env: Session.select().count()) == 0


@gen
async def test_a_wechat_that_never_answers_is_waited_for_four_seconds_and_holds_up_nobody(site):
    anna = await begins_to_sign_in(site)
    async with wechat_of(site, lambda _asked: HANG) as remote:
        waiting = asyncio.ensure_future(anna.returns(anna.back()))
        await remote.has_seen(1)
        for path in ("/", f"/courses/{COURSE}"):
            check_calm(await ask(site, path), path)
        came = await waiting
    assert (came.status, came.json["code"]) == (503, "remote_away")
    assert came.seconds < 6
