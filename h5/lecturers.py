"""The lecturer's page: becoming one, opening and pausing his pairings, the QR for his pinned post."""

import asyncio

from h5.base import BaseHandler, signed_in
from h5.targets import SLUG
from models.errors import WrongInput
from services import lecturers, qr

ACTIONS = {"authorise": lecturers.authorise, "pause": lecturers.pause}


class LecturerHandler(BaseHandler):
    """His pairings, each with how many learners it concerns."""

    @property
    def target(self) -> str:
        return "lecturer"

    @signed_in
    async def get(self) -> None:
        name, pairings = await self.ctx.read(lecturers.pairings_of, person_id=self.person.id)
        posters = await self.ctx.read(lecturers.posters_of, person_id=self.person.id)
        shown = {"name": name, "pairings": pairings, "posters": posters}
        self.page("lecturer.html", **shown, consent=lecturers.CONSENT_TEXT)


class PairingHandler(BaseHandler):
    """His yes, or his pause, to one pairing."""

    @property
    def target(self) -> str:
        return "lecturer"

    @signed_in
    async def post(self, pairing_id: str) -> None:
        action = ACTIONS.get(self.field("action"))
        if action is None:
            raise WrongInput(what="action")
        await self.ctx.transact(action, pairing_id=int(pairing_id), person_id=self.person.id)
        await self.ctx.catalogue.refresh(self.ctx.read)
        self.see("/lecturer")


class InviteHandler(BaseHandler):
    """The one-time link of an invitation: GET shows it, POST takes it."""

    looks = acts = "code"

    @property
    def target(self) -> str:
        return f"invite:{self.path_args[0]}"

    @signed_in
    async def get(self, code: str) -> None:
        self.page("invite.html", name=await self.ctx.read(lecturers.invitation, code=code), code=code)

    @signed_in
    async def post(self, code: str) -> None:
        await self.ctx.transact(lecturers.accept, code=code, person_id=self.person.id)
        await self.renew_session()
        self.see("/lecturer")


POSTERS = {"png": (qr.poster_png, "image/png"), "svg": (qr.poster_svg, "image/svg+xml")}


class PosterHandler(BaseHandler):
    """The QR of his planet's page, to download for the pinned post."""

    looks = "picture"

    @property
    def target(self) -> str:
        return "lecturer"

    @signed_in
    async def get(self, slug: str, kind: str) -> None:
        planet = await self.ctx.read(lecturers.own_poster, slug=slug, person_id=self.person.id)
        draw, content_type = POSTERS[kind]
        picture = await asyncio.to_thread(draw, f"{self.ctx.config.base_url}/planets/{slug}", planet.title)
        self.set_header("Content-Type", content_type)
        self.set_header("Content-Disposition", f'attachment; filename="planet-{slug}.{kind}"')
        self.finish(picture)


routes = [
    (r"/lecturer", LecturerHandler),
    (r"/lecturer/pairings/([0-9]{1,18})", PairingHandler),
    (rf"/lecturer/planets/({SLUG})/qr\.(png|svg)", PosterHandler),
    (r"/lecturer/invites/([0-9a-f]{32})", InviteHandler),
]
