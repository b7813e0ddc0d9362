"""One door to Redis: a server, or the embedded one of a single process; the callers cannot tell which.

The package `aioredis` is dead (it cannot even be imported on Python 3.11); its code lives on inside redis-py.
"""

from fakeredis import FakeAsyncRedis, FakeServer
from redis import asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

Redis = aioredis.Redis
REDIS_FAULTS = (RedisError, OSError)  # what every call may raise while Redis is away; nothing depends on it alone

CONNECT_SECONDS = 0.5
ANSWER_SECONDS = 1.0
IDLE_CHECK_SECONDS = 30
MOST_CONNECTIONS = 64


def connect(url: str) -> Redis:
    """A client whose answers are `str`; an empty `url` is an empty store of its own in this process.

    Nothing is connected yet, so a Redis that is down does not stop the start. Close it with `aclose()`.
    """
    if not url:
        return FakeAsyncRedis(server=FakeServer(), decode_responses=True)
    pool = aioredis.BlockingConnectionPool.from_url(
        url,
        max_connections=MOST_CONNECTIONS,
        timeout=ANSWER_SECONDS,  # how long to wait for a free connection
        decode_responses=True,
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        health_check_interval=IDLE_CHECK_SECONDS,
        retry=Retry(ConstantBackoff(0.05), 1),  # one more try on a new connection after a restart
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
    )
    return Redis.from_pool(pool)
