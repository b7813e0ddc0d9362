"""For tests of the way from the planet: somebody who comes from the pinned post, and a planet that is heard."""

from typing import Any

from models.access import Grant
from models.base import Row
from models.catalogue import Course, CoursePlanet
from models.delivery import ChatNotice
from models.links import RefundWaiver
from sandbox.phone_page import Page
from services import catalogue
from tests.event_kit import EVENTS
from tests.site import COURSE, WEBHOOK_SECRET, Site

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


async def changes_pairing(site: Site, **values: Any) -> None:
    """The pairing of the course is another from now on: `mode="shared"`, `paused_at=…`."""

    def change(_env: Any) -> None:
        CoursePlanet.update(**values).where(CoursePlanet.course == Course.get(slug=COURSE)).execute()
        catalogue.changed()

    await site.ctx.transact(change)
    await site.ctx.catalogue.refresh(site.ctx.read)


async def changed_since(site: Site, before: dict[str, int]) -> set[str]:
    """Which tables are not as they were."""
    after = await site.rows()
    return {name for name, rows in after.items() if rows != before[name]}


def pays(site: Site, name: str = "anna", paid_fen: int | None = None) -> str:
    """Somebody pays for the planet with the account that he uses there; the payment's number."""
    return site.box.planet.member_buys(site.phone(name).person, "g1", paid_fen)


def uid(site: Site, name: str = "anna") -> str:
    """What the planet calls somebody to us."""
    return site.box.planet.account_of(site.phone(name).person).uid


def state(page: Page) -> str:
    """How a page says that it stands."""
    return page.find("link-state").attrs["data-state"]


def no_of(page: Page) -> tuple[int, str]:
    """Status and code of a refusal."""
    return page.status, page.find("error-code").text


async def grants(site: Site, name: str = "anna") -> list[Grant]:
    """Somebody's rights that hold, oldest first."""
    person_id = await site.person_id(name)
    live = Grant.select().where(Grant.person == person_id, Grant.live(now=site.clock.now()))
    return await site.ctx.read(lambda _env: list(live.order_by(Grant.id)))


async def notices(site: Site) -> list[str]:
    """What the account has to tell people, oldest first."""
    return await site.ctx.read(lambda _env: [one.text for one in ChatNotice.select().order_by(ChatNotice.id)])


async def waived(site: Site) -> list[str]:
    """Where the rights come from whose refund was given up, oldest first."""

    def found(_env: Any) -> list[str]:
        return [one.grant.source for one in RefundWaiver.select().order_by(RefundWaiver.id)]

    return await site.ctx.read(found)


async def every(site: Site, row: type[Row]) -> list[Any]:
    """All rows of a kind, oldest first."""
    return await site.ctx.read(lambda _env: list(row.select().order_by(row.id)))
