"""The catalogue, a course, a lesson."""

import re
from collections.abc import Callable
from functools import partial

from h5.base import BaseHandler
from h5.targets import SLUG
from models.errors import NotEnrolled, NotFound, NotSignedIn
from services import access, catalogue

PAGE_NUMBER = re.compile(r"[1-9][0-9]{0,5}")


class CatalogueHandler(BaseHandler):
    """Every course, page by page."""

    async def get(self) -> None:
        asked = self.asked("page") or "1"
        if not PAGE_NUMBER.fullmatch(asked):
            raise NotFound
        shelf = self.ctx.catalogue.shelf(int(asked))
        self.page("catalogue.html", courses=shelf, number=int(asked), count=len(self.ctx.catalogue.shelves))


class CourseHandler(BaseHandler):
    """One course, with what this visitor may do with it."""

    @property
    def target(self) -> str:
        return f"course:{self.path_args[0]}"

    def look(self) -> Callable[..., access.CourseState | None]:
        return partial(access.state_of_course, course_id=self.ctx.catalogue.course(self.path_args[0]).id)

    async def get(self, slug: str) -> None:
        sells = self.ctx.pay is not None
        self.page("course.html", course=self.ctx.catalogue.course(slug), state=self.seen, sells=sells)


class LessonHandler(BaseHandler):
    """One lesson: the free preview for everybody, the rest by right."""

    @property
    def target(self) -> str:
        return f"lesson:{self.path_args[0]}/{self.path_args[1]}"

    async def get(self, slug: str, number: str) -> None:
        course = self.ctx.catalogue.course(slug)
        card = next((lesson for lesson in course.lessons if lesson.number == int(number)), None)
        if card is None:
            raise NotFound
        if not card.free:
            await self.check_right(course.id)
        content = await self.ctx.read(catalogue.lesson, course_id=course.id, number=card.number)
        self.page("lesson.html", course=course, card=card, lesson=content)

    async def check_right(self, course_id: int) -> None:
        """Raise unless this visitor has the course."""
        if self.person is None:
            raise NotSignedIn
        if not await self.ctx.read(access.may_open, person_id=self.person.id, course_id=course_id):
            raise NotEnrolled


routes = [
    (r"/", CatalogueHandler),
    (rf"/courses/({SLUG})", CourseHandler),
    (rf"/courses/({SLUG})/lessons/([0-9]{{1,4}})", LessonHandler),
]
