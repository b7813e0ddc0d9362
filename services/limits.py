"""How often one may ask: counted in Redis for all processes, in memory while Redis is away."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import structlog
from redis.exceptions import RedisError

from models.errors import TooMany
from services.env import Clock

MOST_LOCAL_KEYS = 10_000
ANSWER_SECONDS = 0.5  # a limit must not cost more than what it guards
AWAY_SECONDS = 5.0  # how long a Redis that failed is not asked, so that not every request waits for it
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` in a window of `seconds`; `here` counts in this process alone, which costs next to nothing.

    An office or a carrier shares one address: all that is nobody's there has `browsers` times as much together.
    """

    most: int
    seconds: int
    here: bool = False
    browsers: int = 10

    @property
    def of_address(self) -> int:
        """What all browsers of one address may together."""
        return self.most * self.browsers


LIMITS = {
    "page": Limit(600, 60, here=True),
    "guess": Limit(60, 60),
    "return": Limit(60, 60),
    "outcome": Limit(120, 60),
    "sign_in": Limit(30, 60),
    "link": Limit(10, 60),
    "code": Limit(60, 3600),
    "scan": Limit(10, 60, browsers=30),
    "wait": Limit(120, 60, browsers=30),
    "phone": Limit(60, 60),
    "change": Limit(60, 60),
    "buy": Limit(30, 60),
    "voucher": Limit(60, 3600),
    "picture": Limit(120, 60),
    "api": Limit(6000, 60),
    "api_key": Limit(60, 60),
    "event": Limit(6000, 60, here=True),
}


@dataclass(slots=True)
class Limits:
    """Counts for each limit and person, browser or address; `factor` multiplies every limit (for load tests)."""

    redis: Any
    clock: Clock
    factor: int = 1
    local: dict[str, int] = field(default_factory=dict)
    away_until: float = 0.0

    async def check(self, name: str, who: str, *, is_address: bool = False) -> None:
        """Count one more of `who`; raises TooMany above the limit. Without Redis each process counts alone."""
        limit = LIMITS[name]
        most = limit.of_address if is_address else limit.most
        window, rest = divmod(int(self.clock.now().timestamp()), limit.seconds)
        key = f"wxbot:limit:{name}:{who}:{window}"
        count = self._count_here(key) if limit.here else await self._count(key, limit.seconds)
        if count > most * self.factor:
            raise TooMany(retry_after=limit.seconds - rest)

    async def _count(self, key: str, seconds: int) -> int:
        now = asyncio.get_running_loop().time()
        if now < self.away_until:
            return self._count_here(key)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                count = await self.redis.incr(key)
                if count == 1:
                    await self.redis.expire(key, seconds)
        except (RedisError, OSError) as problem:
            log.warning("limits are counted in this process only", why=type(problem).__name__)
            self.away_until = now + AWAY_SECONDS
            return self._count_here(key)
        return count

    def _count_here(self, key: str) -> int:
        if len(self.local) >= MOST_LOCAL_KEYS:
            self.local.clear()  # bounded memory matters more than exact counts for the time without Redis
        self.local[key] = self.local.get(key, 0) + 1
        return self.local[key]
