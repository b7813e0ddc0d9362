"""For tests of the way from the planet: somebody who comes from the pinned post, and a planet that is heard."""

from typing import Any

from models.payments import PlanetPayment
from sandbox.phone_page import Page
from tests.event_kit import EVENTS
from tests.site import WEBHOOK_SECRET, Site

PLANET = "/planets/infosec"


async def stands_at_the_planet(site: Site, name: str = "anna", *, path: str = PLANET) -> Page:
    """Somebody opens the pinned post's page, agrees to the waiver, and stands before the planet's question."""
    page = await site.phone(name).open(f"{site.base_url}{path}")
    if page.find("sign-in"):
        await site.phone(name).tap("sign-in")
    return await site.phone(name).submit("confirm", waiver=site.waiver)


async def arrives(site: Site, name: str = "anna", *, path: str = PLANET) -> Page:
    """The same to the end."""
    await stands_at_the_planet(site, name, path=path)
    return await site.phone(name).tap("planet-agree")


async def hears(site: Site) -> None:
    """Everything that the planet has to tell reaches us."""
    events = site.box.planet.events
    if events.url is None:
        events.url, events.secrets = f"{site.base_url}{EVENTS}", [WEBHOOK_SECRET]
        for event in events.history:
            events.send_again(event)
    await events.deliver_due()


async def payments(site: Site, **equals: Any) -> list[PlanetPayment]:
    """What we know of payments at planets, oldest first."""

    def found(_env: Any) -> list[PlanetPayment]:
        rows = PlanetPayment.select().order_by(PlanetPayment.id)
        return list(rows.filter(**equals) if equals else rows)

    return await site.ctx.read(found)
