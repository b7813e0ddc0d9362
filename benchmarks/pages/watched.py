"""The command `wxbot`, with a watch over its event loop and a count of its statements: `… watched FILE serve`.

On SIGUSR1 it writes what it has seen since the last time into FILE, as JSON.
"""

import asyncio
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path

from wxbot.__main__ import main

BEAT_SECONDS = 0.001


class Watch(logging.Handler):
    """Looks how late each beat of the loop is, and counts what peewee logs: each statement, before it is sent."""

    def __init__(self, file: Path) -> None:
        super().__init__(logging.DEBUG)
        self.file = file
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.stall_ms, self.statements = 0.0, 0

    def emit(self, record: logging.LogRecord) -> None:
        self.statements += 1

    def over(self, loop: asyncio.AbstractEventLoop) -> None:
        """Beat in this loop from now on."""
        loop.add_signal_handler(signal.SIGUSR1, self.tell)
        loop.call_soon(self.beat, loop, time.perf_counter())

    def beat(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        """The loop turns: how late is it?"""
        now = time.perf_counter()
        self.stall_ms = max(self.stall_ms, (now - due) * 1000)
        loop.call_later(BEAT_SECONDS, self.beat, loop, now + BEAT_SECONDS)

    def tell(self) -> None:
        """Write what was seen."""
        seen = {"stall_ms": self.stall_ms, "statements": self.statements}
        unready = self.file.with_suffix(".new")
        unready.write_text(json.dumps(seen), "utf-8")
        unready.replace(self.file)
        self.forget()


class Policy(asyncio.DefaultEventLoopPolicy):
    """Puts the watch over every loop."""

    watch: Watch

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        loop = super().new_event_loop()
        self.watch.over(loop)
        return loop


if __name__ == "__main__":
    Policy.watch = Watch(Path(sys.argv.pop(1)))
    asyncio.set_event_loop_policy(Policy())
    statements = logging.getLogger("peewee")
    statements.addHandler(Policy.watch)
    statements.propagate = False
    statements.setLevel(logging.DEBUG if os.environ.get("COUNT_STATEMENTS") else logging.WARNING)
    main()
