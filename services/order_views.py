"""How orders and refunds look to their buyer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from models.access import Grant
from models.catalogue import Course
from models.orders import HELD, JSAPI, LATE_MONEY, NATIVE, PAID, REFUNDED, Order, PayDifference, Payment, Refund
from models.vouchers import HELD as HELD_VOUCHER
from models.vouchers import OPEN as OPEN_VOUCHER
from models.vouchers import RESTING
from services import earned, orders, redemptions, refunds, voucher_views
from services.env import Env

MOST_SHOWN = 100
OPEN_REFUNDS = {"asked", "agreed", "processing", "abnormal"}


@dataclass(frozen=True, slots=True)
class RefundView:
    """One refund; `state` is how its money stands, `is_late` when it only sends back what paid for nothing."""

    state: str
    amount_fen: int
    asked_at: datetime
    done_at: datetime | None
    decision: str
    is_late: bool
    takes_course: bool

    @property
    def is_open(self) -> bool:
        """Under way."""
        return self.state in OPEN_REFUNDS


@dataclass(frozen=True, slots=True)
class WaiverView:
    """The words by which a refund was given up, and when."""

    text: str
    version: str
    agreed_at: datetime


@dataclass(frozen=True, slots=True)
class EarnedView:
    """The vouchers that a purchase has earned: codes that a refund ends, what was spent, whether an order has one."""

    ending: tuple[str, ...]
    spent_fen: int
    is_held: bool


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as its page shows it; `is_payable` while a payment may begin, `is_held` while a person looks at money.

    `refund_until` is filled while the buyer may ask for his money back; `waiver` when he has given that up.
    """

    no: str
    tail: str
    course_slug: str
    title: str
    lecturer: str
    state: str
    list_fen: int
    price_fen: int
    voucher_fen: int
    voucher_code: str
    left_fen: int
    earned: EarnedView
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    closed_at: datetime | None
    is_payable: bool
    is_held: bool
    is_resting: bool
    payments: dict[str, Payment]
    refund_until: datetime | None
    window_end: datetime | None
    waiver: WaiverView | None
    refunds: tuple[RefundView, ...]

    @property
    def prepay_id(self) -> str | None:
        """What pays it inside WeChat, once it is ready."""
        return self.payments[JSAPI].prepay_id if JSAPI in self.payments else None

    @property
    def code_url(self) -> str | None:
        """What a QR has to say to pay it, once it is ready."""
        return self.payments[NATIVE].code_url if NATIVE in self.payments else None

    @property
    def open_refund(self) -> RefundView | None:
        """A refund that is under way and takes the course."""
        return next((one for one in self.refunds if one.is_open and one.takes_course), None)

    @property
    def money_goes_back(self) -> bool:
        """Whether money of his that pays for nothing is on its way back, or has gone."""
        return any(one.is_late for one in self.refunds)

    @property
    def mark(self) -> str:
        """Changes whenever the page would look different."""
        ready = [f"{kind}{one.id}" for kind, one in sorted(self.payments.items()) if one.prepay_id or one.code_url]
        states = [one.state for one in self.refunds]
        more = ["held"] * self.is_held + ["payable"] * self.is_payable
        return "-".join([self.state, *more, *ready, *states])


@dataclass(frozen=True, slots=True)
class Offer:
    """What stands at the check-out, and with which of his vouchers he may pay for it."""

    checkout: orders.Checkout
    choices: voucher_views.Choices


def offer(env: Env, *, person_id: int, course_slug: str) -> Offer:
    """What a buyer reads before he orders; raises as `orders.checkout` does."""
    checkout = orders.checkout(env, person_id=person_id, course_slug=course_slug)
    course = Course.get(slug=course_slug)
    asked = {"person_id": person_id, "course": course, "price_fen": checkout.price_fen}
    return Offer(checkout, voucher_views.choices(env, **asked))


def view(env: Env, *, person_id: int, no: str) -> OrderView:
    """One order of his; raises NotFound."""
    return shown(env, orders.of_person(person_id, no))


def shown(env: Env, order: Order) -> OrderView:
    """An order with what hangs on it."""
    found = tuple(refund_view(one) for one in order.refunds.order_by(Refund.id))
    grant = orders.grant_of(order)
    waiver = waiver_view(order)
    end = refunds.window_end(env, order) if order.paid_at else None
    may_ask = order.state == PAID and end and env.now < end and not waiver
    is_under_way = any(one.is_open and not one.is_late for one in found)
    return OrderView(
        no=order.no, tail=order.tail, course_slug=order.course.slug, title=order.title, lecturer=order.lecturer.name,
        state=order.state, list_fen=order.list_fen, price_fen=order.price_fen, voucher_fen=order.voucher_fen or 0,
        voucher_code=code_of(order), left_fen=left_fen(order), earned=earned_view(grant),
        created_at=order.created_at, expires_at=order.expires_at,
        paid_at=order.paid_at, closed_at=order.closed_at, is_payable=order.is_payable(now=env.now),
        is_held=order.state not in {PAID, REFUNDED} and order.id in held([order.id]),
        is_resting=bool(grant and grant.suspended_at and not grant.revoked_at),
        payments={one.trade_type: one for one in orders.open_payments(order)},
        refund_until=end if may_ask and not is_under_way else None, window_end=end, waiver=waiver, refunds=found,
    )  # fmt: skip


def code_of(order: Order) -> str:
    """The voucher that pays a part of it; empty without one."""
    redemption = redemptions.of(order)
    return redemption.voucher.code if redemption else ""


def earned_view(grant: Grant | None) -> EarnedView:
    """What a refund would do to the vouchers that this purchase has earned."""
    mine = earned.of(grant)
    ending = tuple(one.code for one in mine if one.state in {OPEN_VOUCHER, RESTING})
    return EarnedView(ending, earned.worth_of(mine), any(one.state == HELD_VOUCHER for one in mine))


def left_fen(order: Order) -> int:
    """What has not gone back of what was paid."""
    paid = order.payments.where(Payment.state == PAID).first()
    return paid.arrived_fen - paid.refunded_fen if paid else 0


def refund_view(row: Refund) -> RefundView:
    """A refund as the buyer sees it."""
    return RefundView(
        state=row.state, amount_fen=row.amount_fen, asked_at=row.asked_at, done_at=row.done_at,
        decision=(row.decision or "") if row.state == "refused" else "", is_late=row.cause == LATE_MONEY,
        takes_course=row.rights != "kept",
    )  # fmt: skip


def waiver_view(order: Order) -> WaiverView | None:
    """What he agreed to, if he did."""
    row = refunds.waiver_of(order)
    return WaiverView(row.text, row.text_version, row.agreed_at) if row else None


def held(order_ids: Sequence[int]) -> set[int]:
    """Those for which money is held that a person has still to decide about."""
    rows = Payment.select(Payment.order).join(PayDifference)
    open_still = (Payment.order.in_(list(order_ids)), Payment.state == HELD, PayDifference.resolved_at.is_null())
    return {row.order_id for row in rows.where(*open_still)}


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line of 我的订单."""

    no: str
    tail: str
    title: str
    state: str
    price_fen: int
    created_at: datetime
    is_resting: bool
    is_held: bool = False

    @property
    def shown_state(self) -> str:
        """How it stands; `resting` while its refund is looked at, `held` while a person looks at money for it."""
        return "resting" if self.is_resting else "held" if self.is_held else self.state


def lines(env: Env, *, person_id: int) -> list[OrderLine]:
    """His latest orders, the latest first."""
    resting = {
        ref for (ref,) in Grant.select(Grant.source_ref).where(
            Grant.person == person_id, Grant.suspended_at.is_null(False), Grant.revoked_at.is_null()
        ).tuples()
    }  # fmt: skip
    rows = list(Order.select().where(Order.person == person_id).order_by(Order.id.desc()).limit(MOST_SHOWN))
    waiting = held([row.id for row in rows if row.state not in {PAID, REFUNDED}])
    return [
        OrderLine(
            row.no, row.tail, row.title, row.state, row.price_fen, row.created_at, row.no in resting, row.id in waiting
        )
        for row in rows
    ]  # fmt: skip
