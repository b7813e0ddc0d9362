"""Who may open what, and why: the union of grants (R1)."""

from dataclasses import dataclass
from datetime import datetime

from models.access import Grant
from models.catalogue import Course
from models.links import Link, Membership
from models.people import Person
from services import memberships
from services.env import Env


def give(env: Env, *, person: Person, course: Course, source: str, source_ref: str, starts_at: datetime) -> Grant:
    """A right from one source; the same source twice gives it once."""
    values = {"source": source, "source_ref": source_ref, "course": course}
    Grant.add_once(person=person, starts_at=starts_at, **values)
    return Grant.get(**values)


def take_back(env: Env, grant: Grant, *, reason: str) -> bool:
    """End one grant and the membership that came with it; what another grant gives stays."""
    live = (Grant.id == grant.id, Grant.revoked_at.is_null())
    if not Grant.change_if(*live, revoked_at=env.now, revoked_reason=reason):
        return False
    for membership in Membership.select().where(Membership.active_grant == grant.id):
        memberships.hold_link(membership.link_id)  # the years behind it are counted by one at a time
        memberships.end(env, membership, reason=reason)
        memberships.close_gap(env, person_id=grant.person_id, planet_id=membership.planet_id)
    return True


def live_grants(env: Env, *, person_id: int, course_id: int | None = None) -> list[Grant]:
    """The rights that hold now, oldest first."""
    rows = Grant.select(Grant, Course).join(Course).where(Grant.person == person_id, Grant.live(now=env.now))
    if course_id is not None:
        rows = rows.where(Grant.course == course_id)
    return list(rows.order_by(Grant.starts_at, Grant.id))


def may_open(env: Env, *, person_id: int, course_id: int) -> bool:
    """True when any grant opens the course."""
    return bool(live_grants(env, person_id=person_id, course_id=course_id))


@dataclass(frozen=True, slots=True)
class Reason:
    """One line of "why do I have, or not have, this?"."""

    course_slug: str
    course_title: str
    source: str
    source_tail: str
    since: datetime
    ends_at: datetime | None
    revoked_at: datetime | None
    revoked_reason: str | None
    is_live: bool


def reasons(env: Env, *, person_id: int) -> list[Reason]:
    """Every right a person has or had, with its source, and why it ended."""
    rows = Grant.select(Grant, Course).join(Course).where(Grant.person == person_id).order_by(Grant.starts_at.desc())
    return [
        Reason(
            course_slug=g.course.slug, course_title=g.course.title, source=g.source, source_tail=g.source_tail,
            since=g.starts_at, ends_at=g.ends_at, revoked_at=g.revoked_at, revoked_reason=g.revoked_reason,
            is_live=g.is_live(now=env.now),
        )
        for g in rows
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class CourseState:
    """A course of a person; `state` with its planet: `unlinked`, `pending`, `refused`, `linked` or `over`."""

    slug: str
    title: str
    state: str
    until: datetime | None
    since: datetime | None


BEST_FIRST = ("linked", "pending", "refused", "unlinked", "over")


def courses_of(env: Env, *, person_id: int) -> list[CourseState]:
    """His courses, each with the state of its link."""
    by_course: dict[int, list[Grant]] = {}
    for grant in live_grants(env, person_id=person_id):
        by_course.setdefault(grant.course_id, []).append(grant)
    by_grant = newest_memberships(person_id)
    return [best_state(env, grants, by_grant) for grants in by_course.values()]


def state_of_course(env: Env, *, person_id: int, course_id: int) -> CourseState | None:
    """Where one course of a person stands; None without a right to it."""
    grants = live_grants(env, person_id=person_id, course_id=course_id)
    return best_state(env, grants, newest_memberships(person_id)) if grants else None


def best_state(env: Env, grants: list[Grant], by_grant: dict[int, Membership]) -> CourseState:
    """Several rights to one course: the one that gives most, or can still be linked, speaks for it."""
    states = (course_state(env, grant, by_grant.get(grant.id)) for grant in grants)
    return min(states, key=lambda state: BEST_FIRST.index(state.state))


def newest_memberships(person_id: int) -> dict[int, Membership]:
    """The latest membership of each of a person's grants."""
    rows = Membership.select().join(Link).where(Link.person == person_id).order_by(Membership.id)
    return {membership.grant_id: membership for membership in rows}


def course_state(env: Env, grant: Grant, membership: Membership | None) -> CourseState:
    """Where one right stands with the planet."""
    if membership is None or (membership.revoked_at and not membership.is_over(now=env.now)):
        state, until, since = "unlinked", None, None
    else:
        until, since = membership.ends_at, membership.created_at
        state = membership_state(env, membership)
    return CourseState(slug=grant.course.slug, title=grant.course.title, state=state, until=until, since=since)


def membership_state(env: Env, membership: Membership) -> str:
    """`over`, `linked`, `refused` (paid and not served, R3) or `pending`."""
    if not membership.is_live(now=env.now):
        return "over"
    if membership.delivered_version:
        return "linked"
    return "refused" if membership.refused_code else "pending"
