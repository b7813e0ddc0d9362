"""Who may open what, and why: the union of grants (R1)."""

from dataclasses import dataclass, replace
from datetime import datetime

from peewee import JOIN, Expression, Select

from models.access import Grant
from models.base import days_left
from models.catalogue import Course
from models.links import REMOVED_BY_OWNER, Membership
from models.people import Person
from models.prepared import Prepared, add_once, given
from services import memberships
from services.env import Env


def give(env: Env, *, person: Person, course: Course, source: str, source_ref: str, starts_at: datetime) -> Grant:
    """A right from one source; the same source twice gives it once."""
    values = {"source": source, "source_ref": source_ref, "course": course.id}
    add_once(Grant, person=person.id, starts_at=starts_at, **values)
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


@dataclass(slots=True)
class Holding:
    """A right that holds now, and the memberships that it has given so far, oldest first."""

    grant: Grant
    memberships: list[Membership]


def held(*more: Expression) -> Select:
    """The rights of a person that hold now, oldest first, each once for every membership."""
    rows = Grant.select(Grant, Course.id, Course.slug, Course.title, Membership).join(Course)
    rows = rows.switch(Grant).join(Membership, JOIN.LEFT_OUTER)
    mine = (Grant.person == given("person_id"), Grant.live(now=given("now")), *more)
    return rows.where(*mine).order_by(Grant.starts_at, Grant.id, Membership.id)


HELD = Prepared(held)
HELD_OF_COURSE = Prepared(lambda: held(Grant.course == given("course_id")))


def holdings(env: Env, *, person_id: int, course_id: int | None = None) -> list[Holding]:
    """What a person has now, or what of one course: in one read."""
    whose = {"person_id": person_id, "now": env.now}
    rows = HELD.rows(**whose) if course_id is None else HELD_OF_COURSE.rows(**whose, course_id=course_id)
    found: dict[int, Holding] = {}
    for grant, course, membership in rows:
        grant.course = course
        holding = found.setdefault(grant.id, Holding(grant, []))
        if membership:
            holding.memberships.append(membership)
    return list(found.values())


def may_open(env: Env, *, person_id: int, course_id: int) -> bool:
    """True when any grant opens the course."""
    return bool(holdings(env, person_id=person_id, course_id=course_id))


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
    is_resting: bool


def reasons(env: Env, *, person_id: int) -> list[Reason]:
    """Every right a person has or had, with its source, and why it ended."""
    rows = Grant.select(Grant, Course).join(Course).where(Grant.person == person_id).order_by(Grant.starts_at.desc())
    return [
        Reason(
            course_slug=g.course.slug, course_title=g.course.title, source=g.source, source_tail=g.source_tail,
            since=g.starts_at, ends_at=g.ends_at, revoked_at=g.revoked_at, revoked_reason=g.revoked_reason,
            is_live=g.is_live(now=env.now), is_resting=g.suspended_at is not None and g.revoked_at is None,
        )
        for g in rows
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class CourseState:
    """A course of a person; `state` with its planet: `unlinked`, `pending`, `refused`, `linked` or `over`.

    `paid_there`: he has it from his own payment at the planet, and is a member there without us.
    `days_left` counts down to an end that no other year of his at this planet follows.
    """

    slug: str
    title: str
    state: str
    until: datetime | None
    since: datetime | None
    days_left: int | None = None


BEST_FIRST = ("linked", "pending", "refused", "unlinked", "paid_there", "over")


def courses_of(env: Env, *, person_id: int) -> list[CourseState]:
    """His courses, each with the state of its link."""
    mine = holdings(env, person_id=person_id)
    by_course: dict[int, list[Holding]] = {}
    for holding in mine:
        by_course.setdefault(holding.grant.course_id, []).append(holding)
    last = last_ends(env, mine)
    return [counting_down(env, best_state(env, some), last) for some in by_course.values()]


def last_ends(env: Env, mine: list[Holding]) -> set[datetime]:
    """When his years at each planet end for good."""
    ends: dict[int, datetime] = {}
    for membership in (one for holding in mine for one in holding.memberships if one.is_live(now=env.now)):
        ends[membership.planet_id] = max(membership.ends_at, ends.get(membership.planet_id, membership.ends_at))
    return set(ends.values())


def counting_down(env: Env, state: CourseState, last: set[datetime]) -> CourseState:
    """The same with the days that are left, when it is open and ends for good soon."""
    is_last = state.state == "linked" and state.until in last
    return replace(state, days_left=days_left(state.until, now=env.now)) if is_last else state


def state_of_course(env: Env, *, person_id: int, course_id: int) -> CourseState | None:
    """Where one course of a person stands; None without a right to it."""
    mine = holdings(env, person_id=person_id, course_id=course_id)
    return best_state(env, mine) if mine else None


def best_state(env: Env, mine: list[Holding]) -> CourseState:
    """Several rights to one course: the one that gives most and longest, or can still be linked, speaks for it."""
    states = (course_state(env, holding) for holding in mine)
    return min(states, key=lambda one: (BEST_FIRST.index(one.state), -one.until.timestamp() if one.until else 0))


def course_state(env: Env, holding: Holding) -> CourseState:
    """Where one right stands with the planet, by its latest membership."""
    membership = holding.memberships[-1] if holding.memberships else None
    if holding.grant.is_from_planet:
        state, until, since = "paid_there", None, holding.grant.starts_at
    elif membership is None or (membership.revoked_at and not membership.is_over(now=env.now)):
        state, until, since = "unlinked", None, None
    else:
        until, since = membership.ends_at, membership.created_at
        state = membership_state(env, membership)
    course = holding.grant.course
    return CourseState(slug=course.slug, title=course.title, state=state, until=until, since=since)


def membership_state(env: Env, membership: Membership) -> str:
    """`over`, `linked`, `refused` (paid and not served, R3; or removed by the planet's owner) or `pending`."""
    if not membership.is_live(now=env.now):
        return "over"
    if membership.delivered_version and membership.refused_code != REMOVED_BY_OWNER:
        return "linked"
    return "refused" if membership.refused_code else "pending"
