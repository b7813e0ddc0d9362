"""Why somebody may open something: the union of grants, never a flag (R1)."""

from datetime import datetime

from peewee import BooleanField, CharField, Expression, ForeignKeyField

from models.base import Row, UtcField
from models.catalogue import Course
from models.people import Person

PURCHASE = "purchase"
ORDER = "order"
PLANET = "planet"


class Grant(Row):
    """报名的权利: one source gives one person one course, from a moment on, until an end or a revocation.

    `from_planet` is set where it was bought with the voucher of a payment at the very planet that it could open.
    `suspended_at` is filled while its refund is looked at: it opens nothing meanwhile, and keeps its end (B3).
    """

    person = ForeignKeyField(Person, backref="grants")
    course = ForeignKeyField(Course, backref="grants")
    source = CharField(max_length=16)
    source_ref = CharField(max_length=128)
    starts_at = UtcField()
    ends_at = UtcField(null=True)
    from_planet = BooleanField(null=True)
    suspended_at = UtcField(null=True)
    revoked_at = UtcField(null=True)
    revoked_reason = CharField(max_length=32, null=True)

    class Meta:
        table_name = "course_grant"
        indexes = ((("source", "source_ref", "course"), True), (("person", "course"), False))

    def is_live(self, *, now: datetime) -> bool:
        """Begun, not over, not suspended, not revoked."""
        ended = self.ends_at is not None and self.ends_at <= now
        return self.starts_at <= now and not ended and self.suspended_at is None and self.revoked_at is None

    @classmethod
    def live(cls, *, now: datetime) -> Expression:
        """The same as `is_live`, as a condition for the database."""
        not_over = cls.ends_at.is_null() | (cls.ends_at > now)
        return (cls.starts_at <= now) & not_over & cls.suspended_at.is_null() & cls.revoked_at.is_null()

    @property
    def is_from_planet(self) -> bool:
        """Whether he has paid for it at the planet, and so is a member there without us (L5, no loops)."""
        return self.source == PLANET or bool(self.from_planet)

    @property
    def source_tail(self) -> str:
        """Enough of the order number for its owner to know it by."""
        return f"…{self.source_ref[-4:]}"
