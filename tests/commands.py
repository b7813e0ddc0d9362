"""The `wxbot` command for tests: what a person types, what comes back. See `command_server.py`."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PLAIN = {"LC_ALL": "C.UTF-8", "TERM": "dumb"}
NEEDED = {"WXBOT_BASE_URL": "http://127.0.0.1:8000", "WXBOT_SECRET_KEYS": "k" * 40}


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


def environment(settings: dict[str, Any]) -> dict[str, str]:
    """The surroundings of a command: these settings (lower case, without prefix) and nothing of the developer's."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPYCACHEPREFIX") if name in os.environ}
    return kept | PLAIN | NEEDED | as_variables(settings)


def as_variables(settings: dict[str, Any]) -> dict[str, str]:
    """Settings as environment variables; a list becomes comma-separated."""
    words = {
        name: ",".join(value) if isinstance(value, list | tuple) else str(value) for name, value in settings.items()
    }
    return {f"WXBOT_{name.upper()}": value for name, value in words.items()}


def written(default: Any) -> str:
    """A setting's default as it stands in a file of settings."""
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return str(default).lower() if isinstance(default, bool) else str(default)


class Commands:
    """Runs commands one after the other, each in a folder of the test's own."""

    def __init__(self) -> None:
        self.server = subprocess.Popen(
            [sys.executable, "-m", "tests.command_server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=ROOT, env=environment({}),
        )  # fmt: skip

    def run(self, folder: Path, args: tuple[str, ...], settings: dict[str, Any], *, err: Path | None = None) -> Done:
        """Type a command; waits for its end. With `err`, a terminal, what it says there is not read back."""
        terminal, out, err = err, folder / "command.out", err or folder / "command.err"
        asked = {"args": args, "env": environment(settings), "cwd": str(folder), "out": str(out), "err": str(err)}
        self.server.stdin.write(json.dumps(asked) + "\n")
        self.server.stdin.flush()
        code = int(self.server.stdout.readline())
        return Done(code, out.read_text("utf-8"), "" if terminal else err.read_text("utf-8"))

    def close(self) -> None:
        """End the process that runs them."""
        self.server.stdin.close()
        self.server.wait(timeout=10)
        self.server.stdout.close()


@pytest.fixture(scope="session")
def command_server() -> Iterator[Commands]:
    """One process for all commands of the run."""
    commands = Commands()
    yield commands
    commands.close()


Wxbot = Callable[..., Done]


@pytest.fixture
def wxbot(command_server: Commands, tmp_path: Path) -> Wxbot:
    """`wxbot("outbox", "list", database_url=…)` types the command; settings are named as in services/config.py."""
    return lambda *args, **settings: command_server.run(tmp_path, args, settings)


@pytest.fixture
def wxbot_beside(wxbot: Wxbot) -> Callable[..., Any]:
    """The same as a coroutine, so that a sandbox in the test's loop can answer the command meanwhile."""

    async def run(*args: str, **settings: Any) -> Done:
        return await asyncio.to_thread(wxbot, *args, **settings)

    return run


class Running:
    """A `wxbot` command that stays, as a process of its own; its log is what it says on standard error."""

    def __init__(self, folder: Path, args: tuple[str, ...], settings: dict[str, Any], fds: Sequence[int] = ()) -> None:
        self.log = folder / f"running{next(NUMBER)}.err"
        command = [sys.executable, "-m", "wxbot", *args]
        surroundings = environment(settings) | {"PYTHONPATH": str(ROOT)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=folder, env=surroundings, stdout=log, stderr=log, pass_fds=fds)

    @property
    def pid(self) -> int:
        return self.process.pid

    def said(self) -> str:
        """Everything on its standard error so far."""
        return self.log.read_text("utf-8")

    async def until(self, is_so: Callable[[], Any], *, seconds: float = 30) -> Any:
        """Look again and again until something is true; fails when the process ends before or it takes too long."""
        end = time.monotonic() + seconds
        while not (found := is_so()):
            assert time.monotonic() < end, f"not within {seconds} s: {self.said()[-2000:]}"
            assert self.process.poll() is None, self.said()[-2000:]
            await asyncio.sleep(0.02)
        return found

    def tell_to_stop(self) -> None:
        """SIGTERM, as a service manager does."""
        self.process.send_signal(signal.SIGTERM)

    async def ends(self, *, seconds: float = 15) -> int:
        """Its exit code."""
        return await asyncio.to_thread(self.process.wait, seconds)


NUMBER = count(1)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """`running("serve", listen=…)` starts a command that stays; it is ended after the test."""
    started: list[Running] = []

    def start(*args: str, fds: Sequence[int] = (), **settings: Any) -> Running:
        started.append(Running(tmp_path, args, settings, fds))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.terminate()
            try:
                one.process.wait(timeout=12)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()
