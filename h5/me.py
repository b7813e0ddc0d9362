"""The learner's own pages."""

from h5.base import BaseHandler, signed_in
from services import access, lecturers, payment_views


class MeHandler(BaseHandler):
    """我的: courses with the state of their planets, and where to go on."""

    @property
    def target(self) -> str:
        return "me"

    @signed_in
    async def get(self) -> None:
        courses = await self.ctx.read(access.courses_of, person_id=self.person.id)
        is_lecturer = await self.ctx.read(lecturers.is_lecturer, person_id=self.person.id)
        paid = await self.ctx.read(payment_views.payments_of, person_id=self.person.id)
        self.page("me.html", courses=courses, payments=paid, is_lecturer=is_lecturer)


class AccessHandler(BaseHandler):
    """Why do I have, or not have, this? (R1)"""

    @property
    def target(self) -> str:
        return "access"

    @signed_in
    async def get(self) -> None:
        reasons = await self.ctx.read(access.reasons, person_id=self.person.id)
        paid = await self.ctx.read(payment_views.payments_of, person_id=self.person.id)
        self.page("access.html", reasons=reasons, payments=paid)


routes = [(r"/me", MeHandler), (r"/me/access", AccessHandler)]
