"""Loading the catalogue file into rows: what changed is told, what is missing from it is left alone and listed."""

from collections.abc import Iterable
from datetime import UTC, datetime, time
from typing import Any

from models import audit
from models.base import SHANGHAI, Row, shanghai_day
from models.catalogue import Course, CoursePlanet, Guest, Lecturer, Lesson, Planet, Price
from models.vouchers import Campaign
from services import campaign_load, catalogue
from services.catalogue_file import (
    BadCatalogue,
    CampaignPart,
    CatalogueFile,
    CoursePart,
    Lines,
    PairingPart,
    PlanetPart,
    PricePart,
)
from services.env import Env
from services.putting import put

MOST_AUDITED = 15_000  # characters: MariaDB keeps 65 535 bytes of a text
Place = tuple[int | str, ...]


class DryRun(Exception):
    """Rolls a rehearsal back; carries what would have changed."""

    def __init__(self, changes: list[str]) -> None:
        super().__init__()
        self.changes = changes


def rehearse(env: Env, *, file: CatalogueFile, lines: Lines) -> None:
    """Load and always raise: DryRun with the changes, or BadCatalogue."""
    raise DryRun(load(env, file=file, lines=lines))


def load(env: Env, *, file: CatalogueFile, lines: Lines) -> list[str]:
    """Bring the rows to what the file says; one line for each change. Twice changes nothing the second time.

    Raises BadCatalogue for a reference to something unknown, a doubled slug, or a changed price that has begun.
    """
    check(env, file, lines)
    told: list[str] = []
    for part in file.lecturers:
        told += put(Lecturer, {"slug": part.slug}, part.model_dump(exclude={"slug"}))
    for number, part in enumerate(file.courses):
        told += load_course(env, part, lines, number)
    for part in file.planets:
        told += load_planet(part)
    for part in file.pairings:
        told += load_pairing(env, part)
    for number, part in enumerate(file.campaigns):
        told += campaign_load.load(part, line=lines.of(("campaigns", number)))
    if told:
        catalogue.changed()
        told_first = "\n".join(told)[:MOST_AUDITED]
        audit.record(at=env.now, who="command", action="catalogue loaded", subject="catalogue", new=told_first)
    return told + left_alone(file)


def check(env: Env, file: CatalogueFile, lines: Lines) -> None:
    """Raise for what no single part can tell: doubles, references to nothing, agreements without a paper."""
    mistakes = [
        f"line {lines.of(place)}: {what}" for place, what in [*doubles(file), *taken(file), *unsigned(env, file)]
    ]
    known = {
        Lecturer: {part.slug for part in file.lecturers} | slugs(Lecturer),
        Course: {part.slug for part in file.courses} | slugs(Course),
        Planet: {part.slug for part in file.planets} | slugs(Planet),
    }
    for place, row, slug in references(file):
        if slug not in known[row]:
            mistakes.append(f"line {lines.of(place)}: {place[-1]}: unknown {row.__name__.lower()} {slug}")
    if mistakes:
        raise BadCatalogue("\n".join(mistakes))


def slugs(row: type[Row]) -> set[str]:
    """Every slug of a kind of row."""
    return {slug for (slug,) in row.select(row.slug).tuples()}


def doubles(file: CatalogueFile) -> Iterable[tuple[Place, str]]:
    """What may stand once, and stands a second time."""
    for name in ("lecturers", "courses", "planets", "campaigns"):
        yield from twice(name, "slug", [part.slug for part in getattr(file, name)])
    yield from twice("planets", "group_id", [f"{part.provider} {part.group_id}" for part in file.planets])
    yield from twice("pairings", "course", [part.course for part in file.pairings])
    for number, part in enumerate(file.courses):
        for place, what in twice("prices", "from", [price.from_at for price in part.prices]):
            yield ("courses", number, *place), what


def twice(name: str, key: str, values: list[Any]) -> Iterable[tuple[Place, str]]:
    """Each value of a list that was there before."""
    for number, value in enumerate(values):
        if value in values[:number]:
            yield (name, number, key), f"{key} {value} stands twice in {name}"


def taken(file: CatalogueFile) -> Iterable[tuple[Place, str]]:
    """Groups that are another planet's already."""
    for number, part in enumerate(file.planets):
        other = Planet.get_or_none(provider=part.provider, group_id=part.group_id)
        if other and other.slug != part.slug:
            yield ("planets", number, "group_id"), f"group_id {part.group_id} is that of planet {other.slug}"


def unsigned(env: Env, file: CatalogueFile) -> Iterable[tuple[Place, str]]:
    """Agreements that cannot be: without a note that names the paper, or signed in the future."""
    for number, part in enumerate(file.pairings):
        place = ("pairings", number, "authorised_on")
        if part.authorised_on and not part.authorised_note:
            yield place, "authorised_on needs an authorised_note that names the agreement"
        if part.authorised_on and part.authorised_on > shanghai_day(env.now):
            yield place, f"authorised_on {part.authorised_on} is in the future"


def references(file: CatalogueFile) -> Iterable[tuple[Place, type[Row], str]]:
    """Each place that names something by its slug."""
    for number, part in enumerate(file.courses):
        yield ("courses", number, "lecturer"), Lecturer, part.lecturer
    for number, part in enumerate(file.planets):
        yield ("planets", number, "owner"), Lecturer, part.owner
    for number, part in enumerate(file.pairings):
        yield ("pairings", number, "course"), Course, part.course
        yield ("pairings", number, "planet"), Planet, part.planet
    for number, part in enumerate(file.campaigns):
        yield from campaign_references(number, part)


def campaign_references(number: int, part: CampaignPart) -> Iterable[tuple[Place, type[Row], str]]:
    """Whose vouchers pay for what: `scope` is all, one lecturer, or a list of courses."""
    if part.course:
        yield ("campaigns", number, "course"), Course, part.course
    if part.planet:
        yield ("campaigns", number, "planet"), Planet, part.planet
    if isinstance(part.scope, str) and part.scope != "all":
        yield ("campaigns", number, "scope"), Lecturer, part.scope
    for slug in part.scope if isinstance(part.scope, list) else []:
        yield ("campaigns", number, "scope"), Course, slug
    for slug in part.except_courses:
        yield ("campaigns", number, "except_courses"), Course, slug


def load_course(env: Env, part: CoursePart, lines: Lines, number: int) -> list[str]:
    """A course with its prices and lessons."""
    values = part.model_dump(exclude={"slug", "lecturer", "prices", "lessons"})
    told = put(Course, {"slug": part.slug}, values | {"lecturer": Lecturer.get(slug=part.lecturer).id})
    course = Course.get(slug=part.slug)
    for place, price in enumerate(part.prices):
        told += load_price(env, course, price, lines.of(("courses", number, "prices", place)))
    for position, lesson in enumerate(part.lessons, 1):
        key = {"course": course.id, "position": position}
        told += put(Lesson, key, lesson.model_dump(), f"lesson {position} of {part.slug}")
    return told


def load_price(env: Env, course: Course, price: PricePart, line: int) -> list[str]:
    """A dated price: one that has begun is history and cannot be changed (C2)."""
    from_at = price.from_at.astimezone(UTC)
    old = Price.get_or_none(course=course, from_at=from_at)
    if old and old.amount_fen != price.amount_fen and from_at <= env.now:
        raise BadCatalogue(f"line {line}: the price of {course.slug} from {price.from_at} has begun; add a new one")
    name = f"price of {course.slug} from {price.from_at}"
    return put(Price, {"course": course.id, "from_at": from_at}, {"amount_fen": price.amount_fen}, name)


def load_planet(part: PlanetPart) -> list[str]:
    """A planet with its guests."""
    values = part.model_dump(exclude={"slug", "owner", "guests"})
    told = put(Planet, {"slug": part.slug}, values | {"owner": Lecturer.get(slug=part.owner).id})
    planet = Planet.get(slug=part.slug)
    for guest in part.guests:
        if Guest.add_once(planet=planet, name=guest.name):
            told.append(f"+ guest {guest.name} ({part.slug})")
    return told


def load_pairing(env: Env, part: PairingPart) -> list[str]:
    """A pairing; live at once where the file records the lecturer's signed agreement (C4)."""
    course, planet = Course.get(slug=part.course), Planet.get(slug=part.planet)
    name = f"pairing {part.course} – {part.planet}"
    told = put(CoursePlanet, {"course": course.id}, {"planet": planet.id, "mode": part.mode}, name)
    row = CoursePlanet.get(course=course)
    if told and row.opted_in_at:  # what the lecturer agreed to was another planet, or another mode
        withdraw(env, row)
        told.append(f"~ {name}: its authorisation was for what it was before, and has ended")
        row = CoursePlanet.get(course=course)
    if part.authorised_on and row.opted_in_at is None:
        record_agreement(env, row, part)
        told.append(f"~ {name}: live by the agreement of {part.authorised_on}")
    return told


def withdraw(env: Env, row: CoursePlanet) -> None:
    """New links wait for a new authorisation; existing rights stay."""
    nothing = {"opted_in_at": None, "opted_in_text": None, "opted_in_note": None}
    CoursePlanet.update(**nothing).where(CoursePlanet.id == row.id).execute()
    changed = {"subject": f"pairing:{row.course.slug}", "old": row.opted_in_note or row.opted_in_text}
    audit.record(at=env.now, who="command", action="pairing changed: authorisation ended", **changed)


def record_agreement(env: Env, row: CoursePlanet, part: PairingPart) -> None:
    """Live by a signed paper, named in the audit log."""
    agreed_at = datetime.combine(part.authorised_on, time(), SHANGHAI).astimezone(UTC)
    note = {"opted_in_at": agreed_at, "opted_in_text": "signed", "opted_in_note": part.authorised_note}
    CoursePlanet.update(**note).where(CoursePlanet.id == row.id).execute()
    agreement = {"new": part.authorised_note, "reason": f"signed on {part.authorised_on}"}
    audit.record(at=env.now, who="command", action="pairing authorised", subject=f"pairing:{part.course}", **agreement)


def left_alone(file: CatalogueFile) -> list[str]:
    """What the database has and the file has not: kept, and said."""
    named = {
        Lecturer: {part.slug for part in file.lecturers},
        Course: {part.slug for part in file.courses},
        Planet: {part.slug for part in file.planets},
        Campaign: {part.slug for part in file.campaigns},
    }
    return [
        f"= {row.__name__.lower()} {slug} is not in the file and stays as it is"
        for row, in_file in named.items()
        for slug in sorted(slugs(row) - in_file)
    ]
