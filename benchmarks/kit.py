"""What the benchmarks share: a private PostgreSQL, servers pinned to one core, `wrk` on the other, results as tables.

Needs `wrk` and `taskset` (Debian: `apt-get install wrk util-linux`).
"""

import http.client
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from tests.servers import PostgreSQL

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
BENCH_PYTHON = ROOT / ".venv-bench" / "bin" / "python"  # has what the peers need; `make bench` builds it
SERVER_CORE, LOAD_CORE = 0, 1
CONNECTIONS = 64
UP_SECONDS = 20.0
TICKS = os.sysconf("SC_CLK_TCK")
DONE = """
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\n{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "errors": %d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


class Failed(Exception):
    """The benchmark cannot say anything: a program is missing, or an answer was not what is to be measured."""


@dataclass(frozen=True, slots=True)
class Load:
    """What `wrk` saw, and the CPU that the server spent meanwhile; times in milliseconds, CPU in µs per request."""

    rps: float
    p50: float
    p99: float
    cpu_us: float
    requests: int


def medians(loads: Sequence[Load]) -> Load:
    """The median of each figure; requests are added up."""
    each = {name: median(getattr(one, name) for one in loads) for name in ("rps", "p50", "p99", "cpu_us")}
    return Load(**each, requests=sum(one.requests for one in loads))


def machine() -> str:
    """One line: when, processor, cores, Python, kernel."""
    model = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    parts = [f"{datetime.now(UTC):%Y-%m-%d}", model[1].strip() if model else platform.machine()]
    parts += [f"{os.cpu_count()} cores", f"Python {platform.python_version()}", f"Linux {platform.release()}"]
    return " · ".join(parts)


def say(text: str) -> None:
    """Tell the person in front of the terminal."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """A private PostgreSQL, durable (fsync and synchronous commits on), on the core of the load generator."""
    with PostgreSQL() as server:
        os.sched_setaffinity(server.process.pid, {LOAD_CORE})  # its backends inherit that
        yield server


class Served:
    """A serving process on the core that is its own; the base URL is `http://127.0.0.1:{port}`."""

    def __init__(
        self, command: Sequence[str], *, port: int, env: Mapping[str, str] | None = None, pass_fds: Sequence[int] = ()
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        pinned = [tool("taskset"), "--cpu-list", str(SERVER_CORE), *command]
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self.process = subprocess.Popen(
            pinned,
            cwd=ROOT,
            env=dict(os.environ) | dict(env or {}),
            stdout=self.log,
            stderr=self.log,
            pass_fds=pass_fds,
        )

    def until_up(self, path: str = "/") -> None:
        """Wait for the first answer, whatever it is."""
        end = time.monotonic() + UP_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                fetch(self.port, path)
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise Failed(f"does not serve: {self.said()}")

    def said(self) -> str:
        """The end of what it wrote."""
        self.log.seek(0)
        return self.log.read()[-2000:].decode(errors="replace")

    @property
    def cpu_seconds(self) -> float:
        """User and system time so far, of the process and its children."""
        return cpu_seconds(self.process.pid)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that takes too long."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=12)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


@contextmanager
def serving(command: Sequence[str], *, port: int, path: str = "/", **more: Mapping[str, str]) -> Iterator[Served]:
    """`with serving([...], port=port, path="/healthz") as served:`; ends it afterwards."""
    served = Served(command, port=port, **more)
    try:
        served.until_up(path)
        yield served
    finally:
        served.stop()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, of its ended children, and of those that live, all the way down."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    living = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(map(int, fields[11:15])) / TICKS + sum(cpu_seconds(int(child)) for child in living)


def fetch(
    port: int,
    path: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: str | bytes | None = None,
) -> tuple[int, http.client.HTTPMessage, str]:
    """One request outside of any measurement: status, headers, body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def load(served: Served, script: str, *, seconds: int, connections: int = CONNECTIONS) -> Load:
    """Drive a server with `wrk`; `script` is Lua that defines `request()` or sets `wrk.method` and so on.

    Raises Failed when any answer was an error.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script + DONE)
        file.flush()
        pinned = [tool("taskset"), "--cpu-list", str(LOAD_CORE), tool("wrk")]
        how = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency", "-s", file.name, served.url]
        before = served.cpu_seconds
        run = subprocess.run([*pinned, *how], capture_output=True, text=True, timeout=seconds + 30, check=False)
        spent = served.cpu_seconds - before
    if run.returncode or not run.stdout.strip():
        raise Failed(f"wrk failed: {run.stdout[-500:]} {run.stderr[-500:]}")
    told = json.loads(run.stdout.strip().splitlines()[-1])
    if told["errors"] or not told["requests"]:
        raise Failed(f"{served.url}: {told}; {served.said()}")
    rates = {"rps": told["requests"] / told["seconds"], "cpu_us": spent / told["requests"] * 1e6}
    return Load(**rates, p50=told["p50"], p99=told["p99"], requests=told["requests"])


def tool(name: str) -> str:
    """The path of a program; raises Failed when it is not installed."""
    found = shutil.which(name)
    if found is None:
        raise Failed(f"{name} is not installed (Debian: apt-get install {name})")
    return found


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are figures."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def keep(section: str, text: str) -> None:
    """Print a section of the results, and put it into RESULTS.md in the place of the former one."""
    say(text)
    old = RESULTS.read_text("utf-8") if RESULTS.exists() else "# Results\n\n"
    parts = re.split(r"(?m)^(?=## )", old)
    new = f"## {section}\n\n{text.strip()}\n\n"
    kept = [new if part.startswith(f"## {section}\n") else part for part in parts]
    RESULTS.write_text("".join(kept if new in kept else [*kept, new]).rstrip() + "\n", "utf-8")
