"""Loading the catalogue file into rows: what changed is told, what is missing from it is left alone and listed."""

from collections.abc import Iterable
from datetime import UTC, datetime, time
from typing import Any

from models import audit
from models.base import SHANGHAI, Row
from models.catalogue import Course, CoursePlanet, Guest, Lecturer, Lesson, Planet, Price
from services import catalogue
from services.catalogue_file import BadCatalogue, CatalogueFile, CoursePart, Lines, PairingPart, PlanetPart
from services.env import Env


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
    check(file, lines)
    told: list[str] = []
    for part in file.lecturers:
        told += put(Lecturer, {"slug": part.slug}, part.model_dump(exclude={"slug"}))
    for number, part in enumerate(file.courses):
        told += load_course(env, part, lines.of(("courses", number)))
    for part in file.planets:
        told += load_planet(part)
    for part in file.pairings:
        told += load_pairing(env, part)
    if told:
        catalogue.changed()
        audit.record(at=env.now, who="command", action="catalogue loaded", subject="catalogue", new="\n".join(told))
    return told + left_alone(file)


def check(file: CatalogueFile, lines: Lines) -> None:
    """Raise for what no single part can tell: doubles and references to nothing."""
    mistakes = list(doubles("lecturers", file.lecturers, lines)) + list(doubles("courses", file.courses, lines))
    mistakes += doubles("planets", file.planets, lines)
    known = {
        Lecturer: {part.slug for part in file.lecturers} | slugs(Lecturer),
        Course: {part.slug for part in file.courses} | slugs(Course),
        Planet: {part.slug for part in file.planets} | slugs(Planet),
    }
    for place, name, row, slug in references(file):
        if slug not in known[row]:
            mistakes.append(f"line {lines.of((*place, name))}: {name}: unknown {slug}")
    for number, part in enumerate(file.pairings):
        if part.authorised_on and not part.authorised_note:
            where = lines.of(("pairings", number, "authorised_on"))
            mistakes.append(f"line {where}: authorised_on needs an authorised_note that names the agreement")
    if mistakes:
        raise BadCatalogue("\n".join(mistakes))


def slugs(row: type[Row]) -> set[str]:
    """Every slug of a kind of row."""
    return {slug for (slug,) in row.select(row.slug).tuples()}


def doubles(name: str, parts: Iterable[Any], lines: Lines) -> Iterable[str]:
    """A slug may stand once in its list."""
    seen: set[str] = set()
    for number, part in enumerate(parts):
        if part.slug in seen:
            yield f"line {lines.of((name, number, 'slug'))}: {part.slug} stands twice in {name}"
        seen.add(part.slug)


def references(file: CatalogueFile) -> Iterable[tuple[tuple[str, int], str, type[Row], str]]:
    """Each place that names something by its slug."""
    for number, part in enumerate(file.courses):
        yield ("courses", number), "lecturer", Lecturer, part.lecturer
    for number, part in enumerate(file.planets):
        yield ("planets", number), "owner", Lecturer, part.owner
    for number, part in enumerate(file.pairings):
        yield ("pairings", number), "course", Course, part.course
        yield ("pairings", number), "planet", Planet, part.planet
    for number, part in enumerate(file.campaigns):
        for slug in {*part.except_courses, *([part.course] if part.course else [])}:
            yield ("campaigns", number), "course", Course, slug


def put(row: type[Row], key: dict[str, Any], values: dict[str, Any]) -> list[str]:
    """Insert or change one row; a sentence for what changed."""
    name = f"{row.__name__.lower()} {'/'.join(str(part) for part in key.values())}"
    old = row.get_or_none(**key)
    if old is None:
        row.create(**key, **values)
        return [f"+ {name}"]
    changed = {field: value for field, value in values.items() if old.__data__[field] != value}
    if changed:
        row.update(**changed).where(row.id == old.id).execute()
    return [f"~ {name}: {field} {old.__data__[field]!s:.40} → {value!s:.40}" for field, value in changed.items()]


def load_course(env: Env, part: CoursePart, line: int) -> list[str]:
    """A course with its prices and lessons."""
    values = part.model_dump(exclude={"slug", "lecturer", "prices", "lessons"})
    told = put(Course, {"slug": part.slug}, values | {"lecturer": Lecturer.get(slug=part.lecturer).id})
    course = Course.get(slug=part.slug)
    told += load_prices(env, course, part, line)
    for position, lesson in enumerate(part.lessons, 1):
        told += [f"{one} ({part.slug})" for one in put_lesson(course, position, lesson.model_dump())]
    return told


def put_lesson(course: Course, position: int, values: dict[str, Any]) -> list[str]:
    """One lesson, by its place in the outline."""
    return put(Lesson, {"course": course.id, "position": position}, values)


def load_prices(env: Env, course: Course, part: CoursePart, line: int) -> list[str]:
    """Dated prices: one that has begun is history and cannot be changed (C2)."""
    told: list[str] = []
    for price in part.prices:
        from_at = price.from_at.astimezone(UTC)
        old = Price.get_or_none(course=course, from_at=from_at)
        if old and old.amount_fen != price.amount_fen and from_at <= env.now:
            raise BadCatalogue(f"line {line}: the price of {part.slug} from {price.from_at} has begun; add a new one")
        changes = put(Price, {"course": course.id, "from_at": from_at}, {"amount_fen": price.amount_fen})
        told += [f"{one} ({part.slug})" for one in changes]
    return told


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
    told = put(CoursePlanet, {"course": course.id}, {"planet": planet.id, "mode": part.mode})
    told = [one.replace(f"courseplanet {course.id}", f"pairing {part.course} – {part.planet}") for one in told]
    row = CoursePlanet.get(course=course)
    if part.authorised_on and row.opted_in_at is None:
        agreed_at = datetime.combine(part.authorised_on, time(), SHANGHAI).astimezone(UTC)
        note = {"opted_in_at": agreed_at, "opted_in_text": "signed", "opted_in_note": part.authorised_note}
        CoursePlanet.update(**note).where(CoursePlanet.id == row.id).execute()
        agreement = {"new": part.authorised_note, "reason": f"signed on {part.authorised_on}"}
        audit.record(
            at=env.now, who="command", action="pairing authorised", subject=f"pairing:{part.course}", **agreement
        )
        told.append(f"~ pairing {part.course} – {part.planet}: live by the agreement of {part.authorised_on}")
    return told


def left_alone(file: CatalogueFile) -> list[str]:
    """What the database has and the file has not: kept, and said."""
    named = {
        Lecturer: {part.slug for part in file.lecturers},
        Course: {part.slug for part in file.courses},
        Planet: {part.slug for part in file.planets},
    }
    return [
        f"= {row.__name__.lower()} {slug} is not in the file and stays as it is"
        for row, in_file in named.items()
        for slug in sorted(slugs(row) - in_file)
    ]
