"""What tests of reconciliation share: nights that pass, a list with many members, and how both sides look."""

from collections.abc import Callable
from typing import Any

from prometheus_client import REGISTRY

from models.links import Link, Membership
from models.mismatches import Mismatch, Reconciliation
from services import jobs
from tests.commands import Done
from tests.site import Site


async def night(site: Site) -> Reconciliation:
    """The next morning, a quarter past half past three at most: what was due has run; the last look at g1."""
    site.clock.forward(days=1)
    await later(site, minutes=0)
    return await look(site)


async def later(site: Site, **span: float) -> list[str]:
    """So much later the worker has had its turn; which jobs ran."""
    site.clock.forward(**span)
    ran = await jobs.run_due(site.ctx)
    await site.delivers()
    return ran


async def look(site: Site) -> Reconciliation:
    """The last look that was taken at the planet g1."""
    return await site.ctx.read(latest)


def latest(_env: Any) -> Reconciliation:
    return Reconciliation.select().where(Reconciliation.planet == 1).order_by(Reconciliation.id.desc()).get()


async def links_many(site: Site, *names: str) -> None:
    """So many people with a course and their link; everything is told."""
    for name in names:
        if name not in site.world.people:
            site.world.add_person(name)
        await site.buys(name)
        await site.links(name)
    await site.delivers()


async def ours(site: Site) -> list[Membership]:
    """Our memberships, oldest first."""
    return await site.ctx.read(
        lambda _env: list(Membership.select(Membership, Link).join(Link).order_by(Membership.id))
    )


async def differences(site: Site) -> list[tuple[str, str]]:
    """What is open for a person: kind and key."""
    open_now = Mismatch.select().where(Mismatch.resolved_at.is_null()).order_by(Mismatch.id)
    return await site.ctx.read(lambda _env: [(one.kind, one.key) for one in open_now])


def there(site: Site) -> dict[str, str]:
    """The planet's side of what we gave: status by ref."""
    return {one.ref: one.status for one in site.box.planet.memberships("g1") if one.ref}


def metric(name: str, **labels: str) -> float | None:
    """What an operator's graph shows."""
    return REGISTRY.get_sample_value(name, labels)


async def types(site: Site, wxbot_beside: Callable[..., Any], *args: str) -> Done:
    """What somebody types at the machine, at the time of the test."""
    return await wxbot_beside(*args, **site.settings(), clock_url=f"{site.box.console_url}/control/clock")


async def refused(site: Site, wxbot_beside: Callable[..., Any], *args: str) -> str:
    """The command ends with one clear line, and nothing has changed; that line."""
    before = await site.rows()
    done = await types(site, wxbot_beside, *args)
    assert done.code in {1, 2} and "Traceback" not in done.err and await site.rows() == before
    return done.err
