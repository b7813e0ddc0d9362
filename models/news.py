"""What planets tell us of the memberships they sell and of those we gave."""

from peewee import BigIntegerField, CharField

from models.base import DigestField, Row, UtcField


class PlanetEvent(Row):
    """星球事件: kept once by its own id, also while nobody it concerns has linked yet."""

    event_key = DigestField(unique=True)
    provider = CharField(max_length=32)
    kind = CharField(max_length=32)
    group_id = CharField(max_length=128)
    member_uid = CharField(max_length=128)
    source = CharField(max_length=16)
    order_ref = CharField(max_length=128, null=True)
    ref = CharField(max_length=128, null=True)
    paid_fen = BigIntegerField(null=True)
    starts_at = UtcField()
    ends_at = UtcField(null=True)
    version = BigIntegerField()
    told_at = UtcField()
    received_at = UtcField()

    class Meta:
        indexes = ((("provider", "member_uid"), False), (("provider", "order_ref"), False))
