"""What is measured: the product as a process of its own, and the requests that are sent to it."""

import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

from benchmarks import kit
from benchmarks.pages.seed import COURSE
from models.links import WAIVER_VERSION
from services import config
from services.config import Config
from tests.commands import as_variables
from tests.server_process import free_port

AGENT = "Mozilla/5.0 (Linux; Android 15) MicroMessenger/8.0.50"
PAGE, LINK = f"/courses/{COURSE}", f"/courses/{COURSE}/planet"
WATCH_SECONDS = 5.0
HIDDEN_TOKEN = re.compile(r'name="_xsrf" value="([^"]+)"')
CYCLE = """
local all, n = {}, 0
function init()
  for line in io.lines("%s") do
    local cookie, body = line:match("^(.-)\\t(.*)$")
    local headers = {Cookie = cookie, ["User-Agent"] = "%s"}
    if body ~= "" then headers["Content-Type"] = "application/x-www-form-urlencoded" end
    all[#all + 1] = wrk.format(body == "" and "GET" or "POST", "%s", headers, body ~= "" and body or nil)
  end
end
function request()
  n = n %% #all + 1
  return all[n]
end
"""


def settings(database_url: str, port: int) -> dict[str, Any]:
    """An installation as it would stand behind a proxy that speaks https."""
    return {
        "base_url": "https://learn.example.com",
        "listen": f"127.0.0.1:{port}",
        "database_url": database_url,
        "secret_keys": "k" * 40,
        "wechat_app_id": "wx5a6db0c0ffee0001",
        "wechat_app_secret": "s" * 32,
        "wechat_token": "benchmarktoken",
        "wechat_aes_keys": "sandboxsandboxsandboxsandboxsandboxsandbox4",
        "planet_url": "https://planet.example.com",
        "planet_client_id": "wxbot",
        "planet_client_secret": "p" * 32,
        "limits_factor": 1_000_000,
    }


def loaded(database_url: str) -> Config:
    """The settings for the seeding process itself."""
    return config.load(_env_file=None, **settings(database_url, 1))


@contextmanager
def product(database_url: str) -> Iterator["Product"]:
    """`wxbot serve`, one process with its worker, watched."""
    with TemporaryDirectory() as folder:
        seen, port = Path(folder) / "seen.json", free_port()
        command = [sys.executable, "-m", "benchmarks.pages.watched", str(seen), "serve"]
        env = as_variables(settings(database_url, port))
        with kit.serving(command, port=port, path="/readyz", env=env) as served:
            yield Product(served, seen)


class Product:
    """The running product, and what the watch in it has seen."""

    def __init__(self, served: kit.Served, seen: Path) -> None:
        self.served, self.seen = served, seen

    @contextmanager
    def watched(self) -> Iterator[dict[str, float]]:
        """Filled at its end: `stall_ms`, the loop's longest, and `statements`, their number."""
        found: dict[str, float] = {}
        self.seen.unlink(missing_ok=True)
        os.kill(self.served.process.pid, signal.SIGUSR1)
        yield found
        os.kill(self.served.process.pid, signal.SIGUSR2)
        end = time.monotonic() + WATCH_SECONDS
        while not self.seen.exists():
            if time.monotonic() > end:
                raise kit.Failed(f"the watch does not answer: {self.served.said()}")
            time.sleep(0.01)
        found |= json.loads(self.seen.read_text("utf-8"))

    def page(self, session: str) -> str:
        """The course page of a learner who has linked it; raises Failed when it is anything else."""
        status, _, text = kit.fetch(self.served.port, PAGE, headers=headers_of(session))
        if status != 200 or "已开通" not in text:
            raise kit.Failed(f"no page of a linked course: {status}")
        return text

    def link(self, line: str) -> None:
        """One POST as `link_lines` has them, outside of any measurement."""
        cookie, _, body = line.partition("\t")
        headers = {"Cookie": cookie, "User-Agent": AGENT, "Content-Type": "application/x-www-form-urlencoded"}
        status, _, _ = kit.fetch(self.served.port, LINK, method="POST", headers=headers, body=body)
        if status != 303:
            raise kit.Failed(f"the link does not start: {status}")


@contextmanager
def peer(database_url: str, page: Path) -> Iterator[kit.Served]:
    """The bare handlers, answering with that page."""
    port = free_port()
    command = [str(kit.BENCH_PYTHON), str(Path(__file__).with_name("peer.py")), str(port), database_url, str(page)]
    with kit.serving(command, port=port, path="/floor") as served:
        yield served


def page_lines(sessions: list[str]) -> list[str]:
    """Each learner's GET."""
    return [f"__Host-session={token}\t" for token in sessions]


def link_lines(port: int, sessions: list[str]) -> list[str]:
    """Each learner's POST, with an XSRF cookie and field that the product itself gave out."""
    status, headers, page = kit.fetch(port, LINK, headers=headers_of(sessions[0]))
    if status != 200 or not (field := HIDDEN_TOKEN.search(page)):
        raise kit.Failed(f"no confirm page: {status}")
    given = headers["Set-Cookie"].partition(";")[0]
    body = urlencode({"_xsrf": field[1], "waiver": WAIVER_VERSION})
    return [f"__Host-session={token}; __Host-browser={token}; {given}\t{body}" for token in sessions]


def headers_of(session: str) -> dict[str, str]:
    """What a learner's browser sends."""
    return {"Cookie": f"__Host-session={session}", "User-Agent": AGENT}


def script(file: Path, path: str, lines: list[str]) -> str:
    """For `wrk`: one of these after the other, again and again."""
    file.write_text("\n".join(lines), "utf-8")
    return CYCLE % (file, AGENT, path)
