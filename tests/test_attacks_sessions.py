"""Whose session it is decides, and it alone; one of before a sign-in, a link or a new role is worth nothing after."""

import json
from urllib.parse import urlencode, urlsplit

import pytest

from models.people import Session
from services import lecturers
from tests.attack_kit import TOKEN, ask, check_calm, jar_of, post, routes_of, session
from tests.departures import JSON, begins_to_sign_in, departs, given_cookies
from tests.site import COURSE, OTHER_COURSE

gen = pytest.mark.gen_test(timeout=60)


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


@pytest.fixture
def roomy(make_site):
    """A site whose limits no list of mutations reaches."""
    return make_site(limits_factor=100_000)


CLAIMS = ("openid", "unionid", "person", "person_id", "user", "uid", "member_uid", "session", "FromUserName")


async def shown_to(site, cookies, extra: str, more, headers) -> list:
    """What every page and form answers: status, where to, and its words without what is new each time."""
    found = []
    for route in routes_of(site):
        for method in ("GET", "POST"):
            if not route.serves(method) or "oauth" in route.pattern or not route.asks_anything:
                continue
            form = [("_xsrf", TOKEN), *more] if method == "POST" else None
            jar = {"_xsrf": TOKEN} | cookies
            answer = await ask(site, route.path + extra, method, form=form, cookies=jar, Accept=JSON, **headers)
            check_calm(answer, (method, route.pattern))
            words = answer.told[1] if "json" in answer.headers["Content-Type"] else without_tokens(answer.body)
            found.append((method, route.pattern, answer.status, answer.headers.get("Location"), words))
    return found


def without_tokens(body: bytes) -> list[bytes]:
    """The lines of a page that are alike each time it is asked for."""
    return [line for line in body.splitlines() if b"_xsrf" not in line and b'name="click"' not in line]


@gen
async def test_whoever_one_claims_to_be_each_answer_is_for_the_one_of_the_session(roomy):
    await roomy.buys("anna")
    await roomy.links("anna")
    await roomy.buys("bob", course=OTHER_COURSE)
    bob, victim = await session(roomy, "bob"), roomy.phone("anna").openid
    claimed = [(name, victim) for name in CLAIMS]
    query = "?" + urlencode(claimed)
    true = await shown_to(roomy, bob, "", [], {})
    before = await roomy.rows()
    headers = {"X_Openid": victim, "X_WX_OPENID": victim, "X_Forwarded_User": victim, "Remote_User": victim}
    assert await shown_to(roomy, dict(claimed) | bob, query, claimed, headers) == true
    assert victim not in json.dumps(true, default=str)
    assert await roomy.rows() == before


async def becomes_lecturer(site) -> None:
    """Anna takes an invitation: her role changes."""
    url = await site.ctx.transact(lecturers.invite, slug="caoz")
    await site.posts("anna", urlsplit(url).path)


CHANGES = {
    "signing in": lambda site: site.posts("anna", "/oauth/start", target="me"),
    "linking": lambda site: site.links("anna"),
    "a new role": becomes_lecturer,
    "signing out": lambda site: site.posts("anna", "/oauth/sign-out"),
}


@pytest.mark.parametrize("change", CHANGES)
@gen
async def test_a_session_of_before_is_worth_nothing_after(site, change):
    await site.buys("anna")
    await site.signs_in("anna")
    old = {"session": jar_of(site, "anna")["session"]}
    assert (await ask(site, "/me", cookies=old)).status == 200
    await CHANGES[change](site)
    assert (await ask(site, "/me", cookies=old)).status == 401
    answer = await post(site, f"/courses/{COURSE}/planet", old, {"waiver": site.waiver})
    assert (answer.status, answer.json["code"]) == (401, "not_signed_in")


@gen
async def test_a_session_planted_before_signing_in_is_not_the_one_after(site):
    planted = await session(site, "bob")
    anna = await begins_to_sign_in(site, cookies=planted)
    given = given_cookies(await anna.returns(anna.back()))
    assert given["session"] != planted["session"]
    assert (await ask(site, "/me", cookies=planted)).status == 401
    whose = await site.ctx.read(lambda _env: [row.person_id for row in Session.select()])
    assert whose == [await site.person_id("anna")]


@gen
async def test_no_cookie_is_larger_than_browsers_keep(site):
    await site.buys("anna")
    anna = await begins_to_sign_in(site)
    for came in (await anna.returns(anna.back()), await ask(site, "/me")):
        for line in came.headers["Set-Cookie"].split("\n"):
            assert len(line) < 4096 and {"HttpOnly", "Path=/"} <= {mark.strip() for mark in line.split(";")}
    assert (await departs(site)).cookies
