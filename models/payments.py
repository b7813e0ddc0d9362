"""What was paid at a planet, and what it gave here."""

from peewee import BigIntegerField, CharField, ForeignKeyField

from models.access import Grant
from models.base import Row, UtcField
from models.links import Link
from models.people import Person

ACTIVE, EXPIRED, REFUNDED, REMOVED = "active", "expired", "refunded", "removed"
COURSE, VOUCHER, NOTHING = "course", "voucher", "nothing"


class PlanetPayment(Row):
    """星球付费: one payment at a planet (`order_ref`), as its latest version there says; served once, ever (L5).

    `gave` is empty until a person brings it: then `course` (the right is `grant`), `voucher` (owed to him, R3) or
    `nothing`, for one below the floor (R6).
    """

    provider = CharField(max_length=32)
    order_ref = CharField(max_length=128)
    group_id = CharField(max_length=128)
    member_uid = CharField(max_length=128)
    paid_fen = BigIntegerField(null=True)
    status = CharField(max_length=16)
    version = BigIntegerField()
    starts_at = UtcField()
    ends_at = UtcField(null=True)
    created_at = UtcField()
    changed_at = UtcField()
    served_at = UtcField(null=True)
    person = ForeignKeyField(Person, null=True, backref="planet_payments")
    link = ForeignKeyField(Link, null=True)
    gave = CharField(max_length=16, null=True)
    grant = ForeignKeyField(Grant, null=True)

    class Meta:
        indexes = ((("provider", "order_ref"), True), (("provider", "member_uid"), False))
