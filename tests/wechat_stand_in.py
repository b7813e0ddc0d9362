"""A small WeChat of the client tests: tokens, one answer per path, and what is broken at will."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from clients import wechat
from clients.http import Peer
from clients.redis import Redis, connect
from tests.site import Site
from tests.stand_in import Asked, StandIn, answer, stand_in

SECRET = "canary-app-secret"
APP_ID = "wx0123456789abcdef"


class Clock:
    """Unix and monotonic seconds that move only when told to."""

    def __init__(self) -> None:
        self.now = 1_767_225_600.0

    def __call__(self) -> float:
        return self.now


@dataclass
class FakeWeChat:
    """`good` is the token it takes; `stable` gives it out again; `answers` are bodies by path."""

    good: str = "canary-token-0"
    refuse_all: int = 0
    gives_new_each_time: bool = False
    expires_in: int = 7200
    forced: int = 0
    fetches: int = 0
    answers: dict[str, object] = field(default_factory=dict)
    numbers: count = field(default_factory=lambda: count(1))

    def __call__(self, asked: Asked) -> bytes | None:
        if asked.path == "/cgi-bin/stable_token":
            return self.stable_token(asked.json)
        given = self.answers.get(asked.path, {"errcode": 0, "errmsg": "ok"})
        if isinstance(given, bytes | None):
            return given
        if asked.path.startswith("/cgi-bin/"):
            if self.refuse_all:
                return answer({"errcode": self.refuse_all, "errmsg": "no rid: 65f0-aa-bb"})
            if asked.query["access_token"] != self.good:
                return answer({"errcode": 40001, "errmsg": f"bad {asked.query['access_token']}"})
        return answer(given)

    def stable_token(self, asked: dict) -> bytes:
        """The real rule, as far as these tests need it."""
        assert asked["secret"] == SECRET and asked["appid"] == APP_ID
        self.fetches += 1
        if asked["force_refresh"] or self.gives_new_each_time:
            self.forced += asked["force_refresh"]
            self.good = f"canary-token-{next(self.numbers)}"
        return answer({"access_token": self.good, "expires_in": self.expires_in})


@dataclass
class Account:
    """One or more processes' clients of one account."""

    fake: FakeWeChat
    remote: StandIn
    clock: Clock
    clients: list[wechat.WeChat]

    @property
    def client(self) -> wechat.WeChat:
        """The first process."""
        return self.clients[0]


@asynccontextmanager
async def account(*stores: Redis | str, url: str = "", **limits) -> AsyncIterator[Account]:
    """A WeChat and, for each given store (a client or a URL), one process of ours; one embedded store if none."""
    clock, fake = Clock(), FakeWeChat()
    redises = [connect(store) if isinstance(store, str) else store for store in stores or ("",)]
    async with stand_in(fake) as remote:
        peers = [Peer("wechat", url or remote.url, monotonic=clock, **wechat.LIMITS | limits) for _ in redises]
        clients = [
            make(peer, redis, clock, f"p{n}") for n, (peer, redis) in enumerate(zip(peers, redises, strict=True))
        ]
        yield Account(fake, remote, clock, clients)
        for client, peer, redis in zip(clients, peers, redises, strict=True):
            await client.close()
            await peer.close()
            await redis.aclose()


def make(peer: Peer, redis: Redis, clock: Clock, name: str) -> wechat.WeChat:
    """One process's client; its nonces name it."""
    numbers = count()
    return wechat.WeChat(
        app_id=APP_ID,
        app_secret=SECRET,
        api=peer,
        open_url="https://open.weixin.qq.com",
        base_url="https://h5.example.com",
        redis=redis,
        now=clock,
        new_nonce=lambda: f"{name}{next(numbers)}",
    )


@asynccontextmanager
async def wechat_of(site: Site, script: Callable[[Asked], bytes | None]) -> AsyncIterator[StandIn]:
    """Put a WeChat in place that answers a site as `script` says."""
    before = site.ctx.wechat
    async with stand_in(script) as remote:
        site.ctx.wechat = wechat_at(site, remote.url)
        try:
            yield remote
        finally:
            await site.ctx.wechat.close()
            site.ctx.wechat = before


def wechat_at(site: Site, url: str, **limits: float) -> wechat.WeChat:
    """A client of a site's account for another address."""
    config = site.config
    return wechat.WeChat(
        app_id=config.wechat_app_id,
        app_secret=config.wechat_app_secret,
        api=Peer("wechat", url, monotonic=time.monotonic, **wechat.LIMITS | limits),
        open_url=config.wechat_open_url,
        base_url=config.base_url,
        redis=site.ctx.redis,
        now=site.server.unix_now,
        new_nonce=lambda: site.new_code(64),
    )
