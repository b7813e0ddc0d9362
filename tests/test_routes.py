"""A walk over every route: what each answers to whom, and that none says or does more than it should."""

import pytest

from h5.base import MissingHandler
from h5.purchases import PurchaseHandler
from models.links import Link, LinkAttempt
from services.limits import LIMITS
from tests.attack_kit import TOKEN, Route, ask, check_calm, jar_of, post, routes_of, session, watched
from tests.site import COURSE, OTHER_COURSE

gen = pytest.mark.gen_test(timeout=120)
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "FOO"]
KNOWN = set(METHODS) - {"TRACE", "FOO"}
CHECKED = KNOWN - {"GET", "HEAD", "OPTIONS"}  # the methods that need the token of a form
PAGE, JSON = "text/html", "application/json"
WITHOUT_TOKEN = {r"/api/v1/purchases/([^/]{1,64})/([^/]{1,191})$"}
FOR_EVERYBODY = {
    "GET /static/(.*)$", r"GET /weui/(weui\.min\.css)$", "GET /$", "GET /courses/([a-z0-9][a-z0-9-]{0,63})$",
    "GET /courses/([a-z0-9][a-z0-9-]{0,63})/lessons/([0-9]{1,4})$", "GET /planets/([a-z0-9][a-z0-9-]{0,63})$",
    "GET /links/callback/([a-z_]{1,32})$", "GET /links/attempts/([0-9]{1,18})$", "GET /oauth/callback$",
    "POST /oauth/start$", "POST /oauth/sign-out$", "GET /healthz$", "GET /readyz$", "GET /metrics$",
    "GET /(MP_verify_[^/]{1,64})$", r"GET /openapi\.json$", r"GET /qr\.svg$", "GET /wx/share$",
}  # fmt: skip


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


@pytest.fixture
def wide(make_site):
    """A site whose limits no walk reaches."""
    return make_site(limits_factor=100_000)


async def request(site, route: Route, method: str, *, signed_in=False, token=False, accept=JSON):
    """One step of the walk."""
    cookies = (await session(site)) if signed_in else {}
    cookies |= {"_xsrf": TOKEN} if token else {}
    form = {"_xsrf": TOKEN} if token and method in CHECKED else None
    return await ask(site, route.path, method, form=form, cookies=cookies, Accept=accept)


def fits(route: Route, method: str, status: int, *, signed_in: bool, token: bool) -> bool:
    """Whether the status is one that this step may have."""
    if method not in KNOWN:
        return status == 405
    if route.handler is PurchaseHandler:
        return status == 401
    if method in CHECKED and not token:
        return status == 403
    if not route.serves(method):
        return status == 405
    if f"{method.replace('HEAD', 'GET')} {route.pattern}" not in FOR_EVERYBODY and not signed_in:
        return status == 401
    return status in {200, 302, 303, 400, 403, 404, 409, 410, 422} and (signed_in or status != 401)


@pytest.mark.parametrize("accept", [PAGE, JSON])
@pytest.mark.parametrize("signed_in", [False, True], ids=["nobody", "signed_in"])
@gen
async def test_every_route_answers_every_method_as_designed(wide, signed_in, accept):
    with watched():
        for route in routes_of(wide):
            for method in METHODS:
                for token in (False, True):
                    how = {"signed_in": signed_in, "token": token}
                    answer = await request(wide, route, method, accept=accept, **how)
                    what = (method, route.pattern, how, answer.status, answer.body[:300])
                    check_calm(answer, what)
                    assert fits(route, method, answer.status, **how), what


SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Server": "wxbot",
}


def check_headers(answer, what, *, is_static: bool = False, is_https: bool = False) -> None:
    """What every answer carries, whatever it says."""
    assert SAFE.items() <= answer.headers.items(), what
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy, what
    assert "unsafe" not in policy and "*" not in policy, what
    kept = answer.headers["Cache-Control"]
    assert kept == ("public, max-age=3600" if is_static and answer.status in {200, 206, 304} else "no-store"), what
    hsts = answer.headers.get("Strict-Transport-Security", "")
    assert hsts == ("max-age=31536000; includeSubDomains" if is_https else ""), what
    assert "\n" not in "".join(answer.headers[name] for name in [*SAFE, "Content-Security-Policy"]), what


@pytest.fixture(params=[{}, {"base_url": "https://course.example"}], ids=["http", "https"])
def reached(make_site, request):
    """A site on this machine alone, and one behind https."""
    return make_site(limits_factor=100_000, **request.param)


@gen
async def test_every_answer_carries_the_safe_headers(reached):
    site, is_https = reached, reached.config.is_https
    for route in [*routes_of(site), Route("/nothing/here$", MissingHandler), Route("/static/nothing.css$", object)]:
        for method in METHODS:
            for signed_in in (False, True):
                if method == "POST" and signed_in and route.pattern == "/oauth/start$":
                    continue
                answer = await request(site, route, method, token=signed_in)
                what = (method, route.pattern, answer.status, answer.headers)
                is_static = route.path.startswith(("/static", "/weui"))
                check_headers(answer, what, is_static=is_static, is_https=is_https)


@gen
async def test_only_machines_with_a_key_of_their_own_need_no_token(wide):
    without = set()
    for route in routes_of(wide):
        answer = await request(wide, route, "POST", signed_in=True)
        if answer.status != 403:
            without.add(route.pattern)
    assert without == WITHOUT_TOKEN


FORGED = {
    "no token": ({}, {}),
    "in the form only": ({}, {"_xsrf": TOKEN}),
    "in the cookie only": ({"_xsrf": TOKEN}, {}),
    "two that differ": ({"_xsrf": TOKEN}, {"_xsrf": "cd34" * 8}),
    "empty ones": ({"_xsrf": ""}, {"_xsrf": ""}),
    "of an unknown version": ({"_xsrf": "9|x|y|z"}, {"_xsrf": "9|x|y|z"}),
    "broken": ({"_xsrf": "2|zz|zz|zz"}, {"_xsrf": "2|zz|zz|zz"}),
    "not in hex": ({"_xsrf": TOKEN}, {"_xsrf": "\u661f" * 10}),
}


@pytest.mark.parametrize("forged", FORGED)
@gen
async def test_no_form_works_without_its_token(wide, forged):
    await wide.buys("anna")
    mine, before = await session(wide), await wide.rows()
    cookie, field = FORGED[forged]
    with watched():
        for route in routes_of(wide):
            if not route.serves("POST") or route.pattern in WITHOUT_TOKEN:
                continue
            fields = field | {"waiver": wide.waiver, "action": "pause", "target": "me"}
            answer = await ask(wide, route.path, "POST", form=fields, cookies=cookie | mine, Accept=JSON)
            assert answer.told[0] == 403 and answer.json["code"] == "http_403", route.pattern
    assert await wide.rows() == before


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
@gen
async def test_no_header_changes_the_method(wide, header):
    await wide.buys("anna", order_no="A1")
    mine, before = await session(wide), await wide.rows()
    for route in routes_of(wide):
        for method in ("POST", "DELETE", "PUT"):
            plain = await ask(wide, route.path, cookies=mine, Accept=JSON)
            answer = await ask(wide, route.path, cookies=mine, Accept=JSON, **{header.replace("-", "_"): method})
            assert answer.status == plain.status, route.pattern
    assert await wide.rows() == before


async def has_everything(site, name: str = "anna") -> dict[str, list[str]]:
    """Somebody with a purchase, a link, an attempt, an open claim link; the ids of all, by group of a route."""
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


CLASSES = {
    "sign_in": ("POST", "/oauth/start"),
    "link": ("POST", f"/courses/{COURSE}/planet"),
    "change": ("POST", "/me/links/1/unlink"),
    "code": ("POST", f"/claims/{'a' * 16}"),
    "picture": ("GET", "/qr.svg?to=/"),
}


@pytest.mark.parametrize("name", CLASSES)
@gen
async def test_each_kind_of_request_has_its_limit_and_says_when_to_come_back(site, name):
    method, path = CLASSES[name]
    mine = await session(site)
    who = f"p{await site.person_id()}"
    for _ in range(LIMITS[name].most):
        await site.ctx.limits.check(name, who)
    before = await site.rows()
    answer = await (post(site, path, mine) if method == "POST" else ask(site, path, cookies=mine, Accept=JSON))
    assert (answer.status, answer.json["code"]) == (429, "rate_limited")
    assert 0 < int(answer.headers["Retry-After"]) <= LIMITS[name].seconds
    check_headers(answer, path)
    assert await site.rows() == before
    other = await session(site, "bob")
    answer = await (post(site, path, other) if method == "POST" else ask(site, path, cookies=other))
    assert answer.status != 429, "another person's count is his own"


@gen
async def test_every_form_but_signing_out_counts_against_a_limit(site):
    """A new form without a limit fails here."""
    forms = [route for route in routes_of(site) if route.serves("POST") and route.pattern != "/oauth/sign-out$"]
    who = f"p{await site.person_id()}"
    for name, limit in LIMITS.items():
        for _ in range(limit.most if name in CLASSES else 0):
            await site.ctx.limits.check(name, who)
    for route in forms:
        assert (await post(site, route.path, await session(site))).status == 429, route.pattern


@gen
async def test_a_machine_or_a_file_is_refused_in_a_word_and_no_query_is_logged(wide):
    with watched() as lines:
        for path in (
            "/healthz",
            "/metrics",
            "/openapi.json",
            "/static/site.css",
            "/static/nothing.css",
            "/MP_verify_x",
        ):
            for method in ("POST", "PUT", "FOO", "GET"):
                answer = await ask(wide, f"{path}?name=canary-anna", method)
                assert answer.status == 200 or answer.body in {b"refused", b"not found"}, (method, path, answer.body)
    assert "canary-anna" not in lines.getvalue()
