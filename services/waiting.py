"""Who waits for a scan to move: told at once by this process, by Redis from the others, and at the latest by a look.

Redis only wakes. While it is away each process still finds what has moved at its next look, every two seconds.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import structlog
from prometheus_client import Gauge
from redis.exceptions import RedisError

from models.errors import TooMany
from models.scans import Scan
from services.env import Env

CHANNEL = "wxbot:scans"
MOST_EACH = 2  # a page has one, and one more while it changes from one way of waiting to the other
OVERLAP = timedelta(seconds=10)  # commits come later than the moments they hold, and clocks differ
TELL_SECONDS = 1.0
AGAIN_SECONDS = 1.0
HEAR_SECONDS = 10.0
Hear = Callable[[int | None], None]
log = structlog.get_logger()
waiting = Gauge("wxbot_waiting_pcs", "PCs that wait for a phone", multiprocess_mode="livesum")


class Waiting:
    """The waiting PCs of this process, by scan; `hear` gets each new version, and None when the process leaves."""

    def __init__(self, redis: Any, *, is_shared: bool) -> None:
        self.redis = redis
        self.is_shared = is_shared
        self._watchers: dict[str, set[Hear]] = {}
        self._telling: set[asyncio.Task[None]] = set()
        self._has_left = False

    def watch(self, public_id: str, hear: Hear) -> Callable[[], None]:
        """Hear of this scan until the returned function is called; raises TooMany for a crowd on one scan."""
        watchers = self._watchers.setdefault(public_id, set())
        if len(watchers) >= MOST_EACH:
            raise TooMany(retry_after=5)
        watchers.add(hear)
        waiting.inc()
        if self._has_left:  # who was let in at the last moment
            hear(None)
        return lambda: self._forget(public_id, hear)

    @contextmanager
    def watched(self, public_id: str, hear: Hear) -> Iterator[None]:
        """The same, as long as a block runs."""
        forget = self.watch(public_id, hear)
        try:
            yield
        finally:
            forget()

    def _forget(self, public_id: str, hear: Hear) -> None:
        watchers = self._watchers.get(public_id, set())
        if hear in watchers:
            watchers.remove(hear)
            waiting.dec()
        if not watchers:
            self._watchers.pop(public_id, None)

    def tell(self, woken: Mapping[str, int]) -> None:
        """These scans have moved: tell who waits here, and the other processes."""
        self._tell_here(woken)
        if woken and self.is_shared:
            telling = asyncio.create_task(self._tell_others(json.dumps(woken)))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)

    def _tell_here(self, woken: Mapping[str, int]) -> None:
        for public_id, version in woken.items():
            for hear in tuple(self._watchers.get(public_id, ())):
                hear(version)

    async def _tell_others(self, words: str) -> None:
        with suppress(RedisError, OSError, TimeoutError):  # they find it at their next look
            async with asyncio.timeout(TELL_SECONDS):
                await self.redis.publish(CHANNEL, words)

    async def listen(self) -> None:
        """Hear what the other processes tell, for ever; while Redis is away, try again and again."""
        while self.is_shared:
            try:
                async with self.redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(CHANNEL)
                    while True:
                        self._hear(await channel.get_message(timeout=HEAR_SECONDS))
            except (RedisError, OSError) as problem:
                log.warning("other processes are not heard, looks take their place", why=type(problem).__name__)
                await asyncio.sleep(AGAIN_SECONDS)

    def _hear(self, message: Any) -> None:
        with suppress(ValueError, AttributeError, TypeError):  # whatever else somebody writes there
            self._tell_here(json.loads(message["data"]) if message else {})

    async def look(self, read: Callable[..., Awaitable[Any]]) -> None:
        """One query for all who wait here: what has moved of late? `read` runs a service that changes nothing."""
        if self._watchers:
            self._tell_here(await read(moved))

    def leave(self) -> None:
        """This process ends: everybody who waits here asks elsewhere."""
        self._has_left = True
        for watchers in list(self._watchers.values()):
            for hear in tuple(watchers):
                hear(None)


def moved(env: Env) -> dict[str, int]:
    """The scans that moved within the last seconds, with their versions."""
    rows = Scan.select(Scan.public_id, Scan.version).where(Scan.changed_at > env.now - OVERLAP)
    return dict(rows.tuples())
