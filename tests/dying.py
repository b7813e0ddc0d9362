"""A site whose server is a process of its own that dies at an exact point: see `dying_server.py`."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado.ioloop import IOLoop

from models.links import Link, Membership
from services import outbox
from services.env import Env
from tests.attack_kit import ask
from tests.commands import ROOT, environment
from tests.site import Site

BACK_SECONDS = 10.0


class Mortal:
    """The site's own address, served by one child after the other; the site's rows and sandbox stay."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site, self.folder = site, folder
        self.log = folder / "dying.err"
        self.socket = site.sockets[0].dup()
        self.pid = 0
        self.parent = subprocess.Popen(
            [sys.executable, "-m", "tests.dying_server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=ROOT, env=environment({}), pass_fds=[self.socket.fileno()],
        )  # fmt: skip

    async def takes_over(self) -> None:
        """The site itself serves no more."""
        self.site.server.http.leave()

    def settings(self) -> dict[str, Any]:
        """The site's own, at the time of its sandbox."""
        return self.site.settings() | {"clock_url": f"{self.site.box.console_url}/control/clock", "limits_factor": 1000}

    async def serves(self, when: str = "", service: str = "", *, worker: bool = False) -> None:
        """Start a child that dies at that point, if any; returns when it answers, within ten seconds."""
        fd = ["--fd", str(self.socket.fileno())]
        await self.begins(["serve", *fd, *([] if worker else ["--no-worker"])], when, service)
        await self.until(self.is_up)

    async def is_up(self) -> bool:
        """Whether somebody serves."""
        return (await ask(self.site, "/readyz")).status == 200

    async def begins(self, args: list[str], when: str = "", service: str = "") -> None:
        """Start a command as a child."""
        place = {"cwd": str(self.folder), "out": os.devnull, "err": str(self.log)}
        asked = {"args": args, "env": environment(self.settings()), "when": when, "service": service, **place}
        self.pid = int(await self.says(json.dumps(asked)))

    async def says(self, line: str) -> str:
        """One line to the parent of the children, and its answer."""

        def exchange() -> str:
            self.parent.stdin.write(line + "\n")
            self.parent.stdin.flush()
            return self.parent.stdout.readline()

        return await asyncio.to_thread(exchange)

    async def has_died(self) -> None:
        """Wait for the end that it gave itself."""
        code = int(await asyncio.wait_for(self.says("wait"), 20))
        self.pid = 0
        assert code == -signal.SIGKILL, (code, self.log.read_text("utf-8")[-2000:])

    async def is_killed(self) -> None:
        """Pull the plug ourselves, wherever it is."""
        os.kill(self.pid, signal.SIGKILL)
        await self.has_died()

    async def until(self, is_so: Callable[[], Awaitable[bool]]) -> None:
        """Look again and again until it is so; ten seconds at most."""
        until = time.monotonic() + BACK_SECONDS
        while not await is_so():
            assert time.monotonic() < until, self.log.read_text("utf-8")[-2000:]
            await asyncio.sleep(0.02)

    async def is_sound(self) -> None:
        """The planet has heard everything, has each membership once, and no rule is broken."""
        self.site.clock.forward(minutes=2)  # whatever lease a dead process held is over
        await self.site.delivers()
        there = self.site.box.planet.memberships("g1")
        assert sorted(one.ref for one in there if one.status == "active") == await self.site.ctx.read(live_refs)
        assert len({one.ref for one in there}) == len(there)
        assert await self.site.ctx.read(outbox.undelivered) == []
        assert await self.site.broken() == []

    def close(self) -> None:
        """End what is left."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
        self.parent.stdin.close()
        self.parent.wait(timeout=10)
        self.parent.stdout.close()
        self.socket.close()


def live_refs(_env: Env) -> list[str]:
    """The memberships that we want to live, as the planet knows them."""
    return sorted(one.ref for one in Membership.select().where(Membership.revoked_at.is_null()))


def links_of(_env: Env, *, person_id: int) -> tuple[int, int]:
    """How many active links and live memberships somebody has."""
    alive = Membership.select().join(Link).where(Link.person == person_id, Membership.revoked_at.is_null())
    return Link.select().where(Link.active_person == person_id).count(), alive.count()


@pytest.fixture
def mortal(io_loop: IOLoop, site: Site, tmp_path: Path) -> Iterator[Mortal]:
    """The site, served by processes that die."""
    dying = Mortal(site, tmp_path)
    io_loop.run_sync(dying.takes_over)
    yield dying
    dying.close()
