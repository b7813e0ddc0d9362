"""What our rows and a planet's list disagree about, and each look that was taken."""

from peewee import BigIntegerField, CharField, ForeignKeyField, IntegerField

from models.base import Row, UtcField
from models.catalogue import Planet
from models.links import Membership
from models.payments import PlanetPayment

REMOVED, UNKNOWN, BELOW_FLOOR, GONE, LEFT = "removed", "unknown", "below_floor", "gone", "left"
VOUCHER_SPENT = "voucher_spent"


class Mismatch(Row):
    """差异: for a person to decide, never smoothed over by itself (R4). `key` is a `ref` or an `order_ref` there.

    `removed`: the planet's owner took away what we gave, or a payment's membership. `unknown`: a membership in our
    name that we never gave. `below_floor`: a payment of too little (R6). `gone`: a payment that we know and the
    planet's list does not. `left`: what we took back is still active there. `voucher_spent`: a payment
    there, or a purchase at a platform, that was refunded after its voucher had been spent here (V1, V3).
    """

    kind = CharField(max_length=16)
    provider = CharField(max_length=32)
    group_id = CharField(max_length=128)
    key = CharField(max_length=128)
    member_uid = CharField(max_length=128)
    membership = ForeignKeyField(Membership, null=True)
    payment = ForeignKeyField(PlanetPayment, null=True)
    first_seen_at = UtcField()
    last_seen_at = UtcField()
    resolved_at = UtcField(null=True)
    resolved_by = CharField(max_length=64, null=True)
    reason = CharField(max_length=255, null=True)

    class Meta:
        indexes = ((("provider", "kind", "key"), True),)


class Reconciliation(Row):
    """对账: one look at a planet's whole list. Whom a list that cannot be trusted leaves out is not removed (R4).

    `outcome` is `ok`, or why nothing was removed: `empty`, `partial`, `smaller`, `stale`, `doubled`, `braked`, `down`.
    """

    planet = ForeignKeyField(Planet, backref="reconciliations")
    started_at = UtcField()
    finished_at = UtcField(null=True)
    as_of = UtcField(null=True)
    total = BigIntegerField(null=True)
    members = IntegerField(default=0)
    repaired = IntegerField(default=0)
    listed = IntegerField(default=0)
    held_back = IntegerField(default=0)
    outcome = CharField(max_length=16, null=True)

    class Meta:
        indexes = ((("planet", "outcome"), False),)
