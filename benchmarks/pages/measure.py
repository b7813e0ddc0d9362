"""Runs the loads, in rounds of everything one after the other."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks import kit
from benchmarks.pages import subjects
from benchmarks.pages.seed import seed
from models.base import database as bound
from models.links import LinkAttempt

ROUNDS, SECONDS, WARM_SECONDS = 3, 4, 1
WATCHED_REQUESTS = 15
WRITERS = 4
HOLD = """
import sqlite3, sys
rows = sqlite3.connect(sys.argv[1], isolation_level=None)
rows.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
rows.execute("ROLLBACK")
"""


@dataclass(frozen=True, slots=True)
class Stall:
    """The loop's longest, by the clock and by the CPU time of the process; a busy machine adds to the first alone."""

    ms: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything about one database."""

    kind: str
    loads: dict[str, kit.Load]
    statements: dict[str, float]
    stalls: dict[str, Stall]
    locked: tuple[kit.Load, Stall] | None


@dataclass(frozen=True, slots=True)
class Bench:
    """What runs, and the requests for each of the measured things."""

    product: subjects.Product
    drives: dict[str, tuple[kit.Served, str]]
    pages: list[str]
    links: list[str]

    def load(self, name: str, seconds: int = SECONDS) -> kit.Load:
        """Drive one of them."""
        served, script = self.drives[name]
        return kit.load(served, script, seconds=seconds)


@contextmanager
def bench(url: str, folder: Path) -> Iterator[Bench]:
    """A seeded database, the product and the peer on it."""
    seeded = seed(subjects.loaded(url))
    with subjects.product(url) as product:
        pages, links = subjects.page_lines(seeded.linked), subjects.link_lines(product.served.port, seeded.free)
        (folder / "page.html").write_text(product.page(seeded.linked[0]), "utf-8")
        with subjects.peer(url, folder / "page.html") as peer:
            asked = {
                "page": (product.served, subjects.PAGE, pages),
                "peer page": (peer, "/page", pages),
                "floor": (peer, "/floor", pages),
                "link": (product.served, subjects.LINK, links),
                "peer link": (peer, "/link", links),
            }
            scripts = enumerate(asked.items())
            drives = {
                name: (served, subjects.script(folder / f"{number}.txt", path, lines))
                for number, (name, (served, path, lines)) in scripts
            }
            yield Bench(product, drives, seeded.linked, links)


def measure(kind: str, url: str, folder: Path) -> Measured:
    """All of one database: rounds of everything one after the other, so that a noisy moment hits all alike."""
    with bench(url, folder) as ready:
        statements = {
            "page": statements_of(ready, lambda n: ready.product.page(ready.pages[n])),
            "link": statements_of(ready, lambda n: ready.product.link(ready.links[n])),
        }
        for name in ready.drives:
            ready.load(name, WARM_SECONDS)
        loads: dict[str, list[kit.Load]] = {name: [] for name in ready.drives}
        for number in range(ROUNDS):
            kit.say(f"{kind}: round {number + 1} of {ROUNDS}")
            for name, found in loads.items():
                found.append(ready.load(name) if "link" not in name else linking(ready, name))
        stalls = {name: stall_of(ready, name) for name in ("page", "link")}
        locked = while_locked(ready, url.removeprefix("sqlite:///")) if kind == "sqlite" else None
        medians = {name: kit.medians(found) for name, found in loads.items()}
        return Measured(kind, medians, statements, stalls, locked)


def statements_of(ready: Bench, ask: Callable[[int], object]) -> float:
    """Statements of one request: the median, since the server's own rounds come in between now and then."""
    counts = []
    for number in range(WATCHED_REQUESTS):
        with ready.product.watched() as seen:
            ask(number)
        counts.append(seen["statements"])
    return median(counts)


def linking(ready: Bench, name: str) -> kit.Load:
    """Drive a POST, and see that each answer stands for a row."""
    before = attempts()
    load = ready.load(name)
    if attempts() - before < load.requests:
        raise kit.Failed(f"{name}: {load.requests} answers, but only {attempts() - before} rows")
    return load


def attempts() -> int:
    """How many hand-overs there are."""
    with bound.connection_context():
        return LinkAttempt.select().count()


def stall_of(ready: Bench, name: str) -> Stall:
    """The loop's longest stall under load."""
    with ready.product.watched() as seen:
        ready.load(name)
    return Stall(seen["stall_ms"], seen["stall_cpu_ms"])


def while_locked(ready: Bench, path: str) -> tuple[kit.Load, Stall]:
    """Pages while another process holds the write lock and writers wait for it; and the longest stall meanwhile."""
    writers = [threading.Thread(target=ready.product.link, args=[line]) for line in ready.links[:WRITERS]]
    with lock_held(path), ready.product.watched() as seen:
        for one in writers:
            one.start()
        load = ready.load("page", WARM_SECONDS)
    for one in writers:
        one.join()
    return load, Stall(seen["stall_ms"], seen["stall_cpu_ms"])


@contextmanager
def lock_held(path: str) -> Iterator[None]:
    """Another process has SQLite's write lock meanwhile."""
    holder = subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with holder:
        holder.stdout.readline()
        check_locked(path)
        yield
        holder.stdin.close()


def check_locked(path: str) -> None:
    """Raise Failed unless nobody else can write now."""
    try:
        sqlite3.connect(path, timeout=0).execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError:
        return
    raise kit.Failed("the lock is not held")
