"""Nobody escapes a limit by making up addresses, browsers or sessions; and limits without Redis."""

import os
import signal

import pytest

from h5.addresses import household, who_asks
from services.limits import LIMITS
from tests.attack_kit import ask, check_calm, jar_of, post, watched
from tests.site import COURSE

gen = pytest.mark.gen_test(timeout=60)
JSON = "application/json"


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


PROXIES = ("127.0.0.1", "10.0.0.0/8", "2001:db8::/32")


CHAINS = [
    ("203.0.113.9", "1.2.3.4", (), "203.0.113.9"),
    ("203.0.113.9", "1.2.3.4", PROXIES, "203.0.113.9"),
    ("127.0.0.1", "", PROXIES, "127.0.0.1"),
    ("127.0.0.1", "198.51.100.7", PROXIES, "198.51.100.7"),
    ("127.0.0.1", "1.2.3.4, 198.51.100.7", PROXIES, "198.51.100.7"),
    ("127.0.0.1", "1.2.3.4, 198.51.100.7, 10.1.1.1", PROXIES, "198.51.100.7"),
    ("127.0.0.1", "10.9.9.9, 10.1.1.1", PROXIES, "10.9.9.9"),
    ("127.0.0.1", "1.2.3.4, evil", PROXIES, "127.0.0.1"),
    ("127.0.0.1", "1.2.3.4, evil, 10.1.1.1", PROXIES, "10.1.1.1"),
    ("127.0.0.1", "1.2.3.4,", PROXIES, "127.0.0.1"),
    ("127.0.0.1", ",,,", PROXIES, "127.0.0.1"),
    ("127.0.0.1", "1.2.3.4:80", PROXIES, "127.0.0.1"),
    ("127.0.0.1", "<script>", PROXIES, "127.0.0.1"),
    ("127.0.0.1", "fe80::1%<script>", PROXIES, "127.0.0.1"),
    ("127.0.0.1", "999.1.1.1", PROXIES, "127.0.0.1"),
    ("127.0.0.1", "127.1", PROXIES, "127.0.0.1"),
    ("127.0.0.1", "\u0661.2.3.4", PROXIES, "127.0.0.1"),
    ("::ffff:127.0.0.1", "198.51.100.7", PROXIES, "198.51.100.7"),
    ("2001:db8::1", "2400:3200::1", PROXIES, "2400:3200::1"),
    ("2001:db8::1", "2400:3200:0:0::1", PROXIES, "2400:3200::1"),
    ("0.0.0.0", "1.2.3.4", PROXIES, "0.0.0.0"),
    ("", "1.2.3.4", PROXIES, ""),
]


@pytest.mark.parametrize(("peer", "forwarded", "proxies", "asks"), CHAINS)
def test_only_what_a_trusted_proxy_saw_counts_as_an_address(peer, forwarded, proxies, asks):
    assert who_asks(peer, forwarded, proxies) == asks


@pytest.mark.parametrize(
    ("ip", "counted"),
    [("198.51.100.7", "198.51.100.7"), ("2400:3200:1:2:3:4:5:6", "2400:3200:1:2::/64"), ("junk", "junk"), ("", "")],
)
def test_all_addresses_of_one_ipv6_household_are_counted_as_one(ip, counted):
    assert household(ip) == counted


async def sign_ins(site, number: int, cookies=dict, **headers) -> list[int]:
    """The statuses of so many taps on 登录 that lead nowhere; `{}` in a header becomes the number."""
    found = []
    for count in range(number):
        lines = {name: value.format(count) for name, value in headers.items()}
        found.append((await post(site, "/oauth/start", cookies(), {"target": "nowhere"}, **lines)).status)
    return found


@pytest.mark.parametrize("header", ["X_Forwarded_For", "X_Real_Ip", "Forwarded", "X_Client_IP", "CF_Connecting_IP"])
@gen
async def test_a_made_up_address_does_not_escape_the_limit(site, header):
    before = await site.every_row()
    most = LIMITS["sign_in"].of_address
    assert await sign_ins(site, most + 1, **{header: "203.0.113.{}"}) == [422] * most + [429]
    assert await site.every_row() == before


@pytest.fixture
def proxied(make_site):
    """A site behind a proxy on the same machine."""
    return make_site(trusted_proxies=("127.0.0.1",))


@gen
async def test_behind_a_proxy_the_limit_counts_whom_the_proxy_saw(proxied):
    before = await proxied.every_row()
    most = LIMITS["sign_in"].of_address
    assert await sign_ins(proxied, most + 1, X_Forwarded_For="6.6.6.{}, 203.0.113.1") == [422] * most + [429]
    assert await sign_ins(proxied, 1, X_Forwarded_For="203.0.113.1, 203.0.113.2") == [422], "another person's count"
    spoofed = {"X_Forwarded_For": "2400:3200:1:2::{}"}
    assert await sign_ins(proxied, most + 1, **spoofed) == [422] * most + [429], "one household"
    assert await proxied.every_row() == before


@gen
async def test_making_up_browsers_does_not_escape_the_limit(site):
    before = await site.every_row()
    most = LIMITS["sign_in"].of_address
    begun = await sign_ins(site, most + 1, lambda: {"browser": site.new_code(256)})
    assert begun == [422] * most + [429]
    assert await site.every_row() == before


@pytest.mark.parametrize(
    "value", ["x", '"\\012"', '"a\\073b"', "A" * 64, "a" * 63, "a" * 4000, "\xe9" * 64, '"' + "a" * 64, "%0d%0aX:1"]
)
@gen
async def test_a_browser_cannot_choose_its_own_secret(site, value):
    with watched():
        answer = await post(site, "/oauth/start", {"browser": value}, {"target": "me"})
    assert answer.status == 303
    given = [line for line in answer.headers["Set-Cookie"].split("\n") if line.startswith("browser=")]
    secret = given[0].partition(";")[0].removeprefix("browser=")
    assert len(given) == 1 and len(secret) == 64 and secret != value


@pytest.mark.parametrize("value", ["", "x", '"\\012"', "\xff" * 32, "a" * 5000, "'; --", "0" * 64])
@gen
async def test_a_made_up_session_is_nobody(site, value):
    before = await site.every_row()
    with watched():
        for path in ("/me", "/", "/lecturer"):
            answer = await ask(site, path, cookies={"session": value}, Accept=JSON)
            assert answer.status == (200 if path == "/" else 401)
    assert await site.every_row() == before


@pytest.fixture
def redis_server(private_server):
    """A Redis of the test's own."""
    return private_server("redis")


@pytest.fixture
def counted(make_site, redis_server):
    """A site that counts in that Redis."""
    return make_site(redis_url=redis_server.url)


@gen
async def test_while_redis_is_dead_pages_are_served_and_limits_count_here(counted, redis_server):
    await counted.buys("anna")
    await counted.signs_in("anna")
    assert await sign_ins(counted, 2) == [422, 422]
    redis_server.kill()
    most = LIMITS["sign_in"].of_address
    for path in ("/", "/me", f"/courses/{COURSE}", f"/courses/{COURSE}/planet", "/qr.svg?to=/"):
        answer = await ask(counted, path, cookies=jar_of(counted, "anna"))
        check_calm(answer, path)
        assert answer.status == 200, path
    assert await sign_ins(counted, most + 1) == [422] * most + [429]
    page = await counted.links("anna")
    assert page.find("link-state").attrs["data-state"] == "linked"


@gen
async def test_a_redis_that_hangs_holds_up_one_request_and_no_other(counted, redis_server):
    before = await counted.every_row()
    os.kill(redis_server.process.pid, signal.SIGSTOP)
    try:
        first = await post(counted, "/oauth/start", {}, {"target": "nowhere"})
        second = await post(counted, "/oauth/start", {}, {"target": "nowhere"})
    finally:
        os.kill(redis_server.process.pid, signal.SIGCONT)
    assert (first.status, second.status) == (422, 422)
    assert first.seconds < 1.5 and second.seconds < 0.3
    assert await counted.every_row() == before
