"""A planet's own page, behind the pinned post's QR."""

from h5.base import BaseHandler
from h5.targets import SLUG


class PlanetHandler(BaseHandler):
    """The planet and the courses it belongs to; GET changes nothing."""

    @property
    def target(self) -> str:
        return f"planet:{self.path_args[0]}"

    async def get(self, slug: str) -> None:
        courses = self.ctx.catalogue.of_planet(slug)
        self.page("planet.html", planet=courses[0].planet, courses=courses)


routes = [(rf"/planets/({SLUG})", PlanetHandler)]
