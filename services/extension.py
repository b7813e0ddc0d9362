"""A membership made longer by hand, out of goodwill: the later years wait for it, and everybody is told."""

from datetime import datetime, timedelta

from models import audit
from models.base import shanghai_words
from models.errors import WrongInput
from models.links import Link, Membership
from services import memberships, notices
from services.env import Env

MOST_DAYS = 366


def extend(env: Env, *, membership_id: int, days: int, reason: str, who: str = "command") -> Membership:
    """Move the end of a membership; raises WrongInput, with words for the operator, for what cannot be extended."""
    if not 1 <= days <= MOST_DAYS:
        raise WrongInput(what=f"--days is 1 to {MOST_DAYS}")
    row = held(membership_id)
    old, new = row.ends_at, row.ends_at + timedelta(days=days)
    if new <= env.now:
        raise WrongInput(what=f"membership {membership_id} ended too long ago: {days} more days are over too")
    same = (Membership.id == row.id, Membership.revoked_at.is_null(), Membership.ends_at == old)
    if not Membership.change_if(*same, ends_at=new, version=Membership.version + 1):
        raise WrongInput(what=f"membership {membership_id} was taken back: there is nothing to extend")
    memberships.tell_planet(env, row)
    make_room(env, row, free_at=new)
    change = {"old": f"{old:%Y-%m-%dT%H:%M:%SZ}", "new": f"{new:%Y-%m-%dT%H:%M:%SZ}", "reason": reason[:255]}
    audit.record(at=env.now, who=who, action="extend", subject=f"membership:{row.id}", **change)
    text = f"「{row.planet.title}」的有效期延长了 {days} 天，现在到 {shanghai_words(new)}。"
    notices.tell(env, person_id=row.link.person_id, text=text)
    return Membership.get_by_id(row.id)


def held(membership_id: int) -> Membership:
    """The membership as it is once nobody else changes its years; raises WrongInput when there is none."""
    found = Membership.get_or_none(id=membership_id)
    if found is None:
        raise WrongInput(what=f"there is no membership {membership_id}")
    memberships.hold_link(found.link_id)
    return Membership.get_by_id(found.id)


def make_room(env: Env, row: Membership, *, free_at: datetime) -> None:
    """Move the years behind it, so that none of them runs beside another."""
    mine = Membership.select().join(Link).where(Link.person == row.link.person_id, Membership.planet == row.planet_id)
    later = [one for one in mine if one.is_live(now=env.now) and one.id != row.id and one.starts_at >= row.ends_at]
    for one in sorted(later, key=lambda one: one.starts_at):
        if one.starts_at < free_at:
            memberships.move(env, one, starts_at=free_at)
        free_at = max(free_at, one.ends_at)
