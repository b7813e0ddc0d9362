"""Orders and refunds as the operator sees them, by pseudonym; and his decisions about money that is held."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from peewee import JOIN

from models.errors import NotFound, WrongInput
from models.orders import (
    CLOSED,
    CLOSING,
    DONE,
    FAILED,
    HELD,
    LATE_MONEY,
    PAID,
    REFUNDED,
    REFUSED,
    SURPLUS,
    UNPAID,
    Order,
    PayDifference,
    Payment,
    Refund,
)
from services import pay_differences, refunds
from services.env import Env

STATES = (UNPAID, CLOSING, CLOSED, PAID, REFUNDED)
AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One order."""

    no: str
    state: str
    person: str
    course: str
    price_fen: int
    created_at: datetime


def listed(env: Env, *, state: str | None, person: str | None) -> list[OrderLine]:
    """The latest orders; raises WrongInput for what is no pseudonym."""
    chosen = Order.select()
    if state:
        chosen = chosen.where(Order.state == state)
    if person:
        if not (person.startswith("p") and person[1:].isascii() and person[1:].isdigit()):
            raise WrongInput(what="a person is named by his pseudonym, such as p12")
        chosen = chosen.where(Order.person == int(person[1:]))
    return [
        OrderLine(row.no, row.state, f"p{row.person_id}", row.course.slug, row.price_fen, row.created_at)
        for row in chosen.order_by(Order.id.desc()).limit(AT_ONCE)
    ]


def by_number(number: str) -> Order:
    """The order that has this number here, as a payment, or at WeChat; raises NotFound."""
    same = (Order.no == number) | (Payment.out_trade_no == number) | (Payment.transaction_id == number)
    order = Order.select().join(Payment, JOIN.LEFT_OUTER).where(same).first()
    if order is None:
        raise NotFound
    return order


def told(env: Env, *, number: str) -> list[tuple[str, str]]:
    """All about an order, as names and values."""
    return list(facts(by_number(number)))


def facts(order: Order) -> Iterator[tuple[str, str]]:
    """The order, its payments and its refunds."""
    yield "order", order.no
    yield "state", order.state
    yield "person", f"p{order.person_id}"
    yield "course", order.course.slug
    yield "price", f"{order.price_fen} fen, {order.split_percent} % to {order.lecturer.slug}"
    yield "made", f"{order.created_at:%Y-%m-%d %H:%M:%S}Z"
    yield "paid", f"{order.paid_at:%Y-%m-%d %H:%M:%S}Z" if order.paid_at else "-"
    for one in order.payments.order_by(Payment.id):
        came = f", {one.arrived_fen} fen as {one.transaction_id}" if one.transaction_id else ""
        yield "payment", f"{one.out_trade_no} {one.trade_type} {one.state}{came}"
    for one in order.refunds.order_by(Refund.id):
        yield "refund", f"{one.out_refund_no} {one.state}, course {one.rights}, {one.amount_fen} fen"
    if waiver := refunds.waiver_of(order):
        yield "waived", f"{waiver.effective_at:%Y-%m-%d %H:%M:%S}Z, text {waiver.text_version}"


@dataclass(frozen=True, slots=True)
class RefundLine:
    """One refund."""

    no: str
    state: str
    rights: str
    order_no: str
    person: str
    amount_fen: int
    asked_at: datetime
    reason: str
    decision: str


def refunds_listed(env: Env, *, every: bool) -> list[RefundLine]:
    """Refunds that are not settled, or all, oldest first."""
    rows = Refund.select(Refund, Order).join(Order).order_by(Refund.id)
    if not every:  # a failed one of which nothing can come any more is nobody's work
        in_vain = (Refund.state == FAILED) & (Refund.cause != LATE_MONEY) & (Order.state != PAID)
        rows = rows.where(Refund.state.not_in([DONE, REFUSED]) & ~in_vain)
    return [
        RefundLine(
            no=row.no, state=row.state, rights=row.rights, order_no=row.order.no, person=f"p{row.order.person_id}",
            amount_fen=row.amount_fen, asked_at=row.asked_at, reason=row.reason, decision=row.decision or "",
        )
        for row in rows.limit(AT_ONCE)
    ]  # fmt: skip


def resolve(env: Env, *, difference_id: int, reason: str, send_back: bool, who: str = "command") -> None:
    """A person's decision about a difference; with `send_back` the money that is held for it goes back, also later."""
    if not send_back:
        pay_differences.resolve(env, difference_id=difference_id, reason=reason, who=who)
        return
    row = PayDifference.get_or_none(id=difference_id)
    if row is None or row.payment is None or row.payment.state != HELD or not row.payment.move(SURPLUS):
        raise WrongInput(what=f"no money is held for difference {difference_id}")
    if row.resolved_at is None:
        pay_differences.resolve(env, difference_id=difference_id, reason=reason, who=who)
    refunds.send_back(env, row.payment, who=who)
