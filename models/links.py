"""The heart: attempts to link, links, and the waiver of the refund that comes with one."""

import hashlib
from datetime import datetime, timedelta

from peewee import CharField, ForeignKeyField, IntegerField, TextField

from models.access import Grant
from models.base import DigestField, Row, UtcField, shanghai_day
from models.catalogue import Planet
from models.errors import RelinkLimit, WaiverNotAgreed
from models.people import OneTimeState, Person

WAIVER_VERSION = "2026-11"
WAIVER_TEXT = (
    "我已了解：关联后即可进入星球，享受一年答疑服务；同时我放弃这门课程的退款权利。以后即使解除关联，也不能恢复退款。"
)
RELINK_PAUSE = timedelta(days=7)
RELINKS_ALLOWED = 2
REMOVED_BY_OWNER = "removed_by_owner"


def text_digest(text: str) -> str:
    """The hash that proves which words were agreed to."""
    return hashlib.sha256(text.encode()).hexdigest()


class Link(Row):
    """关联: one person and one planet account, unique both ways for each provider while it is active (L5).

    `active_person` and `active_uid` are filled while it is active and NULL after; their UNIQUE pairs decide races.
    """

    person = ForeignKeyField(Person, backref="links")
    provider = CharField(max_length=32)
    member_uid = CharField(max_length=128)
    display_name = CharField(max_length=128, default="")
    linked_at = UtcField()
    unlinked_at = UtcField(null=True)
    unlinked_by = CharField(max_length=64, null=True)
    unlinked_reason = CharField(max_length=255, null=True)
    active_person = IntegerField(null=True)
    active_uid = CharField(max_length=128, null=True)

    class Meta:
        indexes = ((("provider", "active_person"), True), (("provider", "active_uid"), True))

    @property
    def is_active(self) -> bool:
        """True until it is unlinked."""
        return self.unlinked_at is None


class LinkAttempt(OneTimeState):
    """One hand-over to the planet, with what the person agreed to before it; it takes effect when the link completes.

    `grant` is the right that opens the planet; empty for who comes from the planet, and brings a payment of there.
    `outcome` is empty while it is under way, then `linked` or the code of the refusal.
    """

    person = ForeignKeyField(Person, backref="link_attempts")
    grant = ForeignKeyField(Grant, null=True)
    planet = ForeignKeyField(Planet)
    provider = CharField(max_length=32)
    code_verifier = CharField(max_length=128)
    text_version = CharField(max_length=32)
    text_hash = DigestField()
    openid = CharField(max_length=128)
    ip = CharField(max_length=64)
    user_agent = CharField(max_length=255)
    outcome = CharField(max_length=32, null=True)
    said = CharField(max_length=255, default="")
    finished_at = UtcField(null=True)
    link = ForeignKeyField(Link, null=True)

    def check_words(self) -> None:
        """Raise WaiverNotAgreed when the words have changed since he read them."""
        if self.text_hash != text_digest(WAIVER_TEXT):
            raise WaiverNotAgreed


class RefundWaiver(Row):
    """退款权益放弃: who gave up the refund of what, by which words, when and where. It cannot be edited.

    Triggers in the database refuse every change but the removal of the personal marks of a person who left WeChat.
    """

    person = ForeignKeyField(Person, backref="waivers")
    grant = ForeignKeyField(Grant, backref="waivers")
    link = ForeignKeyField(Link, backref="waivers")
    attempt = ForeignKeyField(LinkAttempt, unique=True)
    text_version = CharField(max_length=32)
    text_hash = DigestField()
    text = TextField()
    agreed_at = UtcField()
    effective_at = UtcField()
    openid = CharField(max_length=128)
    ip = CharField(max_length=64)
    user_agent = CharField(max_length=255)


class Membership(Row):
    """星球会员资格 that one purchase gives through one link; the planet knows it by `ref`.

    `active_grant` is filled while it lives and NULL after, UNIQUE: at most one for each purchase.
    `version` grows with each change of what we want of the planet; `delivered_version` follows when it is done there.
    """

    link = ForeignKeyField(Link, backref="memberships")
    grant = ForeignKeyField(Grant, backref="memberships")
    planet = ForeignKeyField(Planet, backref="memberships")
    ref = CharField(max_length=64, unique=True)
    reason = CharField(max_length=32)
    starts_at = UtcField()
    ends_at = UtcField()
    created_at = UtcField()
    revoked_at = UtcField(null=True)
    revoked_reason = CharField(max_length=32, null=True)
    active_grant = IntegerField(null=True, unique=True)
    version = IntegerField(default=1)
    delivered_version = IntegerField(default=0)
    delivered_at = UtcField(null=True)
    refused_code = CharField(max_length=64, null=True)

    def is_live(self, *, now: datetime) -> bool:
        """Not revoked and not over."""
        return self.revoked_at is None and now < self.ends_at

    def had_begun(self, *, now: datetime) -> bool:
        """Whether its year had begun by now, or by the time it was taken back."""
        return self.starts_at <= (self.revoked_at or now)

    def is_over(self, *, now: datetime) -> bool:
        """Whether the year it gave has passed; a year that never began is not over."""
        return self.had_begun(now=now) and self.ends_at <= now


class MembershipReminder(Row):
    """到期提醒: so many days before the end of a membership, at most once each (R2)."""

    membership = ForeignKeyField(Membership, backref="reminders")
    days = IntegerField()
    created_at = UtcField()

    class Meta:
        indexes = ((("membership", "days"), True),)


class RelinkPermit(Row):
    """An operator's yes to one more re-link of a purchase, after the last that the rule allows."""

    grant = ForeignKeyField(Grant, backref="relink_permits")
    created_at = UtcField()
    who = CharField(max_length=64)
    reason = CharField(max_length=255)


def has_relinked_enough(earlier: list[Membership]) -> bool:
    """Whether a purchase with these memberships so far may not be linked again, unless an operator allows it."""
    if len(earlier) <= RELINKS_ALLOWED:
        return False
    permits = RelinkPermit.select().where(RelinkPermit.grant == earlier[0].grant_id).count()
    return len(earlier) > RELINKS_ALLOWED + permits


def check_relink(earlier: list[Membership], *, member_uid: str | None, now: datetime) -> None:
    """Raise when a purchase changes hands too often: 2 re-links (and what an operator allows), 7 days between accounts.

    `earlier` are its memberships so far; `member_uid` is None before the planet has told who he is.
    """
    if has_relinked_enough(earlier):
        raise RelinkLimit(what="这门课程已经重新关联过两次，请联系客服处理。")
    elsewhere = [m.revoked_at for m in earlier if member_uid and m.link.member_uid != member_uid and m.revoked_at]
    if elsewhere and now < (free_at := max(elsewhere) + RELINK_PAUSE):
        raise RelinkLimit(what=f"更换星球账号要间隔七天，请在 {shanghai_day(free_at):%Y-%m-%d} 之后再试。")
