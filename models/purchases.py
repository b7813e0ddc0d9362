"""What was bought elsewhere: platforms that keep their own shop, and the purchases they tell us of."""

import re
from datetime import datetime

from peewee import CharField, ForeignKeyField, IntegerField

from models.base import DigestField, Row, UtcField
from models.catalogue import Course
from models.people import Person

GRANTED = "granted"
CLAIMABLE = "claimable"
REFUNDED = "refunded"
ORDER_NO = re.compile(r"[0-9A-Za-z_.\-]{1,64}")


class Platform(Row):
    """A course platform with its own shop; it signs its calls with a key of which we keep the digest."""

    name = CharField(max_length=32, unique=True)
    key_hash = DigestField()
    created_at = UtcField()


class Purchase(Row):
    """A purchase at a platform: `order_no` is the platform's own, and makes it idempotent (B4).

    `person` is set at once for an openid, else when its claim link is used; `body_digest` tells whether
    a number comes again with the same body or with another.
    """

    platform = ForeignKeyField(Platform, backref="purchases")
    order_no = CharField(max_length=64)
    course = ForeignKeyField(Course)
    person = ForeignKeyField(Person, null=True)
    phone = CharField(max_length=32, null=True)
    email = CharField(max_length=254, null=True)
    paid_fen = IntegerField()
    paid_at = UtcField()
    body_digest = DigestField()
    created_at = UtcField()
    claim_hash = DigestField(null=True, unique=True)
    claimed_at = UtcField(null=True)
    refunded_at = UtcField(null=True)
    refund_override = CharField(max_length=255, null=True)

    class Meta:
        indexes = ((("platform", "order_no"), True),)

    @property
    def status(self) -> str:
        """What the platform sees: granted, claimable or refunded."""
        if self.refunded_at is not None:
            return REFUNDED
        return CLAIMABLE if self.person_id is None else GRANTED

    @property
    def source_ref(self) -> str:
        """How its grant points back at it."""
        return f"{self.platform.name}:{self.order_no}"

    @property
    def order_tail(self) -> str:
        """Enough of the number for its owner to know it by."""
        return f"…{self.order_no[-4:]}"

    def take(self, person: Person, *, now: datetime) -> bool:
        """Claim it for a person; True for the one who came first."""
        free = (Purchase.id == self.id, Purchase.person.is_null(), Purchase.refunded_at.is_null())
        return Purchase.change_if(*free, person=person, claimed_at=now)
