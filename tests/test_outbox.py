"""What is told to the outside while things change, break and come late: nothing is lost, nothing is told for ever."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from clients.errors import RemoteDown
from clients.planets import RemovedByOwner
from models.delivery import OutboxItem
from models.links import Membership
from services import links, outbox
from services.context import Context
from tests.site import Site
from tests.test_links import only

gen = pytest.mark.gen_test(timeout=40)

Does = Callable[..., Awaitable[Any]]


class Planet:
    """A planet in a test's hand: what it does when it is told of a membership."""

    def __init__(self, on_grant: Does) -> None:
        self.on_grant = on_grant
        self.revoked: list[str] = []

    async def grant(self, **asked: Any) -> None:
        await self.on_grant(**asked)

    async def revoke(self, *, ref: str, **_asked: Any) -> None:
        self.revoked.append(ref)


def beside(site: Site, planet: Planet) -> Context:
    """The site's context with another planet behind it."""
    return replace(site.ctx, planets={"partner": planet})


def says(problem: Exception) -> Does:
    """A planet's answer to a grant."""

    async def answer(**_asked: Any) -> None:
        raise problem

    return answer


async def untold(site: Site, name: str = "anna") -> OutboxItem:
    """Somebody is linked, and the planet has not heard of it yet; it is due now."""
    await site.buys(name)
    await site.at_planet(name)
    site.world.faults.set("planet", "down", operation="planet.grant")
    await site.phone(name).tap("planet-agree")
    site.world.faults.clear()
    site.clock.forward(minutes=1)
    return await item_of(site)


async def item_of(site: Site) -> OutboxItem:
    """The one membership's item."""
    return await site.ctx.read(lambda _env: OutboxItem.get(kind=outbox.MEMBERSHIP))


async def unlinks(site: Site, name: str = "anna") -> None:
    """Somebody's link is ended, by the operator."""
    person_id = await site.person_id(name)
    (link,) = await site.ctx.read(lambda _env: links.active_links(person_id))
    await site.ctx.transact(links.unlink, link_id=link.id, person_id=person_id, who="test", reason="test")


@gen
@pytest.mark.parametrize("no", [RemovedByOwner("planet", "removed_by_owner"), RemoteDown("planet", "http_503")])
async def test_an_old_no_does_not_keep_a_newer_change_from_being_told(site, no):
    await untold(site)

    async def unlinked_meanwhile(**_asked: Any) -> None:
        await unlinks(site)
        raise no

    planet = Planet(unlinked_meanwhile)
    assert await outbox.deliver_due(beside(site, planet)) == 1, "the revocation"
    member = await only(site, Membership)
    assert planet.revoked == [member.ref]
    assert member.refused_code is None and member.delivered_version == member.version
    item = await item_of(site)
    assert item.is_done and item.gave_up_at is None
    assert await site.broken() == []
