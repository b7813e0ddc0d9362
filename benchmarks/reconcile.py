"""`python -m benchmarks.reconcile`: a planet with 100,000 members beside our rows, and beside only reading its list.

The sandbox's planet runs in a process of its own; each look does too, so that its memory is its own. Every second
member is there by a membership of ours, of which each hundredth has drifted apart. Takes about ten minutes.
"""

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from peewee import chunked
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from benchmarks import kit
from benchmarks.pages.seed import CATALOGUE
from benchmarks.pages.subjects import loaded, settings
from models.access import PURCHASE, Grant
from models.base import database as bound
from models.catalogue import Course, Planet
from models.delivery import OutboxItem
from models.links import Link, Membership
from models.people import Person
from sandbox.options import PlanetSettings
from sandbox.planet import PlanetSite
from sandbox.planet_members import Account
from sandbox.planet_members import Membership as There
from sandbox.world import World
from services import catalogue_file, catalogue_load, database, outbox, reconcile
from services.config import load
from services.env import Env
from tests.databases import create_database
from tests.server_process import free_port
from wxbot import reality
from wxbot.server import build_context, close_context

MEMBERS = int(os.environ.get("MEMBERS", "100000"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
OURS_EACH, DRIFTED_EACH = 2, 100
MOST_SECONDS, MOST_MIB = 60, 200
GROUP = "g1"
STARTED = datetime(2026, 1, 1, tzinfo=UTC)


def ends_at() -> datetime:
    """When everybody's year ends."""
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=200)


def planet(port: int, until: str) -> PlanetSite:
    """A planet with all the members, each second one by our `ref`."""
    asked, world = PlanetSettings(), World()
    site = PlanetSite(
        world, client_id=asked.client_id, client_secrets=asked.client_secrets, redirect_uris=[],
        base_url=f"http://127.0.0.1:{port}",
    )  # fmt: skip
    group = site.add_group(GROUP, "信息安全星球", 19900, world.add_person("caoz", "讲师甲"))
    end = datetime.fromisoformat(until)
    for number in range(MEMBERS):
        account = Account(uid(number), f"会员{number}", f"p{number}")
        is_ours = number % OURS_EACH == 0
        named = {"ref": ref(number)} if is_ours else {"order_ref": f"zx{number:020x}", "paid_fen": 19900}
        drifted = is_ours and number % (OURS_EACH * DRIFTED_EACH) == 0
        group.add(There(account, "partner" if is_ours else "paid", STARTED, end - timedelta(days=drifted), **named))
    return site


def uid(number: int) -> str:
    """A member's id there."""
    return f"m{number:032x}"


def ref(number: int) -> str:
    """What we call his membership."""
    return f"m{number:024x}"


async def serve(port: int, until: str) -> None:
    """Serve the planet until killed."""
    server = HTTPServer(planet(port, until).application())
    server.add_sockets(bind_sockets(port, "127.0.0.1"))
    await asyncio.Event().wait()


def fill(url: str, until: datetime) -> None:
    """Our side: people, rights, links, waivers, memberships, and what the outbox knows of them."""
    config = loaded(url)
    db = database.connect(url)
    database.migrate(db)
    bound.initialize(db)
    env = Env(now=datetime.now(UTC), new_code=reality.new_code, config=config)
    file, lines = catalogue_file.read(CATALOGUE)
    with db.connection_context(), db.atomic():
        catalogue_load.load(env, file=file, lines=lines)
        course, where = Course.select().first(), Planet.get(group_id=GROUP)
        for numbers in chunked(range(0, MEMBERS, OURS_EACH), 500):
            add(list(numbers), course, where, until)
    with db.connection_context():
        db.execute_sql("ANALYZE")


def add(numbers: list[int], course: Course, where: Planet, until: datetime) -> None:
    """Some of them; their ids are those of the members, from one million on."""
    ids = {number: 1_000_000 + number for number in numbers}
    Person.insert_many([{"id": one, "created_at": STARTED} for one in ids.values()]).execute()
    grants = [
        {
            "id": one,
            "person": one,
            "course": course,
            "source": PURCHASE,
            "source_ref": f"bulk:{one}",
            "starts_at": STARTED,
        }
        for one in ids.values()
    ]
    Grant.insert_many(grants).execute()
    links = [
        {"id": one, "person": one, "provider": where.provider, "member_uid": uid(number), "linked_at": STARTED,
         "active_person": one, "active_uid": uid(number)}
        for number, one in ids.items()
    ]  # fmt: skip
    Link.insert_many(links).execute()
    rows = [
        {"id": one, "link": one, "grant": one, "planet": where, "ref": ref(number), "reason": "course_purchase",
         "starts_at": STARTED, "ends_at": until, "created_at": STARTED, "active_grant": one,
         "delivered_version": 1, "delivered_at": STARTED}
        for number, one in ids.items()
    ]  # fmt: skip
    Membership.insert_many(rows).execute()
    told = [
        {"kind": outbox.MEMBERSHIP, "subject": one, "lane": f"link:{one}", "done": 1, "created_at": STARTED,
         "wanted_at": STARTED, "done_at": STARTED}
        for one in ids.values()
    ]  # fmt: skip
    OutboxItem.insert_many(told).execute()


async def look(url: str, port: int, what: str) -> dict[str, float]:
    """One look in this process: seconds, and what it held at most."""
    asked = PlanetSettings()
    told = settings(url, free_port()) | {
        "planet_url": f"http://127.0.0.1:{port}", "planet_client_id": asked.client_id,
        "planet_client_secret": asked.client_secrets[0],
    }  # fmt: skip
    ctx = build_context(
        load(_env_file=None, **told), clock=reality.RealClock(), monotonic=reality.monotonic, new_code=reality.new_code
    )
    (here,) = [one for one in await ctx.read(reconcile.planets) if one.group_id == GROUP]
    began = time.perf_counter()
    members = repaired = 0
    if what == "read":
        async for page in ctx.planet(here.provider).pages(here.group_id):
            members += len(page.members)
    else:
        report = await reconcile.run(ctx, here)
        if report.outcome != "ok":
            raise kit.Failed(f"not believed: {report}")
        members, repaired = report.members, report.repaired
    seconds = time.perf_counter() - began
    await close_context(ctx)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "mib": held, "members": members, "repaired": repaired}


def run(*args: str) -> dict[str, float]:
    """One look in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.reconcile", *args]
    done = subprocess.run(command, cwd=kit.ROOT, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        raise kit.Failed(done.stderr[-2000:])
    return json.loads(done.stdout.strip().splitlines()[-1])


def compare(database: str, url: str, port: int, until: datetime) -> list[list[str]]:
    """Only reading, the first look with its repairs, and those where both sides agree."""
    fill(url, until)
    reads = [run("read", url, str(port)) for _ in range(ROUNDS)]
    first = run("look", url, str(port))
    looks = [run("look", url, str(port)) for _ in range(ROUNDS)]
    rows = [("only reading", reads), ("both sides agree", looks), ("with repairs", [first])]
    return [line(f"{database}, {name}", found, reads) for name, found in rows]


def line(what: str, found: list[dict[str, float]], reads: list[dict[str, float]]) -> list[str]:
    """The middle of some looks."""
    middle = {name: sorted(one[name] for one in found)[len(found) // 2] for name in found[0]}
    beside = sorted(one["seconds"] for one in reads)[len(reads) // 2]
    numbers = (middle["members"], middle["repaired"], middle["seconds"], middle["seconds"] - beside, middle["mib"])
    return [what, *(f"{one:,.0f}" for one in numbers[:2]), *(f"{one:.1f}" for one in numbers[2:4]), f"{numbers[4]:.0f}"]


def main() -> None:
    """Measure, and keep the section of the results."""
    rows = []
    with TemporaryDirectory() as name, kit.postgresql() as server:
        urls = {"SQLite": f"sqlite:///{Path(name) / 'us.db'}", "PostgreSQL": create_database(server, "us")}
        for database, url in urls.items():
            until, port = ends_at(), free_port()
            command = [sys.executable, "-m", "benchmarks.reconcile", "serve", str(port), until.isoformat()]
            with kit.serving(command, port=port, path="/"):
                rows += compare(database, url, port, until)
    how = f"`python -m benchmarks.reconcile` · {kit.machine()} · medians of {ROUNDS}, each a process of its own"
    goal = f"Goal: {MOST_SECONDS} s beside only reading the list, {MOST_MIB} MiB, for 100,000 members."
    table = kit.table(["", "members", "repaired", "seconds", "beside reading", "MiB at most"], rows)
    kit.keep("Reconciliation", f"{how}\n\n{goal}\n\n{table}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", port, until]:
            asyncio.run(serve(int(port), until))
        case [("read" | "look") as what, url, port]:
            sys.stdout.write(json.dumps(asyncio.run(look(url, int(port), what))) + "\n")
        case _:
            main()
