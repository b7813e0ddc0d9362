"""`python -m benchmarks.vouchers`: vouchers given a second in the chat, beside the same transaction in bare psycopg.

One process on one core, PostgreSQL (fsync and commits on) and who asks on the other. The rounds of both take turns.
Each follower asks once, by a sealed push as WeChat sends it. Takes about three minutes.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import kit
from benchmarks.notices.__main__ import said_by, yes
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
        command = [sys.executable, "-m", "benchmarks.vouchers.steady", str(self.served.port), str(file), str(rate)]
        return said_by(command, core=kit.LOAD_CORE)


def vouchers() -> int:
    """How many were given; nobody may stand in line."""
    with bound.connection_context():
        if ChatAsk.select().exists():
            raise kit.Failed("somebody stands in line")
        return Voucher.select().count()


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """A database with followers, and the product without its worker, whose calls are none of a voucher's cost."""
    port = free_port()
    with kit.postgresql() as server:
        furnish(loaded(server.url), FOLLOWERS)
        env = as_variables(settings(server.url, port) | ACCOUNT)
        command = [sys.executable, "-m", "wxbot", "serve", "--no-worker"]
        with kit.serving(command, port=port, path="/readyz", env=env) as served:
            yield Bench(served, server.url, folder)


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


def main() -> None:
    """Measure, and keep the section of the results."""
    with TemporaryDirectory() as folder, bench(Path(folder)) as ready:
        ours, floor = measure(ready)
        rate = ours.rps / 2
        steady = ready.steady(rate)
    kit.keep("Vouchers", told(ours, floor, steady, rate))


if __name__ == "__main__":
    main()
