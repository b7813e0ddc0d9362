"""A walk over every route: what each answers to whom, and that none says or does more than it should."""

import pytest

from h5.base import MissingHandler
from h5.purchases import PurchaseHandler
from tests.attack_kit import TOKEN, Route, ask, check_calm, routes_of, session, watched

gen = pytest.mark.gen_test(timeout=120)
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "FOO"]
KNOWN = set(METHODS) - {"TRACE", "FOO"}
CHECKED = KNOWN - {"GET", "HEAD", "OPTIONS"}  # the methods that need the token of a form
PAGE, JSON = "text/html", "application/json"
SIGNED = {"/planets/([a-z_]{1,32})/events$", "/wechatpay/(?:refund-)?notify$"}
WITHOUT_TOKEN = {r"/api/v1/purchases/([^/]{1,64})/([^/]{1,191})$", *SIGNED}
FOR_EVERYBODY = {
    "GET /static/(.*)$", r"GET /weui/(weui\.min\.css)$", "GET /$", "GET /courses/([a-z0-9][a-z0-9-]{0,63})$",
    "GET /courses/([a-z0-9][a-z0-9-]{0,63})/lessons/([0-9]{1,4})$", "GET /planets/([a-z0-9][a-z0-9-]{0,63})$",
    "GET /links/callback/([a-z_]{1,32})$", "GET /links/attempts/([0-9]{1,18})$", "GET /oauth/callback$",
    "POST /oauth/start$", "POST /oauth/sign-out$", "GET /healthz$", "GET /readyz$", "GET /metrics$",
    "GET /(MP_verify_[^/]{1,64})$", r"GET /openapi\.json$", r"GET /qr\.svg$", "GET /wx/share$",
    "POST /scans$", "GET /scans/([0-9a-f]{32})$", "GET /scans/([0-9a-f]{32})/events$",
    "GET /scans/([0-9a-f]{32})/wait$", r"GET /scans/([0-9a-f]{32})/qr\.(svg|png)$",
    "POST /scans/([0-9a-f]{32})/cancel$", "POST /scans/([0-9a-f]{32})/code$", "GET /s/([0-9a-f]{32})$",
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
    if route.pattern in SIGNED:
        return status == (401 if method == "POST" else 405)
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
    before = await wide.rows() if not signed_in else None
    with watched():
        for route in routes_of(wide):
            for method in METHODS:
                for token in (False, True):
                    how = {"signed_in": signed_in, "token": token}
                    answer = await request(wide, route, method, accept=accept, **how)
                    what = (method, route.pattern, how, answer.status, answer.body[:300])
                    check_calm(answer, what)
                    assert fits(route, method, answer.status, **how), what
                    if answer.status == 405:
                        served = set(filter(None, answer.headers["Allow"].split(", ")))
                        assert served == {name for name in KNOWN if route.serves(name)}, what
    assert signed_in or await wide.rows() == before


SAFE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
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


PUSHES = Route("/wx/push$", object)


@pytest.fixture(params=[{}, {"base_url": "https://course.example"}], ids=["http", "https"])
def reached(make_site, request):
    """A site on this machine alone, and one behind https."""
    return make_site(limits_factor=100_000, **request.param)


@gen
async def test_every_answer_carries_the_safe_headers(reached):
    site, is_https = reached, reached.config.is_https
    for route in [
        *routes_of(site),
        Route("/nothing/here$", MissingHandler),
        Route("/static/nothing.css$", object),
        PUSHES,
    ]:
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


@gen
async def test_no_route_logs_or_repeats_what_it_was_sent(wide):
    """The canary does not look like a secret, so that it is not the log's filter that hides it."""
    mine = await session(wide)
    sent = {
        "User_Agent": "canary-agent MicroMessenger/8",
        "Referer": "https://x.example/canary",
        "Authorization": "canary",
    }
    with watched() as lines:
        for route in [*routes_of(wide), Route("/canary-path$", MissingHandler)]:
            for method in METHODS:
                for cookies in (mine, {"session": "canary-cookie", "browser": "canary-browser"}):
                    form = {"_xsrf": TOKEN, "target": "canary-field", "waiver": "canary", "action": "canary"}
                    jar = cookies | {"_xsrf": TOKEN, "other": "canary"}
                    query = "?state=canary-state&code=canary-code&to=canary&name=canary&error=canary&iss=canary"
                    answer = await ask(wide, route.path + query, method, form=form, cookies=jar, Accept=PAGE, **sent)
                    assert b"canary" not in answer.body, (method, route.pattern, answer.body)
                    assert "canary" not in str(answer.headers), (method, route.pattern)
    assert "canary" not in lines.getvalue()
