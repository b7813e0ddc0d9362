"""What learners report, for the bounty to come."""

from peewee import CharField, ForeignKeyField, TextField

from models.base import Row, UtcField
from models.people import Person

LONGEST = 2000
CHAT = "chat"


class Report(Row):
    """反馈: one problem in a person's own words; `source` says by which door it came."""

    person = ForeignKeyField(Person)
    text = TextField()
    created_at = UtcField(index=True)
    source = CharField(max_length=16)
