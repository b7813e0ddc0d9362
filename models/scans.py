"""扫码确认: a PC asks, a phone answers: initiating device and authorisation device, in the words of RFC 10027."""

from datetime import datetime, timedelta
from typing import Any, Self

from peewee import CharField, Expression, ForeignKeyField, IntegerField, TextField

from models.base import DigestField, Row, UtcField
from models.catalogue import Course
from models.errors import BusinessError
from models.links import LinkAttempt
from models.people import Person, digest

LINK, SIGN_IN = "link", "sign_in"
WAITING, SCANNED, CONFIRMED, LINKED, DONE = "waiting", "scanned", "confirmed", "linked", "done"
DECLINED, EXPIRED, SUPERSEDED, CANCELLED = "declined", "expired", "superseded", "cancelled"
LIVE = (WAITING, SCANNED, CONFIRMED)
SCANNED_LIFE = timedelta(seconds=180)
LONGEST_LIFE = timedelta(seconds=600)
DIGITS_LIFE = timedelta(seconds=60)
TRIES = 3
RENEWALS = 4
LIVE_AT_ONCE = 5


class Scan(Row):
    """扫码: the row that the PC's browser owns and one phone may scan, confirm or decline.

    Every move is one conditional UPDATE that makes `version` grow, so that of many who come at once one wins. Whose
    time is over is told by `expires_at`, whatever `state` says.
    `sealed_entry` is the address behind the account's own QR, where that stands in place of ours.
    """

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
    state = CharField(max_length=16, default=WAITING)
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

    @classmethod
    def of_code(cls, code: str) -> Self:
        """The one behind a QR; raises NotFound."""
        return cls.find(code_hash=digest(code))

    @classmethod
    def of_browser(cls, public_id: str, browser: str) -> Self:
        """A scan of this browser; raises NotFound for any other, which looks like none at all."""
        return cls.find(public_id=public_id, browser_hash=digest(browser))

    def is_live(self, *, now: datetime) -> bool:
        """Something may still happen to it."""
        return self.state in LIVE and now < self.expires_at

    def shown_state(self, *, now: datetime) -> str:
        """Its state as people see it: one whose time is over is `expired`."""
        return EXPIRED if self.state in LIVE and not self.is_live(now=now) else self.state

    @classmethod
    def finish_of(cls, attempt_id: int, *, state: str, now: datetime, no: BusinessError | None = None) -> Self | None:
        """The PC's scan behind a hand-over comes to its end: the link is made, or refused; None where there is none."""
        mine = (cls.attempt == attempt_id, cls.state == CONFIRMED)
        told = {"refused_code": no.code, "said": no.message} if no else {}
        if not cls.change_if(*mine, state=state, version=cls.version + 1, changed_at=now, finished_at=now, **told):
            return None
        return cls.get(attempt=attempt_id)

    def move(self, *conditions: Expression, now: datetime, **values: Any) -> bool:
        """One conditional UPDATE while its time runs; True for the one of many whose conditions still held."""
        same = (Scan.id == self.id, Scan.expires_at > now, *conditions)
        return Scan.change_if(*same, version=Scan.version + 1, changed_at=now, **values)
