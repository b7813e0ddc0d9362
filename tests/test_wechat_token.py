"""One access token for all processes: fetched once, renewed ahead, replaced once when it is refused."""

import asyncio
import json

import pytest
from prometheus_client import REGISTRY

from clients.errors import RemoteDown
from clients.redis import connect
from clients.shared_value import Held
from clients.wechat_codes import ConfigRefused, TokenRefused
from tests.stand_in import CUT, HANG, answer
from tests.wechat_stand_in import APP_ID, account

KEY = f"wechat:{APP_ID}:access_token"
NOBODY = "redis://127.0.0.1:1/0"


async def settled() -> None:
    """Lets a refresh in the background come to its end."""
    for _ in range(50):
        await asyncio.sleep(0.002)


@pytest.mark.gen_test
async def test_two_processes_of_sixteen_coroutines_start_cold_with_one_fetch(redis_url: str) -> None:
    async with account(redis_url, redis_url) as here:
        await asyncio.gather(*(client.check() for client in here.clients for _ in range(16)))
    assert here.fake.fetches == 1


@pytest.mark.gen_test
async def test_sixteen_coroutines_with_the_embedded_redis_fetch_once() -> None:
    async with account() as here:
        await asyncio.gather(*(here.client.check() for _ in range(16)))
    assert here.fake.fetches == 1


@pytest.mark.gen_test
async def test_a_token_replaced_by_another_process_is_taken_from_the_store_not_fetched(redis_url: str) -> None:
    async with account(redis_url, redis_url) as here:
        first, second = here.clients
        await first.check()
        await second.check()
        here.fake.good, here.fake.gives_new_each_time = "", True
        here.clock.now += 60
        await first.check()
        assert here.fake.fetches == 2
        here.clock.now += 1
        await second.check()
    assert here.fake.fetches == 2


@pytest.mark.gen_test
async def test_a_refused_token_is_replaced_once_by_all_who_held_it(redis_url: str) -> None:
    async with account(redis_url, redis_url) as here:
        await asyncio.gather(*(client.check() for client in here.clients))
        here.fake.good, here.fake.gives_new_each_time = "", True
        here.clock.now += 60
        await asyncio.gather(*(client.check() for client in here.clients for _ in range(16)))
    assert here.fake.fetches == 2


@pytest.mark.gen_test
@pytest.mark.parametrize("code", [40001, 40014, 42001])
async def test_a_token_that_is_always_refused_costs_two_fetches_not_the_days_quota(code: int) -> None:
    async with account() as here:
        here.fake.refuse_all, here.fake.gives_new_each_time = code, True
        results = await asyncio.gather(*(here.client.check() for _ in range(16)), return_exceptions=True)
        assert all(isinstance(result, TokenRefused | RemoteDown) for result in results)
        for _ in range(20):
            with pytest.raises(RemoteDown):
                await here.client.check()
    assert here.fake.fetches <= 2


@pytest.mark.gen_test
async def test_force_is_used_only_when_the_very_refused_token_comes_again_and_half_a_minute_apart() -> None:
    async with account() as here:
        await here.client.check()
        here.clock.now += 60
        here.fake.refuse_all = 40001
        with pytest.raises(TokenRefused):
            await here.client.check()
        assert (here.fake.fetches, here.fake.forced) == (3, 1)
        with pytest.raises(RemoteDown):
            await here.client.check()
        assert (here.fake.fetches, here.fake.forced) == (3, 1), "too early for another"
        here.fake.refuse_all = 0
        await here.client.check()
        assert here.fake.fetches == 3, "the forced one is good"


@pytest.mark.gen_test
async def test_a_token_that_is_refused_all_day_is_forced_twenty_times() -> None:
    async with account() as here:
        here.fake.refuse_all = 40001
        for _ in range(25):
            here.clock.now += 120
            with pytest.raises((TokenRefused, RemoteDown)):
                await here.client.check()
    assert here.fake.forced == 20


def test_forced_refreshes_stay_below_the_days_twenty() -> None:
    held = Held("x", 0, forced=tuple(float(hour * 3600) for hour in range(20)))
    assert not held.may_force(20 * 3600.0)
    assert held.may_force(86_400.0), "the first is a day old"


@pytest.mark.gen_test
async def test_it_is_renewed_ahead_of_its_end_while_nobody_waits() -> None:
    async with account() as here:
        await here.client.check()
        here.clock.now += 7200 - 280
        here.fake.answers["/cgi-bin/getcallbackip"] = {"ip_list": []}
        old = here.fake.good
        here.fake.expires_in = 7200
        await here.client.check()
        assert here.remote.seen[-1].query.get("access_token", old) == old
        await settled()
        assert here.fake.fetches == 2
        await here.client.check()
        await settled()
    assert here.fake.fetches == 2


@pytest.mark.gen_test
async def test_when_renewing_ahead_fails_the_old_one_goes_on() -> None:
    async with account() as here:
        await here.client.check()
        here.clock.now += 7200 - 280
        here.fake.stable_token = lambda _: CUT
        for _ in range(3):
            await here.client.check()
            await settled()


@pytest.mark.gen_test
async def test_an_ended_token_is_never_used() -> None:
    async with account() as here:
        await here.client.check()
        here.clock.now += 7196
        await here.client.check()
    assert here.fake.fetches == 2


@pytest.mark.gen_test
async def test_without_redis_each_process_works_alone_and_says_so() -> None:
    def alone() -> float:
        return REGISTRY.get_sample_value("wxbot_shared_value_without_redis_total", {"name": "wechat_token"}) or 0

    before = alone()
    async with account(NOBODY) as here:
        await asyncio.gather(*(here.client.check() for _ in range(16)))
        await here.client.check()
        assert here.fake.fetches == 1
    assert alone() > before


@pytest.mark.gen_test
async def test_a_fetcher_that_was_killed_stands_in_the_way_only_for_its_locks_life() -> None:
    redis = connect("")
    await redis.set(f"{KEY}:lock", "dead", px=150)
    async with account(redis) as here:
        await here.client.check()
    assert here.fake.fetches == 1


@pytest.mark.gen_test
async def test_who_fetched_too_slowly_does_not_open_anothers_lock() -> None:
    redis = connect("")
    async with account(redis) as here:
        good = here.fake.stable_token

        def overtaken(asked: dict) -> bytes:
            redis_now = asyncio.ensure_future(redis.set(f"{KEY}:lock", "another"))
            here.remote.taken = redis_now
            return good(asked)

        here.fake.stable_token = overtaken
        await here.client.check()
        assert await redis.get(f"{KEY}:lock") == "another"


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "junk", ["", "{", "[]", '{"value": 1}', "null", '{"value":"x","ends_at":"?","fetched":[],"forced":[]}']
)
async def test_junk_in_the_store_is_as_good_as_nothing(junk: str) -> None:
    redis = connect("")
    await redis.set(KEY, junk)
    async with account(redis) as here:
        await here.client.check()
        assert json.loads(await redis.get(KEY))["value"] == here.fake.good


HALVES = [
    {},
    [],
    {"access_token": "x"},
    {"access_token": "", "expires_in": 7200},
    {"access_token": "x", "expires_in": "7200"},
]


@pytest.mark.gen_test
@pytest.mark.parametrize("reply", HALVES)
async def test_half_a_token_is_no_token(reply: object) -> None:
    async with account() as here:
        here.fake.stable_token = lambda _: answer(reply)
        with pytest.raises(RemoteDown) as caught:
            await here.client.check()
    assert caught.value.code == "wrong_body"


@pytest.mark.gen_test
async def test_sixteen_who_wait_for_a_dead_wechat_fail_together_not_in_turn() -> None:
    async with account(total_seconds=0.2) as here:
        here.fake.stable_token = lambda _: HANG
        started = asyncio.get_running_loop().time()
        results = await asyncio.gather(*(here.client.check() for _ in range(16)), return_exceptions=True)
        assert asyncio.get_running_loop().time() - started < 1
        assert {result.code for result in results} == {"timeout"}


@pytest.mark.gen_test
async def test_a_wrong_secret_is_a_matter_for_a_person_and_is_not_asked_again() -> None:
    async with account() as here:
        for code in (40125, 40013, 40001):
            here.fake.stable_token = lambda _, code=code: answer({"errcode": code, "errmsg": "invalid appsecret"})
            with pytest.raises(ConfigRefused):
                await here.client.check()
    assert len(here.remote.seen) == 3
