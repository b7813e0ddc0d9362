"""Runs `wxbot` commands in forked children that kill themselves at one exact point.

A child knows its point by the service whose transaction it is about: the product has no switch for this. Reads one
JSON line for each command (what `command_server` reads, and `when`, `service`), answers with the child's pid; the
line `wait` is answered with how that child ended.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from tornado.http1connection import HTTP1Connection

from services import outbox
from services.database import DatabaseThreads
from tests import command_server
from wxbot.delegate import PushExchange


def die(*_args: Any, **_more: Any) -> None:
    """The plug is pulled: no handler, no rollback, no word to anybody."""
    os.kill(os.getpid(), signal.SIGKILL)


class Point:
    """One point at which this process dies; `has_committed` once the service's transaction stands."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.has_committed = False

    def is_it(self, call: Any) -> bool:
        """Whether this transaction is that of the service."""
        return call.func.__name__ == self.service

    def before_commit(self) -> None:
        """All its rows are written, and not committed."""
        self.around(lambda writing, threads, call: writing(threads, lambda: (call(), die())))

    def after_commit(self) -> None:
        """It stands; nobody has heard of it."""
        self.around(lambda writing, threads, call: (writing(threads, call), die()))

    def before_answer(self) -> None:
        """It stands, what follows was done, and the answer is about to be written."""

        def keep(writing: Callable, threads: Any, call: Any) -> Any:
            result = writing(threads, call)
            self.has_committed = True
            return result

        self.around(keep)
        for kind, name in ((HTTP1Connection, "write_headers"), (PushExchange, "send")):
            original = getattr(kind, name)
            setattr(kind, name, lambda *a, original=original, **k: die() if self.has_committed else original(*a, **k))

    def before_sending(self) -> None:
        """The item of the outbox is leased, and nothing is sent."""
        outbox.attempt = die

    def before_marking(self) -> None:
        """The outside has heard it; the service that would note so does not begin."""
        self.around(lambda _writing, _threads, _call: die())

    def around(self, how: Callable) -> None:
        """Let the transaction of the service run through `how`."""
        writing = DatabaseThreads._writing

        def wrapped(threads: Any, call: Any) -> Any:
            return how(writing, threads, call) if self.is_it(call) else writing(threads, call)

        DatabaseThreads._writing = wrapped


def start(asked: dict[str, Any]) -> int:
    """Fork the command, its point set; the pid."""
    if pid := os.fork():
        return pid
    if asked["when"]:
        getattr(Point(asked["service"]), asked["when"])()
    return command_server.child(asked)


def main() -> None:
    """One child at a time, until the input ends."""
    pid = 0
    for line in sys.stdin:
        if line == "wait\n":
            said = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        else:
            said = pid = start(json.loads(line))
        sys.stdout.write(f"{said}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
