"""From a course to its planet: the confirm page, the hand-over, the way back, the outcome; and unlinking."""

from datetime import timedelta

from h5.base import BaseHandler, signed_in
from h5.heads import GetUsesUp
from h5.targets import SLUG
from services import handshake, link_views, links

SOON = timedelta(minutes=2)


class PlanetLinkHandler(BaseHandler):
    """星球 on the course page: GET shows what would be linked and changes nothing, POST starts it."""

    acts = "link"

    @property
    def target(self) -> str:
        return f"course_planet:{self.path_args[0]}"

    @signed_in
    async def get(self, slug: str) -> None:
        asked = {"person_id": self.person.id, "course_slug": slug}
        state = await self.ctx.read(link_views.membership_of_course, **asked)
        if state:
            self.page("planet_state.html", course=self.ctx.catalogue.course(slug), membership=state)
            return
        self.page("confirm_link.html", offer=await self.ctx.read(links.offer, **asked))

    @signed_in
    async def post(self, slug: str) -> None:
        agreed = self.field("waiver", "", most=32)
        where = {"ip": self.ip, "user_agent": self.user_agent}
        who = {"person_id": self.person.id, "browser": self.browser()}
        self.see(await handshake.start(self.ctx, course_slug=slug, agreed=agreed, **who, **where))


class CallbackHandler(GetUsesUp, BaseHandler):
    """The planet sends the browser back; the answer is shown on an address without code or state."""

    looks = "return"

    async def get(self, provider: str) -> None:
        names = {"state": "state", "code": "code", "issuer": "iss", "error": "error"}
        returned = {name: self.asked(argument) for name, argument in names.items()}
        who = {"browser": self.known_browser(), "person_id": self.person.id if self.person else None}
        finished = await handshake.finish(self.ctx, provider=provider, **who, **returned)
        if finished.has_linked:
            await self.renew_session()
        self.see(f"/links/attempts/{finished.attempt_id}")


class AttemptHandler(BaseHandler):
    """How a link came out, for the browser that began it; goes on by itself while it is not yet done."""

    looks = "outcome"

    async def get(self, attempt_id: str) -> None:
        asked = {"attempt_id": int(attempt_id), "browser": self.known_browser()}
        outcome = await self.ctx.read(link_views.outcome, **asked)
        if outcome.error:
            raise outcome.error
        if outcome.state in {"working", "pending"}:
            self.set_header("Refresh", "3" if outcome.age < SOON else "30")
        self.page(outcome.template, outcome=outcome)


class MyLinksHandler(BaseHandler):
    """我的关联"""

    @property
    def target(self) -> str:
        return "links"

    @signed_in
    async def get(self) -> None:
        self.page("my_links.html", links=await self.ctx.read(link_views.links_of, person_id=self.person.id))


class UnlinkHandler(BaseHandler):
    """Unlinking: GET says what it means, POST does it."""

    @property
    def target(self) -> str:
        return "links"

    @signed_in
    async def get(self, link_id: str) -> None:
        asked = {"person_id": self.person.id, "link_id": int(link_id)}
        self.page("unlink.html", link=await self.ctx.read(link_views.link_of, **asked))

    @signed_in
    async def post(self, link_id: str) -> None:
        whose = {"person_id": self.person.id, "who": f"person:{self.person.id}"}
        await self.ctx.transact(links.unlink, link_id=int(link_id), reason="page", **whose)
        self.see("/me/links")


NUMBER = r"([0-9]{1,18})"
routes = [
    (rf"/courses/({SLUG})/planet", PlanetLinkHandler),
    (r"/links/callback/([a-z_]{1,32})", CallbackHandler),
    (rf"/links/attempts/{NUMBER}", AttemptHandler),
    (r"/me/links", MyLinksHandler),
    (rf"/me/links/{NUMBER}/unlink", UnlinkHandler),
]
