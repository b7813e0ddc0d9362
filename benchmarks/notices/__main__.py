"""`python -m benchmarks.notices`: pay notices a second on one process, beside the least that taking one can cost.

One process on one core, PostgreSQL (fsync and commits on) and the sender on the other. The rounds take turns with those
of the floor and of a bare handler that does the floor's work. Real signed notices of real unpaid orders, ours each
once. Takes about four minutes.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import psycopg

from benchmarks import kit
from benchmarks.notices.orders import PATH, Merchant, furnish
from benchmarks.pages.subjects import Product, settings
from models.base import database as bound
from models.journal import JournalEntry
from services import config
from services.config import Config
from tests.commands import as_variables
from tests.server_process import free_port

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = int(os.environ.get("SECONDS", "4"))
STEADY_SECONDS = 10
WARM_UP_SECONDS = 2
MOST_A_SECOND = 1_000
WATCHED = 9
FEW = 200
WANTED_OF_FLOOR, MOST_P99_MS = 0.5, 100.0
FLOOR = Path(__file__).with_name("floor.py")


@dataclass(frozen=True, slots=True)
class Bench:
    """What runs."""

    merchant: Merchant
    config: Config
    product: Product
    bare: kit.Served
    dsn: str
    folder: Path

    def taken(self, seconds: int) -> kit.Load:
        """Notices as fast as they are taken; each must have been booked."""
        script = self.merchant.script(self.folder / "load.txt", self.config, seconds * MOST_A_SECOND)
        self.tidy()
        before = sales()
        load = kit.load(self.product.served, script, seconds=seconds)
        if sales() - before < load.requests:
            raise kit.Failed(f"{load.requests} acknowledged, but only {sales() - before} booked")
        return load

    def tidy(self) -> None:
        """Plans are made from what is there: nobody else does this where autovacuum is off."""
        with psycopg.connect(self.dsn, autocommit=True) as rows:
            rows.execute("VACUUM ANALYZE")

    def peer(self, seconds: int) -> kit.Load:
        """The floor's work behind a handler, sent by the same script."""
        script = self.merchant.script(self.folder / "bare.txt", self.config, FEW, again=True)
        return kit.load(self.bare, script, seconds=seconds)

    def floor(self, seconds: int) -> kit.Load:
        """The same work without a product."""
        file = self.folder / "floor.txt"
        file.write_text("\n".join(self.merchant.lines(self.config, FEW)), "utf-8")
        asked = [str(file), self.dsn, str(seconds)]
        told = said_by([sys.executable, str(FLOOR), *asked, *self.merchant.keys], core=kit.SERVER_CORE)
        return kit.Load(told["rate"], 0, 0, told["cpu_us"], int(told["rate"] * seconds))

    def steady(self, rate: float) -> dict[str, float]:
        """Notices at that pace: how long each waits for its acknowledgement."""
        file = self.folder / "steady.txt"
        file.write_text("\n".join(self.merchant.lines(self.config, int(rate * STEADY_SECONDS))), "utf-8")
        self.tidy()
        command = [sys.executable, "-m", "benchmarks.notices.steady", str(self.product.served.port), str(file)]
        return said_by([*command, str(rate)], core=kit.LOAD_CORE)

    def statements(self) -> float:
        """Of one notice, BEGIN and COMMIT not counted: the median, since the server's own rounds come in between."""
        counts = []
        for line in self.merchant.lines(self.config, WATCHED):
            *headers, body = line.split("\t")
            sent = {"headers": dict(one.split(": ", 1) for one in headers), "body": body.encode()}
            with self.product.watched() as seen:
                told = kit.fetch(self.product.served.port, PATH, method="POST", **sent)
            if told[0] != 204:
                raise kit.Failed(f"no notice: {told}")
            counts.append(seen["statements"])
        return median(counts)


def said_by(command: list[str], *, core: int) -> dict[str, float]:
    """What a program of ours prints, run on one core."""
    pinned = [kit.tool("taskset"), "--cpu-list", str(core), *command]
    done = subprocess.run(pinned, cwd=kit.ROOT, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        raise kit.Failed(f"{command[1:3]}: {done.stderr[-1000:]}")
    return json.loads(done.stdout)


def sales() -> int:
    """How many sales are booked."""
    with bound.connection_context():
        return JournalEntry.select().where(JournalEntry.kind == "sale").count()


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """A database with a catalogue, and the product without its worker, whose calls are none of a notice's cost."""
    merchant, port, seen = Merchant(folder / "keys"), free_port(), folder / "seen.json"
    with kit.postgresql() as server:
        asked = settings(server.url, port) | merchant.settings
        loaded = config.load(_env_file=None, **asked)
        furnish(loaded)
        command = [sys.executable, "-m", "benchmarks.pages.watched", str(seen), "serve", "--no-worker"]
        with (
            kit.serving(command, port=port, path="/readyz", env=as_variables(asked)) as served,
            bare(server.url, merchant) as peer,
        ):
            yield Bench(merchant, loaded, Product(served, seen), peer, server.url, folder)


@contextmanager
def bare(dsn: str, merchant: Merchant) -> Iterator[kit.Served]:
    """The bare handler on the product's core; whoever is not measured does nothing."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.notices.bare", str(port), dsn, *merchant.keys]
    with kit.serving(command, port=port) as served:
        yield served


def measure(ready: Bench) -> list[kit.Load]:
    """Ours, the bare handler and the floor in turn, again and again; the medians of each."""
    subjects = (ready.taken, ready.peer, ready.floor)
    for one in subjects:
        one(WARM_UP_SECONDS)
    loads: list[list[kit.Load]] = [[] for _ in subjects]
    for number in range(ROUNDS):
        kit.say(f"round {number + 1} of {ROUNDS}")
        for one, seen in zip(subjects, loads, strict=True):
            seen.append(one(SECONDS))
    return [kit.medians(seen) for seen in loads]


def row(name: str, load: kit.Load, floor: kit.Load) -> list[str]:
    """A line of the table; nobody waits for the floor."""
    waits = [f"{load.p50:.1f}", f"{load.p99:.1f}"] if load.p50 else ["–", "–"]
    return [name, f"{load.rps:,.0f}", f"{load.rps / floor.rps:.2f}", f"{load.cpu_us:,.0f}", *waits]


def told(loads: list[kit.Load], steady: dict[str, float], rate: float, statements: float) -> str:
    """The section of the results."""
    ours, peer, floor = loads
    share = ours.rps / floor.rps
    rows = [
        row("wxbot", ours, floor),
        row("the same in a bare Tornado handler", peer, floor),
        row("prove, decrypt, one committed insert", floor, floor),
    ]
    goals = [
        ["notices, in times of the floor's", f"{share:.2f}", f"≥ {WANTED_OF_FLOOR}", yes(share >= WANTED_OF_FLOOR)],
        ["p99 at half of that, ms", f"{steady['p99']:.1f}", f"≤ {MOST_P99_MS:.0f}", yes(steady["p99"] <= MOST_P99_MS)],
    ]
    head = ["", "notices/s", "× floor", "CPU µs", "p50 ms", "p99 ms"]
    how = f"`python -m benchmarks.notices` · {kit.machine()} · medians of {ROUNDS} rounds of {SECONDS} s in turn"
    what = (
        "PostgreSQL, fsync and commits on. One process without its worker, 64 connections, each notice signed, of an "
        "order of its own; the floor has as many threads and connections as wxbot has for its rows, and nobody sends. "
        "The bare handler does the floor's work and nothing else, for the same sender: a share of the floor beyond its "
        "own is beyond any Tornado process of this machine."
    )
    pace = (
        f"Statements a notice: {statements:.0f} (BEGIN and COMMIT not counted). At {rate:,.0f} notices a second: "
        f"p50 {steady['p50']:.1f}, p99 {steady['p99']:.1f}, at most {steady['most']:.1f} ms."
    )
    parts = [how, what, kit.table(head, rows), pace, kit.table(["goal", "measured", "wanted", "met"], goals)]
    return "\n\n".join(parts)


def yes(is_met: bool) -> str:
    """A word for a goal."""
    return "yes" if is_met else "no"


def main() -> None:
    """Measure, and keep the section of the results."""
    with TemporaryDirectory() as folder, bench(Path(folder)) as ready:
        statements = ready.statements()
        loads = measure(ready)
        rate = loads[0].rps / 2
        steady = ready.steady(rate)
    kit.keep("Pay notices", told(loads, steady, rate, statements))


if __name__ == "__main__":
    main()
