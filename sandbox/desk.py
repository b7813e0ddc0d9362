"""Everything of one running sandbox in one hand: what the console's pages and calls work on."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from sandbox.pay import PaySite
from sandbox.phone import Phone
from sandbox.planet import PlanetSite
from sandbox.wechat import WeChatSite
from sandbox.world import World


class Desk:
    """The world, its companies, and the phones."""

    def __init__(self, world: World, wechat: WeChatSite, planet: PlanetSite, pay: PaySite) -> None:
        self.world = world
        self.wechat = wechat
        self.planet = planet
        self.pay = pay
        self.addresses: dict[str, str] = {}
        """Where wechat, planet, pay and console listen, once started."""
        self.site_url = ""
        """The bot's own site, shown as a first link; empty when nobody said."""
        self._phones: dict[str, Phone] = {}
        self._tasks: set[asyncio.Future[Any]] = set()

    def phone(self, name: str) -> Phone:
        """The person's phone, always the same; a new person is added on the way."""
        if name not in self.world.people:
            self.world.add_person(name)
        if name not in self._phones:
            self._phones[name] = Phone(self.world.people[name], self.world, self.wechat, self.pay)
        return self._phones[name]

    async def soon(self, doing: Awaitable[Any], seconds: float = 3.0) -> None:
        """Wait for it a little; what takes longer goes on by itself and shows up later."""
        task = asyncio.ensure_future(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait({task}, timeout=seconds)

    async def stop(self) -> None:
        """Give up what is on its way and close the phones."""
        for task in set(self._tasks):
            task.cancel()
        await self.wechat.pushes.stop()
        await self.planet.stop()
        await self.pay.stop()
        for phone in self._phones.values():
            phone.close()
