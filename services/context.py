"""What a running process holds in its hands: settings, time, chance, rows, and the doors out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from clients.http import Peer
from clients.pay import WeChatPay
from clients.planets import PlanetProvider
from clients.wechat import WeChat
from models.errors import NotFound
from services.catalogue import CatalogueMemory
from services.config import Config
from services.database import DatabaseThreads
from services.env import Clock, Env
from services.letters import Quota
from services.limits import Limits
from services.turns import Turns
from services.waiting import Waiting

Result = TypeVar("Result")


@dataclass(slots=True)
class Context:
    """The one object that handlers and asynchronous services share; built in `wxbot/server.py` alone."""

    config: Config
    clock: Clock
    new_code: Callable[[int], str]
    threads: DatabaseThreads
    redis: Any
    wechat: WeChat
    pay: WeChatPay | None
    planets: Mapping[str, PlanetProvider]
    limits: Limits
    turns: Turns
    waiting: Waiting
    catalogue: CatalogueMemory
    process_id: str
    peers: Sequence[Peer] = ()
    in_flight: int = 0
    letters: Quota = field(default_factory=Quota)

    def env(self) -> Env:
        """The environment of one transaction."""
        return Env(now=self.clock.now(), new_code=self.new_code, config=self.config)

    async def transact(self, service: Callable[..., Result], /, **asked: Any) -> Result:
        """Run a service in one transaction on a database thread; it may be run again, so it must be repeatable."""
        env = self.env()
        done = await self.threads.write(partial(service, env, **asked))
        self.waiting.tell(env.woken)
        return done

    async def read(self, service: Callable[..., Result], /, **asked: Any) -> Result:
        """Run a service that changes nothing."""
        return await self.threads.read(partial(service, self.env(), **asked))

    def planet(self, provider: str) -> PlanetProvider:
        """The client of a provider; raises NotFound for one that is not set up."""
        if provider not in self.planets:
            raise NotFound
        return self.planets[provider]
