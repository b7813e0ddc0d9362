"""What is sold: lecturers, courses with lessons and dated prices, planets, and which course opens which planet."""

from datetime import datetime

from peewee import BooleanField, CharField, DateField, ForeignKeyField, IntegerField, TextField

from models.base import DigestField, Row, UtcField
from models.errors import PairingNotLive
from models.people import Person

SAME_PRICE = "same_price"
SHARED = "shared"


class Lecturer(Row):
    """讲师: `person` is whoever opened the one-time invitation in WeChat."""

    slug = CharField(max_length=64, unique=True)
    name = CharField(max_length=64)
    split_percent = IntegerField()
    person = ForeignKeyField(Person, null=True, backref="lecturers")


class LecturerInvite(Row):
    """A one-time link that makes the person who opens it in WeChat this lecturer."""

    code_hash = DigestField(unique=True)
    lecturer = ForeignKeyField(Lecturer)
    created_at = UtcField()
    expires_at = UtcField()
    used_at = UtcField(null=True)
    used_by = ForeignKeyField(Person, null=True)


class Course(Row):
    """课程, with whom it is for and whom it is not for."""

    slug = CharField(max_length=64, unique=True)
    title = CharField(max_length=128)
    lecturer = ForeignKeyField(Lecturer, backref="courses")
    ended_on = DateField(null=True)
    audience = TextField(default="")
    not_for = TextField(default="")


class Lesson(Row):
    """课时: its text and media open by right, or to everybody when it is the free preview."""

    course = ForeignKeyField(Course, backref="lessons")
    position = IntegerField()
    title = CharField(max_length=128)
    free = BooleanField(default=False)
    article = TextField(default="")
    media_url = CharField(max_length=500, default="")

    class Meta:
        indexes = ((("course", "position"), True),)


class Price(Row):
    """A list price in fen from a moment on; a rise is a new row, never an edit (C2)."""

    course = ForeignKeyField(Course, backref="prices")
    from_at = UtcField()
    amount_fen = IntegerField()

    class Meta:
        indexes = ((("course", "from_at"), True),)


class Planet(Row):
    """星球: a lecturer's paid community at a provider."""

    slug = CharField(max_length=64, unique=True)
    title = CharField(max_length=128)
    owner = ForeignKeyField(Lecturer, backref="planets")
    provider = CharField(max_length=32)
    group_id = CharField(max_length=64)
    price_fen = IntegerField()
    days = IntegerField(default=365)
    entry_url = CharField(max_length=500, default="")

    class Meta:
        indexes = ((("provider", "group_id"), True),)


class Guest(Row):
    """嘉宾: answers in a planet too, and is shown on its card."""

    planet = ForeignKeyField(Planet, backref="guests")
    name = CharField(max_length=64)

    class Meta:
        indexes = ((("planet", "name"), True),)


class CoursePlanet(Row):
    """课程与星球的配对: live only after its lecturer's own authorisation, or his recorded agreement (C4)."""

    course = ForeignKeyField(Course, backref="pairings", unique=True)
    planet = ForeignKeyField(Planet, backref="pairings")
    mode = CharField(max_length=16)
    opted_in_at = UtcField(null=True)
    opted_in_text = CharField(max_length=32, null=True)
    opted_in_note = CharField(max_length=255, null=True)
    paused_at = UtcField(null=True)

    @property
    def is_live(self) -> bool:
        """Authorised and not paused: new links may start."""
        return self.opted_in_at is not None and self.paused_at is None

    def check_live(self) -> None:
        """Raise unless new links may start."""
        if not self.is_live:
            raise PairingNotLive


class CatalogueVersion(Row):
    """One row whose number grows with every change of the catalogue, so that memories of it know when to look."""

    number = IntegerField(default=0)


def price_at(prices: list[tuple[datetime, int]], moment: datetime) -> int | None:
    """The list price in fen at `moment`: the latest row that has begun (a span includes its start)."""
    begun = [entry for entry in prices if entry[0] <= moment]
    return max(begun)[1] if begun else None
