"""Vouchers. Old code goes on meanwhile: its orders have no voucher, and the new columns may be empty."""

from peewee import *

from models.base import UtcField


def up(migrator, db):
    class Table(Model):
        class Meta:
            database = db
            legacy_table_names = False

    def known(name):
        return type(name, (Table,), {})

    Course, Grant, Lecturer, Order, Person, Planet, PlanetPayment = map(
        known, ["Course", "CourseGrant", "Lecturer", "CourseOrder", "Person", "Planet", "PlanetPayment"]
    )

    class Campaign(Table):
        slug = CharField(max_length=96, unique=True)
        kind = CharField(max_length=16)
        title = CharField(max_length=64, default="")
        course = ForeignKeyField(Course, null=True)
        planet = ForeignKeyField(Planet, null=True)
        amount_fen = IntegerField(null=True)
        min_fen = IntegerField(default=0)
        starts_at = UtcField()
        ends_at = UtcField(null=True)
        enrol_days = IntegerField(null=True)
        valid_days = IntegerField(null=True)
        lecturer = ForeignKeyField(Lecturer, null=True)
        quota = IntegerField(null=True)
        budget_fen = BigIntegerField(null=True)
        bearer = CharField(max_length=16, default="platform")
        word = CharField(max_length=32, null=True)
        issued = IntegerField(default=0)
        issued_fen = BigIntegerField(default=0)

    class CampaignCourse(Table):
        campaign = ForeignKeyField(Campaign)
        course = ForeignKeyField(Course)
        is_excluded = BooleanField()

        class Meta:
            indexes = ((("campaign", "course"), True),)

    class Voucher(Table):
        code = CharField(max_length=16, unique=True)
        campaign = ForeignKeyField(Campaign)
        person = ForeignKeyField(Person)
        cause = CharField(max_length=96)
        amount_fen = IntegerField(constraints=[Check("amount_fen > 0")])
        state = CharField(max_length=16, default="open")
        issued_at = UtcField()
        starts_at = UtcField()
        expires_at = UtcField(index=True)
        earned_by = ForeignKeyField(Grant, null=True)
        payment = ForeignKeyField(PlanetPayment, null=True)
        left_of = ForeignKeyField("self", null=True)
        killed_at = UtcField(null=True)
        reminded_at = UtcField(null=True)

        class Meta:
            indexes = ((("campaign", "cause"), True),)

    class Redemption(Table):
        voucher = ForeignKeyField(Voucher)
        order = ForeignKeyField(Order, unique=True)
        amount_fen = IntegerField()
        held_at = UtcField()
        used_at = UtcField(null=True)
        freed_at = UtcField(null=True)
        active_voucher = IntegerField(null=True, unique=True)

    db.create_tables([Campaign, CampaignCourse, Voucher, Redemption])
    new = [
        ("course_order", "voucher_fen", IntegerField(null=True)),
        ("course_order", "voucher_bearer", CharField(max_length=16, null=True)),
        ("course_grant", "from_planet", BooleanField(null=True)),
    ]
    for table, name, field in new:  # MariaDB keeps each step by itself: begun anew, it goes on where it was
        if name not in {column.name for column in db.get_columns(table)}:
            migrator.migrate(migrator.add_column(table, name, field))
