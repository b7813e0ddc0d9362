"""Campaigns: who earns a voucher of which, by money alone (V1, V2), and the limits that an operator sets."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from peewee import Select, Value, fn

from models import audit
from models.access import ORDER, PURCHASE, Grant
from models.catalogue import Planet, Price, price_at
from models.errors import WrongInput
from models.orders import BY_LECTURER, PAID, Order
from models.prepared import Prepared, given
from models.purchases import Platform, Purchase
from models.vouchers import (
    ASKED_FOR,
    EARLY_ENROLMENT,
    PRICE_RISE,
    SHARED_PLANET,
    USED,
    Campaign,
    Voucher,
)
from services import catalogue
from services.env import Env

ENROL_DAYS = 14


@dataclass(frozen=True, slots=True)
class Paid:
    """One purchase by money: what it cost by the list, and the right that it gave."""

    grant_id: int
    course_id: int
    list_fen: int
    paid_at: datetime


def paid_by(env: Env, *, person_id: int) -> list[Paid]:
    """What a person has paid for and still has, oldest first: no gift, no seat, nothing paid with a voucher (V1)."""
    who = {"person_id": person_id, "now": env.now}
    here = [Paid(g.id, one.course_id, one.list_fen, one.paid_at) for g, one in PAID_HERE.rows(**who)]
    elsewhere = [Paid(g.id, one.course_id, one.paid_fen, one.paid_at) for g, one in PAID_ELSEWHERE.rows(**who)]
    return sorted([*here, *elsewhere], key=lambda one: one.paid_at)


def paid_here() -> Select:
    """Live rights of a person with the orders that were paid for them."""
    its = (Grant.source == ORDER) & (Grant.source_ref == Order.no)
    rows = Grant.select(Grant.id, Order.course, Order.list_fen, Order.paid_at).join(Order, on=its)
    by_money = (Order.state == PAID, Order.price_fen > 0, Order.voucher_fen.is_null())
    return rows.where(Grant.person == given("person_id"), Grant.live(now=given("now")), *by_money)


def paid_elsewhere() -> Select:
    """Live rights of a person with the purchases at a platform that were paid for them."""
    number = Platform.name.concat(Value(":")).concat(Purchase.order_no)
    its = (Grant.source == PURCHASE) & (Grant.source_ref == number) & (Grant.course == Purchase.course)
    rows = Grant.select(Grant.id, Purchase.course, Purchase.paid_fen, Purchase.paid_at)
    rows = rows.join(Purchase, on=(Purchase.person == Grant.person)).join(Platform)
    mine = (Grant.person == given("person_id"), Grant.live(now=given("now")), Purchase.paid_fen > 0)
    return rows.where(its, *mine)


PAID_HERE, PAID_ELSEWHERE = Prepared(paid_here), Prepared(paid_elsewhere)
ASKED = Prepared(
    lambda: (
        Campaign.select()
        .where(Campaign.kind.in_(ASKED_FOR), Campaign.starts_at <= given("now"))
        .order_by(Campaign.starts_at, Campaign.id)
    )
)


def live_campaigns(env: Env) -> list[Campaign]:
    """Those that give vouchers to whoever asks now, oldest first."""
    return [row for (row,) in ASKED.rows(now=env.now) if row.is_live(now=env.now)]


@dataclass(frozen=True, slots=True)
class Rise:
    """A list price that is higher than the one before it."""

    from_at: datetime
    fen: int


def rise_of(env: Env, campaign: Campaign) -> Rise | None:
    """The rise that it is about: the latest before it starts, or else the first since; a later one changes nothing."""
    prices = Price.select().where(Price.course == campaign.course_id, Price.from_at <= env.now).order_by(Price.from_at)
    rises = [Rise(new.from_at, new.amount_fen) for old, new in pairwise(prices) if new.amount_fen > old.amount_fen]
    before = [one for one in rises if one.from_at <= campaign.starts_at]
    return next(iter(before[-1:] or rises), None)


def enrol_until(campaign: Campaign) -> datetime | None:
    """Until when enrolling earns a voucher; None where it does not."""
    days = campaign.enrol_days or (ENROL_DAYS if campaign.kind == EARLY_ENROLMENT else None)
    return campaign.starts_at + timedelta(days=days) if days else None


def earning_until(env: Env, campaign: Campaign, rise: Rise | None) -> datetime | None:
    """Until when who enrols now still earns a voucher: at the raised price to its end, else in its first days."""
    prices = [(row.from_at, row.amount_fen) for row in Price.select().where(Price.course == campaign.course_id)]
    is_raised = rise is not None and (price_at(prices, env.now) or 0) >= rise.fen
    until = campaign.ends_at if is_raised else enrol_until(campaign)
    return until if until and env.now < until else None


def earned_by(env: Env, campaign: Campaign, paid: Iterable[Paid]) -> Paid | None:
    """The purchase that earns this campaign's voucher; None when there is none."""
    rise = rise_of(env, campaign) if campaign.kind == PRICE_RISE else None
    return next((one for one in paid if earns(campaign, rise, one)), None)


def earns(campaign: Campaign, rise: Rise | None, paid: Paid) -> bool:
    """Paid after the rise, at the raised price; or enrolled in the first days of the campaign (V2)."""
    if campaign.course_id and paid.course_id != campaign.course_id:
        return False
    if rise and paid.paid_at >= rise.from_at and paid.list_fen >= rise.fen:
        return True
    until = enrol_until(campaign)
    return until is not None and campaign.starts_at <= paid.paid_at < until


def of_planet(env: Env, planet: Planet) -> Campaign:
    """By which campaign a payment at this planet gives its voucher; without one in the catalogue a plain one is made.

    What a member has paid there is kept whole (V3), so there is always one; the lecturer bears it, he has the money.
    """
    rows = Campaign.select().where(Campaign.kind == SHARED_PLANET).order_by(Campaign.id)
    live = [row for row in rows if row.is_live(now=env.now)]
    own = next((row for row in live if row.planet_id == planet.id), None)
    wide = (row for row in live if row.planet_id is None and row.lecturer_id in {None, planet.owner_id})
    return own or next(wide, None) or plain_one(env, planet)


def plain_one(env: Env, planet: Planet) -> Campaign:
    """The campaign of a planet that nobody has written one for."""
    slug = f"planet:{planet.slug}"  # no slug of a catalogue has a colon
    Campaign.add_once(
        slug=slug, kind=SHARED_PLANET, title=f"星球「{planet.title}」会员"[: Campaign.title.max_length], planet=planet,
        lecturer=planet.owner, starts_at=env.now, bearer=BY_LECTURER,
    )  # fmt: skip
    return Campaign.get(slug=slug)


def check_limits(campaign: Campaign, values: dict[str, Any]) -> None:
    """Raise where a new limit is below what was given already, or would cut what was paid at a planet (V3)."""
    quota, budget = values.get("quota"), values.get("budget_fen")
    if campaign.kind == SHARED_PLANET and (quota, budget) != (None, None):
        raise WrongInput(what=f"{campaign.slug} keeps what was paid whole: it has no quota and no budget_fen")
    if quota is not None and quota < campaign.issued:
        raise WrongInput(what=f"quota {quota} is below the {campaign.issued} that were issued")
    if budget is not None and budget < campaign.issued_fen:
        raise WrongInput(what=f"budget_fen {budget} is below the {campaign.issued_fen} that were issued")


def change(env: Env, *, slug: str, **values: Any) -> list[str]:
    """Set limits, end or word of a campaign by hand; what changed. One row of ours decides between two who issue."""
    Campaign.update(issued=Campaign.issued).where(Campaign.slug == slug).execute()  # nobody issues meanwhile
    campaign = Campaign.find(slug=slug)
    check_limits(campaign, values)
    if (end := values.get("ends_at")) and end <= campaign.starts_at:
        raise WrongInput(what="ends must be after starts")
    old = {name: getattr(campaign, name) for name in values}
    Campaign.update(**values).where(Campaign.id == campaign.id).execute()
    told = [f"{name} {old[name]} → {value}" for name, value in values.items() if old[name] != value]
    if told:
        audit.record(
            at=env.now, who="command", action="campaign changed", subject=f"campaign:{slug}", new="; ".join(told)
        )
        catalogue.changed()
    return told


@dataclass(frozen=True, slots=True)
class CampaignLine:
    """A campaign as the operator's list shows it."""

    slug: str
    kind: str
    amount_fen: int | None
    starts_at: datetime
    ends_at: datetime | None
    issued: int
    quota: int | None
    issued_fen: int
    budget_fen: int | None
    used: int


def lines(env: Env) -> list[CampaignLine]:
    """Every campaign, with what it has given and how many were spent."""
    spent = Voucher.select(Voucher.campaign_id, fn.COUNT(Voucher.id)).where(Voucher.state == USED)
    used = dict(spent.group_by(Voucher.campaign).tuples())
    return [
        CampaignLine(
            slug=row.slug, kind=row.kind, amount_fen=row.amount_fen, starts_at=row.starts_at, ends_at=row.ends_at,
            issued=row.issued, quota=row.quota, issued_fen=row.issued_fen, budget_fen=row.budget_fen,
            used=used.get(row.id, 0),
        )
        for row in Campaign.select().order_by(Campaign.id)
    ]  # fmt: skip
