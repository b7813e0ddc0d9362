"""Two serving processes, on one address or behind one: what comes to both at once is done once, what one knows both do.

The site of the test itself is a third process on the same rows, at the same public address.
"""

import asyncio
import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
import redis
from tornado.ioloop import IOLoop

from models.links import Link, Membership, RefundWaiver
from models.people import Identity, Session
from services import people
from services.limits import LIMITS
from tests.attack_kit import Answer, ask, post, session
from tests.chat_kit import pushes_to, said
from tests.departures import departs
from tests.event_kit import kept, tells
from tests.serving import Place
from tests.site import COURSE, Site
from tests.test_chat_once import asked_to_unlink, unlinked_once

SERVERS, ONE_SERVER = ("two servers", "postgresql"), ("two processes of one server", "mariadb")
either = pytest.mark.parametrize(("arranged", "database_kind"), [SERVERS, ONE_SERVER])
one_server = pytest.mark.parametrize(("arranged", "database_kind"), [ONE_SERVER])
pytestmark = pytest.mark.gen_test(timeout=120)
COPIES = 8
JSON = "application/json"


@pytest.fixture
def doors(
    io_loop: IOLoop, make_site: Callable[..., Site], running: Callable, redis_url: str, arranged: str
) -> list[Site]:
    """The site as it is reached by either process; their clock is the sandbox's."""
    site = make_site(redis_url=redis_url)
    at = {"redis_url": redis_url, "clock_url": f"{site.box.console_url}/control/clock"}
    settings = site.settings() | at | {"database_url": site.database_url, "database_threads": 4}
    places = [Place(), Place()] if arranged == "two servers" else [Place()]
    options = ["--no-worker"] if len(places) == 2 else ["--no-worker", "--processes", "2"]
    serves = [running("serve", *options, **settings | {"listen": place.listen}) for place in places]

    async def are_up() -> None:
        for place, served in zip(places, serves, strict=True):
            await place.is_up(served)
            await served.until(lambda served=served: served.said().count("serving ") == 2 / len(places))

    io_loop.run_sync(are_up, timeout=60)
    return [reached_at(site, place.url) for place in (places * 2)[:2]]


def reached_at(site: Site, url: str) -> Site:
    """The same site, reached at another address than the public one."""
    there = copy.copy(site)
    there.base_url = url
    return there


async def at_once(doors: list[Site], call: Callable) -> list[Answer]:
    """The same request many times at the same moment, by turns to either process."""
    return await asyncio.gather(*(call(doors[number % 2]) for number in range(COPIES)))


async def count(site: Site, *rows: type) -> list[int]:
    """How many rows of each kind there are."""
    return await site.ctx.read(lambda _env: [row.select().count() for row in rows])


def asked_for(site: Site, operation: str) -> int:
    """How often an outside company was asked for something."""
    return len(site.world.journal.entries(operation=operation))


@either
async def test_one_push_that_comes_to_both_at_once_is_done_once_and_answered_alike(doors):
    site = reached_at(doors[0], doors[0].config.base_url)
    await asked_to_unlink(site)
    settings = site.box.account.settings
    settings.callback_url, public = "", settings.callback_url
    unheard = await site.box.wechat.message(site.phone().person, "text", {"Content": "确认解绑"}, shown="确认解绑")
    settings.callback_url = public

    heard = await at_once(doors, lambda door: pushes_to(site, door.base_url).send_again(unheard))
    assert {said(one) for one in heard} == {said(heard[0])} and said(heard[0]).startswith("已解除")
    await unlinked_once(site)


@one_server
async def test_one_way_back_from_wechat_to_both_at_once_asks_wechat_once_and_signs_one_person_in(doors):
    site, browser = doors[0], {"browser": "a" * 64}
    state = await site.ctx.transact(people.begin_sign_in, browser=browser["browser"], target="me")
    code = site.box.account.oauth.new_code(site.phone().person, "snsapi_base")
    answers = await at_once(
        doors, lambda door: ask(door, f"/oauth/callback?state={state}&code={code}", cookies=browser)
    )
    assert {(one.status, one.headers["Location"]) for one in answers} == {(303, "/me")}
    assert asked_for(site, "sns.exchange") == 1
    assert await count(site, Identity, Session) == [1, COPIES], "each answer brings a session of the one person"
    sessions = {one.headers["Set-Cookie"].partition(";")[0] for one in answers}
    assert len(sessions) == COPIES


@either
async def test_one_way_back_from_the_planet_to_both_at_once_makes_one_link_and_shows_one_page(doors):
    site = reached_at(doors[0], doors[0].config.base_url)
    await site.buys()
    left = await departs(doors[0])
    query = left.back()
    answers = await at_once(doors, lambda door: replace(left, site=door).returns(query))
    assert {one.status for one in answers} == {303}
    (address,) = {one.headers["Location"] for one in answers}
    assert asked_for(site, "planet.token") == 1
    assert await count(site, Link, Membership, RefundWaiver) == [1, 1, 1]
    shown = await at_once(doors, lambda door: ask(door, address, cookies=left.cookies))
    assert {one.status for one in shown} == {200} and len({one.body for one in shown}) == 1
    assert [one.status for one in site.box.planet.memberships("g1")] == ["active"]
    assert await site.broken() == []


@either
async def test_one_event_of_the_planet_that_comes_to_both_at_once_is_kept_once(doors):
    answers = await at_once(doors, tells)
    assert {(one.status, one.body) for one in answers} == {(204, b"")}
    assert [row.kind for row in await kept(doors[0])] == ["purchased"]
    assert await doors[0].broken() == []


@one_server
async def test_who_signs_out_at_one_is_signed_out_at_the_other_at_once(doors):
    here, there = doors
    mine = await session(here)
    assert (await ask(there, "/me", cookies=mine)).status == 200
    assert (await post(here, "/oauth/sign-out", mine)).status == 303
    for door in (there, here):
        assert (await ask(door, "/me", cookies=mine, Accept=JSON)).status == 401


@one_server
async def test_limits_count_what_comes_to_either(doors):
    mine = await session(doors[0])
    for number in range(LIMITS["link"].most):
        assert (await post(doors[number % 2], f"/courses/{COURSE}/planet", mine)).status != 429
    for door in doors:
        assert (await post(door, f"/courses/{COURSE}/planet", mine)).status == 429
    assert (await post(doors[1], f"/courses/{COURSE}/planet", await session(doors[0], "bob"))).status != 429


async def sixteen_each(doors: list[Site]) -> set[int]:
    """Sixteen pages at each process want WeChat's signature at the same moment; what they are told."""
    asked = (ask(doors[number % 2], "/wx/share?path=/", Accept=JSON) for number in range(32))
    return {one.status for one in await asyncio.gather(*asked)}


@either
async def test_both_start_cold_with_one_token_and_a_token_that_is_never_taken_costs_two(doors, redis_url):
    account = doors[0].box.account
    assert await sixteen_each(doors) == {200}
    assert account.tokens.fetches == 1
    with redis.Redis.from_url(redis_url) as store:
        store.flushall()
    doors[0].clock.forward(seconds=7200)
    account.tokens.always_40001 = True
    before = account.tokens.fetches
    assert await sixteen_each(doors) == {503}
    assert await sixteen_each(doors) == {503}
    assert 1 <= account.tokens.fetches - before <= 2
