"""What people report in the chat. Old code goes on meanwhile: the table is none of its business."""

from peewee import *

from models.base import UtcField


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

    db.create_tables([Report])
