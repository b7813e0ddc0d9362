"""A fair share of the event loop: what comes at once in a crowd goes on a few at a time."""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial


class Turns:
    """Lets `few` go on in each turn of the loop, in the order they came.

    A burst of requests, or of answers from many threads, would else be one long turn in which nobody else is served.
    """

    def __init__(self, few: int) -> None:
        self.few = few
        self._waiting: deque[Callable[[], None]] = deque()

    def soon(self, call: Callable[[], None]) -> None:
        """Call it when its turn comes."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
        self._waiting.append(call)

    async def mine(self) -> None:
        """Wait for my turn."""
        come = asyncio.get_running_loop().create_future()
        self.soon(partial(_comes, come))
        await come

    def _next(self) -> None:
        for _ in range(min(self.few, len(self._waiting))):
            self._waiting.popleft()()
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)


def _comes(mine: asyncio.Future[None]) -> None:
    """Unless he has given up meanwhile."""
    if not mine.done():
        mine.set_result(None)
