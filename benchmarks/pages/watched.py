"""The command `wxbot`, with a watch over its event loop and a count of its statements: `… watched FILE serve`.

SIGUSR1 begins to watch, SIGUSR2 ends it and writes what was seen into FILE, as JSON; in between nothing is added.
"""

import asyncio
import json
import logging
import signal
import sys
import time
from pathlib import Path

from wxbot.__main__ import main

BEAT_SECONDS = 0.001
STATEMENTS = logging.getLogger("peewee")


class Watch(logging.Handler):
    """Looks how late each beat of the loop is, and counts what peewee logs: each statement, before it is sent."""

    def __init__(self, file: Path) -> None:
        super().__init__(logging.DEBUG)
        self.file = file

    def emit(self, record: logging.LogRecord) -> None:
        self.statements += 1

    def over(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch this loop when asked to."""
        loop.add_signal_handler(signal.SIGUSR1, self.begin, loop)
        loop.add_signal_handler(signal.SIGUSR2, self.end)

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on."""
        self.stall_ms, self.stall_cpu_ms, self.statements, self.beating = 0.0, 0.0, 0, True
        STATEMENTS.addHandler(self)
        STATEMENTS.setLevel(logging.DEBUG)
        self.beat(loop, time.perf_counter(), time.process_time())

    def beat(self, loop: asyncio.AbstractEventLoop, due: float, cpu: float) -> None:
        """The loop turns: how late is it, and how much CPU did this process have since the last beat?"""
        now, cpu_now = time.perf_counter(), time.process_time()
        self.stall_ms = max(self.stall_ms, (now - due) * 1000)
        self.stall_cpu_ms = max(self.stall_cpu_ms, (cpu_now - cpu) * 1000)
        if self.beating:
            loop.call_later(BEAT_SECONDS, self.beat, loop, now + BEAT_SECONDS, cpu_now)

    def end(self) -> None:
        """Until now; the file appears whole."""
        self.beating = False
        STATEMENTS.removeHandler(self)
        STATEMENTS.setLevel(logging.WARNING)
        unready = self.file.with_suffix(".new")
        stalls = {"stall_ms": self.stall_ms, "stall_cpu_ms": self.stall_cpu_ms}
        unready.write_text(json.dumps(stalls | {"statements": self.statements}), "utf-8")
        unready.replace(self.file)


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
    STATEMENTS.propagate = False
    main()
