"""A planet's own page, behind the pinned post's QR."""

from h5.base import BaseHandler
from h5.targets import SLUG
from models.errors import NotFound


class PlanetHandler(BaseHandler):
    """The planet and the courses it belongs to; GET changes nothing."""

    @property
    def target(self) -> str:
        return f"planet:{self.path_args[0]}"

    async def get(self, slug: str) -> None:
        courses = [c for c in self.ctx.catalogue.courses.values() if c.planet and c.planet.slug == slug]
        if not courses:
            raise NotFound
        self.page("planet.html", planet=courses[0].planet, courses=courses)


routes = [(rf"/planets/({SLUG})", PlanetHandler)]
