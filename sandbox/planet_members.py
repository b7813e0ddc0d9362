"""Who belongs to a planet and why: the contract's rules about memberships as plain objects, no I/O."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

REASONS = ("course_purchase", "enterprise_seat", "gift")
REVOKE_REASONS = ("refund", "unlink", "operator")
FARTHEST = timedelta(days=3660)
"""A membership that would end later than this is a mistake of the caller."""


class PlanetNo(Exception):
    """A refusal in the contract's form: HTTP status, `error`, a message for the other engineer."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.message = message


def moment(seconds: float) -> datetime:
    """Unix seconds as an aware UTC moment, cut to whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC)


def rfc3339(at: datetime | None) -> str | None:
    """How a moment is written on the wire."""
    return at.isoformat().replace("+00:00", "Z") if at else None


@dataclass(eq=False)
class Account:
    """A person's own account at the planet; `uid` is what our one client is told (pairwise)."""

    uid: str
    name: str
    person: str
    """the short name of the human being; never leaves the planet"""


@dataclass(eq=False)
class Membership:
    """One reason why an account is in a group. `version` grows with every change and never falls."""

    account: Account
    source: str
    """paid, partner or free"""
    starts_at: datetime
    ends_at: datetime | None
    """None (free ones only) is for ever"""
    ref: str | None = None
    order_ref: str | None = None
    paid_fen: int = 0
    reason: str = ""
    status: str = "active"
    """active, expired, revoked or refunded"""
    version: int = 1

    def change(self, **values: Any) -> bool:
        """Set fields; only a real change makes a new version. Returns whether there was one."""
        if all(getattr(self, name) == value for name, value in values.items()):
            return False
        for name, value in values.items():
            setattr(self, name, value)
        self.version += 1
        return True

    def is_over(self, now: datetime) -> bool:
        """Whether its time has come (an end is exclusive)."""
        return self.ends_at is not None and now >= self.ends_at

    def shown(self) -> dict[str, Any]:
        """As it stands in a member's list of memberships."""
        times = {"starts_at": rfc3339(self.starts_at), "ends_at": rfc3339(self.ends_at)}
        names = {"source": self.source, "ref": self.ref, "order_ref": self.order_ref}
        return names | {"paid_fen": self.paid_fen, "status": self.status} | times | {"version": self.version}

    def granted(self) -> dict[str, Any]:
        """As the answer to a grant."""
        times = {"starts_at": rfc3339(self.starts_at), "ends_at": rfc3339(self.ends_at)}
        who = {"ref": self.ref, "member_uid": self.account.uid, "status": self.status}
        return who | times | {"version": self.version}


@dataclass(eq=False)
class Member:
    """An account that is or was in the group; it keeps its place in the list for ever."""

    account: Account
    number: int
    memberships: list[Membership] = field(default_factory=list)
    is_removed: bool = False
    """the owner put him out; only the owner lets him in again"""

    @property
    def active(self) -> list[Membership]:
        """The memberships that let him in now."""
        return [one for one in self.memberships if one.status == "active"]

    def shown(self) -> dict[str, Any]:
        """As the API shows a member."""
        memberships = [one.shown() for one in self.memberships]
        return {
            "member_uid": self.account.uid,
            "display_name": self.account.name,
            "memberships": memberships,
        }


@dataclass(eq=False)
class Group:
    """One planet (the wire says group)."""

    group_id: str
    title: str
    price_fen: int
    owner: Account
    days: int = 365
    pinned_text: str = ""
    pinned_link: str = ""
    is_partner_allowed: bool = True
    """False: the owner has not opened the group to our client (403)."""
    members: dict[str, Member] = field(default_factory=dict)
    """by uid, in the order of joining"""
    order: list[Member] = field(default_factory=list)
    by_ref: dict[str, Membership] = field(default_factory=dict)

    def member_of(self, account: Account) -> Member:
        """The account's place in the group, made when it is the first time."""
        if account.uid not in self.members:
            self.members[account.uid] = Member(account, number=len(self.order) + 1)
            self.order.append(self.members[account.uid])
        return self.members[account.uid]

    def find(self, uid: str) -> Member:
        """A member of now or of the past; anybody else is unknown."""
        if uid not in self.members:
            raise PlanetNo(404, "not_found", "no such member in this group")
        return self.members[uid]

    def add(self, membership: Membership) -> Membership:
        """Put a membership into its member's list."""
        self.member_of(membership.account).memberships.append(membership)
        if membership.ref:
            self.by_ref[membership.ref] = membership
        return membership

    def grant(
        self, ref: str, account: Account, *, ends_at: datetime, reason: str, now: datetime
    ) -> tuple[Membership, bool]:
        """The contract's PUT: make, repeat, extend, shorten or revive; returns whether `ref` was new."""
        if not now < ends_at <= now + FARTHEST:
            raise PlanetNo(422, "unprocessable", "ends_at must be in the future, within ten years")
        found = self.by_ref.get(ref)
        if found and found.account is not account:
            raise PlanetNo(409, "ref_conflict", "this ref belongs to another member")
        if account.uid in self.members and self.members[account.uid].is_removed:
            raise PlanetNo(409, "removed_by_owner", "the owner of the group removed this member")
        if not found:
            made = Membership(account, "partner", now, ends_at, ref=ref, reason=reason)
            return self.add(made), True
        starts_at = found.starts_at if found.status == "active" else now
        found.change(ends_at=ends_at, reason=reason, status="active", starts_at=starts_at)
        return found, False

    def revoke(self, ref: str) -> Membership:
        """The contract's DELETE: ends it, and says the same again when it is over already."""
        found = self.by_ref.get(ref)
        if not found:
            raise PlanetNo(404, "not_found", "no membership with this ref")
        found.change(status="revoked")
        return found

    def remove(self, uid: str) -> list[Membership]:
        """The owner puts a member out; returns the memberships that this ended."""
        member = self.find(uid)
        member.is_removed = True
        ended = member.active
        for membership in ended:
            membership.change(status="revoked")
        return ended

    @property
    def active_count(self) -> int:
        """How many members are in now."""
        return sum(bool(member.active) for member in self.order)

    def shown(self, entry_url: str) -> dict[str, Any]:
        """As the API shows a group."""
        facts = {"group_id": self.group_id, "title": self.title, "price_fen": self.price_fen}
        facts |= {"owner_name": self.owner.name, "entry_url": entry_url}
        return facts | {"member_count": self.active_count}
