"""Vouchers: given once for each cause, the same code each time somebody asks (V2, V4)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from peewee import JOIN

from models.base import shanghai_words
from models.payments import REFUNDED, PlanetPayment
from models.payments import VOUCHER as GAVE_VOUCHER
from models.prepared import Prepared, add_once, given
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
    payment: PlanetPayment | None = None,
) -> Voucher:  # fmt: skip
    """The voucher of a cause: made once, the same ever after; raises QuotaExhausted, then nothing was given.

    The campaign's row is changed before the voucher is added, which only reads it: the other way round two who issue
    would each wait for the other on MariaDB.
    """
    if known := Voucher.get_or_none(campaign=campaign, cause=cause):
        return known
    starts = {"starts_at": starts_at or env.now, "payment": payment.id if payment else None}
    return issue_new(env, campaign, person=person_id, cause=cause, amount_fen=amount_fen, **starts)


def issue_new(env: Env, campaign: Campaign, *, amount_fen: int, **values: object) -> Voucher:
    """The same where nobody has seen it yet; somebody else may be quicker, and has counted it then."""
    if not campaign.count(amount_fen):
        if known := Voucher.get_or_none(campaign=campaign, cause=values["cause"]):
            return known  # the last one was his, given while this call waited
        raise QuotaExhausted
    expires_at = campaign.end_of(issued_at=env.now)
    made = add(env, campaign=campaign.id, amount_fen=amount_fen, expires_at=expires_at, **values)
    if not made.is_new:
        campaign.count_back(amount_fen)
    made.voucher.campaign = campaign
    return made.voucher


@dataclass(frozen=True, slots=True)
class Made:
    """A voucher, and whether this call has made it; then its `id` is not known yet."""

    voucher: Voucher
    is_new: bool


def add(env: Env, **values: object) -> Made:
    """Insert a voucher under a free code; UNIQUE decides who of several is first, the others get his."""
    for _ in range(CODES_TRIED):
        fresh = values | {"code": code_of(int(env.new_code(CODE_BITS), 16)), "issued_at": env.now}
        if add_once(Voucher, **fresh):
            return Made(Voucher(**fresh), True)
        if known := Voucher.get_or_none(campaign=values["campaign"], cause=values["cause"]):
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


OF_PERSON = Prepared(
    lambda: (
        Voucher.select(Voucher, Campaign)
        .join(Campaign)
        .where(Voucher.person == given("person_id"))
        .order_by(Voucher.expires_at, Voucher.id)
    )
)


def of_person(person_id: int) -> list[Voucher]:
    """His vouchers with their campaigns, the next to end first."""
    found = OF_PERSON.rows(person_id=person_id)
    for voucher, campaign in found:
        voucher.campaign = campaign
    return [voucher for voucher, _ in found]


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a person has, and could still get: campaigns whose voucher he has earned, and why each other gives none."""

    mine: tuple[Voucher, ...]
    earned: tuple[tuple[Campaign, Paid], ...]
    noes: tuple[No, ...]


def outlook(env: Env, *, person_id: int) -> Outlook:
    """Of every live campaign that has not given him a voucher yet; changes nothing."""
    mine = of_person(person_id)
    had = {one.campaign_id for one in mine}
    wanted = [one for one in campaigns.live_campaigns(env) if one.id not in had]
    paid = campaigns.paid_by(env, person_id=person_id) if wanted else []
    found = [(one, campaigns.earned_by(env, one, paid)) for one in wanted]
    noes = (no_of(env, one, why_not(one, paid)) for one, earned in found if earned is None)
    return Outlook(tuple(mine), tuple((one, earned) for one, earned in found if earned), tuple(noes))


@dataclass(frozen=True, slots=True)
class Claimed:
    """Everything he has now, and why each other live campaign gives him nothing."""

    mine: tuple[Voucher, ...]
    noes: tuple[No, ...]


def claim(env: Env, *, person_id: int) -> Claimed:
    """Give a person every voucher that he has earned, once (V4)."""
    seen = outlook(env, person_id=person_id)
    given_now, exhausted = [], []
    for campaign, paid in seen.earned:
        try:
            given_now.append(give(env, campaign, paid, person_id))
        except QuotaExhausted:
            exhausted.append(no_of(env, campaign, EXHAUSTED))
    return Claimed((*seen.mine, *given_now), (*exhausted, *seen.noes))


def give(env: Env, campaign: Campaign, paid: Paid, person_id: int) -> Voucher:
    """One campaign's voucher, once for a person; raises QuotaExhausted."""
    cause = {"cause": f"person:{person_id}", "earned_by": paid.grant_id}
    worth = {"amount_fen": campaign.amount_fen, "starts_at": env.now}
    return issue_new(env, campaign, person=person_id, **worth, **cause)


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
