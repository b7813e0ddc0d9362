"""The pretend 知识星球 as a web site that keeps the whole partner contract v1."""

import asyncio
from typing import Any

from tornado.web import Application

from sandbox import planet_control, planet_groups, planet_oauth, planet_rest, planet_who
from sandbox.planet_company import PlanetCompany
from sandbox.planet_web import LostHandler

PUMP_SECONDS = 0.2
Route = tuple[str, type, dict[str, Any]]


class PlanetSite(PlanetCompany):
    """The company with its doors: OAuth, the API, the members' pages, and the console's switches."""

    _pump: asyncio.Task[None] | None = None

    def application(self) -> Application:
        """The site as a Tornado application."""
        doors = (planet_oauth, planet_rest, planet_who, planet_groups)
        routes = [(pattern, handler, {"site": self}) for door in doors for pattern, handler in door.routes]
        lost = {"default_handler_class": LostHandler, "default_handler_args": {"site": self}}
        return Application(routes, **lost)

    @property
    def control_routes(self) -> list[Route]:
        """The JSON handlers below `/control/planet/`, for the console to mount."""
        return [(pattern, handler, {"site": self}) for pattern, handler in planet_control.control_routes]

    def start(self) -> None:
        """Let ends come and events go by themselves; needs the running loop."""
        if self._pump is None:
            self._pump = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End what `start` began; what is not sent stays queued."""
        if self._pump:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
            self._pump = None

    async def _run(self) -> None:
        while True:
            self.sweep()
            await self.events.deliver_due()
            await asyncio.sleep(PUMP_SECONDS)
