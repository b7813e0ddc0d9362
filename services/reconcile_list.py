"""A planet's whole list of members beside our rows: what differs, and whether such a list can be believed (R4)."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import NamedTuple

from peewee import Field, ModelSelect

from clients.planets import Member, MemberPage, RemoteMembership
from models.links import Link, Membership
from models.mismatches import Reconciliation
from models.payments import ACTIVE, PlanetPayment
from services import payments
from services.env import Env

TOLERANCE = timedelta(seconds=1)  # a planet may keep whole seconds
CLOCKS_DIFFER = timedelta(hours=1)
OK, EMPTY, PARTIAL, SMALLER, STALE, DOUBLED, BRAKED, DOWN = (
    "ok", "empty", "partial", "smaller", "stale", "doubled", "braked", "down",
)  # fmt: skip
MASS_LEAST = 5
ROWS_AT_ONCE = 5000
REMOVED_BY_OWNER = "removed_by_owner"


@dataclass(frozen=True, slots=True)
class Here:
    """The planet whose list is read."""

    id: int
    slug: str
    provider: str
    group_id: str


@dataclass(slots=True)
class Found:
    """What a page, or a whole list, shows: ids of our rows, or theirs by their own keys."""

    seen: set[int] = field(default_factory=set)
    again: set[int] = field(default_factory=set)
    revoke: set[int] = field(default_factory=set)
    removed: set[int] = field(default_factory=set)
    unknown: dict[str, dict[str, str]] = field(default_factory=dict)
    paid_seen: set[int] = field(default_factory=set)
    paid_removed: set[int] = field(default_factory=set)
    news: dict[str, RemoteMembership] = field(default_factory=dict)
    refunds: dict[str, RemoteMembership] = field(default_factory=dict)

    def add(self, more: "Found") -> None:
        """Take in another page's."""
        for one in fields(self):
            getattr(self, one.name).update(getattr(more, one.name))


@dataclass(slots=True)
class Look:
    """A list as it is read: nothing of a member is kept but a number, so that 100,000 are a few megabytes."""

    started_at: datetime
    found: Found = field(default_factory=Found)
    members: int = 0
    totals: tuple[int, int] | None = None
    as_of: datetime | None = None
    is_doubled: bool = False
    _met: set[int] = field(default_factory=set)

    def take(self, page: MemberPage, found: Found) -> None:
        """One more page."""
        self.found.add(found)
        self.members += len(page.members)
        self._met.update(hash(member.member_uid) for member in page.members)
        self.is_doubled = len(self._met) < self.members
        least, most = self.totals or (page.total, page.total)
        self.totals = (min(least, page.total), max(most, page.total))
        self.as_of = min(self.as_of or page.as_of, page.as_of)

    @property
    def before(self) -> datetime:
        """What we knew by then must be in the list."""
        return min(self.started_at, self.as_of or self.started_at)

    def verdict(self, *, last: Reconciliation | None, is_expected: bool, most_percent: int) -> str:
        """`ok`, or why this list is not believed; `last` is the last one that was."""
        known = last.members if last else 0
        if not self.members and (known or is_expected or (self.totals and self.totals[1])):
            return EMPTY
        if self.is_doubled:
            return DOUBLED
        if self.totals is None or not self.totals[0] <= self.members <= self.totals[1]:
            return PARTIAL
        age = self.started_at - self.as_of
        if abs(age) > CLOCKS_DIFFER or (last and last.as_of and self.as_of < last.as_of):
            return STALE
        return SMALLER if self.members * 100 < known * (100 - most_percent) else OK


class Ours(NamedTuple):
    """What we have of a membership that the list shows."""

    id: int
    ref: str
    member_uid: str
    ends_at: datetime
    revoked_at: datetime | None
    version: int
    delivered_version: int
    delivered_at: datetime | None

    def is_settled(self, before: datetime) -> bool:
        """Whether the planet had confirmed our latest by then: what is under way is no difference."""
        return self.delivered_version == self.version and self.delivered_at is not None and self.delivered_at < before


def compare(env: Env, *, here: Here, members: tuple[Member, ...], before: datetime) -> Found:
    """One page beside our rows, in three queries however many members it has."""
    found = Found()
    rights = [right for member in members for right in member.memberships]
    granted = [right for right in rights if right.source == "partner"]
    ours = ours_by_ref(here, [right.ref for right in granted if right.ref])
    for right in granted:
        judge_ours(env, found, ours.get(right.ref or ""), right, before=before)
    paid = [right for right in rights if right.source == "paid" and right.order_ref]
    if paid:
        compare_paid(found, here, paid)
    return found


def ours_by_ref(here: Here, refs: list[str]) -> dict[str, Ours]:
    """Our memberships of this planet by these refs."""
    if not refs:
        return {}
    columns = [getattr(Link if name == "member_uid" else Membership, name) for name in Ours._fields]
    rows = Membership.select(*columns).join(Link)
    return {row[1]: Ours(*row) for row in rows.where(Membership.planet == here.id, Membership.ref.in_(refs)).tuples()}


def judge_ours(env: Env, found: Found, mine: Ours | None, there: RemoteMembership, *, before: datetime) -> None:
    """What one membership that we gave, or that is said to be ours, comes to."""
    is_active = there.status == "active"
    if mine is None or mine.member_uid != there.member_uid:
        if is_active:
            found.unknown[there.ref or f"member {there.member_uid}"[:128]] = {"member_uid": there.member_uid}
        return
    found.seen.add(mine.id)
    is_over = mine.ends_at + CLOCKS_DIFFER <= before
    if not mine.is_settled(before):
        return
    if is_active and (mine.revoked_at or is_over):
        found.revoke.add(mine.id)
    elif mine.revoked_at or mine.ends_at <= env.now + CLOCKS_DIFFER:
        return  # ended at both sides, or about to
    elif is_active:
        if there.ends_at is None or abs(mine.ends_at - there.ends_at) > TOLERANCE:
            found.again.add(mine.id)
    else:
        (found.again if there.status == "expired" else found.removed).add(mine.id)


def compare_paid(found: Found, here: Here, paid: list[RemoteMembership]) -> None:
    """What members paid there: news of what we know, and of people who have linked their account."""
    provider = PlanetPayment.provider == here.provider
    chosen = PlanetPayment.select().where(provider, PlanetPayment.order_ref.in_([one.order_ref for one in paid]))
    known = {row.order_ref: row for row in chosen}
    uids = {one.member_uid for one in paid if one.order_ref not in known}
    linked = Link.select(Link.active_uid).where(Link.provider == here.provider, Link.active_uid.in_(list(uids)))
    ours = {uid for (uid,) in linked.tuples()} if uids else set()
    for one in paid:
        row = known.get(one.order_ref)
        if row is None:
            found.news |= {one.order_ref: one} if one.member_uid in ours else {}
            continue
        found.paid_seen.add(row.id)
        if one.status == "revoked" and row.person_id:
            found.paid_removed.add(row.id)
        if one.version > row.version:
            (found.refunds if payments.takes_back(row, one) else found.news)[one.order_ref] = one


def missing(env: Env, *, here: Here, look: Look) -> set[int]:
    """Ours that the planet has confirmed and does not show."""
    settled = (Membership.delivered_version == Membership.version, Membership.delivered_at < look.before)
    lives = (Membership.revoked_at.is_null(), Membership.ends_at > env.now + CLOCKS_DIFFER)
    mine = Membership.select(Membership.id).where(Membership.planet == here.id, *lives, *settled)
    return {number for number in every(mine, Membership.id) if number not in look.found.seen}


def paid_missing(env: Env, *, here: Here, look: Look) -> set[int]:
    """Payments that run by what we know and that the planet does not show any more."""
    place = (PlanetPayment.provider == here.provider, PlanetPayment.group_id == here.group_id)
    runs = PlanetPayment.ends_at.is_null() | (PlanetPayment.ends_at > env.now)
    known = (PlanetPayment.status == ACTIVE, PlanetPayment.created_at < look.before)
    chosen = PlanetPayment.select(PlanetPayment.id).where(*place, runs, *known)
    return {number for number in every(chosen, PlanetPayment.id) if number not in look.found.paid_seen}


def every(chosen: ModelSelect, key: Field) -> Iterator[int]:
    """The ids of a query, some at a time: a driver keeps a whole answer in memory."""
    last = 0
    while rows := [number for (number,) in chosen.where(key > last).order_by(key).limit(ROWS_AT_ONCE).tuples()]:
        yield from rows
        last = rows[-1]


def put_out(env: Env, *, here: Here) -> set[int]:
    """Ours that the planet refuses because its owner has removed the member."""
    lives = (Membership.revoked_at.is_null(), Membership.ends_at > env.now)
    mine = Membership.select(Membership.id).where(Membership.planet == here.id, *lives)
    return {number for (number,) in mine.where(Membership.refused_code == REMOVED_BY_OWNER).tuples()}


def live_number(env: Env, *, here: Here) -> int:
    """How many memberships hang on this list: those we gave, and what payments there have given here."""
    mine = Membership.select().where(
        Membership.planet == here.id, Membership.revoked_at.is_null(), Membership.ends_at > env.now
    )
    place = (PlanetPayment.provider == here.provider, PlanetPayment.group_id == here.group_id)
    paid = PlanetPayment.select().where(*place, PlanetPayment.status == ACTIVE, PlanetPayment.grant.is_null(False))
    return mine.count() + paid.count()


def is_mass(removals: int, live: int, *, most_percent: int) -> bool:
    """Whether so many removals at once need a person: a handful never does."""
    return removals > MASS_LEAST and removals * 100 > live * most_percent
