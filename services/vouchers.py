"""Vouchers: given once for each cause, the same code each time somebody asks (V2, V4)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from peewee import JOIN

from models.base import shanghai_words
from models.payments import REFUNDED, PlanetPayment
from models.payments import VOUCHER as GAVE_VOUCHER
from models.voucher_errors import QuotaExhausted, VoucherUnknown
from models.vouchers import (
    CODE_BITS,
    PRICE_RISE,
    Campaign,
    Voucher,
    code_of,
    typed_code,
)
from services import campaigns
from services.campaigns import Paid
from services.env import Env

CODES_TRIED = 8
AT_ONCE = 200
NOT_PAID, BEFORE_RISE, TOO_EARLY, TOO_LATE, EXHAUSTED = "not_paid", "before_rise", "too_early", "too_late", "exhausted"


def issue(
    env: Env, *, campaign: Campaign, person_id: int, cause: str, amount_fen: int, starts_at: datetime | None = None,
    earned_by: int | None = None, payment: PlanetPayment | None = None,
) -> Voucher:  # fmt: skip
    """The voucher of a cause: made once, the same ever after; raises QuotaExhausted, then nothing was given.

    The campaign's row is changed before the voucher is added, which only reads it: the other way round two who issue
    would each wait for the other on MariaDB.
    """
    if known := Voucher.get_or_none(campaign=campaign, cause=cause):
        return known
    if not campaign.count(amount_fen):
        if known := Voucher.get_or_none(campaign=campaign, cause=cause):
            return known  # the last one was his, given while this call waited
        raise QuotaExhausted
    made = add(
        env, campaign=campaign.id, person=person_id, cause=cause, amount_fen=amount_fen, earned_by=earned_by,
        payment=payment, starts_at=starts_at or env.now, expires_at=campaign.end_of(issued_at=env.now),
    )  # fmt: skip
    if not made.is_new:  # somebody else was quicker, and has counted it
        campaign.count_back(amount_fen)
    return made.voucher


@dataclass(frozen=True, slots=True)
class Made:
    """A voucher, and whether this call has made it."""

    voucher: Voucher
    is_new: bool


def add(env: Env, **values: object) -> Made:
    """Insert a voucher under a free code; UNIQUE decides who of several is first, the others get his."""
    same = {"campaign": values["campaign"], "cause": values["cause"]}
    for _ in range(CODES_TRIED):
        code = code_of(int(env.new_code(CODE_BITS), 16))
        if Voucher.add_once(code=code, issued_at=env.now, **values):
            return Made(Voucher.get(**same), True)
        if known := Voucher.get_or_none(**same):
            return Made(known, False)
    raise RuntimeError("no free voucher code was found")


def own(*, person_id: int, code: str) -> Voucher:
    """His voucher by its code, as he typed it; raises VoucherUnknown, the same for another's and for none (V6)."""
    voucher = Voucher.get_or_none(code=typed_code(code), person=person_id)
    if voucher is None:
        raise VoucherUnknown
    return voucher


@dataclass(frozen=True, slots=True)
class No:
    """Why a campaign gives somebody nothing, and what it takes: `fen` by `course`, until a moment."""

    title: str
    why: str
    amount_fen: int
    course_slug: str | None
    course_title: str | None
    rise_fen: int | None
    enrol_until: datetime | None

    @property
    def words(self) -> str:
        """The same for the person: why not, and what would entitle him."""
        course = f"「{self.course_title}」" if self.course_title else ""
        rise = f"¥{self.rise_fen / 100:.2f}" if self.rise_fen else "新价"
        why = {
            NOT_PAID: f"没有查到您付款报名{course}的记录",
            BEFORE_RISE: f"您报名时还没有调价，这个活动送给按 {rise} 报名的学员",
            TOO_EARLY: "您在活动开始前已经报名",
            TOO_LATE: "您报名时活动的报名期已经结束",
            EXHAUSTED: "已经发完了",
        }[self.why]
        if self.enrol_until is None or self.why == EXHAUSTED:
            return f"{why}。"
        return f"{why}；{shanghai_words(self.enrol_until)}前付款报名{course or '任何课程'}即可领取。"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a person could still get: the campaigns whose voucher he has earned, and why each other gives nothing."""

    earned: tuple[tuple[Campaign, Paid], ...]
    noes: tuple[No, ...]


def outlook(env: Env, *, person_id: int) -> Outlook:
    """Every live campaign that has not given him a voucher yet; changes nothing."""
    given = {row.campaign_id for row in Voucher.select(Voucher.campaign).where(Voucher.person == person_id)}
    wanted = [one for one in campaigns.live_campaigns(env) if one.id not in given]
    paid = campaigns.paid_by(env, person_id=person_id) if wanted else []
    found = [(one, campaigns.earned_by(env, one, paid)) for one in wanted]
    noes = (no_of(env, one, why_not(one, paid)) for one, earned in found if earned is None)
    return Outlook(tuple((one, earned) for one, earned in found if earned), tuple(noes))


def claim(env: Env, *, person_id: int) -> tuple[No, ...]:
    """Give a person every voucher that he has earned, once; why each other live campaign gives him nothing (V4)."""
    seen = outlook(env, person_id=person_id)
    exhausted = (no_of(env, one, EXHAUSTED) for one, paid in seen.earned if not give(env, one, paid, person_id))
    return (*exhausted, *seen.noes)


def give(env: Env, campaign: Campaign, paid: Paid, person_id: int) -> bool:
    """One campaign's voucher, once for a person; False when there is none left."""
    asked = {"person_id": person_id, "cause": f"person:{person_id}", "earned_by": paid.grant_id}
    try:
        issue(env, campaign=campaign, amount_fen=campaign.amount_fen, **asked)
    except QuotaExhausted:
        return False
    return True


def why_not(campaign: Campaign, paid: list[Paid]) -> str:
    """What his purchases lack."""
    mine = [one for one in paid if campaign.course_id in {None, one.course_id}]
    if not mine:
        return NOT_PAID
    if campaign.kind == PRICE_RISE and campaigns.enrol_until(campaign) is None:
        return BEFORE_RISE
    return TOO_EARLY if all(one.paid_at < campaign.starts_at for one in mine) else TOO_LATE


def no_of(env: Env, campaign: Campaign, why: str) -> No:
    """A refusal with what would entitle him, where that is still possible."""
    rise = campaigns.rise_of(env, campaign) if campaign.kind == PRICE_RISE else None
    is_open = why == NOT_PAID or campaign.course_id is None  # who has its one course cannot enrol in it again
    until = campaigns.earning_until(env, campaign, rise) if is_open else None
    course = campaign.course
    return No(
        title=campaign.name, why=why, amount_fen=campaign.amount_fen,
        course_slug=course.slug if course else None, course_title=course.title if course else None,
        rise_fen=rise.fen if rise else None, enrol_until=until,
    )  # fmt: skip


def issue_for_payment(env: Env, payment: PlanetPayment, *, planet: object) -> Voucher:
    """What a payment at a shared planet is worth here, to be spent once the planet's own refund time is over (V3)."""
    campaign = campaigns.of_planet(env, planet)
    paid_at = min(payment.starts_at, payment.created_at)  # a renewal is paid before it starts
    refundable_until = paid_at + timedelta(hours=env.config.planet_refund_hours)
    return issue(
        env, campaign=campaign, person_id=payment.person_id, cause=f"payment:{payment.id}", payment=payment,
        amount_fen=campaign.amount_fen or payment.paid_fen, starts_at=max(env.now, refundable_until),
    )  # fmt: skip


def owed(env: Env) -> list[int]:
    """Payments that have earned a voucher and have none yet: they were served before there were vouchers."""
    rows = PlanetPayment.select(PlanetPayment.id).join(Voucher, JOIN.LEFT_OUTER, on=Voucher.payment == PlanetPayment.id)
    mine = (PlanetPayment.gave == GAVE_VOUCHER, PlanetPayment.status != REFUNDED, Voucher.id.is_null())
    return [row.id for row in rows.where(*mine).order_by(PlanetPayment.id).limit(AT_ONCE)]
