"""The partner contract's answers, field by field: what does not fit is not believed (see the published contract)."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, Field, StrictBool, StrictInt

from clients.planets import GroupInfo, Member, MemberPage, Recognised, RemoteMembership, Statement, StatementLine

MOST_FEN = 10**12


def _only_text(found: object) -> object:
    if not isinstance(found, str):  # pydantic would take a number for unix seconds
        raise ValueError("a time is RFC 3339 text")
    return found


def _utc(found: datetime) -> datetime:
    try:
        return found.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("out of the calendar") from error


def _shown(found: str) -> str:
    """Names go onto our pages: without control characters, bidi overrides and half characters."""
    return "".join(letter for letter in found if letter.isprintable())


Moment = Annotated[AwareDatetime, BeforeValidator(_only_text), AfterValidator(_utc)]
Id = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,128}$", strict=True)]
Shown = Annotated[str, Field(max_length=200, strict=True), AfterValidator(_shown)]
Fen = Annotated[StrictInt, Field(ge=0, le=MOST_FEN)]
Version = Annotated[StrictInt, Field(ge=0, lt=2**63)]
Status = Literal["active", "expired", "revoked", "refunded"]


class TokenWire(BaseModel):
    """`POST /oauth/token`."""

    member_uid: Id
    display_name: Shown
    auth_time: Moment

    def row(self) -> Recognised:
        """As the rest of the program knows it."""
        return Recognised(self.member_uid, self.display_name, self.auth_time)


class GroupWire(BaseModel):
    """`GET /v1/groups/{group_id}`."""

    group_id: Id
    title: Shown
    price_fen: Fen
    owner_name: Shown
    entry_url: Annotated[str, Field(pattern=r"^https?://[\x21-\x7e]{1,1000}$", strict=True)]
    member_count: Annotated[StrictInt, Field(ge=0, lt=2**31)]

    def row(self) -> GroupInfo:
        """As the rest of the program knows it."""
        return GroupInfo(**self.model_dump())


class GrantedWire(BaseModel):
    """The answer to `PUT …/memberships/{ref}`."""

    ref: Id
    member_uid: Id
    status: Literal["active"]
    starts_at: Moment
    ends_at: Moment
    version: Version

    def row(self) -> RemoteMembership:
        """As the rest of the program knows it."""
        return RemoteMembership(source="partner", **self.model_dump())


class RevokedWire(BaseModel):
    """The answer to `DELETE …/memberships/{ref}`."""

    ref: Id
    status: Literal["revoked"]
    version: Version


class MembershipWire(BaseModel):
    """One entry of a member's `memberships`."""

    source: Literal["paid", "partner", "free"]
    ref: Id | None = None
    order_ref: Id | None = None
    paid_fen: Fen | None = None
    status: Status
    starts_at: Moment
    ends_at: Moment | None
    version: Version


class MemberWire(BaseModel):
    """`GET …/members/{member_uid}` and one line of the list."""

    member_uid: Id
    display_name: Shown
    memberships: list[MembershipWire]

    def row(self) -> Member:
        """As the rest of the program knows it."""
        rights = (RemoteMembership(self.member_uid, **right.model_dump()) for right in self.memberships)
        return Member(self.member_uid, self.display_name, tuple(rights))


class PageWire(BaseModel):
    """`GET …/members`; the cursor must be there, for a missing one would look like the end of the list."""

    members: list[MemberWire]
    next_cursor: Annotated[str, Field(min_length=1, max_length=2000, strict=True)] | None
    total: Annotated[StrictInt, Field(ge=0)]
    as_of: Moment

    def row(self) -> MemberPage:
        """As the rest of the program knows it."""
        return MemberPage(tuple(member.row() for member in self.members), self.total, self.as_of)


class LineWire(BaseModel):
    """One line of a statement."""

    order_ref: Id
    member_uid: Id
    paid_fen: Fen
    fee_fen: Fen
    refunded_fen: Fen
    paid_at: Moment


class StatementWire(BaseModel):
    """`GET …/statements/{YYYY-MM}`."""

    lines: list[LineWire]
    closed: StrictBool

    def row(self) -> Statement:
        """As the rest of the program knows it."""
        return Statement(tuple(StatementLine(**line.model_dump()) for line in self.lines), self.closed)
