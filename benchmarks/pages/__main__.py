"""The course page and the start of a link at 64 connections, beside bare handlers; takes about three minutes.

One process of the product on one core; `wrk` and PostgreSQL on the other. Needs `wrk`, `taskset`, PostgreSQL's
programs, and `make bench` once for the peer's environment.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import kit
from benchmarks.pages.measure import ROUNDS, SECONDS, Measured, Stall, measure

PAGE_GOAL, LINK_GOAL, STALL_GOAL_MS, MOST_READS = 0.45, 0.40, 20.0, 2
LABELS = {"postgresql": "PostgreSQL, fsync and commits on", "sqlite": "SQLite, WAL, synchronous = full"}
PEERS = {"postgresql": "raw asyncpg", "sqlite": "raw `sqlite3` in the loop"}
HEAD = ["", "requests/s", "of the peer's", "p50 ms", "p99 ms", "CPU µs each", "peer's CPU of it"]


def main() -> None:
    """Both databases, then the section of the results."""
    with TemporaryDirectory() as folder:
        with kit.postgresql() as server:
            found = [measure("postgresql", server.url, Path(folder))]
        found.append(measure("sqlite", f"sqlite:///{folder}/pages.db", Path(folder)))
    kit.keep("Pages", "\n\n".join([intro(), *(section(one) for one in found), verdict(*found)]))


def intro() -> str:
    """How it was measured."""
    return (
        f"`.venv/bin/python -m benchmarks.pages` · {kit.machine()}\n\n"
        f"One process on one core, {kit.CONNECTIONS} connections, `wrk` (and PostgreSQL) on the other core; medians of "
        f"{ROUNDS} rounds of {SECONDS} s. The page: a signed-in learner who has the course and is linked. The link: "
        "its POST with session, XSRF and waiver, each by a person with a free purchase. The peers are bare Tornado "
        "handlers that make the same reads and writes and check, render, limit, count and log nothing."
    )


def section(one: Measured) -> str:
    """The table of one database."""
    lines = [
        ("course page", "page", "peer page"),
        (f"– bare handler, {PEERS[one.kind]}", "peer page", ""),
        ("– bare handler, no database", "floor", "peer page"),
        ("link POST", "link", "peer link"),
        (f"– bare handler, {PEERS[one.kind]}", "peer link", ""),
    ]
    rows = [row(one, *line) for line in lines]
    return f"**{LABELS[one.kind]}**\n\n{kit.table(HEAD, rows)}\n\n{facts(one)}"


def row(one: Measured, label: str, name: str, peer: str) -> list[str]:
    """One line of the table."""
    load = one.loads[name]
    beside = one.loads[peer or name]
    rps, cpu = f"{load.rps / beside.rps:.2f}", f"{beside.cpu_us / load.cpu_us:.2f}"
    return [label, f"{load.rps:,.0f}", rps, f"{load.p50:.1f}", f"{load.p99:.1f}", f"{load.cpu_us:,.0f}", cpu]


def facts(one: Measured) -> str:
    """Statements and stalls."""
    page, link = one.statements["page"], one.statements["link"]
    words = [
        f"Statements: {page:.0f} a page, {link:.0f} a link (BEGIN and COMMIT not counted). The loop's longest stall: "
        f"{told(one.stalls['page'])} under pages, {told(one.stalls['link'])} under links."
    ]
    if one.locked:
        load, stall = one.locked
        words.append(
            f"While another process held the write lock and writers waited for it: {load.rps:,.0f} pages/s, p50 "
            f"{load.p50:.1f}, p99 {load.p99:.1f} ms, longest stall {told(stall)}."
        )
    return " ".join(words)


def told(stall: Stall) -> str:
    """A stall in words."""
    return f"{stall.ms:.1f} ms ({stall.cpu_ms:.1f} ms of CPU)"


def verdict(postgresql: Measured, sqlite: Measured) -> str:
    """Each goal, and whether it is met."""
    loads, reads = postgresql.loads, postgresql.statements["page"]
    stalls = [one.ms for one in (*postgresql.stalls.values(), *sqlite.stalls.values(), sqlite.locked[1])]
    page, link = (loads[name].rps / loads[f"peer {name}"].rps for name in ("page", "link"))
    goals = [
        ("page on PostgreSQL", page, f"≥ {PAGE_GOAL}", page >= PAGE_GOAL),
        ("link on PostgreSQL", link, f"≥ {LINK_GOAL}", link >= LINK_GOAL),
        ("reads of a page", reads, f"≤ {MOST_READS}", reads <= MOST_READS),
        ("longest stall, ms", max(stalls), f"≤ {STALL_GOAL_MS:.0f}", max(stalls) <= STALL_GOAL_MS),
    ]
    rows = [[name, f"{value:.2f}", goal, "yes" if met else "no"] for name, value, goal, met in goals]
    return kit.table(["goal", "measured", "wanted", "met"], rows)


if __name__ == "__main__":
    main()
