"""What people report in the chat, who wants no news there, what operators have it say, and letters by template.

Old code goes on meanwhile: the tables are none of its business, it goes on to send reminders to everybody, and sends
in the chat what has a purpose. Its own reminders by template are outbox items of the kind `reminder`, which new code
makes no more and still delivers.
"""

from peewee import *

from models.base import UtcField


def add(migrator, db, table, name, field):
    """Add a column; where MariaDB has kept it from a try that failed later, it goes on from there."""
    if name not in {column.name for column in db.get_columns(table)}:
        migrator.migrate(migrator.add_column(table, name, field))


def up(migrator, db):
    class Table(Model):
        class Meta:
            database = db
            legacy_table_names = False

    class Person(Table):
        pass

    class Report(Table):
        person = ForeignKeyField(Person)
        text = TextField()
        created_at = UtcField(index=True)
        source = CharField(max_length=16)

    class KeywordReply(Table):
        word = CharField(max_length=32, unique=True)
        text = TextField()
        added_at = UtcField()
        added_by = CharField(max_length=64)

    db.create_tables([Report, KeywordReply])
    add(migrator, db, "identity", "muted_at", UtcField(null=True))
    add(migrator, db, "chat_notice", "purpose", CharField(max_length=32, null=True))
    add(migrator, db, "chat_notice", "fields", TextField(null=True))
    add(migrator, db, "chat_notice", "page", CharField(max_length=128, null=True))
    add(migrator, db, "chat_notice", "msg_id", CharField(max_length=32, null=True, index=True))
