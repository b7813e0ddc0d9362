"""What an operator sees of links, and may do with one: end it, or allow one more after the last."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from models import audit
from models.access import Grant
from models.catalogue import Course, Planet
from models.errors import WrongInput
from models.links import Link, Membership, RelinkPermit, has_relinked_enough
from services import access, links, notices
from services.env import Env

MOST_LISTED = 1000


@dataclass(frozen=True, slots=True)
class Given:
    """One membership that hangs on a link."""

    id: int
    course: str
    planet: str
    state: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One link, with its person by his pseudonym."""

    id: int
    person: str
    provider: str
    linked_at: datetime
    unlinked_at: datetime | None
    unlinked_by: str
    memberships: list[Given]


def listed(env: Env, *, person: str | None = None) -> list[Line]:
    """The newest links, or those of one person (`p12`), newest first."""
    chosen = Link.select().order_by(Link.id.desc()).limit(MOST_LISTED)
    if person is not None:
        chosen = chosen.where(Link.person == number_of(person))
    found = list(chosen)
    given = memberships_of(env, [link.id for link in found])
    return [
        Line(link.id, f"p{link.person_id}", link.provider, link.linked_at, link.unlinked_at, link.unlinked_by or "",
             given.get(link.id, []))
        for link in found
    ]  # fmt: skip


def number_of(person: str) -> int:
    """The number of a pseudonym; raises WrongInput."""
    number = person.removeprefix("p")
    if not (number.isascii() and number.isdigit() and len(number) < 18):
        raise WrongInput(what=f"{person}: a person is written as p12")
    return int(number)


def memberships_of(env: Env, ids: list[int]) -> dict[int, list[Given]]:
    """What hangs on these links, in one query."""
    rows = Membership.select(Membership, Grant, Course, Planet).join(Grant).join(Course)
    rows = rows.switch(Membership).join(Planet).where(Membership.link.in_(ids)).order_by(Membership.id)
    found: dict[int, list[Given]] = {}
    for row in rows:
        state = "revoked" if row.revoked_at else access.membership_state(env, row)
        one = Given(row.id, row.grant.course.slug, row.planet.slug, state, row.ends_at)
        found.setdefault(row.link_id, []).append(one)
    return found


def find(link_id: int) -> Link:
    """A link; raises WrongInput with words for the operator."""
    link = Link.get_or_none(id=link_id)
    if link is None:
        raise WrongInput(what=f"there is no link {link_id}")
    return link


def remove(env: Env, *, link_id: int, reason: str, who: str = "command") -> None:
    """End somebody's link: what came through it ends at the planet too, the waiver stays, and he is told (L6)."""
    link = find(link_id)
    if not links.end_link(env, link, who=who, reason=reason[:255], told="operator"):
        raise WrongInput(what=f"link {link_id} has ended already")
    account = f"「{link.display_name}」" if link.display_name else ""
    text = (
        f"我们的同事解除了您与星球账号{account}的关联，课程带来的会员资格随之结束；您自己在星球付费的部分不受影响。"
        "重新关联可以用完这一年剩下的时间。"
    )
    notices.tell(env, person_id=link.person_id, text=text)


def allow(env: Env, *, link_id: int, reason: str, who: str = "command") -> list[str]:
    """Let the purchases of an ended link be linked once more, though they have changed hands often enough; which."""
    link = find(link_id)
    spent = [grant for grant in grants_of(link) if has_relinked_enough(links.earlier_memberships(grant))]
    if not spent:
        raise WrongInput(what=f"no purchase of link {link_id} has used up its re-links: there is nothing to allow")
    for grant in spent:
        RelinkPermit.create(grant=grant, created_at=env.now, who=who, reason=reason[:255])
        what = {"action": "allow relink", "subject": f"grant:{grant.id}", "reason": reason[:255]}
        audit.record(at=env.now, who=who, **what)
    return [grant.course.slug for grant in spent]


def grants_of(link: Link) -> Iterable[Grant]:
    """The rights that hang on a link no more, and on no other."""
    held = Membership.select(Membership.grant).where(Membership.link == link)
    live = Membership.select(Membership.active_grant).where(Membership.active_grant.is_null(False))
    return Grant.select().where(Grant.id.in_(held), Grant.id.not_in(live), Grant.revoked_at.is_null())
