"""Who is paid and not served (R3): the people behind what the outside has not heard yet, as the operator sees them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from models.access import Grant
from models.catalogue import Course, Planet
from models.delivery import OutboxItem
from models.links import Membership
from services import outbox
from services.env import Env

NOT_SERVED, TO_CHANGE, TO_END = "not served", "to be changed", "to be ended"
UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


@dataclass(frozen=True, slots=True)
class About:
    """Whom an undelivered membership concerns, by his pseudonym, and what the planet has still to do."""

    person: str
    course: str
    planet: str
    state: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One undelivered item, how old it is, and whom it concerns when it is a membership."""

    item: outbox.Waiting
    age: str
    about: About | None


def lines(env: Env) -> list[Line]:
    """Everything that the outside has not heard yet, oldest first."""
    people = concerned()
    found = []
    for item in outbox.undelivered(env):
        about = people.get(item.subject) if item.kind == outbox.MEMBERSHIP else None
        found.append(Line(item, age(env.now - (about.since if about else item.since)), about))
    return found


def concerned() -> dict[int, About]:
    """Whom each undelivered membership concerns, by its id, in one query."""
    its_item = (OutboxItem.kind == outbox.MEMBERSHIP) & (OutboxItem.subject == Membership.id)
    rows = Membership.select(Membership, Grant, Course, Planet, OutboxItem)
    rows = rows.join(Grant).join(Course).switch(Membership).join(Planet).switch(Membership)
    rows = rows.join(OutboxItem, on=its_item, attr="item").where(OutboxItem.done < OutboxItem.wanted)
    return {row.id: about(row) for row in rows}


def about(row: Membership) -> About:
    """A person who has never been served waits since he linked; of a later change it is the change that waits."""
    if row.revoked_at is None and not row.delivered_version:
        state, since = NOT_SERVED, row.created_at
    else:
        state, since = TO_END if row.revoked_at else TO_CHANGE, row.item.wanted_at
    person, course = f"p{row.grant.person_id}", row.grant.course.slug
    return About(person=person, course=course, planet=row.planet.slug, state=state, since=since)


def age(span: timedelta) -> str:
    """How long, in the two largest units: `3 d 4 h`; never less than nothing, whatever two clocks say."""
    left, parts = max(0, int(span.total_seconds())), []
    for seconds, unit in UNITS:
        number, left = divmod(left, seconds)
        if number or parts or unit == "s":
            parts.append(f"{number} {unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0 ")) or parts[0]
