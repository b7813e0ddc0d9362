"""What is one person's is unknown to all others, and reading changes nothing."""

import pytest

from models.links import Link, LinkAttempt
from tests.attack_kit import Route, ask, check_calm, jar_of, post, routes_of, session
from tests.site import OTHER_COURSE

gen = pytest.mark.gen_test(timeout=120)
JSON = "application/json"


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


@pytest.fixture
def wide(make_site):
    """A site whose limits no walk reaches."""
    return make_site(limits_factor=100_000)


async def has_everything(site, name: str = "anna") -> dict[str, list[str]]:
    """Somebody with a purchase, a link and the attempt that made it; their ids, by group of a route."""
    await site.buys(name)
    await site.links(name)
    link, attempt = await site.ctx.read(lambda _env: (Link.get(), LinkAttempt.get()))
    return {"([0-9]{1,18})": [str(link.id), str(attempt.id)]}


def addresses(route: Route, ids: dict[str, list[str]]) -> list[str]:
    """Where a route may be asked with these ids, and by its sample."""
    found = [route.path]
    for group, values in ids.items():
        if group in route.pattern:
            found = [route.path, *(Route(route.pattern.replace(group, one), route.handler).path for one in values)]
    return found


@gen
async def test_getting_any_page_changes_nothing(wide):
    ids = await has_everything(wide)
    await wide.delivers()
    jar, before = jar_of(wide, "anna"), await wide.rows()
    for route in routes_of(wide):
        for path in addresses(route, ids):
            for method in ("GET", "HEAD", "OPTIONS"):
                for query in ("", "?waiver=2026-11&action=pause&state=x&code=y&_xsrf=1"):
                    answer = await ask(wide, path + query, method, cookies=jar)
                    check_calm(answer, (method, path, query))
    assert await wide.rows() == before
    assert (await ask(wide, "/me", cookies=jar)).status == 200, "nor has it ended the session"


@gen
async def test_what_belongs_to_one_is_unknown_to_everybody_else(wide):
    ids = await has_everything(wide)
    await wide.buys("bob", course=OTHER_COURSE)
    bob, before = (await session(wide, "bob")) | {"browser": "b" * 64}, await wide.rows()
    asked = 0
    for route in routes_of(wide):
        for path in addresses(route, ids)[1:]:
            unknown = Route(route.pattern.replace("([0-9]{1,18})", "987654321"), route.handler).path
            for method in ("GET", "POST"):
                if not route.serves(method):
                    continue
                call = ask if method == "GET" else post
                how = {"cookies": bob} if method == "POST" else {"cookies": bob, "Accept": JSON}
                fields = {"fields": {"action": "pause"}} if method == "POST" else {}
                theirs = await call(wide, path, **how, **fields)
                nobodys = await call(wide, unknown, **how, **fields)
                assert theirs.told == nobodys.told and theirs.status == 404, (method, path, theirs.body)
                asked += 1
    assert asked >= 8
    assert await wide.rows() == before


@gen
async def test_a_stranger_sees_no_more_of_a_link_than_of_none(wide):
    ids = await has_everything(wide)
    for path in [f"/links/attempts/{one}" for one in ids["([0-9]{1,18})"]]:
        for cookies in ({}, {"browser": ""}, {"browser": "0" * 64}, await session(wide, "anna")):
            theirs = await ask(wide, path, cookies=cookies, Accept=JSON)
            assert theirs.told == (await ask(wide, "/links/attempts/987654321", Accept=JSON)).told
