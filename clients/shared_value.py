"""A short-lived secret (access token, ticket) that all processes share and only one of them fetches."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass

import structlog
from prometheus_client import Counter

from clients.errors import RemoteDown, RemoteError
from clients.redis import REDIS_FAULTS, Redis

AHEAD_SECONDS = 290  # inside the five minutes in which WeChat gives out the next one and the old still works
LAST_SECONDS = 5  # too short to begin a call with
LOOK_AGAIN_SECONDS = 5  # how long this process trusts its copy before it looks at the shared one
BURST_SECONDS = 30
BURST_FETCHES = 2  # a value that is always refused must not eat the day's quota
FORCES_A_DAY = 20
DAY_SECONDS = 86_400
LOCK_SECONDS = 5  # a fetcher that was killed stands in the way no longer; a second fetch does no harm
WAIT_SECONDS = 6  # longer than the lock, so that a killed fetcher fails nobody
POLL_SECONDS = 0.05
UNLOCK = 'if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) end return 0'

FETCHES = Counter("wxbot_shared_value_fetches", "Fetched anew", ["name", "forced"])
ALONE = Counter("wxbot_shared_value_without_redis", "Redis was away: this process acts alone", ["name"])
log = structlog.get_logger()


@dataclass(frozen=True)
class Held:
    """A value, its end (unix seconds), and when it was fetched lately; `repr` shows no secret."""

    value: str = ""
    ends_at: float = 0
    fetched: tuple[float, ...] = ()
    forced: tuple[float, ...] = ()

    def __repr__(self) -> str:
        return f"<Held until {self.ends_at}>"

    @classmethod
    def from_json(cls, text: str) -> "Held":
        """What another process has stored; ValueError, TypeError or KeyError when it is nothing of ours."""
        found = json.loads(text)
        moments = {name: tuple(map(float, found[name])) for name in ("fetched", "forced")}
        return cls(str(found["value"]), float(found["ends_at"]), **moments)

    def serves(self, now: float, not_this: str | None, ahead: float = LAST_SECONDS) -> bool:
        """Can it be used for what comes now, and is it another than the one that was refused?"""
        return bool(self.value) and self.value != not_this and now < self.ends_at - ahead

    def is_burst(self, now: float) -> bool:
        """Were there enough fetches lately?"""
        return len(_within(BURST_SECONDS, self.fetched, now)) >= BURST_FETCHES

    def may_force(self, now: float) -> bool:
        """WeChat allows 20 forced refreshes a day, 30 s apart."""
        today = _within(DAY_SECONDS, self.forced, now)
        return len(today) < FORCES_A_DAY and not _within(BURST_SECONDS, today, now)


class SharedValue:
    """`fetch(force)` gives a new value and its seconds; `now` is unix time; `new_nonce` names a lock's owner."""

    def __init__(
        self,
        name: str,
        key: str,
        redis: Redis,
        fetch: Callable[[bool], Awaitable[tuple[str, float]]],
        *,
        now: Callable[[], float],
        new_nonce: Callable[[], str],
    ) -> None:
        self._name = name
        self._key = key
        self._redis = redis
        self._fetch = fetch
        self._now = now
        self._new_nonce = new_nonce
        self._held = Held()
        self._looked_at = float("-inf")
        self._task: asyncio.Task[Held] | None = None

    async def get(self, *, not_this: str | None = None) -> str:
        """The value; with `not_this` any but that refused one. RemoteDown when there is none to be had."""
        now = self._now()
        if not (self._held.serves(now, not_this) and 0 <= now - self._looked_at < LOOK_AGAIN_SECONDS):
            await self._look()
        held = self._held
        if held.serves(now, not_this):
            if not held.serves(now, not_this, AHEAD_SECONDS) and not _within(BURST_SECONDS, held.fetched, now):
                self._start(not_this)  # ahead of time: nobody waits for it
            return held.value
        for _ in range(2):  # the first may have been under way for another's need
            held = await asyncio.shield(self._start(not_this))
            if held.serves(self._now(), not_this, 0):
                return held.value
        raise RemoteDown(self._name, "always_the_refused_one")

    async def close(self) -> None:
        """Gives up a refresh under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _start(self, not_this: str | None) -> asyncio.Task[Held]:
        if self._task is None:
            self._task = asyncio.ensure_future(self._refresh(not_this))
            self._task.add_done_callback(self._ended)
        return self._task

    def _ended(self, task: asyncio.Task[Held]) -> None:
        self._task = None
        failure = None if task.cancelled() else task.exception()
        if isinstance(failure, RemoteError):  # also when it ran ahead of time and nobody waits for it
            log.warning("shared value not refreshed", name=self._name, code=failure.code)
        elif failure is not None:
            log.error("shared value not refreshed", name=self._name, fault=type(failure).__name__)

    async def _refresh(self, not_this: str | None) -> Held:
        """Under the lock: somebody may have been quicker; else fetch, and force only if the refused one came again."""
        owner = await self._lock(not_this)
        try:
            await self._look()
            now = self._now()
            if owner is None or self._held.serves(now, not_this, AHEAD_SECONDS):
                return self._held
            if not_this is not None and self._held.is_burst(now):
                raise RemoteDown(self._name, "refused_again")
            await self._take(force=False)
            held = self._held
            if held.value == not_this and held.may_force(now) and not held.is_burst(now):
                await self._take(force=True)
            return self._held
        finally:
            if owner:
                await self._unlock(owner)

    async def _take(self, *, force: bool) -> None:
        value, seconds = await self._fetch(force)
        now = self._now()
        FETCHES.labels(self._name, force).inc()
        old = self._held
        recent = _within(BURST_SECONDS, old.fetched, now)
        forced = _within(DAY_SECONDS, old.forced, now)
        self._held = Held(value, now + seconds, (*recent, now), (*forced, now) if force else forced)
        self._looked_at = now
        with suppress(*REDIS_FAULTS):  # said by `_look` already
            await self._redis.set(self._key, json.dumps(asdict(self._held)), ex=DAY_SECONDS)

    async def _look(self) -> None:
        """Takes over what the processes share, unless Redis is away or has forgotten it."""
        self._looked_at = self._now()
        try:
            shared = await self._redis.get(self._key)
        except REDIS_FAULTS:
            ALONE.labels(self._name).inc()
            return
        with suppress(ValueError, TypeError, KeyError):  # junk in the store is as good as nothing
            found = Held.from_json(shared) if shared else Held()
            if found.fetched[-1:] >= self._held.fetched[-1:]:  # a Redis that came back may hold an old one
                self._held = found

    async def _lock(self, not_this: str | None) -> str | None:
        """The owner's name once the lock is ours ("" while Redis is away); None when another served us meanwhile."""
        owner, clock = self._new_nonce(), asyncio.get_running_loop().time
        deadline = clock() + WAIT_SECONDS
        while clock() < deadline:
            try:
                if await self._redis.set(f"{self._key}:lock", owner, nx=True, px=LOCK_SECONDS * 1000):
                    return owner
            except REDIS_FAULTS:
                return ""
            await self._look()
            if self._held.serves(self._now(), not_this, AHEAD_SECONDS):
                return None
            await asyncio.sleep(POLL_SECONDS)
        raise RemoteDown(self._name, "refresh_stuck")

    async def _unlock(self, owner: str) -> None:
        with suppress(*REDIS_FAULTS):  # then it ends by itself
            await self._redis.eval(UNLOCK, 1, f"{self._key}:lock", owner)


def _within(seconds: float, moments: tuple[float, ...], now: float) -> tuple[float, ...]:
    """Those of the last `seconds`; moments ahead of a clock that was set back do not count."""
    return tuple(at for at in moments if 0 <= now - at < seconds)
