"""What comes in once and goes out at least once: inbox, outbox, messages that wait, leases of jobs."""

from datetime import datetime, timedelta

from peewee import BigAutoField, CharField, ForeignKeyField, IntegerField, TextField

from models.base import Row, UtcField
from models.people import Identity

RETRY_AFTER = tuple(
    timedelta(seconds=seconds) for seconds in (0, 5, 30, 120, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600)
)
DAILY = timedelta(days=1)
GIVE_UP_AFTER = timedelta(days=7)


def retry_delay(attempts: int, spread: float) -> timedelta:
    """How long to wait after so many attempts; `spread` in -1 … 1 moves it by up to 20 %."""
    base = RETRY_AFTER[attempts] if attempts < len(RETRY_AFTER) else DAILY
    return base * (1 + 0.2 * spread)


class InboxItem(Row):
    """收件去重: one message, event or notice, decided once and answered alike ever after."""

    id = BigAutoField()
    source = CharField(max_length=32)
    key = CharField(max_length=191)
    received_at = UtcField(index=True)
    reply = TextField(null=True)

    class Meta:
        indexes = ((("source", "key"), True),)


class OutboxItem(Row):
    """发件箱: something that the outside must hear, one row for each `subject`, sent after commit.

    Several changes of one subject collapse: `wanted` grows with each, and delivery brings `done` up to what it
    saw when it started. Items of one `lane` go out in order. A given-up item stands in the operator's list.
    """

    id = BigAutoField()
    kind = CharField(max_length=32)
    subject = IntegerField()
    lane = CharField(max_length=64, index=True)
    wanted = IntegerField(default=1)
    done = IntegerField(default=0)
    created_at = UtcField()
    wanted_at = UtcField()
    due_at = UtcField(null=True, index=True)
    attempts = IntegerField(default=0)
    leased_by = CharField(max_length=32, null=True)
    leased_until = UtcField(null=True)
    done_at = UtcField(null=True)
    gave_up_at = UtcField(null=True)
    error_class = CharField(max_length=16, null=True)
    error = CharField(max_length=255, null=True)

    class Meta:
        indexes = ((("kind", "subject"), True),)

    @property
    def is_done(self) -> bool:
        """True when the outside has heard the latest."""
        return self.done >= self.wanted

    def retry_at(self, *, now: datetime, spread: float) -> datetime | None:
        """When to try again after a failed attempt; None after 7 days and at least all of the short delays.

        So an old item that is tried again by hand has about a day, and so has one that no worker was there for.
        """
        if now - self.wanted_at >= GIVE_UP_AFTER and self.attempts >= len(RETRY_AFTER):
            return None
        return now + retry_delay(self.attempts, spread)


class ChatNotice(Row):
    """客服消息: a message of ours to a follower; what WeChat did not let through is shown when he next writes.

    One with a `purpose` goes out as a template message where there is one for it: `fields` (a JSON list) is what it
    shows, `page` what it opens, and `msg_id` WeChat's number of it once it is sent.
    """

    identity = ForeignKeyField(Identity, backref="notices")
    text = TextField()
    purpose = CharField(max_length=32, null=True)
    fields = TextField(null=True)
    page = CharField(max_length=128, null=True)
    msg_id = CharField(max_length=32, null=True, index=True)
    created_at = UtcField()
    sent_at = UtcField(null=True)
    held_at = UtcField(null=True, index=True)
    shown_at = UtcField(null=True, index=True)


class ChatQuestion(Row):
    """What the account has asked a follower and he may answer within minutes; one at a time."""

    identity = ForeignKeyField(Identity, unique=True)
    topic = CharField(max_length=32)
    choices = TextField()
    asked_at = UtcField()
    expires_at = UtcField()


class JobLease(Row):
    """A job of the table in `services/jobs.py`, so that one process at a time runs it."""

    name = CharField(max_length=64, unique=True)
    leased_by = CharField(max_length=32, null=True)
    leased_until = UtcField(null=True)
    next_at = UtcField()
    last_error = CharField(max_length=255, null=True)


class ChatAsk(Row):
    """排队: a follower asked while too many did; he was told that the answer comes, and it comes in this order.

    `key` is that of the inbox, so that a copy of his message is not asked twice. `openid` is empty once it is answered.
    """

    id = BigAutoField()
    openid = CharField(max_length=128)
    key = CharField(max_length=191, unique=True)
    text = CharField(max_length=64)
    asked_at = UtcField()
    tries = IntegerField(default=0)
    answered_at = UtcField(null=True)

    class Meta:
        indexes = ((("answered_at", "tries", "id"), False),)
