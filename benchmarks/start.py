"""`python -m benchmarks.start`: from the command to ready, and what one process holds when nobody asks anything.

Beside it the floor: an interpreter that only loads the libraries the product stands on. Takes about two minutes.
"""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks import kit
from benchmarks.pages.seed import seed
from benchmarks.pages.subjects import loaded, settings
from tests.commands import as_variables
from tests.server_process import free_port
from tests.servers import Redis

ROUNDS = 7
IDLE_SECONDS = 5
LIBRARIES = (
    "click, cryptography.fernet, fakeredis, jinja2, peewee, playhouse.migrations, prometheus_client, psycopg, pycurl, "
    "pydantic_settings, pymysql, qrcode, redis.asyncio, structlog, tornado.web, tornado.curl_httpclient, "
    "wechatpy.client.api, yaml"
)


def loading() -> float:
    """Seconds until an interpreter has the libraries."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {LIBRARIES}"], check=True)
    return time.perf_counter() - began


def starting(database_url: str, *options: str, **more: str) -> tuple[float, float]:
    """Seconds from the command to its first good answer, and MiB that a process holds when idle."""
    port = free_port()
    env = as_variables(settings(database_url, port) | more)
    began = time.perf_counter()
    served = kit.Served([sys.executable, "-m", "wxbot", "serve", *options], port=port, env=env)
    try:
        while not is_ready(port):
            time.sleep(0.005)
        took = time.perf_counter() - began
        time.sleep(IDLE_SECONDS)
        return took, held_mib(served.process.pid)
    finally:
        served.stop()


def is_ready(port: int) -> bool:
    """Whether it serves."""
    try:
        return kit.fetch(port, "/readyz")[0] == 200
    except OSError:
        return False


def held_mib(pid: int) -> float:
    """Resident memory of the process, or of the largest of its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return max(resident_mib(int(one)) for one in children or [pid])


def resident_mib(pid: int) -> float:
    """VmRSS."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def line(name: str, found: list[tuple[float, float]]) -> list[str]:
    """One line of the table."""
    seconds = sorted(one for one, _ in found)
    return [name, f"{median(seconds):.2f}", f"{seconds[0]:.2f}", f"{median(mib for _, mib in found):.0f}"]


def main() -> None:
    """Measure, and keep the section of the results."""
    rounds = range(ROUNDS)
    with TemporaryDirectory() as folder, kit.postgresql() as server, Redis() as redis:
        sqlite = f"sqlite:///{Path(folder) / 'start.db'}"
        for url in (sqlite, server.url):
            seed(loaded(url))
        libraries = sorted(loading() for _ in rounds)
        rows = [
            ["the libraries alone", f"{median(libraries):.2f}", f"{libraries[0]:.2f}", ""],
            line("`serve`, SQLite", [starting(sqlite) for _ in rounds]),
            line("`serve`, PostgreSQL", [starting(server.url) for _ in rounds]),
            line(
                "`serve --processes 2`, PostgreSQL, Redis",
                [starting(server.url, "--processes", "2", redis_url=redis.url) for _ in rounds],
            ),
        ]
    how = f"`python -m benchmarks.start` · {kit.machine()} · {ROUNDS} rounds, all on one core"
    table = kit.table(["", "s to ready, median", "s, least", "MiB of one idle process"], rows)
    kit.keep("Start and memory", f"{how}\n\n{table}")


if __name__ == "__main__":
    main()
