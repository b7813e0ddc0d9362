"""Every request counts against a limit, or stands here with the reason why it needs none."""

import pytest

from h5.purchases import PurchaseHandler
from services.limits import LIMITS, MOST_LOCAL_KEYS, Limits
from tests.attack_kit import TOKEN, ask, check_calm, post, routes_of, session
from tests.chat_kit import Counted
from tests.shop import basic
from tests.site import COURSE

gen = pytest.mark.gen_test(timeout=120)
JSON = "application/json"
WITHOUT_LIMIT = {
    "/static/(.*)$": "small files that nginx and browsers keep; no argument, cookie or row is read",
    r"/weui/(weui\.min\.css)$": "as above",
    "/healthz$": "a supervisor that is refused would take a healthy process out; nothing is read",
    "/readyz$": "as above, of one short read; the proxy lets this machine alone ask",
    "/metrics$": "the proxy lets this machine alone ask",
    "/(MP_verify_[^/]{1,64})$": "WeChat asks for a small file by an exact name",
    r"/openapi\.json$": "a constant",
    "/wx/push$": "WeChat sends all people's messages from few addresses; the signature comes before any work",
}
RATES = {
    "POST /oauth/start$": "sign_in",
    "GET /oauth/callback$": "return",
    "GET /links/callback/([a-z_]{1,32})$": "return",
    "GET /links/attempts/([0-9]{1,18})$": "outcome",
    "POST /courses/([a-z0-9][a-z0-9-]{0,63})/planet$": "link",
    "GET /claims/([0-9a-z]{16})$": "code",
    "POST /claims/([0-9a-z]{16})$": "code",
    "GET /lecturer/invites/([0-9a-f]{32})$": "code",
    "POST /lecturer/invites/([0-9a-f]{32})$": "code",
    "POST /planets/([a-z0-9][a-z0-9-]{0,63})$": "link",
    r"GET /lecturer/planets/([a-z0-9][a-z0-9-]{0,63})/qr\.(png|svg)$": "picture",
    r"GET /qr\.svg$": "picture",
    "POST /scans$": "scan",
    "GET /scans/([0-9a-f]{32})$": "wait",
    "GET /scans/([0-9a-f]{32})/events$": "wait",
    "GET /scans/([0-9a-f]{32})/wait$": "wait",
    r"GET /scans/([0-9a-f]{32})/qr\.(svg|png)$": "picture",
    "POST /scans/([0-9a-f]{32})/code$": "code",
    "GET /s/([0-9a-f]{32})$": "phone",
    "POST /s/([0-9a-f]{32})$": "link",
    "GET /wx/share$": "picture",
    "POST /planets/([a-z_]{1,32})/events$": "event",
    "POST /wechatpay/(?:refund-)?notify$": "event",
    "POST /courses/([a-z0-9][a-z0-9-]{0,63})/buy$": "buy",
    "GET /orders/([0-9]{8}[0-9a-f]{24})$": "outcome",
    "POST /orders/([0-9]{8}[0-9a-f]{24})/pay$": "buy",
    "POST /orders/([0-9]{8}[0-9a-f]{24})/check$": "buy",
    r"GET /orders/([0-9]{8}[0-9a-f]{24})/qr\.svg$": "picture",
    "POST /oauth/sign-out$": "page",  # whoever has done too much must still be able to leave
}
NOT_BY_ROUTE = {"guess", "api", "api_key", "voucher"}  # the last counts codes: tests/test_redemptions.py


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


@pytest.fixture(params=["a Redis", "a dead Redis"])
def counting(request, make_site, private_server):
    """A site that counts in a Redis, and one whose Redis has died."""
    redis = private_server("redis")
    site = make_site(redis_url=redis.url)
    if "dead" in request.param:
        redis.kill()
    return site


async def use_up(site, name: str, who: str, *, is_address: bool = False) -> None:
    """Ask as often as one may."""
    for _ in range(LIMITS[name].of_address if is_address else LIMITS[name].most):
        await site.ctx.limits.check(name, who, is_address=is_address)


def steps(site) -> list[tuple[str, str, str]]:
    """Method, address and limit of everything that a page or a form does."""
    found = []
    for route in routes_of(site):
        if route.pattern in WITHOUT_LIMIT or route.handler is PurchaseHandler:
            continue
        for method in ("GET", "HEAD", "POST"):
            if route.serves(method):
                rate = RATES.get(f"{method.replace('HEAD', 'GET')} {route.pattern}")
                found.append((method, route.path, rate or ("change" if method == "POST" else "page")))
    return found


async def step(site, method: str, path: str, cookies: dict[str, str]):
    """One of them by somebody signed in, with the token of a form."""
    form = {"_xsrf": TOKEN} if method == "POST" else None
    return await ask(site, path, method, form=form, cookies=cookies | {"_xsrf": TOKEN}, Accept=JSON)


async def check_each_limit(site, names: list[str]) -> None:
    """What counts against a limit that is used up is refused with the time to wait, and all else is not."""
    who = f"p{await site.person_id()}"
    for name in names:
        site.clock.forward(hours=1)
        await use_up(site, name, who)
        for method, path, rate in steps(site):
            mine, before = await session(site), await site.rows()
            answer = await step(site, method, path, mine)
            check_calm(answer, (method, path))
            assert (answer.status == 429) == (rate == name), (name, method, path, answer.status)
            if rate == name:
                assert 0 < int(answer.headers["Retry-After"]) <= LIMITS[name].seconds
                assert await site.rows() == before
                bobs = await step(site, method, path, await session(site, "bob"))
                assert bobs.status != 429, "another person's count is his own"


BY_ROUTE = sorted(set(LIMITS) - NOT_BY_ROUTE)


@gen
async def test_every_page_and_form_counts_against_its_limit_and_no_other(counting):
    assert {rate for _, _, rate in steps(counting)} == set(BY_ROUTE), "no limit stands there for nothing"
    await check_each_limit(counting, BY_ROUTE)


@gen
async def test_what_has_no_limit_has_a_reason(site):
    patterns = {route.pattern for route in routes_of(site)} | {"/wx/push$"}
    assert set(WITHOUT_LIMIT) <= patterns and all(WITHOUT_LIMIT.values())
    site.ctx.limits.factor = 0
    for route in routes_of(site):
        answer = await ask(site, route.path, cookies=await session(site), Accept=JSON)
        limited = answer.status == 429 or (answer.status == 401 and route.handler is PurchaseHandler)
        assert limited != (route.pattern in WITHOUT_LIMIT), route.pattern


@gen
async def test_made_up_sessions_of_an_address_are_refused_and_true_ones_beside_them_served(counting):
    site = counting
    mine = await session(site)
    await use_up(site, "guess", "all127.0.0.1", is_address=True)
    before = await site.every_row()
    for number in range(3):
        for path in ("/", "/me", f"/courses/{COURSE}", "/nothing"):
            answer = await ask(site, path, cookies={"session": f"{number:064x}"}, Accept=JSON)
            assert (answer.status, answer.json["code"]) == (429, "rate_limited"), path
    assert (await ask(site, "/me", cookies=mine)).status == 200
    assert (await ask(site, "/")).status == 200, "who claims to be nobody guesses nothing"
    assert await site.every_row() == before


@pytest.mark.parametrize("path", ["/oauth/callback", "/links/callback/partner"])
@gen
async def test_made_up_states_of_an_address_are_refused_before_a_row_is_asked(site, path):
    await use_up(site, "return", "all127.0.0.1", is_address=True)
    site.ctx.threads = Counted(site)
    query = f"state={'0' * 32}&code=x&iss={site.box.planet_url}"
    answer = await ask(site, f"{path}?{query}", Accept=JSON)
    assert (answer.status, answer.json["code"]) == (429, "rate_limited")
    assert site.ctx.threads.calls == 0
    site.clock.forward(minutes=1)
    answer = await ask(site, f"{path}?{query}", Accept=JSON)
    assert (answer.status, answer.json["code"]) == (400, "state_invalid")
    assert site.ctx.threads.calls == 1, "the control: a state that may be tried is looked for"
    site.ctx.threads = site.ctx.threads.threads


@gen
async def test_a_platform_counts_by_its_name_and_wrong_keys_by_their_address(counting):
    site = counting
    path, before = "/api/v1/purchases/yiling/A1", await site.every_row()
    right = {"Authorization": basic("yiling", site.key)}
    await use_up(site, "api_key", "ip127.0.0.1")
    for wrong in ({}, {"Authorization": basic("yiling", "wrong")}, {"Authorization": "Basic x"}):
        for method in ("GET", "PUT", "DELETE"):
            assert (await ask(site, path, method, **wrong)).status == 429, (wrong, method)
    assert (await ask(site, path, **right)).status == 404, "the right key is not hurt by wrong ones"
    site.clock.forward(minutes=1)
    await use_up(site, "api", "yiling")
    assert (await ask(site, path, **right)).status == 429
    assert await site.every_row() == before


@pytest.mark.gen_test
async def test_looking_at_pages_asks_no_redis_and_has_a_bounded_memory(clock):
    limits = Limits(None, clock)
    for number in range(MOST_LOCAL_KEYS * 2):
        await limits.check("page", f"p{number}")
    assert len(limits.local) <= MOST_LOCAL_KEYS


@gen
async def test_a_limit_is_over_with_its_window(site):
    mine = await session(site)
    await use_up(site, "link", f"p{await site.person_id()}")
    assert (await post(site, f"/courses/{COURSE}/planet", mine, {"waiver": "x"})).status == 429
    site.clock.forward(seconds=60)
    assert (await post(site, f"/courses/{COURSE}/planet", mine, {"waiver": "x"})).status == 403
