"""How vouchers look to their holder: the wallet, and the check-out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from models.access import Grant
from models.base import days_left
from models.catalogue import Course, Price, price_at
from models.errors import BusinessError
from models.orders import Order
from models.vouchers import DEAD, HELD, OPEN, RESTING, USED, Redemption, Voucher
from services import vouchers
from services.env import Env

MOST_COURSES = 6
EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Buys:
    """A course that a voucher may pay for."""

    slug: str
    title: str
    price_fen: int


@dataclass(frozen=True, slots=True)
class VoucherView:
    """A voucher as its holder sees it; `state` is `open`, `held`, `used`, `resting`, `dead`, or `expired`.

    `buys` are some of the courses that it pays for, `more` how many others there are; `order` is where it is spent.
    """

    code: str
    title: str
    amount_fen: int
    state: str
    starts_at: datetime
    last_day: datetime
    is_early: bool
    days_left: int | None
    min_fen: int
    buys: tuple[Buys, ...]
    more: int
    order: str | None
    order_title: str | None

    @property
    def is_over(self) -> bool:
        """Whether nothing can be bought with it any more."""
        return self.state in {USED, DEAD, EXPIRED}


@dataclass(frozen=True, slots=True)
class Wallet:
    """我的代金券: what he has, the good ones first; what asking now would give him, and why nothing else does."""

    vouchers: tuple[VoucherView, ...]
    earned: tuple[tuple[str, int], ...]
    noes: tuple[vouchers.No, ...]


ORDER_OF_STATES = (OPEN, HELD, RESTING, USED, EXPIRED, DEAD)


def state_of(env: Env, voucher: Voucher) -> str:
    """Its state, or that its time is over."""
    return EXPIRED if voucher.state == OPEN and env.now >= voucher.expires_at else voucher.state


def wallet(env: Env, *, person_id: int) -> Wallet:
    """Everything he has or had."""
    for_sale = courses_for_sale(env, person_id=person_id)
    seen = vouchers.outlook(env, person_id=person_id)
    found = [view(env, row, for_sale) for row in seen.mine]
    found.sort(key=lambda one: ORDER_OF_STATES.index(one.state))
    earned = tuple((campaign.name, campaign.amount_fen) for campaign, _ in seen.earned)
    return Wallet(tuple(found), earned, seen.noes)


Offer = tuple[Course, int]


def courses_for_sale(env: Env, *, person_id: int) -> list[Offer]:
    """Every course that costs something now and that he has not got, with its price."""
    prices: dict[int, list[tuple[datetime, int]]] = {}
    for row in Price.select().where(Price.from_at <= env.now):
        prices.setdefault(row.course_id, []).append((row.from_at, row.amount_fen))
    his = Grant.select(Grant.course).where(Grant.person == person_id, Grant.live(now=env.now))
    others = Course.select(Course.id, Course.slug, Course.title, Course.lecturer).where(Course.id.not_in(his))
    priced = ((row, price_at(prices.get(row.id, []), env.now)) for row in others.order_by(Course.id))
    return [(course, fen) for course, fen in priced if fen]


def view(env: Env, voucher: Voucher, for_sale: Sequence[Offer]) -> VoucherView:
    """One of them."""
    state, campaign, order = state_of(env, voucher), voucher.campaign, order_of(voucher)
    is_good = state in {OPEN, HELD, RESTING}
    scope = campaign.scope() if is_good and for_sale else None
    fitting = [one for one in for_sale if scope.has(one[0]) and one[1] >= campaign.min_fen] if scope else []
    buys = tuple(Buys(course.slug, course.title, fen) for course, fen in fitting[:MOST_COURSES])
    return VoucherView(
        code=voucher.code, title=campaign.name, amount_fen=voucher.amount_fen, state=state,
        starts_at=voucher.starts_at, last_day=voucher.last_day, is_early=env.now < voucher.starts_at,
        days_left=days_left(voucher.expires_at, now=env.now) if is_good else None, min_fen=campaign.min_fen,
        buys=buys, more=len(fitting) - len(buys),
        order=order.no if order else None, order_title=order.title if order else None,
    )  # fmt: skip


def order_of(voucher: Voucher) -> Order | None:
    """The order that has it, paid or not."""
    if voucher.state not in {HELD, USED}:
        return None
    row = Redemption.get_or_none(active_voucher=voucher.id)
    return row.order if row else None


@dataclass(frozen=True, slots=True)
class Choice:
    """A voucher that may pay for what stands at the check-out: what it takes off, and what is left to be paid."""

    code: str
    title: str
    off_fen: int
    to_pay_fen: int
    last_day: datetime


@dataclass(frozen=True, slots=True)
class Choices:
    """Which of his vouchers pay for a course, the best first; and why the others do not, in his words."""

    good: tuple[Choice, ...] = ()
    others: tuple[str, ...] = ()


def choices(env: Env, *, person_id: int, course: Course, price_fen: int) -> Choices:
    """What he may choose from; of two that take off as much the one that ends first."""
    good, others = [], []
    for voucher in vouchers.of_person(person_id) if price_fen else []:
        if state_of(env, voucher) not in {OPEN, HELD, RESTING}:
            continue
        off_fen, title = min(voucher.amount_fen, price_fen), voucher.campaign.name
        try:
            voucher.check_pays_for(course, price_fen, now=env.now)
        except BusinessError as no:
            others.append(f"{title} ¥{voucher.amount_fen / 100:g}：{no.message}")
        else:
            good.append(Choice(voucher.code, title, off_fen, price_fen - off_fen, voucher.last_day))
    good.sort(key=lambda one: (-one.off_fen, one.last_day))
    return Choices(tuple(good), tuple(others))


def lines(env: Env, mine: Iterable[Voucher]) -> list[VoucherView]:
    """What of these may still be spent, for the chat."""
    return [view(env, row, ()) for row in mine if state_of(env, row) in {OPEN, HELD, RESTING}]
