"""The PC's scans, what was paid at planets, differences with them, and reminders.

Old code goes on meanwhile: the new tables are none of its business, and a hand-over without a right is never its own.
"""

from peewee import *

from models.base import DigestField, UtcField


def up(migrator, db):
    class Table(Model):
        class Meta:
            database = db
            legacy_table_names = False

    def known(name):
        return type(name, (Table,), {})

    Course, Grant, Link, LinkAttempt, Membership, Person, Planet = map(
        known, ["Course", "CourseGrant", "Link", "LinkAttempt", "Membership", "Person", "Planet"]
    )

    class Scan(Table):
        public_id = CharField(max_length=32, unique=True)
        code_hash = DigestField(unique=True)
        browser_hash = DigestField(index=True)
        purpose = CharField(max_length=16)
        course = ForeignKeyField(Course, null=True)
        target = CharField(max_length=128, default="")
        number = CharField(max_length=2)
        pc_person = ForeignKeyField(Person, null=True)
        ip = CharField(max_length=64)
        user_agent = CharField(max_length=255)
        renewals = IntegerField(default=0)
        created_at = UtcField()
        expires_at = UtcField(index=True)
        changed_at = UtcField(index=True)
        state = CharField(max_length=16, default="waiting")
        version = IntegerField(default=1)
        scanned_by = ForeignKeyField(Person, null=True)
        scanned_at = UtcField(null=True)
        confirm_hash = DigestField(null=True)
        confirmed_at = UtcField(null=True)
        tries = IntegerField(default=0)
        attempt = ForeignKeyField(LinkAttempt, null=True, unique=True)
        refused_code = CharField(max_length=32, null=True)
        said = CharField(max_length=255, default="")
        sealed_entry = TextField(null=True)
        finished_at = UtcField(null=True)

    class PlanetAccount(Table):
        provider = CharField(max_length=32)
        member_uid = CharField(max_length=128)
        seen_at = UtcField()

        class Meta:
            indexes = ((("provider", "member_uid"), True),)

    class PlanetPayment(Table):
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
        person = ForeignKeyField(Person, null=True)
        link = ForeignKeyField(Link, null=True)
        gave = CharField(max_length=16, null=True)
        grant = ForeignKeyField(Grant, null=True)

        class Meta:
            indexes = ((("provider", "order_ref"), True), (("provider", "member_uid"), False))

    class Mismatch(Table):
        kind = CharField(max_length=16)
        provider = CharField(max_length=32)
        group_id = CharField(max_length=128)
        key = CharField(max_length=128)
        member_uid = CharField(max_length=128)
        membership = ForeignKeyField(Membership, null=True)
        payment = ForeignKeyField(PlanetPayment, null=True)
        first_seen_at = UtcField()
        last_seen_at = UtcField()
        resolved_at = UtcField(null=True)
        resolved_by = CharField(max_length=64, null=True)
        reason = CharField(max_length=255, null=True)

        class Meta:
            indexes = ((("provider", "kind", "key"), True),)

    class Reconciliation(Table):
        planet = ForeignKeyField(Planet)
        started_at = UtcField()
        finished_at = UtcField(null=True)
        as_of = UtcField(null=True)
        total = BigIntegerField(null=True)
        members = IntegerField(default=0)
        repaired = IntegerField(default=0)
        listed = IntegerField(default=0)
        held_back = IntegerField(default=0)
        outcome = CharField(max_length=16, null=True)

        class Meta:
            indexes = ((("planet", "outcome"), False),)

    class MembershipReminder(Table):
        membership = ForeignKeyField(Membership)
        days = IntegerField()
        created_at = UtcField()

        class Meta:
            indexes = ((("membership", "days"), True),)

    db.create_tables([Scan, PlanetAccount, PlanetPayment, Mismatch, Reconciliation, MembershipReminder])
    migrator.migrate(migrator.drop_not_null("link_attempt", "grant_id"))
