"""The year of Q&A at the planet that a purchase gives: opened, ended, and told to the planet."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from clients.errors import RemoteRefused
from clients.planets import Reason, RemovedByOwner, RevokeReason
from models import audit
from models.access import Grant
from models.base import shanghai_words
from models.catalogue import Planet
from models.errors import AlreadyLinked, MembershipOver, WrongInput
from models.links import REMOVED_BY_OWNER, Link, Membership
from models.mismatches import REMOVED, Mismatch
from services import letters, mismatches, notices, outbox
from services.context import Context
from services.env import Env

REASONS = {"purchase": "course_purchase", "order": "course_purchase", "seat": "enterprise_seat", "gift": "gift"}


def open_for(env: Env, *, link: Link, grant: Grant, planet: Planet) -> Membership:
    """Give the purchase its membership through this link; raises AlreadyLinked when it has one, MembershipOver."""
    starts_at, ends_at = year_of(env, link=link, grant=grant, planet=planet)
    ref = f"m{env.new_code(96)}"
    is_first = Membership.add_once(
        link=link, grant=grant, planet=planet, ref=ref, reason=REASONS[grant.source], active_grant=grant.id,
        starts_at=starts_at, ends_at=ends_at, created_at=env.now,
    )  # fmt: skip
    if not is_first:
        raise AlreadyLinked
    membership = Membership.find(ref=ref)
    tell_planet(env, membership)
    return membership


def hold_link(link_id: int, **values: str) -> bool:
    """Lock an active link until the end of the transaction; False when it is active no more."""
    active = (Link.id == link_id, Link.unlinked_at.is_null())
    return Link.change_if(*active, **({"linked_at": Link.linked_at} | values))


def year_of(env: Env, *, link: Link, grant: Grant, planet: Planet) -> tuple[datetime, datetime]:
    """When the membership starts and ends (R2, L6).

    A purchase's year runs from its first link; linked again it gets the rest. A second purchase's year starts
    where the first one ends. A year that had not begun when it was unlinked is still whole.
    """
    before = Membership.select().where(Membership.grant == grant).order_by(Membership.id.desc()).first()
    if before and before.is_over(now=env.now):
        raise MembershipOver
    if before and before.had_begun(now=env.now):
        return env.now, before.ends_at
    others = Membership.select().join(Link).where(Link.person == link.person_id, Membership.planet == planet)
    ends = [other.ends_at for other in others if other.is_live(now=env.now)]
    starts_at = max([env.now, *ends])
    return starts_at, starts_at + timedelta(days=planet.days)


def end(env: Env, membership: Membership, *, reason: str) -> bool:
    """Take it back; True for the one who did. The planet is told through the outbox."""
    mine = (Membership.id == membership.id, Membership.revoked_at.is_null())
    gone = {"revoked_at": env.now, "revoked_reason": reason, "active_grant": None}
    if not Membership.change_if(*mine, version=Membership.version + 1, **gone):
        return False
    tell_planet(env, membership)
    return True


def close_gap(env: Env, *, person_id: int, planet_id: int) -> None:
    """Move later years forward to where the ones before them now end (R2: a refund leaves no gap)."""
    mine = Membership.select().join(Link).where(Link.person == person_id, Membership.planet == planet_id)
    live = sorted((m for m in mine if m.is_live(now=env.now)), key=lambda m: m.starts_at)
    free_at = env.now
    for membership in live:
        if membership.starts_at > free_at:
            move(env, membership, starts_at=free_at)
        free_at = max(free_at, membership.ends_at)


def move(env: Env, membership: Membership, *, starts_at: datetime) -> None:
    """Let a year begin at another moment, as long as ever; the planet is told."""
    ends_at = starts_at + (membership.ends_at - membership.starts_at)
    moved = {"starts_at": starts_at, "ends_at": ends_at, "version": Membership.version + 1}
    Membership.update(**moved).where(Membership.id == membership.id).execute()
    membership.starts_at, membership.ends_at = starts_at, ends_at
    tell_planet(env, membership)


def tell_planet(env: Env, membership: Membership) -> None:
    """Put the change into the outbox; changes of one link go out in order."""
    outbox.enqueue(env, kind=outbox.MEMBERSHIP, subject=membership.id, lane=f"link:{membership.link_id}")


def tell_again(env: Env, *, ids: Iterable[int], also_refused: bool = False) -> list[int]:
    """Tell the planet once more of these; which ones. What is still under way is left to itself.

    With `also_refused`, of what the planet has said no to as well: a person asks for it.
    """
    told = []
    refused = Membership.refused_code.is_null(False)
    still = (Membership.delivered_version == Membership.version) & ~refused
    if also_refused:
        still |= refused
    for one in Membership.select().where(Membership.id.in_(list(ids))):
        if Membership.change_if(Membership.id == one.id, still, version=Membership.version + 1, refused_code=None):
            tell_planet(env, one)
            told.append(one.id)
    return told


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the planet should know of one membership, and as of which version."""

    provider: str
    group_id: str
    ref: str
    member_uid: str
    ends_at: datetime
    reason: str
    revoked_reason: RevokeReason | None
    is_removed: bool
    version: int


def wanted(env: Env, *, membership_id: int) -> Wanted:
    """The latest of what we want; what is over is wanted no more, and a planet takes no end in the past."""
    m = Membership.find(id=membership_id)
    over = RevokeReason.OPERATOR if m.ends_at <= env.now else None
    revoked = RevokeReason(m.revoked_reason) if m.revoked_at else over
    return Wanted(
        provider=m.planet.provider, group_id=m.planet.group_id, ref=m.ref, member_uid=m.link.member_uid,
        ends_at=m.ends_at, reason=m.reason, revoked_reason=revoked,
        is_removed=m.refused_code == REMOVED_BY_OWNER, version=m.version,
    )  # fmt: skip


@outbox.delivers(outbox.MEMBERSHIP)
async def deliver(ctx: Context, membership_id: int, within: float) -> None:
    """Tell the planet the latest, under the same `ref` however often; a newer change wins over this one.

    Whom the planet's owner removed is not given it again by itself (R4): that stands in the operator's list.
    """
    want = await ctx.read(wanted, membership_id=membership_id)
    planet = ctx.planet(want.provider)
    there = {"group_id": want.group_id, "ref": want.ref, "within": within}
    try:
        if want.revoked_reason:
            await planet.revoke(**there, reason=want.revoked_reason)
        elif want.is_removed:
            raise RemovedByOwner("planet", REMOVED_BY_OWNER)
        else:
            whom = {"member_uid": want.member_uid, "ends_at": want.ends_at}
            await planet.grant(**there, **whom, reason=Reason(want.reason))
    except RemoteRefused as problem:
        if not outbox.is_ours(problem):
            await ctx.transact(note_refused, membership_id=membership_id, version=want.version, code=problem.code)
        raise
    await ctx.transact(note_delivered, membership_id=membership_id, version=want.version)


def note_refused(env: Env, *, membership_id: int, version: int, code: str) -> None:
    """The planet said no to this version for good: paid and not served, for a person to look at (R3)."""
    still_wanted = (Membership.id == membership_id, Membership.version == version)
    Membership.change_if(*still_wanted, refused_code=code[:64])


def note_delivered(env: Env, *, membership_id: int, version: int) -> None:
    """The planet has confirmed a version; versions only grow. The person is told once, of the first."""
    older = (Membership.id == membership_id, Membership.delivered_version < version)
    confirmed = {"delivered_version": version, "delivered_at": env.now, "refused_code": None}
    if Membership.change_if(*older, Membership.delivered_at.is_null(), **confirmed):
        welcome(env, Membership.find(id=membership_id))
    else:
        Membership.change_if(*older, **confirmed)


def removed_by_owner(env: Env, *, provider: str, group_id: str, ref: str) -> None:
    """The planet's owner took away what we gave: a person decides, it is never given again by itself (R4)."""
    membership = Membership.get_or_none(ref=ref, active_grant=Membership.grant)
    if membership is None or (membership.planet.provider, membership.planet.group_id) != (provider, group_id):
        return
    Membership.update(refused_code=REMOVED_BY_OWNER).where(Membership.id == membership.id).execute()
    mismatches.note(
        env, kind=REMOVED, provider=provider, group_id=group_id, key=ref, member_uid=membership.link.member_uid,
        membership=membership,
    )  # fmt: skip


def welcome(env: Env, membership: Membership) -> None:
    """Tell the person that the planet is open to him."""
    if membership.is_live(now=env.now):
        title, until = membership.planet.title, shanghai_words(membership.ends_at)
        text = f"「{title}」已开通，有效期至 {until}，现在就可以进去提问。"
        told = {"purpose": letters.LINKED, "fields": (title, until)}
        notices.tell(env, person_id=membership.link.person_id, text=text, **told)


def grant_again(env: Env, *, mismatch_id: int, reason: str, who: str = "command") -> None:
    """Tell the planet once more of a member whom its owner had removed; the list then shows what came of it."""
    row = Mismatch.get_or_none(id=mismatch_id, kind=REMOVED, resolved_at=None)
    is_ours = row is not None and row.membership_id is not None and row.membership.revoked_at is None
    if not is_ours or not tell_again(env, ids=[row.membership_id], also_refused=True):
        raise WrongInput(what=f"mismatch {mismatch_id} is no membership of ours that can be granted again")
    subject = f"membership:{row.membership_id}"
    audit.record(at=env.now, who=who, action="grant again", subject=subject, reason=reason[:255])
