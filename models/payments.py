"""What was paid at a planet, and what it gave here."""

from datetime import datetime

from peewee import BigIntegerField, CharField, Expression, ForeignKeyField

from models.access import Grant
from models.base import Row, UtcField
from models.links import Link
from models.people import Person, digest

ACTIVE, EXPIRED, REFUNDED, REMOVED = "active", "expired", "refunded", "removed"
COURSE, VOUCHER, NOTHING = "course", "voucher", "nothing"


class PlanetAccount(Row):
    """星球账号: whoever links it, or changes what was paid with it, first changes this row, and so waits in turn.

    Else a payment and a link that come at the same moment would not see each other, and the person would wait.
    """

    provider = CharField(max_length=32)
    member_uid = CharField(max_length=128)
    seen_at = UtcField()

    class Meta:
        indexes = ((("provider", "member_uid"), True),)


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
    link = ForeignKeyField(Link, null=True, backref="payments")
    gave = CharField(max_length=16, null=True)
    grant = ForeignKeyField(Grant, null=True, backref="payments")

    class Meta:
        indexes = ((("provider", "order_ref"), True), (("provider", "member_uid"), False))

    @classmethod
    def waiting(cls, *, now: datetime) -> Expression:
        """Whether it may still give what it pays for: live at the planet, and brought by nobody yet."""
        not_over = cls.ends_at.is_null() | (cls.ends_at > now)
        return cls.served_at.is_null() & (cls.status == ACTIVE) & not_over

    @property
    def still_gives(self) -> bool:
        """Whether what it gave still holds: the money of a refunded one is back."""
        return self.gave in {COURSE, VOUCHER} and self.status != REFUNDED

    @property
    def source_ref(self) -> str:
        """How its right points back at it; a reference too long for that goes by its digest."""
        whole = f"{self.provider}:{self.order_ref}"
        return whole if len(whole) <= Grant.source_ref.max_length else f"{self.provider}:{digest(self.order_ref)}"

    @property
    def order_tail(self) -> str:
        """Enough of the number for its owner to know it by."""
        return f"…{self.order_ref[-4:]}"
