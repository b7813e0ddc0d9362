"""`python -m benchmarks.waiting`: 10,000 PCs wait on one process; what each costs, and how soon it hears of a yes.

Beside it, in the same run, a bare Tornado handler for Server-Sent Events, and PCs that ask once a second. Then a
rolling restart under those who wait. Takes some minutes; the server has one core, all PCs and phones the other.
"""

import asyncio
import json
import os
import random
import socket
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

from benchmarks import kit
from benchmarks.pages.seed import buys, new_code, seed
from benchmarks.pages.subjects import HIDDEN_TOKEN, headers_of, loaded, settings
from benchmarks.start import held_mib
from benchmarks.waiting.crowd import Line, Pc, Phone, gather
from clients.redis import aioredis
from models import scans as states
from models.base import database as bound
from models.people import digest
from models.scans import Scan
from services import people, scan_secrets
from services.env import Env
from services.waiting import CHANNEL
from tests.commands import as_variables
from tests.server_process import free_port
from tests.servers import Redis

PCS, YESES, POLLING, RESTARTING = 10_000, 1_000, 60, 2_000
PAUSE_SECONDS = 0.01
MOST_TIMES, MOST_KIB = 3.0, 16.0


class World:
    """Rows of scans that are held by phones, and what both sides send."""

    def __init__(self, url: str) -> None:
        self.config = loaded(url)
        seed(self.config)
        with bound.connection_context(), bound.atomic():
            self.person = buys(self.env)
            self.session = people.new_session(self.env, self.person)

    @property
    def env(self) -> Env:
        """Now."""
        return Env(now=datetime.now(UTC), new_code=new_code, config=self.config)

    def held(self, number: int) -> list[tuple[str, str, Phone]]:
        """So many scans that this person's phone holds: id, the PC's cookie, and the phone's yes."""
        env, made = self.env, [(new_code(128), new_code(256), new_code(128)) for _ in range(number)]
        same = {
            "purpose": states.SIGN_IN, "number": "07", "ip": "203.0.113.1", "user_agent": "Chrome", "target": "me",
            "state": states.SCANNED, "scanned_by": self.person, "scanned_at": env.now, "created_at": env.now,
            "changed_at": env.now - timedelta(minutes=1), "expires_at": env.now + states.LONGEST_LIFE,
        }  # fmt: skip
        rows = [
            {"public_id": one, "browser_hash": digest(browser), "code_hash": digest(code), **same}
            for one, browser, code in made
        ]
        with bound.connection_context(), bound.atomic():
            for start in range(0, number, 500):
                Scan.insert_many(rows[start : start + 500]).execute()
        return [(one, f"__Host-browser={browser}", self.yes(env, one, code)) for one, browser, code in made]

    def yes(self, env: Env, public_id: str, code: str) -> Phone:
        """The form of one confirm page."""
        page = scan_secrets.confirm_id(env, Scan(public_id=public_id), self.person)
        cookie = f"__Host-session={self.session}; __Host-browser={self.session}; {self.xsrf[0]}"
        return Phone(f"/s/{code}", cookie, f"_xsrf={self.xsrf[1]}&action=confirm&page={page}")

    xsrf = ("", "")

    def fetch_xsrf(self, port: int) -> None:
        """The token that the server gives to this phone."""
        status, headers, text = kit.fetch(port, "/courses/infosec-workplace/planet", headers=headers_of(self.session))
        if status != 200 or not (field := HIDDEN_TOKEN.search(text)):
            raise kit.Failed(f"no form: {status}")
        self.xsrf = (headers["Set-Cookie"].partition(";")[0], field[1])


async def waiting(served: kit.Served, crowd: list[tuple[str, str, Phone]], redis_url: str = "") -> dict[str, float]:
    """They gather; some hear of a yes, one after the other: KiB each, and milliseconds.

    With a Redis, others are told of in it, as by another process that has just committed a yes.
    """
    before = held_mib(served.process.pid)
    pcs = [Pc(served.port, public_id, cookie) for public_id, cookie, _ in crowd]
    tasks = await gather(pcs)
    kib = (held_mib(served.process.pid) - before) * 1024 / len(pcs)
    line, heard, posts = await Line.to(served.port), [], []
    for at in random.Random(1).sample(range(len(pcs)), YESES):
        sent, answered = await line.says_yes(crowd[at][2])
        came = await heard_of(pcs[at], 2)
        heard.append((came - sent) * 1000)
        posts.append((answered - sent) * 1000)
        await asyncio.sleep(PAUSE_SECONDS)
    told = await telling(redis_url, pcs) if redis_url else heard
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return figures(kib, heard, posts, told)


async def telling(redis_url: str, pcs: list[Pc]) -> list[float]:
    """From the word in Redis to the PC's ear."""
    heard, redis = [], aioredis.from_url(redis_url)
    for at in random.Random(3).sample(range(len(pcs)), YESES):
        sent = time.perf_counter()
        await redis.publish(CHANNEL, json.dumps({pcs[at].public_id: 9}))
        heard.append((await heard_of(pcs[at], 9) - sent) * 1000)
        await asyncio.sleep(PAUSE_SECONDS)
    await redis.aclose()
    return heard


def figures(kib: float, heard: list[float], posts: list[float], told: list[float]) -> dict[str, float]:
    """Medians and 99th percentiles; `told` are the times from the word of another process to the PC."""
    named = {"heard": heard, "post": posts, "told": told}
    found = {"kib": kib}
    for name, values in named.items():
        cuts = quantiles(values, n=100)
        found |= {f"{name}_p50": cuts[49], f"{name}_p99": cuts[98]}
    return found


async def heard_of(pc: Pc, version: int) -> float:
    """The moment when this PC heard of it; kit.Failed when it does not."""
    for _ in range(500):
        if version in pc.heard:
            return pc.heard[version]
        pc.news.clear()
        try:
            await asyncio.wait_for(pc.news.wait(), 0.02)
        except TimeoutError:
            continue
    raise TimeoutError


async def polling(served: kit.Served, crowd: list[tuple[str, str, Phone]]) -> dict[str, float]:
    """PCs that ask each second, on the same server."""
    line, heard, posts = await Line.to(served.port), [], []
    asks = [asyncio.create_task(Pc(served.port, public_id, cookie).poll(1)) for public_id, cookie, _ in crowd]
    chance = random.Random(2)
    for ask, (_, _, phone) in zip(asks, crowd, strict=True):
        await asyncio.sleep(chance.uniform(0, 0.1))
        sent, answered = await line.says_yes(phone)
        posts.append((answered - sent) * 1000)
        heard.append((await ask - sent) * 1000)
    return figures(0.0, heard, posts, heard)


async def restarting(world: World, start, url: str) -> tuple[int, int]:
    """Two servers on one address, one leaves and another comes, while phones say yes: lost, and lines opened again."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as shared:
        port = shared.getsockname()[1]
        old, new = start(shared, port), start(shared, port)
        world.fetch_xsrf(port)
        crowd = world.held(RESTARTING)
        pcs = [Pc(port, public_id, cookie) for public_id, cookie, _ in crowd]
        tasks = await gather(pcs)
        line = await Line.to(port)
        leaving = asyncio.create_task(asyncio.to_thread(old.stop))
        for _, _, phone in crowd[:500]:
            try:
                await line.says_yes(phone)
            except (ConnectionError, asyncio.IncompleteReadError, RuntimeError):
                line = await Line.to(port)
                await line.says_yes(phone)
        await leaving
        until = asyncio.get_running_loop().time() + 15
        for pc in pcs[:500]:
            with suppress(TimeoutError):
                await asyncio.wait_for(heard_of(pc, 2), max(0.1, until - asyncio.get_running_loop().time()))
        lost = sum(2 not in pc.heard for pc in pcs[:500])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        new.stop()
        kit.say(f"{sum(len(pc.refused) for pc in pcs)} refused with a 503, and come again")
        return lost, sum(pc.lines - 1 for pc in pcs)


def main() -> None:
    """Everything once, and the section of the results."""
    os.sched_setaffinity(0, {kit.LOAD_CORE})
    with TemporaryDirectory() as folder, Redis() as redis:
        url = f"sqlite:///{folder}/waiting.db"
        world, port = World(url), free_port()
        env = as_variables(settings(url, port) | {"redis_url": redis.url})
        with kit.serving([sys.executable, "-m", "wxbot", "serve"], port=port, path="/readyz", env=env) as served:
            world.fetch_xsrf(port)
            kit.say(f"{PCS} PCs wait on wxbot")
            ours = asyncio.run(waiting(served, world.held(PCS), redis.url))
            kit.say("some ask each second")
            polled = asyncio.run(polling(served, world.held(POLLING)))
        port = free_port()
        bare = [sys.executable, str(Path(__file__).with_name("bare.py")), str(port)]
        with kit.serving(bare, port=port, path="/readyz") as served:
            kit.say(f"{PCS} wait on the bare handler")
            names = [f"n{number}" for number in range(PCS)]
            floor = asyncio.run(waiting(served, [(name, "", Phone(f"/s/{name}")) for name in names]))
        kit.say("a rolling restart")
        lost = asyncio.run(restarting(world, starter(url, redis.url), url))
    kit.keep("Waiting", section(ours, floor, polled, lost))


def starter(url: str, redis_url: str):
    """Starts a server on an inherited socket."""

    def start(shared: socket.socket, port: int) -> kit.Served:
        env = as_variables(settings(url, port) | {"redis_url": redis_url})
        command = [sys.executable, "-m", "wxbot", "serve", "--no-worker", "--fd", str(shared.fileno())]
        served = kit.Served(command, port=port, env=env, pass_fds=[shared.fileno()])
        while "serving" not in served.said():
            if served.process.poll() is not None:
                raise kit.Failed(served.said())
        return served

    return start


def section(ours: dict, floor: dict, polled: dict, restart: tuple[int, int]) -> str:
    """What was found."""
    head = ["", "KiB a PC", "from the commit: p50 ms", "p99", "from the tap: p50 ms", "p99", "the POST: p50 ms", "p99"]
    names = ("told_p50", "told_p99", "heard_p50", "heard_p99", "post_p50", "post_p99")

    def row(label: str, one: dict, memory: str) -> list[str]:
        return [label, memory, *(f"{one[name]:,.1f}" for name in names)]

    rows = [
        row("wxbot, lines", ours, f"{ours['kib']:.1f}"),
        row("bare Tornado handler, lines", floor, f"{floor['kib']:.1f}"),
        row("wxbot, asked each second", polled, "–"),
    ]
    ratio = ours["told_p99"] / floor["told_p99"]
    goals = [
        ["p99, in times of the bare one's", f"{ratio:.2f}", f"≤ {MOST_TIMES:.0f}", verdict(ratio <= MOST_TIMES)],
        ["KiB a PC", f"{ours['kib']:.1f}", f"≤ {MOST_KIB:.0f}", verdict(ours["kib"] <= MOST_KIB)],
        ["lost over a rolling restart", str(restart[0]), "0", verdict(restart[0] == 0)],
    ]
    return (
        f"`.venv/bin/python -m benchmarks.waiting` · {kit.machine()}\n\n"
        f"{PCS:,} PCs wait on one process (SQLite, a Redis) on one core; {YESES:,} phones say yes one after the other. "
        "From the commit: from the word that a process gives in Redis when it has committed a yes, to the PC that "
        "waits at another; beside it the bare handler, from the POST that tells it. From the tap: from the phone's "
        "POST, which with wxbot is a transaction with all checks and fsync, to the PC at the same process; a PC hears "
        "before the phone has its answer.\n\n"
        f"{kit.table(head, rows)}\n\n"
        f"A rolling restart under {RESTARTING:,} waiting PCs and 500 yeses: {restart[1]:,} lines came again by "
        f"themselves, {restart[0]} PCs missed something.\n\n"
        f"{kit.table(['goal', 'measured', 'wanted', 'met'], goals)}"
    )


def verdict(is_met: bool) -> str:
    """In a word."""
    return "yes" if is_met else "no"


if __name__ == "__main__":
    main()
