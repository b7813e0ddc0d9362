"""One door to Redis: embedded or a server, the same to its callers, and quick to say when it is away."""

import time
from collections.abc import Callable

import pytest

from clients.redis import REDIS_FAULTS, connect
from tests.server_process import Server


async def use(url: str) -> tuple[object, ...]:
    """What a caller does, and what it gets."""
    redis = connect(url)
    got = (
        await redis.set("k", "星", nx=True, px=5000),
        await redis.set("k", "x", nx=True, px=5000),
        await redis.get("k"),
        await redis.eval('return redis.call("get", KEYS[1])', 1, "k"),
        await redis.delete("k"),
    )
    await redis.aclose()
    return got


@pytest.mark.gen_test
async def test_the_embedded_one_answers_as_a_server_does(redis_url: str) -> None:
    assert await use("") == await use(redis_url) == (True, None, "星", "星", 1)


@pytest.mark.gen_test
async def test_each_embedded_one_is_a_store_of_its_own() -> None:
    one, other = connect(""), connect("")
    await one.set("k", "v")
    assert await other.get("k") is None
    await one.aclose()
    await other.aclose()


@pytest.mark.gen_test
async def test_a_redis_that_is_down_stops_no_start_and_says_so_quickly() -> None:
    redis = connect("redis://127.0.0.1:1/0")
    began = time.monotonic()
    with pytest.raises(REDIS_FAULTS):
        await redis.get("k")
    assert time.monotonic() - began < 1
    await redis.aclose()


@pytest.mark.gen_test(timeout=30)
async def test_it_goes_on_by_itself_after_redis_was_killed_and_came_back(
    private_server: Callable[[str], Server],
) -> None:
    server = private_server("redis")
    redis = connect(server.url)
    await redis.set("k", "v")
    server.kill()
    with pytest.raises(REDIS_FAULTS):
        await redis.get("k")
    server.start()
    assert await redis.get("k") == "v"
    await redis.aclose()
