"""Invariants of both sides: what was paid at planets, re-links, reminders, and what their lists have led to."""

from collections.abc import Iterable

from peewee import JOIN, fn

from models.access import PLANET, Grant
from models.links import RELINKS_ALLOWED, Link, Membership, MembershipReminder, RelinkPermit
from models.mismatches import BELOW_FLOOR, Mismatch, Reconciliation
from models.payments import COURSE, NOTHING, REFUNDED, PlanetPayment
from services.env import Env
from services.invariants import invariant
from services.reconcile_list import OK


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
