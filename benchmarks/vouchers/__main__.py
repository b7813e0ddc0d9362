"""`python -m benchmarks.vouchers`: vouchers given a second in the chat, beside the same transaction in bare psycopg.

One process on one core, PostgreSQL (fsync and commits on) and who asks on the other. The rounds of both take turns.
Each follower asks once, by a sealed push as WeChat sends it. Takes about three minutes.
"""

import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import kit
from benchmarks.notices.__main__ import said_by, yes
from benchmarks.notices.orders import NOWHERE
from benchmarks.pages.subjects import loaded, settings
from benchmarks.push.letters import ACCOUNT, CYCLE, letter
from benchmarks.vouchers.followers import furnish, openid
from models.base import database as bound
from models.delivery import ChatAsk
from models.vouchers import Voucher
from tests.commands import as_variables
from tests.server_process import free_port

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = int(os.environ.get("SECONDS", "4"))
STEADY_SECONDS = 10
WARM_UP_SECONDS = 2
MOST_A_SECOND = 1_200
CONNECTIONS = 32  # fewer than stand in line
FLASH, FLASH_SECONDS, PAGES_A_SECOND, DRAIN_SECONDS = 4_000, 5, 20, 300
WANTED_OF_FLOOR, MOST_P99_MS = 0.5, 1_000.0
FOLLOWERS = 2 * MOST_A_SECOND * (ROUNDS * SECONDS + STEADY_SECONDS + WARM_UP_SECONDS)


@dataclass
class Bench:
    """What runs, and the follower who is next."""

    served: kit.Served
    dsn: str
    folder: Path
    numbers: Iterator[int] = field(default_factory=count)

    def letters(self, times: int) -> list[str]:
        """So many pushes, each of a follower of its own."""
        return [letter("代金券", openid(next(self.numbers))) for _ in range(times)]

    def given(self, seconds: int) -> kit.Load:
        """As fast as they are answered; each must have his voucher."""
        file = self.folder / "asks.txt"
        file.write_text("\n".join(self.letters(seconds * MOST_A_SECOND)), "utf-8")
        before = vouchers()
        load = kit.load(self.served, CYCLE % file, seconds=seconds, connections=CONNECTIONS)
        if vouchers() - before < load.requests:
            raise kit.Failed(f"{load.requests} answered, but only {vouchers() - before} given")
        return load

    def floor(self, seconds: int) -> kit.Load:
        """The same transaction without a product."""
        first = str(next(self.numbers))
        told = said_by(
            [sys.executable, "-m", "benchmarks.vouchers.floor", self.dsn, str(seconds), first], core=kit.SERVER_CORE
        )
        self.numbers = count(int(first) + int(told["given"]) + 100)
        return kit.Load(told["rate"], 0, 0, told["cpu_us"], int(told["given"]))

    def steady(self, rate: float) -> dict[str, float]:
        """Asks at that pace: how long each waits for its reply."""
        file = self.folder / "steady.txt"
        file.write_text("\n".join(self.letters(int(rate * STEADY_SECONDS))), "utf-8")
        return said_by(self.pace(file, rate, lanes=64), core=kit.LOAD_CORE)

    def pace(self, file: Path, rate: float, *, lanes: int) -> list[str]:
        """The program that sends the lines of a file at that pace."""
        asked = [str(self.served.port), str(file), str(rate), str(lanes)]
        return [sys.executable, "-m", "benchmarks.vouchers.steady", *asked]

    def flash(self) -> dict[str, float]:
        """A broadcast: many at the same moment, while others look at pages; then until the last has his code."""
        asks, pages = self.folder / "flash.txt", self.folder / "pages.txt"
        asks.write_text("\n".join(self.letters(FLASH)), "utf-8")
        pages.write_text("\n".join(["/"] * (FLASH_SECONDS * PAGES_A_SECOND)), "utf-8")
        began, before = time.monotonic(), vouchers()
        with ThreadPoolExecutor() as both:
            said = both.submit(said_by, self.pace(asks, FLASH / FLASH_SECONDS, lanes=512), core=kit.LOAD_CORE)
            seen = both.submit(said_by, self.pace(pages, PAGES_A_SECOND, lanes=8), core=kit.LOAD_CORE)
            told = {"reply_p99": said.result()["p99"], "reply_most": said.result()["most"]}
            told |= {"page_p99": seen.result()["p99"]}
        told["in_line"] = in_line(answered=None)
        while in_line(answered=False):
            if time.monotonic() - began > DRAIN_SECONDS:
                raise kit.Failed(f"{in_line(answered=False)} still stand in line")
            time.sleep(0.5)
        if vouchers() - before != FLASH:
            raise kit.Failed(f"{FLASH} asked, and {vouchers() - before} were given")
        return told | {"seconds": time.monotonic() - began}


def vouchers() -> int:
    """How many were given."""
    with bound.connection_context():
        return Voucher.select().count()


def in_line(*, answered: bool | None) -> int:
    """How many stand in line, or stood there."""
    which = {None: ChatAsk.id > 0, False: ChatAsk.answered_at.is_null()}[answered]
    with bound.connection_context():
        return ChatAsk.select().where(which).count()


@contextmanager
def bench(folder: Path) -> Iterator[tuple[kit.PostgreSQL, Path]]:
    """A database with followers."""
    with kit.postgresql() as server:
        furnish(loaded(server.url), FOLLOWERS + FLASH)
        yield server, folder


@contextmanager
def product(server: kit.PostgreSQL, folder: Path, first: int, *options: str) -> Iterator[Bench]:
    """The product beside it; its messages to followers go nowhere, and wait."""
    port = free_port()
    asked = settings(server.url, port) | ACCOUNT | {"wechat_api_url": NOWHERE, "planet_url": NOWHERE}
    command = [sys.executable, "-m", "wxbot", "serve", *options]
    with kit.serving(command, port=port, path="/readyz", env=as_variables(asked)) as served:
        yield Bench(served, server.url, folder, count(first))


def measure(ready: Bench) -> tuple[kit.Load, kit.Load]:
    """Both in turn, again and again; the medians."""
    ready.given(WARM_UP_SECONDS)
    ours, floors = [], []
    for number in range(ROUNDS):
        kit.say(f"round {number + 1} of {ROUNDS}")
        ours.append(ready.given(SECONDS))
        floors.append(ready.floor(SECONDS))
    return kit.medians(ours), kit.medians(floors)


def told(ours: kit.Load, floor: kit.Load, steady: dict[str, float], rate: float) -> str:
    """The section of the results."""
    share = ours.rps / floor.rps
    rows = [
        ["wxbot", f"{ours.rps:,.0f}", f"{share:.2f}", f"{ours.cpu_us:,.0f}", f"{ours.p50:.1f}", f"{ours.p99:.1f}"],
        ["the same transaction in psycopg", f"{floor.rps:,.0f}", "1.00", f"{floor.cpu_us:,.0f}", "–", "–"],
    ]
    goals = [
        ["vouchers, in times of the floor's", f"{share:.2f}", f"≥ {WANTED_OF_FLOOR}", yes(share >= WANTED_OF_FLOOR)],
        ["p99 at half of that, ms", f"{steady['p99']:.1f}", f"≤ {MOST_P99_MS:.0f}", yes(steady["p99"] <= MOST_P99_MS)],
    ]
    head = ["", "vouchers/s", "× floor", "CPU µs", "p50 ms", "p99 ms"]
    how = f"`python -m benchmarks.vouchers` · {kit.machine()} · medians of {ROUNDS} rounds of {SECONDS} s in turn"
    what = (
        f"PostgreSQL, fsync and commits on. One process without its worker, {CONNECTIONS} connections, each push "
        "sealed and of a follower of its own, the answer sealed too; the floor has as many threads and connections as "
        "wxbot has for its rows, and nobody sends it anything."
    )
    waits = f"p50 {steady['p50']:.1f}, p99 {steady['p99']:.1f}, at most {steady['most']:.1f} ms"
    pace = f"At {rate:,.0f} asks a second: {waits}."
    parts = [how, what, kit.table(head, rows), pace, kit.table(["goal", "measured", "wanted", "met"], goals)]
    return "\n\n".join(parts)


def told_of_flash(flash: dict[str, float]) -> str:
    """How a broadcast went."""
    goals = [
        ["reply to 代金券, p99, ms", f"{flash['reply_p99']:,.0f}", "≤ 5,000", yes(flash["reply_p99"] <= 5_000)],
        ["page meanwhile, p99, ms", f"{flash['page_p99']:,.0f}", "≤ 1,000", yes(flash["page_p99"] <= 1_000)],
    ]
    what = (
        f"A broadcast: {FLASH:,} followers ask within {FLASH_SECONDS} s, beside {PAGES_A_SECOND} pages a second. "
        f"{flash['in_line']:,.0f} were told that they stand in line; the last had his code after "
        f"{flash['seconds']:,.0f} s, each had one. At most {flash['reply_most']:,.0f} ms for a reply."
    )
    return f"{what}\n\n" + kit.table(["goal", "measured", "wanted", "met"], goals)


def main() -> None:
    """Measure, and keep the section of the results."""
    with TemporaryDirectory() as folder, bench(Path(folder)) as beside:
        with product(*beside, 0, "--no-worker") as ready:  # the worker's calls are none of a voucher's cost
            ours, floor = measure(ready)
            rate = ours.rps / 2
            steady = ready.steady(rate)
            if in_line(answered=None):
                raise kit.Failed("somebody stood in line")
        with product(*beside, next(ready.numbers)) as ready:
            flash = ready.flash()
    kit.keep("Vouchers", told(ours, floor, steady, rate) + "\n\n" + told_of_flash(flash))


if __name__ == "__main__":
    main()
