"""The first tables: a frozen copy of the rows as they were on the first day."""

from peewee import *

from models.base import DigestField, UtcField


def up(migrator, db):
    class AuditEntry(Model):
        id = BigAutoField()
        at = UtcField(index=True)
        who = CharField(max_length=64)
        action = CharField(max_length=64)
        subject = CharField(index=True, max_length=128)
        old = TextField(null=True)
        new = TextField(null=True)
        reason = CharField(null=True)

        class Meta:
            database = db
            table_name = "audit_entry"

    db.create_tables([AuditEntry])

    class CatalogueVersion(Model):
        number = IntegerField(default=0)

        class Meta:
            database = db
            table_name = "catalogue_version"

    db.create_tables([CatalogueVersion])

    class Person(Model):
        created_at = UtcField()
        erased_at = UtcField(null=True)

        class Meta:
            database = db
            table_name = "person"

    db.create_tables([Person])

    class Identity(Model):
        person = ForeignKeyField(Person)
        side = CharField(max_length=16)
        provider = CharField(max_length=32)
        uid = CharField(max_length=128)
        nickname = CharField(null=True, max_length=64)
        created_at = UtcField()
        followed_at = UtcField(null=True)
        unfollowed_at = UtcField(null=True)

        class Meta:
            database = db
            table_name = "identity"
            indexes = ((("side", "provider", "uid"), True),)

    db.create_tables([Identity])

    class ChatNotice(Model):
        identity = ForeignKeyField(Identity)
        text = TextField()
        created_at = UtcField()
        sent_at = UtcField(null=True)
        held_at = UtcField(index=True, null=True)
        shown_at = UtcField(null=True)

        class Meta:
            database = db
            table_name = "chat_notice"

    db.create_tables([ChatNotice])

    class ChatQuestion(Model):
        identity = ForeignKeyField(Identity, unique=True)
        topic = CharField(max_length=32)
        choices = TextField()
        asked_at = UtcField()
        expires_at = UtcField()

        class Meta:
            database = db
            table_name = "chat_question"

    db.create_tables([ChatQuestion])

    class Lecturer(Model):
        slug = CharField(unique=True, max_length=64)
        name = CharField(max_length=64)
        split_percent = IntegerField()
        person = ForeignKeyField(Person, null=True)

        class Meta:
            database = db
            table_name = "lecturer"

    db.create_tables([Lecturer])

    class Course(Model):
        slug = CharField(unique=True, max_length=64)
        title = CharField(max_length=128)
        lecturer = ForeignKeyField(Lecturer)
        ended_on = DateField(null=True)
        audience = TextField(default="")
        not_for = TextField(default="")

        class Meta:
            database = db
            table_name = "course"

    db.create_tables([Course])

    class Planet(Model):
        slug = CharField(unique=True, max_length=64)
        title = CharField(max_length=128)
        owner = ForeignKeyField(Lecturer)
        provider = CharField(max_length=32)
        group_id = CharField(max_length=64)
        price_fen = IntegerField()
        days = IntegerField(default=365)
        entry_url = CharField(max_length=500, default="")

        class Meta:
            database = db
            table_name = "planet"
            indexes = ((("provider", "group_id"), True),)

    db.create_tables([Planet])

    class CoursePlanet(Model):
        course = ForeignKeyField(Course, unique=True)
        planet = ForeignKeyField(Planet)
        mode = CharField(max_length=16)
        opted_in_at = UtcField(null=True)
        opted_in_text = CharField(null=True, max_length=32)
        opted_in_note = CharField(null=True)
        paused_at = UtcField(null=True)

        class Meta:
            database = db
            table_name = "course_planet"

    db.create_tables([CoursePlanet])

    class Grant(Model):
        person = ForeignKeyField(Person)
        course = ForeignKeyField(Course)
        source = CharField(max_length=16)
        source_ref = CharField(max_length=128)
        starts_at = UtcField()
        ends_at = UtcField(null=True)
        revoked_at = UtcField(null=True)
        revoked_reason = CharField(null=True, max_length=32)

        class Meta:
            database = db
            table_name = "course_grant"
            indexes = ((("source", "source_ref", "course"), True), (("person", "course"), False))

    db.create_tables([Grant])

    class Guest(Model):
        planet = ForeignKeyField(Planet)
        name = CharField(max_length=64)

        class Meta:
            database = db
            table_name = "guest"
            indexes = ((("planet", "name"), True),)

    db.create_tables([Guest])

    class InboxItem(Model):
        id = BigAutoField()
        source = CharField(max_length=32)
        key = CharField(max_length=191)
        received_at = UtcField(index=True)
        reply = TextField(null=True)

        class Meta:
            database = db
            table_name = "inbox_item"
            indexes = ((("source", "key"), True),)

    db.create_tables([InboxItem])

    class JobLease(Model):
        name = CharField(unique=True, max_length=64)
        leased_by = CharField(null=True, max_length=32)
        leased_until = UtcField(null=True)
        next_at = UtcField()
        last_error = CharField(null=True)

        class Meta:
            database = db
            table_name = "job_lease"

    db.create_tables([JobLease])

    class LecturerInvite(Model):
        code_hash = DigestField(unique=True, max_length=64)
        lecturer = ForeignKeyField(Lecturer)
        created_at = UtcField()
        expires_at = UtcField()
        used_at = UtcField(null=True)
        used_by = ForeignKeyField(Person, null=True)

        class Meta:
            database = db
            table_name = "lecturer_invite"

    db.create_tables([LecturerInvite])

    class Lesson(Model):
        course = ForeignKeyField(Course)
        position = IntegerField()
        title = CharField(max_length=128)
        free = BooleanField(default=False)
        article = TextField(default="")
        media_url = CharField(max_length=500, default="")

        class Meta:
            database = db
            table_name = "lesson"
            indexes = ((("course", "position"), True),)

    db.create_tables([Lesson])

    class Link(Model):
        person = ForeignKeyField(Person)
        provider = CharField(max_length=32)
        member_uid = CharField(max_length=128)
        display_name = CharField(max_length=128, default="")
        linked_at = UtcField()
        unlinked_at = UtcField(null=True)
        unlinked_by = CharField(null=True, max_length=64)
        unlinked_reason = CharField(null=True)
        active_person = IntegerField(null=True)
        active_uid = CharField(null=True, max_length=128)

        class Meta:
            database = db
            table_name = "link"
            indexes = ((("provider", "active_person"), True), (("provider", "active_uid"), True))

    db.create_tables([Link])

    class LinkAttempt(Model):
        state_hash = DigestField(unique=True, max_length=64)
        browser_hash = DigestField(max_length=64)
        created_at = UtcField()
        expires_at = UtcField(index=True)
        used_at = UtcField(null=True)
        person = ForeignKeyField(Person)
        grant = ForeignKeyField(Grant)
        planet = ForeignKeyField(Planet)
        provider = CharField(max_length=32)
        code_verifier = CharField(max_length=128)
        text_version = CharField(max_length=32)
        text_hash = DigestField(max_length=64)
        openid = CharField(max_length=128)
        ip = CharField(max_length=64)
        user_agent = CharField()
        outcome = CharField(null=True, max_length=32)
        said = CharField(default="")
        finished_at = UtcField(null=True)
        link = ForeignKeyField(Link, null=True)

        class Meta:
            database = db
            table_name = "link_attempt"

    db.create_tables([LinkAttempt])

    class Membership(Model):
        link = ForeignKeyField(Link)
        grant = ForeignKeyField(Grant)
        planet = ForeignKeyField(Planet)
        ref = CharField(unique=True, max_length=64)
        reason = CharField(max_length=32)
        starts_at = UtcField()
        ends_at = UtcField()
        created_at = UtcField()
        revoked_at = UtcField(null=True)
        revoked_reason = CharField(null=True, max_length=32)
        active_grant = IntegerField(unique=True, null=True)
        version = IntegerField(default=1)
        delivered_version = IntegerField(default=0)
        delivered_at = UtcField(null=True)
        refused_code = CharField(null=True, max_length=64)

        class Meta:
            database = db
            table_name = "membership"

    db.create_tables([Membership])

    class OutboxItem(Model):
        id = BigAutoField()
        kind = CharField(max_length=32)
        subject = IntegerField()
        lane = CharField(index=True, max_length=64)
        wanted = IntegerField(default=1)
        done = IntegerField(default=0)
        created_at = UtcField()
        wanted_at = UtcField()
        due_at = UtcField(index=True, null=True)
        attempts = IntegerField(default=0)
        leased_by = CharField(null=True, max_length=32)
        leased_until = UtcField(null=True)
        done_at = UtcField(null=True)
        gave_up_at = UtcField(null=True)
        error_class = CharField(null=True, max_length=16)
        error = CharField(null=True)

        class Meta:
            database = db
            table_name = "outbox_item"
            indexes = ((("kind", "subject"), True),)

    db.create_tables([OutboxItem])

    class Platform(Model):
        name = CharField(unique=True, max_length=32)
        key_hash = DigestField(max_length=64)
        created_at = UtcField()

        class Meta:
            database = db
            table_name = "platform"

    db.create_tables([Platform])

    class Price(Model):
        course = ForeignKeyField(Course)
        from_at = UtcField()
        amount_fen = IntegerField()

        class Meta:
            database = db
            table_name = "price"
            indexes = ((("course", "from_at"), True),)

    db.create_tables([Price])

    class Purchase(Model):
        platform = ForeignKeyField(Platform)
        order_no = CharField(max_length=64)
        course = ForeignKeyField(Course)
        person = ForeignKeyField(Person, null=True)
        phone = CharField(null=True, max_length=32)
        email = CharField(null=True, max_length=254)
        paid_fen = IntegerField()
        paid_at = UtcField()
        body_digest = DigestField(max_length=64)
        created_at = UtcField()
        claim_hash = DigestField(unique=True, null=True, max_length=64)
        claimed_at = UtcField(null=True)
        refunded_at = UtcField(null=True)
        refund_override = CharField(null=True)

        class Meta:
            database = db
            table_name = "purchase"
            indexes = ((("platform", "order_no"), True),)

    db.create_tables([Purchase])

    class RefundWaiver(Model):
        person = ForeignKeyField(Person)
        grant = ForeignKeyField(Grant)
        link = ForeignKeyField(Link)
        attempt = ForeignKeyField(LinkAttempt, unique=True)
        text_version = CharField(max_length=32)
        text_hash = DigestField(max_length=64)
        text = TextField()
        agreed_at = UtcField()
        effective_at = UtcField()
        openid = CharField(max_length=128)
        ip = CharField(max_length=64)
        user_agent = CharField()

        class Meta:
            database = db
            table_name = "refund_waiver"

    db.create_tables([RefundWaiver])

    class Session(Model):
        token_hash = DigestField(unique=True, max_length=64)
        person = ForeignKeyField(Person)
        created_at = UtcField()
        seen_at = UtcField()

        class Meta:
            database = db
            table_name = "session"

    db.create_tables([Session])

    class SignInState(Model):
        state_hash = DigestField(unique=True, max_length=64)
        browser_hash = DigestField(max_length=64)
        created_at = UtcField()
        expires_at = UtcField(index=True)
        used_at = UtcField(null=True)
        target = CharField(max_length=500)
        person = ForeignKeyField(Person, null=True)
        refused = CharField(null=True, max_length=32)
        said = CharField(default="")

        class Meta:
            database = db
            table_name = "sign_in_state"

    db.create_tables([SignInState])


def down(migrator, db):
    migrator.migrate(migrator.drop_table("sign_in_state"))
    migrator.migrate(migrator.drop_table("session"))
    migrator.migrate(migrator.drop_table("refund_waiver"))
    migrator.migrate(migrator.drop_table("purchase"))
    migrator.migrate(migrator.drop_table("price"))
    migrator.migrate(migrator.drop_table("platform"))
    migrator.migrate(migrator.drop_table("outbox_item"))
    migrator.migrate(migrator.drop_table("membership"))
    migrator.migrate(migrator.drop_table("link_attempt"))
    migrator.migrate(migrator.drop_table("link"))
    migrator.migrate(migrator.drop_table("lesson"))
    migrator.migrate(migrator.drop_table("lecturer_invite"))
    migrator.migrate(migrator.drop_table("job_lease"))
    migrator.migrate(migrator.drop_table("inbox_item"))
    migrator.migrate(migrator.drop_table("guest"))
    migrator.migrate(migrator.drop_table("course_grant"))
    migrator.migrate(migrator.drop_table("course_planet"))
    migrator.migrate(migrator.drop_table("planet"))
    migrator.migrate(migrator.drop_table("course"))
    migrator.migrate(migrator.drop_table("lecturer"))
    migrator.migrate(migrator.drop_table("chat_question"))
    migrator.migrate(migrator.drop_table("chat_notice"))
    migrator.migrate(migrator.drop_table("identity"))
    migrator.migrate(migrator.drop_table("person"))
    migrator.migrate(migrator.drop_table("catalogue_version"))
    migrator.migrate(migrator.drop_table("audit_entry"))
