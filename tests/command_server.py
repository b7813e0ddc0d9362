"""Runs `wxbot` commands in forked children: the real command, without paying for its imports each time.

Reads one JSON line for each command (`args`, `env`, `cwd`, `out`, `err`), answers with its exit code.
"""

import contextlib
import json
import os
import signal
import sys
from typing import Any

from wxbot.__main__ import main


def become(asked: dict[str, Any]) -> None:
    """Take on the surroundings of the command."""
    signal.alarm(60)  # a command that hangs ends itself
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    for name, number in (("out", 1), ("err", 2)):
        os.dup2(os.open(asked[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - lives as long as the process
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def run(args: list[str]) -> int:
    """The command, as a shell would call it."""
    try:
        main(args, prog_name="wxbot")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def child(asked: dict[str, Any]) -> None:
    """One command, in a process of its own, which never returns."""
    code = 99  # what an unexpected traceback looks like from outside
    try:
        become(asked)
        code = run(asked["args"])
    except BaseException:  # noqa: BLE001 - a traceback is what a person would see; it must not reach the server's loop
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


if __name__ == "__main__":
    for line in sys.stdin:
        pid = os.fork() or child(json.loads(line))
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()
