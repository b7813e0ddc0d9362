"""What many want at the same moment is done in one transaction: each is spared its own commit."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from models.errors import TooBusy

MOST_AT_ONCE = 500
MOST_WAITING = 20_000


class Together:
    """Calls of a service that takes a list; the first goes at once, those that come meanwhile go with the next.

    They keep their order. Where the service fails, all of that transaction hear of it, and nothing of it was done.
    """

    def __init__(self, run: Callable[[list[Any]], Awaitable[Any]]) -> None:
        self._run = run
        self._waiting: list[tuple[Any, asyncio.Future[None]]] = []
        self._working: asyncio.Task[None] | None = None

    async def add(self, item: Any) -> None:
        """Returns when it is done; raises what the service raises, TooBusy when too many wait already."""
        if len(self._waiting) >= MOST_WAITING:
            raise TooBusy
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        await done

    async def _work(self) -> None:
        try:
            while self._waiting:
                some, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
                no = await self._outcome([item for item, _ in some])
                for _, done in some:
                    settle(done, no)
        finally:
            self._working = None

    async def _outcome(self, items: list[Any]) -> Exception | None:
        try:
            await self._run(items)
        except Exception as no:  # noqa: BLE001 - it is raised again where each of them waits
            return no
        return None


def settle(done: asyncio.Future[None], no: Exception | None) -> None:
    """Tell who waits for it, if he still does."""
    if done.done():
        return
    if no is None:
        done.set_result(None)
    else:
        done.set_exception(no)
