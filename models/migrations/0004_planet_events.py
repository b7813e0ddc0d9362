"""What planets tell us, kept once."""

from peewee import *

from models.base import DigestField, UtcField


def up(migrator, db):
    class PlanetEvent(Model):
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
            database = db
            table_name = "planet_event"
            indexes = ((("provider", "member_uid"), False), (("provider", "order_ref"), False))

    db.create_tables([PlanetEvent])
