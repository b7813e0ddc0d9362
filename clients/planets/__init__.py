"""What every planet provider can or cannot do, in one shape; what it cannot becomes a task for a person, never silence.

`group` is the wire's word for a planet and stays inside this package's arguments.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from clients.errors import RemoteRefused

PERSON_WAITS_SECONDS = 3.0
BACKGROUND_SECONDS = 10.0


class Reason(StrEnum):
    """Why a membership is granted."""

    COURSE_PURCHASE = "course_purchase"
    ENTERPRISE_SEAT = "enterprise_seat"
    GIFT = "gift"


class RevokeReason(StrEnum):
    """Why it is taken back."""

    REFUND = "refund"
    UNLINK = "unlink"
    OPERATOR = "operator"


class RefConflict(RemoteRefused):
    """Our `ref` belongs to another member there."""


class RemovedByOwner(RemoteRefused):
    """The planet's owner removed this member: a person decides, it is never granted again by itself."""


class WrongIssuer(RemoteRefused):
    """The answer in the browser came from another planet than the one that was asked."""


class NotThere(RemoteRefused):
    """The planet knows no such group, member or month."""


class EventForged(Exception):
    """An event that the planet did not send, or not now; which part is wrong is nobody's business."""


class EventMalformed(Exception):
    """The planet sent it, but it is not of the contract."""


@dataclass(frozen=True)
class Capabilities:
    """What a provider can do; pages, outbox and reconciliation ask this before they promise anything."""

    can_recognise: bool = False
    can_grant: bool = False
    can_revoke: bool = False
    has_events: bool = False
    has_members: bool = False
    has_statements: bool = False


@dataclass(frozen=True)
class Recognised:
    """Who the planet says the person is; the id is for us alone (pairwise)."""

    member_uid: str = field(repr=False)
    display_name: str = field(repr=False)
    auth_time: datetime


@dataclass(frozen=True)
class GroupInfo:
    """A planet as its own side describes it."""

    group_id: str
    title: str
    price_fen: int
    owner_name: str
    entry_url: str
    member_count: int


@dataclass(frozen=True)
class RemoteMembership:
    """One right to be in a planet, sold there (`order_ref`) or granted by us (`ref`); versions only grow."""

    member_uid: str = field(repr=False)
    source: str  # paid, partner, free
    status: str  # active, expired, revoked, refunded
    starts_at: datetime
    ends_at: datetime | None  # None: for ever, as a guest's free one
    version: int
    ref: str | None = None
    order_ref: str | None = None
    paid_fen: int | None = None


@dataclass(frozen=True)
class PlanetNews:
    """What happened to one membership there: `purchased`, `renewed`, `refunded`, `expired` or `removed`."""

    kind: str
    told_at: datetime
    group_id: str
    member_uid: str = field(repr=False)
    source: str  # paid, partner
    order_ref: str | None
    ref: str | None
    paid_fen: int | None
    starts_at: datetime
    ends_at: datetime | None
    version: int


@dataclass(frozen=True)
class Member:
    """A member with all memberships, ended ones too."""

    member_uid: str = field(repr=False)
    display_name: str = field(repr=False)
    memberships: tuple[RemoteMembership, ...]


@dataclass(frozen=True)
class MemberPage:
    """A page of the list; `total` and `as_of` let reconciliation see that a list is partial or stale."""

    members: tuple[Member, ...]
    total: int
    as_of: datetime


@dataclass(frozen=True)
class StatementLine:
    """One sale of the planet in a month."""

    order_ref: str
    member_uid: str = field(repr=False)
    paid_fen: int
    fee_fen: int
    refunded_fen: int
    paid_at: datetime


@dataclass(frozen=True)
class Statement:
    """A month's sales; lines may still change until it is closed."""

    lines: tuple[StatementLine, ...]
    is_closed: bool


class PlanetProvider(Protocol):
    """A method whose capability is off is never called. All may raise RemoteDown or RemoteRefused.

    `within` is seconds in all: PERSON_WAITS_SECONDS or BACKGROUND_SECONDS. A RemoteDown that is `unknown` says
    nothing about what happened: ask the same again, with the same `ref`.
    """

    capabilities: Capabilities

    def authorize_url(self, *, redirect_uri: str, group_id: str, state: str, code_challenge: str) -> str:
        """Where to send the browser so that the planet recognises its own user."""

    def check_issuer(self, iss: str | None) -> None:
        """Raises WrongIssuer unless the browser came back from this planet."""

    def read_event(self, headers: dict[str, list[str]], body: bytes, now: float) -> tuple[str, PlanetNews | None]:
        """An event's id and what it tells, None for a kind that is new to us; EventForged, EventMalformed."""

    async def exchange(self, *, code: str, verifier: str, redirect_uri: str, within: float) -> Recognised:
        """Who came back; CodeRefused when the code is used or old."""

    async def group(self, group_id: str, *, within: float) -> GroupInfo:
        """The planet's own description; NotThere."""

    async def grant(
        self, *, group_id: str, ref: str, member_uid: str, ends_at: datetime, reason: Reason, within: float
    ) -> RemoteMembership:
        """Makes, repeats, extends or revives the membership `ref`; RefConflict, RemovedByOwner."""

    async def revoke(self, *, group_id: str, ref: str, reason: RevokeReason, within: float) -> int | None:
        """Ends the membership `ref`, again the same; its version, None when there is none there."""

    async def member(self, group_id: str, member_uid: str, *, within: float) -> Member | None:
        """One member, None when he is none."""

    def pages(self, group_id: str) -> AsyncIterator[MemberPage]:
        """The member list to its end, page by page."""

    def members(self, group_id: str) -> AsyncIterator[Member]:
        """The member list to its end."""

    async def statement(self, group_id: str, month: str) -> Statement:
        """The sales of a month, `YYYY-MM`."""
