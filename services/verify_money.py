"""What must be true of orders, refunds and the journal, as queries (I1, I2, I8, I9, I10, I20)."""

from collections.abc import Iterable

from peewee import JOIN, Expression, Value, fn

from models.access import ORDER, Grant
from models.delivery import OutboxItem
from models.journal import CLEARING, JournalEntry, JournalLine
from models.links import RefundWaiver
from models.orders import (
    ABNORMAL,
    AGREED,
    ASKED,
    CLOSING,
    DONE,
    FAILED,
    LATE_MONEY,
    OPEN,
    PAID,
    PROCESSING,
    REFUNDED,
    REFUSED,
    SUSPENDED,
    UNPAID,
    Order,
    Payment,
    Refund,
)
from services import journal, outbox
from services.env import Env
from services.invariants import invariant

UNDER_WAY = (ASKED, AGREED, PROCESSING, ABNORMAL)


def entry_of(number: Expression) -> Expression:
    """Joins a row to the journal entry that was booked for this number."""
    return JournalEntry.source == number


@invariant("I1", "every entry of the journal sums to 0, and moves something")
def balanced(env: Env) -> Iterable[str]:
    total = fn.COALESCE(fn.SUM(JournalLine.amount_fen), 0)
    rows = JournalEntry.select(JournalEntry.id).join(JournalLine, JOIN.LEFT_OUTER).group_by(JournalEntry.id)
    for row in rows.having((total != 0) | (fn.COUNT(JournalLine.id) < 2)):
        yield f"journal entry {row.id}"


@invariant("I2", "money that arrived is booked once, to the fen")
def arrivals_booked(env: Env) -> Iterable[str]:
    rows = Payment.select(Payment.id, Payment.arrived_fen, fn.SUM(JournalLine.amount_fen).alias("booked"))
    rows = rows.join(JournalEntry, JOIN.LEFT_OUTER, on=entry_of(Value("pay:").concat(Payment.transaction_id)))
    same = (JournalLine.entry == JournalEntry.id) & (JournalLine.account == CLEARING)
    rows = rows.join(JournalLine, JOIN.LEFT_OUTER, on=same).where(Payment.transaction_id.is_null(False))
    for row in rows.group_by(Payment.id, Payment.arrived_fen).objects():
        if row.booked is None or int(row.booked) != row.arrived_fen:
            yield f"payment {row.id}"


@invariant("I2", "a paid order with a price has one payment of that price, and no other order has one")
def paid_once(env: Env) -> Iterable[str]:
    its = (Payment.order == Order.id) & (Payment.state == PAID) & (Payment.arrived_fen == Order.price_fen)
    count = fn.COUNT(Payment.id)
    rows = Order.select(Order.id, Order.state, Order.price_fen, count.alias("number"))
    for row in rows.join(Payment, JOIN.LEFT_OUTER, on=its).group_by(Order.id, Order.state, Order.price_fen).objects():
        if row.number != (row.state in (PAID, REFUNDED) and row.price_fen > 0):
            yield f"order {row.id}"


@invariant("I2", "a sale is booked for an order whose money it is, or that a voucher has paid, and only for that")
def sales_have_orders(env: Env) -> Iterable[str]:
    its = (Payment.order == JournalEntry.order) & (Payment.state == PAID)
    rows = JournalEntry.select(JournalEntry.id).join(Order).switch(JournalEntry).join(Payment, JOIN.LEFT_OUTER, on=its)
    is_paid = Payment.id.is_null(False) | ((Order.price_fen == 0) & Order.voucher_fen.is_null(False))
    for row in rows.where(JournalEntry.kind == journal.SALE, ~is_paid):
        yield f"journal entry {row.id}"


@invariant("I2", "an order that a voucher has paid wholly is booked")
def free_sales_booked(env: Env) -> Iterable[str]:
    rows = Order.select(Order.id).join(JournalEntry, JOIN.LEFT_OUTER, on=entry_of(Value("order:").concat(Order.no)))
    paid = (Order.state.in_([PAID, REFUNDED]), Order.price_fen == 0, Order.voucher_fen.is_null(False))
    for row in rows.where(*paid, JournalEntry.id.is_null()):
        yield f"order {row.id}"


@invariant("I2", "a refund that is done is booked once, of that amount; no other is")
def refunds_booked(env: Env) -> Iterable[str]:
    number = Value("refund:").concat(Refund.no).concat("-").concat(Refund.tries)
    same = (JournalLine.entry == JournalEntry.id) & (JournalLine.account == CLEARING)
    rows = Refund.select(Refund.id, Refund.state, Refund.amount_fen, JournalLine.amount_fen.alias("booked"))
    rows = rows.join(JournalEntry, JOIN.LEFT_OUTER, on=entry_of(number)).join(JournalLine, JOIN.LEFT_OUTER, on=same)
    for row in rows.where(Refund.payment.is_null(False)).objects():
        if -(row.booked or 0) != (row.amount_fen if row.state == DONE else 0):
            yield f"refund {row.id}"


@invariant("I2", "what is set aside of a payment is what its refunds ask for, never more than came")
def set_aside(env: Env) -> Iterable[str]:
    counts = (Refund.payment == Payment.id) & Refund.state.in_([*UNDER_WAY, DONE])
    rows = Payment.select(Payment, fn.COALESCE(fn.SUM(Refund.amount_fen), 0).alias("asked"))
    for row in rows.join(Refund, JOIN.LEFT_OUTER, on=counts).group_by(Payment.id).objects():
        if int(row.asked) != row.refunded_fen or row.refunded_fen > (row.arrived_fen or 0):
            yield f"payment {row.id}"


def its_grant() -> Expression:
    """Joins an order to the right that came from it."""
    return (Grant.source == ORDER) & (Grant.source_ref == Order.no) & (Grant.course == Order.course)


@invariant("I8", "a paid order gives its course, and one that was refunded gives nothing")
def orders_give(env: Env) -> Iterable[str]:
    rows = Order.select(Order.id, Order.state, Grant.id.alias("grant"), Grant.revoked_at)
    for row in rows.join(Grant, JOIN.LEFT_OUTER, on=its_grant()).objects():
        lives = row.grant is not None and row.revoked_at is None
        if lives != (row.state == PAID):
            yield f"order {row.id}"


@invariant("I8", "a right rests only while its refund is under way")
def rests_for_a_reason(env: Env) -> Iterable[str]:
    its = (Refund.grant == Grant.id) & (Refund.rights == SUSPENDED) & Refund.state.in_(UNDER_WAY)
    resting = (Grant.suspended_at.is_null(False), Grant.revoked_at.is_null())
    for row in Grant.select().join(Refund, JOIN.LEFT_OUTER, on=its).where(*resting, Refund.id.is_null()):
        yield f"grant {row.id}"


@invariant("I8", "what was waived is refunded only with a recorded override")
def waived_orders(env: Env) -> Iterable[str]:
    rows = Refund.select(Refund.id).join(Order).join(Grant, on=its_grant()).join(RefundWaiver)
    plain = (Refund.override.is_null(), Refund.cause != LATE_MONEY, Refund.state.not_in([REFUSED, FAILED]))
    for row in rows.where(*plain, RefundWaiver.effective_at <= Refund.asked_at).distinct():
        yield f"refund {row.id}"


@invariant("I9", "a refund that WeChat has not heard of is still in the outbox")
def refunds_queued(env: Env) -> Iterable[str]:
    same = (OutboxItem.subject == Refund.id) & (OutboxItem.kind == outbox.REFUND)
    undone = OutboxItem.id.is_null() | (OutboxItem.done >= OutboxItem.wanted)
    for row in Refund.select().join(OutboxItem, JOIN.LEFT_OUTER, on=same).where(Refund.state == AGREED, undone):
        yield f"refund {row.id}"


@invariant("I9", "an order that closes has told WeChat to take no more money for it")
def closes_queued(env: Env) -> Iterable[str]:
    same = (OutboxItem.subject == Payment.id) & (OutboxItem.kind == outbox.CLOSE)
    rows = Payment.select(Payment.id).join(Order).switch(Payment).join(OutboxItem, JOIN.LEFT_OUTER, on=same)
    undone = OutboxItem.id.is_null() | (OutboxItem.done >= OutboxItem.wanted)
    for row in rows.where(Payment.state == OPEN, Order.state != UNPAID, undone):
        yield f"payment {row.id}"


@invariant("I9", "an order that closes waits for a payment that WeChat has still to close")
def closing_waits(env: Env) -> Iterable[str]:
    its = (Payment.order == Order.id) & (Payment.state == OPEN) & Payment.transaction_id.is_null()
    for row in (
        Order.select(Order.id)
        .join(Payment, JOIN.LEFT_OUTER, on=its)
        .where(Order.state == CLOSING, Payment.id.is_null())
    ):
        yield f"order {row.id}"


@invariant("I20", "a sale's shares are those of its order and its voucher, and sum to what was paid")
def shares(env: Env) -> Iterable[str]:
    rows = JournalEntry.select(JournalEntry, Order).join(Order).where(JournalEntry.kind == journal.SALE)
    for entry in rows:
        due = {account: fen for account, fen in journal.lines_of_sale(entry.order).items() if fen}
        if journal.lines_of(entry) != due:
            yield f"journal entry {entry.id}"
