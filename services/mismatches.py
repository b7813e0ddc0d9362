"""What a planet's list and our rows disagree about: kept with its age, until it is gone or a person has decided."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from peewee import JOIN, chunked, fn

from models import audit
from models.catalogue import Planet
from models.errors import WrongInput
from models.links import Link, Membership
from models.mismatches import GONE, LEFT, REMOVED, UNKNOWN, Mismatch
from models.payments import PlanetPayment
from services.env import Env

SEEN_BY_LIST = (REMOVED, UNKNOWN, GONE, LEFT)
BY_ITSELF = "reconcile"
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Place:
    """A planet as its provider knows it."""

    provider: str
    group_id: str


def see(env: Env, *, place: Place, kind: str, found: Mapping[str, dict[str, Any]]) -> int:
    """Keep these differences of one kind, by their keys; how many there are.

    One that was seen before keeps its age, and a person's decision about it stands. One that was gone begins anew.
    """
    for keys in chunked(found, AT_ONCE):
        known = {row.key: row for row in rows(place.provider, kind, keys)}
        gone = [row.id for row in known.values() if row.resolved_by == BY_ITSELF]
        Mismatch.update(last_seen_at=env.now).where(Mismatch.id.in_([row.id for row in known.values()])).execute()
        anew = {"first_seen_at": env.now, "resolved_at": None, "resolved_by": None, "reason": None}
        Mismatch.update(**anew).where(Mismatch.id.in_(gone)).execute()
        where = {"provider": place.provider, "group_id": place.group_id, "kind": kind}
        times = {"first_seen_at": env.now, "last_seen_at": env.now}
        fresh = [{"key": key, **where, **times, **found[key]} for key in keys if key not in known]
        if fresh:
            Mismatch.insert_many(fresh).on_conflict_ignore().execute()
    return len(found)


def note(
    env: Env, *, kind: str, provider: str, group_id: str, key: str, member_uid: str,
    membership: Membership | None = None, payment: PlanetPayment | None = None,
) -> None:  # fmt: skip
    """Keep one difference that was seen otherwise than in a list."""
    its = {"member_uid": member_uid, "membership": membership, "payment": payment}
    see(env, place=Place(provider, group_id), kind=kind, found={key: its})


def rows(provider: str, kind: str, keys: Iterable[str]) -> list[Mismatch]:
    """Those that are known already."""
    chosen = (Mismatch.provider == provider, Mismatch.kind == kind, Mismatch.key.in_(list(keys)))
    return list(Mismatch.select().where(*chosen))


def of_memberships(ids: Iterable[int]) -> dict[str, dict[str, Any]]:
    """What a difference about our own memberships says, by their refs."""
    found = {}
    for some in chunked(ids, AT_ONCE):
        chosen = Membership.select(Membership.id, Membership.ref, Link.member_uid).join(Link)
        for number, ref, uid in chosen.where(Membership.id.in_(some)).tuples():
            found[ref] = {"member_uid": uid, "membership": number}
    return found


def of_payments(ids: Iterable[int]) -> dict[str, dict[str, Any]]:
    """The same about payments at the planet, by their order numbers there."""
    found = {}
    for some in chunked(ids, AT_ONCE):
        for row in PlanetPayment.select().where(PlanetPayment.id.in_(some)):
            found[row.order_ref] = {"member_uid": row.member_uid, "payment": row.id}
    return found


def resolve_gone(env: Env, *, place: Place, since: datetime) -> int:
    """Close what a whole look that began at `since` has not seen any more; how many were open until now."""
    old = (
        Mismatch.provider == place.provider, Mismatch.group_id == place.group_id,
        Mismatch.kind.in_(SEEN_BY_LIST), Mismatch.last_seen_at < since,
    )  # fmt: skip
    closed = {"resolved_at": env.now, "resolved_by": BY_ITSELF}
    number = Mismatch.update(**closed).where(*old, Mismatch.resolved_at.is_null()).execute()
    Mismatch.update(resolved_by=BY_ITSELF).where(*old, Mismatch.resolved_by != BY_ITSELF).execute()
    return number


@dataclass(frozen=True, slots=True)
class Line:
    """One open difference, as the operator reads it; the person by his pseudonym where he is one of ours."""

    id: int
    kind: str
    planet: str
    key: str
    person: str
    since: datetime


def open_lines(env: Env, *, slug: str | None = None) -> list[Line]:
    """Every open difference, or those of one planet, oldest first."""
    same = (Planet.provider == Mismatch.provider) & (Planet.group_id == Mismatch.group_id)
    person = fn.COALESCE(Link.person, PlanetPayment.person)
    chosen = Mismatch.select(Mismatch, Planet.slug, person.alias("person"))
    chosen = chosen.join(Planet, JOIN.LEFT_OUTER, on=same).switch(Mismatch).join(Membership, JOIN.LEFT_OUTER)
    chosen = chosen.join(Link, JOIN.LEFT_OUTER).switch(Mismatch).join(PlanetPayment, JOIN.LEFT_OUTER)
    chosen = chosen.where(Mismatch.resolved_at.is_null(), *([Planet.slug == slug] if slug else []))
    return [
        Line(row.id, row.kind, row.slug or row.group_id, row.key, f"p{row.person}" if row.person else "-",
             row.first_seen_at)
        for row in chosen.order_by(Mismatch.first_seen_at, Mismatch.id).objects()
    ]  # fmt: skip


def close(env: Env, *, mismatch_id: int, reason: str, who: str = "command") -> None:
    """A person has looked and leaves it as it is; it stays closed for as long as the list goes on to show it."""
    open_still = (Mismatch.id == mismatch_id, Mismatch.resolved_at.is_null())
    if not Mismatch.change_if(*open_still, resolved_at=env.now, resolved_by=who, reason=reason[:255]):
        raise WrongInput(what=f"there is no open mismatch {mismatch_id}")
    what = {"subject": f"mismatch:{mismatch_id}", "old": Mismatch.get_by_id(mismatch_id).kind, "new": "closed"}
    audit.record(at=env.now, who=who, action="close mismatch", reason=reason[:255], **what)
