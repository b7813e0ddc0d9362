"""A planet's own page, behind the pinned post's QR: its members get here what they have paid for there (L2)."""

from collections.abc import Callable
from functools import partial

from h5.base import BaseHandler, signed_in
from h5.targets import SLUG
from models.links import WAIVER_TEXT, WAIVER_VERSION
from services import arrivals, handshake


class PlanetHandler(BaseHandler):
    """The planet, its courses, and what a member of it gets: GET changes nothing, POST starts the link."""

    acts = "link"

    @property
    def target(self) -> str:
        return f"planet:{self.path_args[0]}"

    def look(self) -> Callable[..., arrivals.Arrived | None]:
        return partial(arrivals.arrived, planet_slug=self.path_args[0])

    async def get(self, slug: str) -> None:
        door, courses = self.ctx.catalogue.door(slug), self.ctx.catalogue.of_planet(slug)
        waiver = {"waiver_text": WAIVER_TEXT, "waiver_version": WAIVER_VERSION}
        self.page("planet.html", door=door, planet=door.planet, courses=courses, arrived=self.seen, **waiver)

    @signed_in
    async def post(self, slug: str) -> None:
        agreed = self.field("waiver", "", most=32)
        where = {"ip": self.ip, "user_agent": self.user_agent}
        who = {"person_id": self.person.id, "browser": self.browser()}
        self.see(await handshake.start_at_planet(self.ctx, planet_slug=slug, agreed=agreed, **who, **where))


routes = [(rf"/planets/({SLUG})", PlanetHandler)]
