"""Server access tokens by the real rules: `/cgi-bin/token` and `/cgi-bin/stable_token`, kept apart."""

from dataclasses import dataclass

from sandbox.wechat_errors import WeChatError
from sandbox.world import World

LIFE = 7200
OVERLAP = 300
"""A replaced token is good for so many seconds more; a stable one is replaced so early before its end."""
FORCE_GAP = 30
FORCE_PER_DAY = 20


@dataclass
class Token:
    """One issued token; `dead_code` is what WeChat says of it once it was killed."""

    value: str
    ends_at: float
    dead_code: int = 0


class Quota:
    """Calls by name and Shanghai day (or minute); `limits` may be lowered by a test."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._used: dict[tuple[str, str, int], int] = {}
        self.limits: dict[str, int] = {}

    def take(self, name: str, limit: int, *, per: str = "day", code: int = 45009) -> None:
        """Count one call; refuse with `code` when the window is used up."""
        key = self._key(name, per)
        if self._used.get(key, 0) >= self.limits.get(name, limit):
            raise WeChatError(code)
        self._used[key] = self._used.get(key, 0) + 1

    def used(self, name: str, *, per: str = "day") -> int:
        """How many calls this window has seen."""
        return self._used.get(self._key(name, per), 0)

    def clear(self, *, keep: str) -> None:
        """Forget all counts but those of `keep`."""
        self._used = {key: count for key, count in self._used.items() if key[0] == keep}

    def _key(self, name: str, per: str) -> tuple[str, str, int]:
        seconds = {"minute": 60, "day": 86400, "month": 30 * 86400}[per]
        return (name, per, int(self._world.now() + 8 * 3600) // seconds)


class TokenBook:
    """All tokens of one account, good and bad."""

    def __init__(self, world: World, quota: Quota) -> None:
        self._world = world
        self._quota = quota
        self._issued: dict[str, Token] = {}
        self._current: dict[str, Token | None] = {"plain": None, "stable": None}
        self._forced_at: float | None = None
        self.fetches = 0
        self.always_40001 = False

    def plain(self) -> Token:
        """`/cgi-bin/token`: always a new one; the one before it lives five minutes more."""
        self.fetches += 1
        self._quota.take("token", 2000)
        old = self._current["plain"]
        if old:
            old.ends_at = min(old.ends_at, self._world.now() + OVERLAP)
        return self._issue("plain")

    def stable(self, *, force: bool) -> Token:
        """`/cgi-bin/stable_token`: the same until five minutes before its end; `force` kills it at once."""
        self.fetches += 1
        self._quota.take("stable_token_minute", 10_000, per="minute", code=45011)
        self._quota.take("stable_token", 500_000)
        if force:
            return self._force()
        current = self._current["stable"]
        if current and current.ends_at - self._world.now() > OVERLAP:
            return current
        return self._issue("stable")

    def check(self, value: str) -> None:
        """Refuse a token that is missing, unknown, killed or expired."""
        if not value:
            raise WeChatError(41001)
        token = self._issued.get(value)
        if self.always_40001 or not token:
            raise WeChatError(40001)
        if token.dead_code:
            raise WeChatError(token.dead_code)
        if self._world.now() >= token.ends_at:
            raise WeChatError(42001)

    def break_all(self, code: int = 40001) -> None:
        """As if another process had refreshed by force: every issued token is bad from now on."""
        for token in self._issued.values():
            token.dead_code = code
        self._current = {"plain": None, "stable": None}

    def _force(self) -> Token:
        now = self._world.now()
        if self._forced_at is not None and now - self._forced_at < FORCE_GAP:
            raise WeChatError(45011)
        self._quota.take("stable_token_force", FORCE_PER_DAY)
        self._forced_at = now
        if current := self._current["stable"]:
            current.dead_code = 40001
        return self._issue("stable")

    def _issue(self, kind: str) -> Token:
        token = Token(self._world.new_id("80_", 512), self._world.now() + LIFE)
        self._issued = {v: t for v, t in self._issued.items() if t.ends_at > self._world.now() - 86400}
        self._issued[token.value] = token
        self._current[kind] = token
        return token
