"""How attempts and links look to the person they belong to."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from models.catalogue import Course, CoursePlanet
from models.errors import BusinessError, StateInvalid, retold
from models.links import Link, LinkAttempt, Membership
from models.people import digest
from services import access, arrivals
from services.env import Env
from services.links import LINKED, has_free_grant
from services.payment_views import PaymentView, payments_of_link

WORK_LIFE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the result page shows: `working`, `linked`, `pending`, `refused`, `over`; or `error`, to be raised."""

    template: ClassVar = "outcome.html"
    state: str
    error: BusinessError | None
    age: timedelta
    course_slug: str
    course_title: str
    planet_title: str
    entry_url: str
    display_name: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """The same for who came from the planet: `working`, or what he was given (services/arrivals.py)."""

    template: ClassVar = "arrival.html"
    state: str
    error: BusinessError | None
    age: timedelta
    planet_title: str
    arrived: arrivals.Arrived


@dataclass(frozen=True, slots=True)
class MembershipView:
    """The membership that a course has given: its state, until when, and as which planet account."""

    state: str
    until: datetime
    account: str
    planet_title: str
    entry_url: str
    link_id: int
    days_left: int | None = None


def outcome(env: Env, *, attempt_id: int, browser: str) -> Outcome | Arrival:
    """How an attempt stands, for the browser that began it; raises NotFound for any other."""
    attempt = LinkAttempt.find(id=attempt_id, browser_hash=digest(browser))
    if attempt.grant_id is None:
        return arrival(env, attempt)
    membership = None
    if attempt.link_id:
        mine = {"link": attempt.link_id, "active_grant": attempt.grant_id}
        membership = Membership.get_or_none(**mine)
    return Outcome(
        state=attempt_state(env, attempt, membership), error=attempt_error(env, attempt),
        age=env.now - attempt.created_at,
        course_slug=attempt.grant.course.slug, course_title=attempt.grant.course.title,
        planet_title=attempt.planet.title, entry_url=attempt.planet.entry_url,
        display_name=attempt.link.display_name if attempt.link_id else "",
        until=membership.ends_at if membership else None,
    )  # fmt: skip


def arrival(env: Env, attempt: LinkAttempt) -> Arrival:
    """How it stands for who came from the planet."""
    asked = {"person_id": attempt.person_id, "planet_slug": attempt.planet.slug}
    arrived = arrivals.arrived(env, **asked)
    return Arrival(
        state=arrived.state if attempt.outcome == LINKED else "working", error=attempt_error(env, attempt),
        age=env.now - attempt.created_at, planet_title=attempt.planet.title, arrived=arrived,
    )  # fmt: skip


def attempt_state(env: Env, attempt: LinkAttempt, membership: Membership | None) -> str:
    """How a link that was made stands with the planet, or that it is still being made."""
    if attempt.outcome != LINKED:
        return "working"
    return access.membership_state(env, membership) if membership else "over"


def attempt_error(env: Env, attempt: LinkAttempt) -> BusinessError | None:
    """The "no" that ended the attempt; one that nobody finished in time ends by itself."""
    if attempt.outcome == LINKED:
        return None
    if attempt.outcome:
        return retold(attempt.outcome, attempt.said)
    since = attempt.used_at or attempt.created_at
    return StateInvalid() if env.now >= since + WORK_LIFE else None


def membership_of_course(env: Env, *, person_id: int, course_slug: str) -> MembershipView | None:
    """What the 星球 page shows once there is nothing left to link; None while there is."""
    course = Course.find(slug=course_slug)
    mine = {one.slug: one for one in access.courses_of(env, person_id=person_id)}  # all: another may go on after it
    state = mine.get(course_slug)
    pairing = CoursePlanet.get_or_none(course=course)
    if state is None or pairing is None or state.state in {"unlinked", "over", "paid_there"}:
        return None
    link = Link.get_or_none(provider=pairing.planet.provider, active_person=person_id)
    return None if link is None or has_free_grant(env, person_id=person_id, course_id=course.id) else MembershipView(
        state=state.state, until=state.until, account=link.display_name, planet_title=pairing.planet.title,
        entry_url=pairing.planet.entry_url, link_id=link.id, days_left=state.days_left,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class LinkView:
    """One link of a person, with the courses that hang on it, and the payments that came through it."""

    id: int
    planet_account: str
    provider: str
    linked_at: datetime
    unlinked_at: datetime | None
    memberships: list[tuple[str, str, str, datetime]]
    payments: list[PaymentView]


def links_of(env: Env, *, person_id: int) -> list[LinkView]:
    """His links, active ones first; each with (course, planet, state, until)."""
    rows = Link.select().where(Link.person == person_id).order_by(Link.active_person.is_null(), Link.id.desc())
    return [link_view(env, link) for link in rows]


def link_of(env: Env, *, person_id: int, link_id: int) -> LinkView:
    """One active link of a person; raises NotFound."""
    return link_view(env, Link.find(id=link_id, active_person=person_id))


def link_view(env: Env, link: Link) -> LinkView:
    """A link as its owner sees it."""
    return LinkView(
        id=link.id, planet_account=link.display_name, provider=link.provider, linked_at=link.linked_at,
        unlinked_at=link.unlinked_at, memberships=[shown(env, m) for m in link.memberships],
        payments=payments_of_link(link.id),
    )  # fmt: skip


def shown(env: Env, membership: Membership) -> tuple[str, str, str, datetime]:
    """Course, planet, state and end of one membership, for a page."""
    state = "revoked" if membership.revoked_at else access.membership_state(env, membership)
    return membership.grant.course.title, membership.planet.title, state, membership.ends_at
