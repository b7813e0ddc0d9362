"""Letters that a company sends to somebody's server: tried again by a table, held back and bent by switches."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from sandbox.rewriting import is_loopback
from sandbox.world import World

ANSWER_SECONDS = 5
HELD_AT_MOST = 3
HELD_SECONDS = 10
KEPT = 10_000


@dataclass(eq=False, kw_only=True)
class Letter:
    """One message on its way; `state` is waiting, held, delivered, lost or given_up."""

    id: str
    kind: str
    operation: str
    url: str
    due_at: float
    made_at: float
    fault: str = ""
    attempts: int = 0
    state: str = "waiting"
    last_status: int | None = None
    """0 is no answer in time."""
    about: str = ""
    """The number that people know it by."""
    content: dict[str, Any] = field(default_factory=dict)


class Letters:
    """The queue of one company. A subclass says how a letter looks on the wire, and when it is taken."""

    side = ""
    retry_seconds: tuple[float, ...] = (0,)
    """The delay before each attempt."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.time_factor = 1.0
        """0.01 makes the retry table a hundred times faster"""
        self.history: deque[Letter] = deque(maxlen=KEPT)
        """the last letters, oldest first, whatever became of them"""
        self._queue: list[Letter] = []
        self._running = asyncio.Lock()

    def wire(self, letter: Letter) -> tuple[dict[str, str], bytes]:
        """Headers and body of one attempt, bent as `letter.fault` says."""
        raise NotImplementedError

    def address(self, letter: Letter) -> str:
        """Where it goes now."""
        return letter.url

    def is_taken(self, status: int) -> bool:
        """Whether an answer means that nothing need be sent again."""
        return 200 <= status < 300

    @property
    def waiting(self) -> list[Letter]:
        """What is not delivered yet."""
        return list(self._queue)

    def post(self, letter: Letter) -> None:
        """Put a letter into the queue; a switch may hold it, or lose it for ever."""
        letter.fault = self._fault(letter)
        letter.state = {"reordered": "held", "lost": "lost"}.get(letter.fault, "waiting")
        self.history.append(letter)
        if letter.url and letter.state != "lost":
            self._queue.append(letter)
            self._let_go()

    def send_again(self, letter: Letter) -> None:
        """Queue a letter once more under its old id, whatever became of it."""
        letter.state, letter.due_at = "waiting", self.world.now()
        if letter not in self._queue:
            self._queue.append(letter)

    async def deliver_due(self) -> int:
        """Send every letter whose time has come; returns how many were delivered."""
        async with self._running:
            self._let_go()
            now = self.world.now()
            due = [one for one in self._queue if one.state == "waiting" and one.due_at <= now]
            for letter in due:
                await self._attempt(letter)
            return sum(letter.state == "delivered" for letter in due)

    def _fault(self, letter: Letter) -> str:
        fault = self.world.faults.take(self.side, letter.operation, outgoing=True)
        return fault.kind if fault else ""

    def _let_go(self) -> None:
        """Free held letters backwards: behind a later one, when three are held, or after ten seconds."""
        held = [one for one in self._queue if one.state == "held"]
        if not held:
            return
        is_late = self.world.now() >= held[0].made_at + HELD_SECONDS
        has_later = self._queue[-1].state != "held"
        if is_late or has_later or len(held) >= HELD_AT_MOST:
            others = [one for one in self._queue if one.state != "held"]
            for letter in held:
                letter.state = "waiting"
            self._queue = others + held[::-1]

    async def _attempt(self, letter: Letter) -> None:
        if letter.attempts:
            letter.fault = self._fault(letter)
        letter.attempts += 1
        times = 2 if letter.fault == "doubled" else 1
        statuses = await asyncio.gather(*(self._send(letter) for _ in range(times)))
        letter.last_status = statuses[-1]
        if all(self.is_taken(status) for status in statuses):
            letter.state = "delivered"
        elif letter.attempts >= len(self.retry_seconds):
            letter.state = "given_up"
        if letter.state == "waiting":
            letter.due_at = self.world.now() + self.retry_seconds[letter.attempts] * self.time_factor
        else:
            self._queue.remove(letter)

    async def _send(self, letter: Letter) -> int:
        """One request; 0 means no answer. No other machine is ever asked."""
        headers, body = self.wire(letter)
        status, answer = 0, b""
        url = self.address(letter)
        request = HTTPRequest(url, method="POST", headers=headers, body=body)
        request.request_timeout = request.connect_timeout = ANSWER_SECONDS
        request.follow_redirects = False
        try:
            if letter.fault != "lost" and is_loopback(url):
                response = await AsyncHTTPClient().fetch(request, raise_error=False)
                status, answer = response.code if response.code != 599 else 0, response.body or b""
        except (HTTPClientError, OSError):  # refused, cut or timed out: no answer
            status = 0
        self._journal(letter, status, body, answer)
        return status

    def _journal(self, letter: Letter, status: int, body: bytes, answer: bytes) -> None:
        told = {"id": letter.id, "attempt": letter.attempts, "type": letter.kind}
        told |= {"about": letter.about, "content": letter.content}
        self.world.journal.add(
            at=self.world.now(),
            side=self.side,
            direction="out",
            operation=letter.operation,
            method="POST",
            path=self.address(letter),
            status=status,
            request=body.decode(),
            response=answer[:2000].decode(errors="replace"),
            fault=letter.fault,
            more=told,
        )
