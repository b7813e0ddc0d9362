"""Lecturers: becoming one by a one-time link, and opening or pausing their pairings (C4)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from peewee import fn

from models import audit
from models.access import Grant
from models.catalogue import Course, CoursePlanet, Lecturer, LecturerInvite, Planet
from models.errors import AccessDenied, InviteOver, NotFound
from models.people import Person, digest
from services import catalogue
from services.env import Env

INVITE_LIFE = timedelta(days=7)
CONSENT_VERSION = "2026-11"
CONSENT_TEXT = "我同意把这门课程与星球配对：报名课程的学员可以免费进入星球一年；星球的付费会员可以获得课程或代金券。"


def invite(env: Env, *, slug: str) -> str:
    """A one-time link, good for seven days, that makes who opens it in WeChat this lecturer; raises NotFound."""
    lecturer = Lecturer.get_or_none(slug=slug)
    if lecturer is None:
        raise NotFound(what=f"unknown lecturer {slug}")
    code = env.new_code(128)
    LecturerInvite.create(
        code_hash=digest(code), lecturer=lecturer, created_at=env.now, expires_at=env.now + INVITE_LIFE
    )
    audit.record(at=env.now, who="command", action="lecturer invited", subject=f"lecturer:{slug}")
    return f"{env.config.base_url}/lecturer/invites/{code}"


def invitation(env: Env, *, code: str) -> str:
    """Whose invitation it is; raises InviteOver alike for unknown, used and old ones."""
    return live_invite(env, code).lecturer.name


def live_invite(env: Env, code: str) -> LecturerInvite:
    """The invitation, still good; raises InviteOver."""
    row = LecturerInvite.get_or_none(code_hash=digest(code))
    if row is None or row.used_at or env.now >= row.expires_at:
        raise InviteOver
    return row


def accept(env: Env, *, code: str, person_id: int) -> None:
    """Make this person the lecturer; one use. The one before him, if any, is no longer."""
    row = live_invite(env, code)
    unused = (LecturerInvite.id == row.id, LecturerInvite.used_at.is_null())
    if not LecturerInvite.change_if(*unused, used_at=env.now, used_by=person_id):
        raise InviteOver
    old = row.lecturer.person_id
    Lecturer.update(person=person_id).where(Lecturer.id == row.lecturer_id).execute()
    subject = f"lecturer:{row.lecturer.slug}"
    changed = {"old": f"person:{old}" if old else "", "new": f"person:{person_id}"}
    audit.record(at=env.now, who=f"person:{person_id}", action="became lecturer", subject=subject, **changed)


@dataclass(frozen=True, slots=True)
class PairingView:
    """One pairing on the lecturer's page; `affected` learners could enter the planet at once."""

    id: int
    course_title: str
    planet_title: str
    mode: str
    state: str
    since: datetime | None
    affected: int


def pairings_of(env: Env, *, person_id: int) -> tuple[str, list[PairingView]]:
    """The lecturer's names (a person may be several) and the pairings in his hand; AccessDenied for anybody else."""
    mine = list(Lecturer.select().where(Lecturer.person == person_id).order_by(Lecturer.id))
    if not mine:
        raise AccessDenied
    rows = CoursePlanet.select(CoursePlanet, Course, Planet).join(Course).switch().join(Planet)
    rows = rows.where(Course.lecturer.in_(mine), Planet.owner.in_(mine)).order_by(CoursePlanet.id)
    return "、".join(one.name for one in mine), [pairing_view(env, row) for row in rows]


def pairing_view(env: Env, row: CoursePlanet) -> PairingView:
    """A pairing with its state and whom it concerns."""
    learners = Grant.select(fn.COUNT(Grant.person.distinct())).where(
        Grant.course == row.course_id, Grant.live(now=env.now)
    )
    return PairingView(
        id=row.id, course_title=row.course.title, planet_title=row.planet.title, mode=row.mode, state=state_of(row),
        since=row.paused_at or row.opted_in_at, affected=learners.scalar() or 0,
    )  # fmt: skip


def own_pairing(pairing_id: int, person_id: int) -> CoursePlanet:
    """The pairing, if both its course and its planet are this person's; raises NotFound for any other."""
    row = CoursePlanet.find(id=pairing_id)
    owners = {row.course.lecturer.person_id, Planet.get_by_id(row.planet_id).owner.person_id}
    if owners != {person_id}:
        raise NotFound
    return row


def authorise(env: Env, *, pairing_id: int, person_id: int) -> None:
    """The lecturer's own opt-in, with time and text version; also ends a pause. Of a live one it changes nothing."""
    row = own_pairing(pairing_id, person_id)
    agreed = {"paused_at": None, "opted_in_at": env.now, "opted_in_text": CONSENT_VERSION, "opted_in_note": None}
    not_live = CoursePlanet.opted_in_at.is_null() | CoursePlanet.paused_at.is_null(False)
    if CoursePlanet.change_if(CoursePlanet.id == row.id, not_live, **agreed):
        note(env, row, person_id, "pairing authorised", new=f"live, text {CONSENT_VERSION}")


def pause(env: Env, *, pairing_id: int, person_id: int) -> None:
    """New links stop; existing rights stay. Of one that is not live it changes nothing."""
    row = own_pairing(pairing_id, person_id)
    live = (CoursePlanet.opted_in_at.is_null(False), CoursePlanet.paused_at.is_null())
    if CoursePlanet.change_if(CoursePlanet.id == row.id, *live, paused_at=env.now):
        note(env, row, person_id, "pairing paused", new="paused")


def state_of(row: CoursePlanet) -> str:
    """`live`, `paused` or `waiting` (for the lecturer)."""
    return "live" if row.is_live else "paused" if row.opted_in_at else "waiting"


def note(env: Env, row: CoursePlanet, person_id: int, action: str, *, new: str) -> None:
    """Into the audit log, and tell the memories of the catalogue; `row` is as it was before."""
    changed = {"subject": f"pairing:{row.course.slug}", "old": state_of(row), "new": new}
    audit.record(at=env.now, who=f"person:{person_id}", action=action, **changed)
    catalogue.changed()


@dataclass(frozen=True, slots=True)
class PosterView:
    """A planet of the lecturer, whose pinned post wants a QR."""

    slug: str
    title: str


def posters_of(env: Env, *, person_id: int) -> list[PosterView]:
    """His planets that any course is paired with: only those have a page."""
    paired = CoursePlanet.select(CoursePlanet.planet)
    rows = Planet.select().join(Lecturer).where(Lecturer.person == person_id, Planet.id.in_(paired))
    return [PosterView(row.slug, row.title) for row in rows.order_by(Planet.id)]


def own_poster(env: Env, *, slug: str, person_id: int) -> PosterView:
    """One of them; raises NotFound for any other planet."""
    found = next((one for one in posters_of(env, person_id=person_id) if one.slug == slug), None)
    if found is None:
        raise NotFound
    return found


def is_lecturer(env: Env, *, person_id: int) -> bool:
    """Whether the person is anybody's lecturer."""
    return Lecturer.select().where(Lecturer.person == Person(id=person_id)).exists()
