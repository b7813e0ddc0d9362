"""What an operator allows beside the rule: one more re-link of a purchase."""

from peewee import *

from models.base import UtcField


def up(migrator, db):
    class Grant(Model):
        class Meta:
            database = db
            table_name = "course_grant"

    class RelinkPermit(Model):
        grant = ForeignKeyField(Grant)
        created_at = UtcField()
        who = CharField(max_length=64)
        reason = CharField(max_length=255)

        class Meta:
            database = db
            table_name = "relink_permit"

    db.create_tables([RelinkPermit])
