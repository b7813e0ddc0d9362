"""Every invariant as a query over the rows; each names the rows that break it (`wxbot verify`)."""

from collections.abc import Iterable
from itertools import islice

from peewee import JOIN, Expression, fn

from models.access import PURCHASE, Grant
from models.delivery import InboxItem, OutboxItem
from models.links import (
    Link,
    LinkAttempt,
    Membership,
    RefundWaiver,
    text_digest,
)
from models.news import PlanetEvent
from models.purchases import Platform, Purchase
from services import outbox, verify_money, verify_planets, verify_scans, verify_vouchers
from services.env import Env
from services.invariants import CHECKS, Finding, invariant
from services.links import LINKED

SHOWN = 20
PARTS = (verify_money, verify_planets, verify_scans, verify_vouchers)  # each has added its checks to the list by now


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


@invariant("I17", "versions only grow: nothing is confirmed that was never wanted")
def versions(env: Env) -> Iterable[str]:
    for row in Membership.select().where(Membership.delivered_version > Membership.version):
        yield f"membership {row.id}"


@invariant("I26", "one attempt made at most one waiver, and one that linked a purchase has it")
def one_effect(env: Env) -> Iterable[str]:
    linked = (LinkAttempt.outcome == LINKED) & LinkAttempt.grant.is_null(False)
    for row in LinkAttempt.select().join(RefundWaiver, JOIN.LEFT_OUTER).where(linked, RefundWaiver.id.is_null()):
        yield f"attempt {row.id}"
