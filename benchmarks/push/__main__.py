"""`python -m benchmarks.push`: the push door beside a bare handler, the libraries others use, and its database's floor.

One process on one core each, `wrk` on the other, 64 connections. The rounds of all take turns, so that whatever
else the machine does falls on each alike; what counts are ratios of medians. Takes about four minutes.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import kit
from benchmarks.pages.seed import seed
from benchmarks.pages.subjects import loaded, settings
from benchmarks.push.letters import ACCOUNT, STRANGER, script
from models.base import database as bound
from models.links import Link
from models.people import Identity
from tests.commands import as_variables
from tests.server_process import free_port
from wxbot.words import help_text

ROUNDS = int(os.environ.get("ROUNDS", "5"))
SECONDS = int(os.environ.get("SECONDS", "4"))
WARM_UP_SECONDS = 3
DISTINCT = 2_000
FEW_CONNECTIONS = 16
PEERS = Path(__file__).parent / "peers"
HELP = help_text("https://learn.example.com")
ANSWER_BYTES = 850
OURS, BARE, NPM = "wxbot", "bare Tornado handler, a constant answer", "npm `wechat` on connect"


def environment() -> dict[str, str]:
    """What the peers know: the account, and what to answer."""
    token, app_id, aes_key = ACCOUNT["wechat_token"], ACCOUNT["wechat_app_id"], ACCOUNT["wechat_aes_keys"]
    return {"TOKEN": token, "AES_KEY": aes_key, "APP_ID": app_id, "HELP": HELP}


def commands(port: int) -> dict[str, list[str]]:
    """How each peer is started."""
    python, at = str(kit.BENCH_PYTHON), str(port)
    gunicorn = [python, "-m", "gunicorn", "--workers=1", "--threads=8", "--keep-alive=60", f"--bind=127.0.0.1:{port}"]
    return {
        BARE: [sys.executable, str(PEERS / "bare.py"), at, str(ANSWER_BYTES)],
        NPM: [kit.tool("node"), str(PEERS / "npm_wechat.cjs"), at],
        "WeRoBot, its Tornado handler": [python, str(PEERS / "werobot_tornado.py"), at],
        "wechatpy + Flask, gunicorn": [*gunicorn, f"--pythonpath={PEERS}", "flask_wechatpy:app"],
    }


@contextmanager
def product(database_url: str) -> Iterator[kit.Served]:
    """`wxbot serve` as it would stand behind a proxy: one process, its worker, every check and metric."""
    port = free_port()
    env = as_variables(settings(database_url, port) | ACCOUNT)
    with kit.serving([sys.executable, "-m", "wxbot", "serve"], port=port, path="/readyz", env=env) as served:
        yield served


def in_turn(subjects: dict[str, kit.Served], scripts: Callable[[str], str], **how: int) -> dict[str, kit.Load]:
    """Warm each up, then measure them in turn, again and again; the medians. `scripts(name)` writes new ones."""
    for name, served in subjects.items():
        kit.load(served, scripts(name), seconds=WARM_UP_SECONDS, **how)
    loads: dict[str, list[kit.Load]] = {name: [] for name in subjects}
    for _ in range(ROUNDS):
        for name, served in subjects.items():
            loads[name].append(kit.load(served, scripts(name), seconds=SECONDS, **how))
    return {name: kit.medians(found) for name, found in loads.items()}


def plain(folder: Path) -> dict[str, kit.Load]:
    """帮助, which has no effect: beside all peers."""
    with ExitStack() as stack:
        url = f"sqlite:///{folder / 'push.db'}"
        seed(loaded(url))
        subjects = {OURS: stack.enter_context(product(url))}
        for name in commands(0):
            port = free_port()
            serving = kit.serving(commands(port)[name], port=port, path="/wx/push", env=environment())
            subjects[name] = stack.enter_context(serving)
        file = folder / "help.txt"
        return in_turn(subjects, lambda _name: script(file, "帮助", [STRANGER], DISTINCT))


def linked_openids() -> list[str]:
    """The followers who have linked a course."""
    with bound.connection_context():
        linked = Link.select(Link.person)
        return [one.uid for one in Identity.select(Identity.uid).where(Identity.person.in_(linked))]


def with_rows(folder: Path) -> dict[str, dict[str, kit.Load]]:
    """星球 (reads) and 解绑 (an effect) on PostgreSQL: beside the same statements with raw asyncpg."""
    with kit.postgresql() as server, ExitStack() as stack:
        seed(loaded(server.url))
        openids = linked_openids()
        ours, port = stack.enter_context(product(server.url)), free_port()
        command = [str(kit.BENCH_PYTHON), str(PEERS / "floor.py"), str(port), server.url]
        floor = stack.enter_context(kit.serving(command, port=port))
        found = {}
        for word, path, times in (("星球", "/planets", DISTINCT), ("解绑", "/unlink", 4 * DISTINCT)):

            def scripts(name: str, word: str = word, path: str = path, times: int = times) -> str:
                written = script(folder / "rows.txt", word, openids, times)
                return written if name == OURS else written.replace("/wx/push", path)

            found[word] = in_turn({OURS: ours, "the same statements, raw asyncpg": floor}, scripts)
        return found


def beside_waiting(folder: Path) -> dict[str, kit.Load]:
    """帮助 while one message in twenty waits 100 ms for WeChat's API, and while none does."""
    with ExitStack() as stack:
        subjects = {}
        for name, every in (("none waits", 0), ("one in twenty waits 100 ms for the API", 20)):
            port = free_port()
            command = [sys.executable, "-m", "benchmarks.push.slow_api", str(port), str(every)]
            subjects[name] = stack.enter_context(kit.serving(command, port=port, path="/healthz"))
        file = folder / "slow.txt"
        written = script(file, "帮助", [STRANGER], DISTINCT)
        return in_turn(subjects, lambda _name: written, connections=FEW_CONNECTIONS)


def compared(loads: dict[str, kit.Load], floor: int = 1) -> str:
    """The table of one word; ratios are to its line number `floor`, from 0 on."""
    least = list(loads.values())[floor]
    head = ["", "requests/s", "× floor", "CPU µs", "× floor", "p50 ms", "p99 ms"]
    rows = [
        [name, f"{one.rps:,.0f}", f"{one.rps / least.rps:.2f}", f"{one.cpu_us:.0f}",
         f"{one.cpu_us / least.cpu_us:.2f}", f"{one.p50:.1f}", f"{one.p99:.1f}"]
        for name, one in loads.items()
    ]  # fmt: skip
    return kit.table(head, rows)


def main() -> None:
    """Measure, and keep the section of the results."""
    with TemporaryDirectory() as folder:
        words = plain(Path(folder))
        rows = with_rows(Path(folder))
        waiting = beside_waiting(Path(folder))
    ours, bare, npm = words[OURS], words[BARE], words[NPM]
    verdict = (
        f"帮助: {ours.rps / bare.rps:.2f} × the requests/s of the bare handler (wanted ≥ 1.1), "
        f"{ours.cpu_us / npm.cpu_us:.2f} × the CPU of npm `wechat` (wanted ≤ 1.3, goal 1.0)."
    )
    how = f"`python -m benchmarks.push` · {kit.machine()} · medians of {ROUNDS} rounds of {SECONDS} s in turn"
    parts = [how, verdict, f"**帮助**, no effect, SQLite\n\n{compared(words)}"]
    parts += [f"**{word}**, PostgreSQL\n\n{compared(loads)}" for word, loads in rows.items()]
    parts.append(f"**帮助 beside messages that wait**, {FEW_CONNECTIONS} connections\n\n{compared(waiting, floor=0)}")
    kit.keep("Pushes", "\n\n".join(parts))


if __name__ == "__main__":
    main()
