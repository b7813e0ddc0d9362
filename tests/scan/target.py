"""What the scanners attack: a `wxbot serve` on SQLite beside the sandbox, with people, purchases and a link in it."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from services import database, lecturers, people
from tests.commands import Running
from tests.scan.findings import Finding
from tests.serving import Place
from tests.shop import basic
from tests.site import COURSE, OTHER_COURSE, Site
from wxbot.reality import RealClock

NO_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """Where it is, and what lets one in."""

    url: str
    cookie: str  # a session of a learner who is a lecturer too, so that every form is shown
    authorization: str  # the Basic header of the platform `yiling`
    order_no: str
    said: Callable[[], str] = str  # what the server has logged

    def faults(self) -> list[Finding]:
        """Requests that the server failed at, whatever the scanner made of its answer."""
        failed = [line for line in self.said().splitlines() if '"exception"' in line or "request failed" in line]
        told = [json.loads(line) for line in failed]
        return [
            Finding("server", one.get("exception", one["event"]).splitlines()[-1], one.get("page", "?")) for one in told
        ]


async def furnish(site: Site) -> Target:
    """A learner with two courses, one of them linked, who is also a lecturer; and a purchase nobody has claimed."""
    order_no = await site.buys("anna", course=COURSE)
    await site.buys("anna", course=OTHER_COURSE)
    await site.links("anna", course=COURSE)
    invitation = await site.ctx.transact(lecturers.invite, slug="linlan")
    person_id = await site.person_id("anna")
    code = invitation.rpartition("/")[2]
    await site.ctx.transact(lecturers.accept, code=code, person_id=person_id)
    token = await site.ctx.transact(people.new_session, person_id=person_id)
    return Target(site.base_url, f"session={token}", basic("yiling", site.key), order_no)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[Target]:
    """The target for as long as the block lasts; fails when the server has died of the scan."""
    url = f"sqlite:///{folder}/scanned.db"
    db = database.connect(url)
    database.migrate(db)
    db.close()
    site, place = Site(url, RealClock()), Place()
    await site.start()
    made = await furnish(site)
    around = site.settings() | {"listen": place.listen, "base_url": place.url, "limits_factor": NO_LIMIT}
    server = Running(folder, ("serve",), around)
    try:
        await place.is_up(server)
        yield replace(made, url=place.url, said=server.said)
        assert server.process.poll() is None, f"the server ended: {server.said()[-2000:]}"
    finally:
        server.tell_to_stop()
        await server.ends()
        await site.stop()
