"""Lines to waiting PCs: Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

Thousands wait at once, so a waiting PC costs its socket and little else: its line is taken out of Tornado's hands, and
one timer keeps all of them awake.
"""

import asyncio
from collections.abc import Callable

from tornado.iostream import IOStream, StreamClosedError

BEAT_SECONDS = 15.0  # proxies cut what is silent for longer, and a PC that is gone is noticed
LONGEST_SECONDS = 660.0  # no scan lives longer
AGAIN_MS, APART_MS, SPREAD_MS = 1000, 7, 3000


class Line:
    """The line to one PC: it says only that there is a new version, and never what is in it."""

    __slots__ = ("forget", "is_over", "stream", "until", "version")

    def __init__(self) -> None:
        self.version = 0
        self.is_over = False
        self.stream: IOStream | None = None
        self.forget: Callable[[], None] = _nothing
        self.until = 0.0

    def hear(self, version: int | None) -> None:
        """A new version, or None when this process leaves: the browser then asks again by itself, elsewhere."""
        if version is None:
            self.close()
        elif version > self.version:
            self.version = version
            self.say(b'data: {"v": %d}\n\n' % version)

    def say(self, words: bytes) -> None:
        """Write; a line that is gone is none."""
        if self.stream is None:
            return
        try:
            self.stream.write(words)
        except StreamClosedError:
            self.forget()

    def close(self) -> None:
        """End it, maybe before it has begun."""
        self.is_over = True
        self.forget()
        if self.stream is not None:
            self.stream.close()


def _nothing() -> None:
    """Nobody watches yet."""


class Lines:
    """Every open line of this process."""

    def __init__(self) -> None:
        self._open: set[Line] = set()
        self._beat: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def open(self, line: Line, stream: IOStream, head: bytes) -> None:
        """Answer with `head`, and say what the line has heard meanwhile."""
        loop = asyncio.get_running_loop()
        line.stream, line.until = stream, loop.time() + LONGEST_SECONDS
        self._open.add(line)
        forget, line.forget = line.forget, lambda: self._end(line, forget)
        stream.set_close_callback(lambda: line.forget())
        again_ms = AGAIN_MS + len(self._open) * APART_MS % SPREAD_MS  # else all come back in the same moment
        line.say(head + b'retry: %d\n\ndata: {"v": %d}\n\n' % (again_ms, line.version))
        if line.is_over:
            line.close()
        elif self._beat is None:
            self._beat = loop.call_later(BEAT_SECONDS, self._keep_awake)

    def _end(self, line: Line, forget: Callable[[], None]) -> None:
        self._open.discard(line)
        forget()

    def _keep_awake(self) -> None:
        """Say nothing, aloud; who has not taken the last words by now is gone."""
        loop = asyncio.get_running_loop()
        self._beat = loop.call_later(BEAT_SECONDS, self._keep_awake) if self._open else None
        for line in tuple(self._open):
            if line.stream.writing() or loop.time() > line.until:
                line.close()
            else:
                line.say(b":\n\n")
