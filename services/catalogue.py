"""The catalogue in memory, renewed when its version grows, so that a page reads no rows for it; decisions do."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from peewee import JOIN

from models.catalogue import (
    SAME_PRICE,
    CatalogueVersion,
    Course,
    CoursePlanet,
    Guest,
    Lecturer,
    Lesson,
    Planet,
    Price,
    price_at,
)
from models.errors import NotFound, PairingNotLive
from models.prepared import Prepared, given
from services.env import Env

SHELF = 48
"""How many courses one page of the catalogue shows: all of thousands would keep the loop from everybody else."""


@dataclass(frozen=True, slots=True)
class LessonCard:
    """A line of the outline; its content is read when it is opened."""

    number: int
    title: str
    free: bool


@dataclass(frozen=True, slots=True)
class PlanetCard:
    """A planet as a course page shows it; `is_live` when new links may start."""

    slug: str
    title: str
    provider: str
    owner: str
    guests: tuple[str, ...]
    price_fen: int
    days: int
    mode: str
    is_live: bool


@dataclass(frozen=True, slots=True)
class CourseCard:
    """A course as its page shows it."""

    id: int
    slug: str
    title: str
    lecturer: str
    ended_on: date | None
    audience: str
    not_for: str
    prices: tuple[tuple[datetime, int], ...]
    lessons: tuple[LessonCard, ...]
    planet: PlanetCard | None

    def price_fen(self, now: datetime) -> int | None:
        """The list price at a moment."""
        return price_at(list(self.prices), now)


@dataclass(slots=True)
class CatalogueMemory:
    """All courses by slug, as of a version; also in pages, and by planet: no page looks through them all."""

    version: int = -1
    courses: Mapping[str, CourseCard] = field(default_factory=dict)
    shelves: Sequence[Sequence[CourseCard]] = ((),)
    by_planet: Mapping[str, Sequence[CourseCard]] = field(default_factory=dict)

    def course(self, slug: str) -> CourseCard:
        """A course by its slug; raises NotFound."""
        if slug not in self.courses:
            raise NotFound
        return self.courses[slug]

    def shelf(self, number: int) -> Sequence[CourseCard]:
        """One page of the catalogue, from 1 on; raises NotFound."""
        if not 1 <= number <= len(self.shelves):
            raise NotFound
        return self.shelves[number - 1]

    def of_planet(self, slug: str) -> Sequence[CourseCard]:
        """The courses that belong to a planet; raises NotFound."""
        if slug not in self.by_planet:
            raise NotFound
        return self.by_planet[slug]

    def door(self, slug: str) -> CourseCard:
        """The course by which a payment at a planet gives something: an open pairing first; raises NotFound."""
        return min(self.of_planet(slug), key=lambda one: (not one.planet.is_live, one.planet.mode != SAME_PRICE))

    async def refresh(self, read: Callable[[Callable[[Env], Any]], Awaitable[Any]]) -> None:
        """Look whether the version has grown, and read everything again if so; `read` is the context's."""
        if await read(version) != self.version:
            self.version, self.courses = await read(snapshot)
            self._arrange(list(self.courses.values()))

    def _arrange(self, cards: list[CourseCard]) -> None:
        self.shelves = [cards[at : at + SHELF] for at in range(0, len(cards), SHELF)] or ((),)
        by_planet: dict[str, list[CourseCard]] = {}
        for card in cards:
            if card.planet:
                by_planet.setdefault(card.planet.slug, []).append(card)
        self.by_planet = by_planet


def version(env: Env) -> int:
    """The number that grows with every change."""
    row = CatalogueVersion.get_or_none()
    return row.number if row else 0


def changed() -> None:
    """Call in the transaction of every change of catalogue rows."""
    if not CatalogueVersion.update(number=CatalogueVersion.number + 1).execute():
        CatalogueVersion.create(number=1)


def snapshot(env: Env) -> tuple[int, Mapping[str, CourseCard]]:
    """The version, and every course as a card, in as few reads as there are kinds of rows."""
    number = version(env)
    lecturers = {row.id: row for row in Lecturer.select()}
    planets = planet_cards(lecturers)
    lessons: dict[int, list[LessonCard]] = {}
    outline = Lesson.select(Lesson.course, Lesson.position, Lesson.title, Lesson.free).order_by(Lesson.position)
    for row in outline:
        lessons.setdefault(row.course_id, []).append(LessonCard(row.position, row.title, row.free))
    prices: dict[int, list[tuple[datetime, int]]] = {}
    for row in Price.select().order_by(Price.from_at):
        prices.setdefault(row.course_id, []).append((row.from_at, row.amount_fen))
    cards = {
        row.slug: CourseCard(
            id=row.id, slug=row.slug, title=row.title, lecturer=lecturers[row.lecturer_id].name,
            ended_on=row.ended_on, audience=row.audience, not_for=row.not_for,
            prices=tuple(prices.get(row.id, ())), lessons=tuple(lessons.get(row.id, ())), planet=planets.get(row.id),
        )
        for row in Course.select().order_by(Course.id)
    }  # fmt: skip
    return number, MappingProxyType(cards)


def planet_cards(lecturers: Mapping[int, Lecturer]) -> dict[int, PlanetCard]:
    """The planet of each paired course, by course id."""
    guests: dict[int, list[str]] = {}
    for row in Guest.select().order_by(Guest.id):
        guests.setdefault(row.planet_id, []).append(row.name)
    pairings = CoursePlanet.select(CoursePlanet, Planet).join(Planet)
    return {
        row.course_id: PlanetCard(
            slug=row.planet.slug, title=row.planet.title, provider=row.planet.provider,
            owner=lecturers[row.planet.owner_id].name,
            guests=tuple(guests.get(row.planet_id, ())), price_fen=row.planet.price_fen, days=row.planet.days,
            mode=row.mode, is_live=row.is_live,
        )
        for row in pairings
    }  # fmt: skip


PAIRING = Prepared(
    lambda: (
        Course.select(Course.id, Course.slug, Course.title, CoursePlanet, Planet)
        .join(CoursePlanet, JOIN.LEFT_OUTER)
        .join(Planet, JOIN.LEFT_OUTER)
        .where(Course.slug == given("slug"))
    )
)


def live_pairing(course_slug: str) -> CoursePlanet:
    """The course's pairing, live; raises NotFound for an unknown course, PairingNotLive."""
    found = PAIRING.first(slug=course_slug)
    if found is None:
        raise NotFound
    course, pairing, planet = found
    if pairing is None:
        raise PairingNotLive
    pairing.course, pairing.planet = course, planet
    pairing.check_live()
    return pairing


@dataclass(frozen=True, slots=True)
class LessonContent:
    """What a lesson's page shows to who may see it."""

    title: str
    article: str
    media_url: str


def lesson(env: Env, *, course_id: int, number: int) -> LessonContent:
    """The content of one lesson; raises NotFound."""
    row = Lesson.find(course=course_id, position=number)
    return LessonContent(title=row.title, article=row.article, media_url=row.media_url)
