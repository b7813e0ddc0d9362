"""Every invariant as a query over the rows; each names the rows that break it (`wxbot verify`)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from peewee import JOIN, Expression, fn

from models import scans
from models.access import PLANET, PURCHASE, Grant
from models.delivery import InboxItem, OutboxItem
from models.links import (
    RELINKS_ALLOWED,
    Link,
    LinkAttempt,
    Membership,
    MembershipReminder,
    RefundWaiver,
    RelinkPermit,
    text_digest,
)
from models.mismatches import BELOW_FLOOR, Mismatch, Reconciliation
from models.news import PlanetEvent
from models.orders import Platform, Purchase
from models.payments import COURSE, NOTHING, REFUNDED, PlanetPayment
from models.scans import Scan
from services import outbox
from services.env import Env
from services.links import LINKED
from services.reconcile_list import OK

SHOWN = 20
CHECKS: list[tuple[str, str, Callable[[Env], Iterable[str]]]] = []


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant and what breaks it, if anything does."""

    name: str
    promise: str
    breaks: tuple[str, ...]


def invariant(name: str, promise: str) -> Callable[[Callable[[Env], Iterable[str]]], Callable[[Env], Iterable[str]]]:
    """Add a check to the list; it yields one short text for each row at fault."""

    def register(check: Callable[[Env], Iterable[str]]) -> Callable[[Env], Iterable[str]]:
        CHECKS.append((name, promise, check))
        return check

    return register


def run(env: Env) -> list[Finding]:
    """All checks, each with at most the first 20 rows at fault."""
    return [Finding(name, promise, tuple(islice(check(env), SHOWN))) for name, promise, check in CHECKS]


@invariant("I5", "at most one live membership for each purchase")
def one_membership(env: Env) -> Iterable[str]:
    many = Membership.select(Membership.grant).where(Membership.revoked_at.is_null())
    for row in many.group_by(Membership.grant).having(fn.COUNT(Membership.id) > 1):
        yield f"grant {row.grant_id}"


@invariant("I5", "a membership that lives holds its purchase's place, and no other does")
def membership_place(env: Env) -> Iterable[str]:
    lives, holds = Membership.revoked_at.is_null(), Membership.active_grant == Membership.grant
    wrong = (lives & (Membership.active_grant.is_null() | ~holds)) | (~lives & Membership.active_grant.is_null(False))
    for row in Membership.select().where(wrong):
        yield f"membership {row.id}"


@invariant("I5", "at most one right for each payment at a planet, ever")
def one_right(env: Env) -> Iterable[str]:
    rights = Grant.select(fn.MIN(Grant.id).alias("id")).where(Grant.source == PLANET).group_by(Grant.source_ref)
    for row in rights.having(fn.COUNT(Grant.id) > 1):
        yield f"payment of grant {row.id}"
    shared = PlanetPayment.select(PlanetPayment.grant).where(PlanetPayment.grant.is_null(False))
    for row in shared.group_by(PlanetPayment.grant).having(fn.COUNT(PlanetPayment.id) > 1):
        yield f"grant {row.grant_id}"


@invariant("I5", "a payment at a planet that gave a course has its right, and each such right its payment")
def right_of_payment(env: Env) -> Iterable[str]:
    its = (PlanetPayment.grant == Grant.id) & (PlanetPayment.person == Grant.person) & (Grant.source == PLANET)
    rows = PlanetPayment.select(PlanetPayment.id).join(Grant, JOIN.LEFT_OUTER, on=its)
    for row in rows.where((PlanetPayment.gave == COURSE) != Grant.id.is_null(False)):
        yield f"payment {row.id}"
    rights = Grant.select(Grant.id).join(PlanetPayment, JOIN.LEFT_OUTER, on=its)
    for row in rights.where(Grant.source == PLANET, PlanetPayment.id.is_null()):
        yield f"grant {row.id}"


@invariant("I5", "a payment at a planet was served to one person, through his link, or to nobody")
def served_to_one(env: Env) -> Iterable[str]:
    served = PlanetPayment.served_at.is_null(False)
    empty = PlanetPayment.person.is_null() | PlanetPayment.link.is_null() | PlanetPayment.gave.is_null()
    filled = PlanetPayment.person.is_null(False) | PlanetPayment.link.is_null(False) | PlanetPayment.gave.is_null(False)
    for row in PlanetPayment.select(PlanetPayment.id).where((served & empty) | (~served & filled)):
        yield f"payment {row.id}"
    foreign = PlanetPayment.select(PlanetPayment.id).join(Link).where(Link.person != PlanetPayment.person)
    for row in foreign:
        yield f"payment {row.id}"


@invariant("I6", "at most one active link for each planet account and for each person")
def one_link(env: Env) -> Iterable[str]:
    active = Link.unlinked_at.is_null()
    for side, name in ((Link.member_uid, "account"), (Link.person, "person")):
        many = Link.select(fn.MIN(Link.id).alias("id")).where(active).group_by(Link.provider, side)
        for row in many.having(fn.COUNT(Link.id) > 1):
            yield f"{name} of link {row.id}"


@invariant("I6", "an active link holds its person's and its account's place, and an ended one none")
def link_place(env: Env) -> Iterable[str]:
    active = Link.unlinked_at.is_null()
    holds = (Link.active_person == Link.person) & (Link.active_uid == Link.member_uid)
    empty = Link.active_person.is_null() & Link.active_uid.is_null()
    none = Link.active_person.is_null() | Link.active_uid.is_null()
    for row in Link.select().where((active & (none | ~holds)) | (~active & ~empty)):
        yield f"link {row.id}"


@invariant("I7", "a live membership has a right to the course behind it")
def right_behind(env: Env) -> Iterable[str]:
    live = Membership.revoked_at.is_null() & (Membership.ends_at > env.now)
    for row in Membership.select().join(Grant).where(live, Grant.revoked_at.is_null(False)):
        yield f"membership {row.id}"


@invariant("I7", "a live membership has a waiver in effect, and an active link")
def waiver_behind(env: Env) -> Iterable[str]:
    live = Membership.revoked_at.is_null()
    same = RefundWaiver.grant == Membership.grant
    for row in Membership.select().join(RefundWaiver, JOIN.LEFT_OUTER, on=same).where(live, RefundWaiver.id.is_null()):
        yield f"membership {row.id}"
    for row in Membership.select().join(Link).where(live, Link.unlinked_at.is_null(False)):
        yield f"membership {row.id}"


def grant_of_purchase() -> Expression:
    """The condition that joins a purchase (with its platform) to the right that came from it."""
    source_ref = Platform.name.concat(":").concat(Purchase.order_no)
    return (Grant.source == PURCHASE) & (Grant.source_ref == source_ref)


@invariant("I7", "the words of a waiver are those of its hash")
def waiver_words(env: Env) -> Iterable[str]:
    for row in RefundWaiver.select(RefundWaiver.id, RefundWaiver.text, RefundWaiver.text_hash).iterator():
        if text_digest(row.text) != row.text_hash:
            yield f"waiver {row.id}"


@invariant("I8", "a purchase that was refunded gives nothing any more")
def refunded_gives_nothing(env: Env) -> Iterable[str]:
    rows = Purchase.select(Purchase.id, Grant.id).join(Platform).join(Grant, on=grant_of_purchase())
    for purchase, grant in rows.where(Purchase.refunded_at.is_null(False), Grant.revoked_at.is_null()).tuples():
        yield f"purchase {purchase}, grant {grant}"


@invariant("I8", "a payment that was refunded at the planet gives no course any more")
def refunded_there_gives_nothing(env: Env) -> Iterable[str]:
    rows = PlanetPayment.select(PlanetPayment.id).join(Grant)
    for row in rows.where(PlanetPayment.status == REFUNDED, Grant.revoked_at.is_null()):
        yield f"payment {row.id}"


@invariant("R6", "a payment that gave nothing stands in the operator's list")
def too_little_is_listed(env: Env) -> Iterable[str]:
    its = (Mismatch.payment == PlanetPayment.id) & (Mismatch.kind == BELOW_FLOOR)
    rows = PlanetPayment.select(PlanetPayment.id).join(Mismatch, JOIN.LEFT_OUTER, on=its)
    for row in rows.where(PlanetPayment.gave == NOTHING, Mismatch.id.is_null()):
        yield f"payment {row.id}"


@invariant("I8", "a purchase that was granted gives its right")
def granted_gives(env: Env) -> Iterable[str]:
    its = grant_of_purchase() & (Grant.course == Purchase.course) & (Grant.person == Purchase.person)
    rows = Purchase.select(Purchase.id).join(Platform).join(Grant, JOIN.LEFT_OUTER, on=its)
    granted = (Purchase.person.is_null(False), Purchase.refunded_at.is_null())
    for row in rows.where(*granted, Grant.id.is_null()):
        yield f"purchase {row.id}"


@invariant("I8", "a waived purchase was refunded only with a recorded override")
def waived_needs_override(env: Env) -> Iterable[str]:
    rows = Purchase.select(Purchase.id).join(Platform).join(Grant, on=grant_of_purchase()).join(RefundWaiver)
    refunded = (Purchase.refunded_at.is_null(False), Purchase.refund_override.is_null())
    for row in rows.where(*refunded).distinct():
        yield f"purchase {row.id}"


@invariant("I9", "every membership has its outbox row")
def told(env: Env) -> Iterable[str]:
    same = (OutboxItem.subject == Membership.id) & (OutboxItem.kind == outbox.MEMBERSHIP)
    for row in Membership.select().join(OutboxItem, JOIN.LEFT_OUTER, on=same).where(OutboxItem.id.is_null()):
        yield f"membership {row.id}"


@invariant("I9", "what the planet has not confirmed is still in the outbox")
def pending_is_queued(env: Env) -> Iterable[str]:
    same = (OutboxItem.subject == Membership.id) & (OutboxItem.kind == outbox.MEMBERSHIP)
    behind = Membership.delivered_version < Membership.version
    for row in Membership.select().join(OutboxItem, on=same).where(behind, OutboxItem.done >= OutboxItem.wanted):
        yield f"membership {row.id}"


@invariant("I9", "an item that is not done is due some time, or stands in the operator's list")
def nothing_stuck(env: Env) -> Iterable[str]:
    undone = OutboxItem.done < OutboxItem.wanted
    for row in OutboxItem.select().where(undone, OutboxItem.due_at.is_null(), OutboxItem.gave_up_at.is_null()):
        yield f"outbox item {row.id}"


@invariant("I10", "one decision for each inbox id")
def one_decision(env: Env) -> Iterable[str]:
    many = InboxItem.select(InboxItem.source, InboxItem.key).group_by(InboxItem.source, InboxItem.key)
    for row in many.having(fn.COUNT(InboxItem.id) > 1):
        yield f"inbox {row.source}"


@invariant("I10", "one event of a planet for each id")
def one_event(env: Env) -> Iterable[str]:
    many = PlanetEvent.select(PlanetEvent.event_key).group_by(PlanetEvent.event_key)
    for row in many.having(fn.COUNT(PlanetEvent.id) > 1):
        yield f"planet event {row.event_key[:8]}"


@invariant("I10", "one purchase for each order number of a platform")
def one_purchase(env: Env) -> Iterable[str]:
    many = Purchase.select(fn.MIN(Purchase.id).alias("id")).group_by(Purchase.platform, Purchase.order_no)
    for row in many.having(fn.COUNT(Purchase.id) > 1):
        yield f"purchase {row.id}"


@invariant("I14", "no attempt was linked after its life was over")
def linked_in_time(env: Env) -> Iterable[str]:
    late = LinkAttempt.used_at >= LinkAttempt.expires_at  # a span excludes its end
    for row in LinkAttempt.select().where(late):
        yield f"attempt {row.id}"


@invariant("I12", "a scan has one scanner, who alone confirmed it, and its hand-over is his")
def one_scanner(env: Env) -> Iterable[str]:
    nobody = Scan.scanned_by.is_null() & (Scan.confirmed_at.is_null(False) | Scan.scanned_at.is_null(False))
    other = LinkAttempt.person != Scan.scanned_by
    for row in Scan.select().join(LinkAttempt, JOIN.LEFT_OUTER).where(nobody | other):
        yield f"scan {row.id}"


@invariant("I14", "no scan moved on after its life was over")
def scanned_in_time(env: Env) -> Iterable[str]:
    for row in Scan.select().where(Scan.scanned_at.is_null(False)).iterator():
        is_late = row.scanned_at >= row.created_at + timedelta(seconds=env.config.scan_seconds)
        held_until = min(row.scanned_at + scans.SCANNED_LIFE, row.created_at + scans.LONGEST_LIFE)
        if is_late or (row.confirmed_at and row.confirmed_at >= held_until):
            yield f"scan {row.id}"


@invariant("I15", "a scan for linking signs nobody in, and a linked one has its link")
def linking_is_no_sign_in(env: Env) -> Iterable[str]:
    signed_in = (Scan.purpose == scans.LINK) & (Scan.state == scans.DONE)
    not_linked = (Scan.state == scans.LINKED) & (LinkAttempt.outcome.is_null() | (LinkAttempt.outcome != LINKED))
    for row in Scan.select().join(LinkAttempt, JOIN.LEFT_OUTER).where(signed_in | not_linked):
        yield f"scan {row.id}"


@invariant("L6", "no purchase was linked more often than the rule and an operator allow")
def relinked_in_bounds(env: Env) -> Iterable[str]:
    allowed = RelinkPermit.select(RelinkPermit.grant, fn.COUNT(RelinkPermit.id)).group_by(RelinkPermit.grant)
    permits = dict(allowed.tuples())
    times = Membership.select(Membership.grant, fn.COUNT(Membership.id)).group_by(Membership.grant)
    for grant, number in times.having(fn.COUNT(Membership.id) > 1 + RELINKS_ALLOWED).tuples():
        if number > 1 + RELINKS_ALLOWED + permits.get(grant, 0):
            yield f"grant {grant}"


@invariant("R2", "nobody is told of one end twice for the same number of days")
def reminded_once(env: Env) -> Iterable[str]:
    many = MembershipReminder.select(MembershipReminder.membership, MembershipReminder.days)
    many = many.group_by(MembershipReminder.membership, MembershipReminder.days)
    for row in many.having(fn.COUNT(MembershipReminder.id) > 1):
        yield f"membership {row.membership_id}, {row.days} days"


@invariant("R4", "a list that was not believed changed nothing")
def held_back(env: Env) -> Iterable[str]:
    acted = (Reconciliation.repaired > 0) | (Reconciliation.listed > 0)
    for row in Reconciliation.select().where(acted, Reconciliation.outcome != OK):
        yield f"reconciliation {row.id}"


@invariant("R4", "a difference is kept once, and was first seen before it was last seen")
def one_mismatch(env: Env) -> Iterable[str]:
    place = (Mismatch.provider, Mismatch.kind, Mismatch.key)
    many = Mismatch.select(fn.MIN(Mismatch.id).alias("id")).group_by(*place)
    for row in many.having(fn.COUNT(Mismatch.id) > 1):
        yield f"mismatch {row.id}"
    for row in Mismatch.select().where(Mismatch.last_seen_at < Mismatch.first_seen_at):
        yield f"mismatch {row.id}"


@invariant("I17", "versions only grow: nothing is confirmed that was never wanted")
def versions(env: Env) -> Iterable[str]:
    for row in Membership.select().where(Membership.delivered_version > Membership.version):
        yield f"membership {row.id}"


@invariant("I26", "one attempt made at most one waiver, and one that linked a purchase has it")
def one_effect(env: Env) -> Iterable[str]:
    linked = (LinkAttempt.outcome == LINKED) & LinkAttempt.grant.is_null(False)
    for row in LinkAttempt.select().join(RefundWaiver, JOIN.LEFT_OUTER).where(linked, RefundWaiver.id.is_null()):
        yield f"attempt {row.id}"
