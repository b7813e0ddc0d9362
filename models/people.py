"""Who is who: persons, their WeChat identities, sessions, and the states of signing in."""

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from typing import Self

from peewee import CharField, ForeignKeyField

from models.base import DigestField, Row, UtcField
from models.errors import StartFromYourCourse, StateInvalid
from models.prepared import Prepared, given

ERASED = "erased"
OA = "oa"
WECHAT = "wechat"
STATE_LIFE = timedelta(seconds=600)
REPEAT_LIFE = timedelta(seconds=60)
STATE_SHAPE = re.compile(r"[0-9a-f]{32}")
CODE_SHAPE = re.compile(r"[\x21-\x7e]{1,512}")
SESSION_IDLE = timedelta(days=7)
SESSION_LIFE = timedelta(days=30)
SESSION_TOUCH = timedelta(hours=1)


def digest(secret: str) -> str:
    """What is stored in place of a secret, and looked up by."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Person(Row):
    """学员: one human being, known by the identities that he proved himself."""

    created_at = UtcField()
    erased_at = UtcField(null=True)

    @property
    def pseudonym(self) -> str:
        """What stands for him in logs, purchases and the journal."""
        return f"p{self.id}"


class Identity(Row):
    """账号身份: one account of a person at one company, as that company names it."""

    person = ForeignKeyField(Person, backref="identities")
    side = CharField(max_length=16)
    provider = CharField(max_length=32)
    uid = CharField(max_length=128)
    nickname = CharField(max_length=64, null=True)
    created_at = UtcField()
    followed_at = UtcField(null=True)
    unfollowed_at = UtcField(null=True)
    muted_at = UtcField(null=True)

    class Meta:
        indexes = ((("side", "provider", "uid"), True),)

    @property
    def has_left(self) -> bool:
        """Whether the account is gone from WeChat: only a pseudonym is left of it."""
        return self.uid.startswith(ERASED)

    @property
    def wants_news(self) -> bool:
        """Whether he may be told more than what becomes of his own doings."""
        return self.muted_at is None

    @classmethod
    def of_openid(cls, openid: str) -> Self | None:
        """The identity behind an openid of our own Official Account, if we know it."""
        found = BY_OPENID.first(uid=openid)
        return found[0] if found else None


BY_OPENID = Prepared(
    lambda: Identity.select().where(Identity.side == OA, Identity.provider == WECHAT, Identity.uid == given("uid"))
)


class Session(Row):
    """A signed-in browser; the cookie holds the secret, the row its digest."""

    token_hash = DigestField(unique=True)
    person = ForeignKeyField(Person, backref="sessions")
    created_at = UtcField()
    seen_at = UtcField()

    def is_live(self, *, now: datetime) -> bool:
        """Idle for less than 7 days, at most 30 days old."""
        return now < self.seen_at + SESSION_IDLE and now < self.created_at + SESSION_LIFE

    def wants_touch(self, *, now: datetime) -> bool:
        """True when `seen_at` is old enough to be worth a write."""
        return now >= self.seen_at + SESSION_TOUCH


class OneTimeState(Row):
    """A way out to another company that must come back once, to the browser that began it, within 600 s."""

    state_hash = DigestField(unique=True)
    browser_hash = DigestField()
    created_at = UtcField()
    expires_at = UtcField(index=True)
    used_at = UtcField(null=True)

    @classmethod
    def of(cls, state: str, *, browser_hash: str, now: datetime) -> Self:
        """The row of a returning state; raises unless this browser began it and it is still good.

        A used state stays good for 60 s more, for the same browser: WeChat often calls back twice.
        """
        row = cls.get_or_none(state_hash=digest(state))
        if row is None:
            raise StateInvalid
        if not hmac.compare_digest(row.browser_hash, browser_hash):
            raise StartFromYourCourse
        end = row.expires_at if row.used_at is None else row.used_at + REPEAT_LIFE
        if now >= end:
            raise StateInvalid
        return row

    def take(self, *, now: datetime) -> bool:
        """Use it up; True for the one caller who did."""
        cls = type(self)
        return cls.change_if(cls.id == self.id, cls.used_at.is_null(), cls.expires_at > now, used_at=now)


class SignInState(OneTimeState):
    """The state of a WeChat OAuth round trip; `target` is the id of one of our own pages, never an address."""

    target = CharField(max_length=500)
    person = ForeignKeyField(Person, null=True)
    refused = CharField(max_length=32, null=True)
    said = CharField(max_length=255, default="")
