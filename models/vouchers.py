"""Vouchers (代金券): campaigns, the codes they give to people, and what each was spent on (V1–V6)."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, Self

from peewee import BigIntegerField, BooleanField, CharField, Check, ForeignKeyField, IntegerField, Update

from models.access import Grant
from models.base import SHANGHAI, Row, UtcField, shanghai_day, shanghai_words
from models.catalogue import Course, Lecturer, Planet
from models.orders import BY_PLATFORM, Moving, Order
from models.payments import PlanetPayment
from models.people import Person
from models.prepared import Prepared, given
from models.voucher_errors import (
    VoucherExpired,
    VoucherHeld,
    VoucherMinimum,
    VoucherNotYet,
    VoucherOutOfScope,
    VoucherUsed,
)

PRICE_RISE, EARLY_ENROLMENT, SHARED_PLANET, MANUAL, REWARD = (
    "price_rise", "early_enrolment", "shared_planet", "manual", "reward",
)  # fmt: skip
NAMES = {PRICE_RISE: "调价感恩代金券", EARLY_ENROLMENT: "新报名代金券", SHARED_PLANET: "星球会员代金券"}
ASKED_FOR = (PRICE_RISE, EARLY_ENROLMENT)
OPEN, HELD, USED, RESTING, DEAD = "open", "held", "used", "resting", "dead"
GONE = {USED: "用过", DEAD: "失效", RESTING: "暂停（带来它的购买正在退款）"}
LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"  # without those that look alike: 0 O, 1 I
CODE_LETTERS = 12
YEAR_DAYS = 365
CODE_BITS = 5 * CODE_LETTERS
TYPED = re.compile(rf"[{LETTERS}]{{{CODE_LETTERS}}}")
BETWEEN = re.compile(r"[\s\-‐-―_.·]+")


class Campaign(Row):
    """活动: who earns a voucher, of how much, for what, and who bears the cost (V1).

    `amount_fen` is empty where a voucher is worth what was paid. `issued` and `issued_fen` count what was given, so
    that one conditional UPDATE keeps it within quota and budget. Without `lecturer` and courses its vouchers pay
    for every course; `enrol_days` from the start on everybody who enrols earns one.
    """

    slug = CharField(max_length=96, unique=True)
    kind = CharField(max_length=16)
    title = CharField(max_length=64, default="")
    course = ForeignKeyField(Course, null=True)
    planet = ForeignKeyField(Planet, null=True, backref="campaigns")
    amount_fen = IntegerField(null=True)
    min_fen = IntegerField(default=0)
    starts_at = UtcField()
    ends_at = UtcField(null=True)
    enrol_days = IntegerField(null=True)
    valid_days = IntegerField(null=True)
    lecturer = ForeignKeyField(Lecturer, null=True)
    quota = IntegerField(null=True)
    budget_fen = BigIntegerField(null=True)
    bearer = CharField(max_length=16, default=BY_PLATFORM)
    word = CharField(max_length=32, null=True)
    issued = IntegerField(default=0)
    issued_fen = BigIntegerField(default=0)

    def is_live(self, *, now: datetime) -> bool:
        """Whether it gives vouchers now; a span includes its start and excludes its end."""
        return self.starts_at <= now and (self.ends_at is None or now < self.ends_at)

    @property
    def name(self) -> str:
        """What its vouchers are called."""
        return self.title or NAMES.get(self.kind, "代金券")

    def end_of(self, *, issued_at: datetime) -> datetime:
        """When a voucher given now ends: with the campaign, or at the end of the last of its Shanghai days."""
        if self.valid_days is None and self.ends_at:
            return self.ends_at
        last = shanghai_day(issued_at) + timedelta(days=(self.valid_days or YEAR_DAYS) + 1)
        return datetime.combine(last, time(), SHANGHAI)

    def scope(self) -> "Scope":
        """What its vouchers pay for."""
        return Scope(self, {row.course_id: row.is_excluded for row in self.courses})

    def count(self, amount_fen: int) -> bool:
        """Count one more voucher; False where quota or budget do not allow it."""
        return ONE_MORE.is_one(id=self.id, fen=amount_fen)

    def count_back(self, amount_fen: int) -> None:
        """One that was counted came to nothing."""
        less = {"issued": Campaign.issued - 1, "issued_fen": Campaign.issued_fen - amount_fen}
        Campaign.update(**less).where(Campaign.id == self.id).execute()


@dataclass(frozen=True, slots=True)
class Scope:
    """The courses that a campaign's vouchers pay for; `listed` are those that it names: does it exclude them?"""

    campaign: Campaign
    listed: Mapping[int, bool]

    def has(self, course: Course) -> bool:
        """Whether a course is among them; the campaign's own never is."""
        campaign, listed = self.campaign, self.listed
        if listed.get(course.id) or course.id == campaign.course_id:
            return False
        if campaign.lecturer_id and campaign.lecturer_id != course.lecturer_id:
            return False
        return course.id in listed if False in listed.values() else True


def one_more() -> Update:
    """The statement that counts one more voucher, as long as quota and budget allow it."""
    within_quota = Campaign.quota.is_null() | (Campaign.issued < Campaign.quota)
    within_budget = Campaign.budget_fen.is_null() | (Campaign.issued_fen + given("fen") <= Campaign.budget_fen)
    more = {"issued": Campaign.issued + 1, "issued_fen": Campaign.issued_fen + given("fen")}
    return Campaign.update(**more).where(Campaign.id == given("id"), within_quota, within_budget)


ONE_MORE = Prepared(one_more)


class CampaignCourse(Row):
    """A course that a campaign's vouchers pay for (then for no other), or do not pay for (`is_excluded`)."""

    campaign = ForeignKeyField(Campaign, backref="courses")
    course = ForeignKeyField(Course)
    is_excluded = BooleanField()

    class Meta:
        indexes = ((("campaign", "course"), True),)


class Voucher(Moving):
    """代金券: one code of one person. `cause` is what it was given for, once for each campaign (V2, V3).

    `earned_by` is the right, or `payment` the planet payment, whose refund ends it. `killed_at` is filled when that
    came while an unpaid order held it. `left_of` is the voucher whose rest this one is.
    """

    moves = {
        OPEN: (HELD, RESTING, DEAD),
        HELD: (OPEN, USED, DEAD),
        USED: (OPEN,),
        RESTING: (OPEN, DEAD),
    }
    code = CharField(max_length=16, unique=True)
    campaign = ForeignKeyField(Campaign, backref="vouchers")
    person = ForeignKeyField(Person, backref="vouchers")
    cause = CharField(max_length=96)
    amount_fen = IntegerField(constraints=[Check("amount_fen > 0")])
    state = CharField(max_length=16, default=OPEN)
    issued_at = UtcField()
    starts_at = UtcField()
    expires_at = UtcField(index=True)
    earned_by = ForeignKeyField(Grant, null=True, backref="earned")
    payment = ForeignKeyField(PlanetPayment, null=True, backref="vouchers")
    left_of = ForeignKeyField("self", null=True, backref="rests")
    killed_at = UtcField(null=True)
    reminded_at = UtcField(null=True)

    class Meta:
        indexes = ((("campaign", "cause"), True),)

    @classmethod
    def locked(cls, *conditions: Any) -> list[Self]:
        """These vouchers as they are, and as they stay until this transaction ends or changes them."""
        cls.update(state=cls.state).where(*conditions).execute()
        return list(cls.select().where(*conditions).order_by(cls.id))

    def check_pays_for(self, course: Course, price_fen: int, *, now: datetime) -> None:
        """Raise unless this voucher may pay for a course of this price now; each "no" has its own reason."""
        if self.state in GONE:
            raise VoucherUsed(what=GONE[self.state])
        if self.state == HELD:
            raise VoucherHeld
        if now >= self.expires_at:
            raise VoucherExpired(expired_on=shanghai_words(self.last_day))
        if now < self.starts_at:
            raise VoucherNotYet(starts_on=shanghai_words(self.starts_at))
        if not self.campaign.scope().has(course):
            raise VoucherOutOfScope
        if price_fen < self.campaign.min_fen:
            raise VoucherMinimum(least=f"¥{self.campaign.min_fen / 100:.2f}")

    @property
    def last_day(self) -> datetime:
        """A moment of the last day on which it can be spent."""
        return self.expires_at - timedelta(microseconds=1)


class Redemption(Row):
    """使用: one order that a voucher pays for, wholly or in part.

    `active_voucher` is filled while that holds, UNIQUE: one order for each voucher at a time. Freed with the order's
    close, or with its refund.
    """

    voucher = ForeignKeyField(Voucher, backref="redemptions")
    order = ForeignKeyField(Order, unique=True, backref="redemptions")
    amount_fen = IntegerField()
    held_at = UtcField()
    used_at = UtcField(null=True)
    freed_at = UtcField(null=True)
    active_voucher = IntegerField(null=True, unique=True)


def code_of(number: int) -> str:
    """The code of a number by chance below 2**60, as people read it: three groups of four letters."""
    letters = "".join(LETTERS[number >> 5 * place & 31] for place in reversed(range(CODE_LETTERS)))
    return "-".join(letters[at : at + 4] for at in range(0, CODE_LETTERS, 4))


def typed_code(text: str) -> str:
    """A code as somebody typed it, in any case and width, with or without the dashes; empty when it is none."""
    letters = BETWEEN.sub("", unicodedata.normalize("NFKC", text)).upper()
    if not TYPED.fullmatch(letters):
        return ""
    return "-".join(letters[at : at + 4] for at in range(0, CODE_LETTERS, 4))
