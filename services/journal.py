"""Booking: every movement of money once, as an entry that sums to 0 (M1)."""

from collections.abc import Mapping

from peewee import fn

from models.journal import (
    CLEARING,
    FEES,
    PAYABLE_REFUND,
    JournalEntry,
    JournalLine,
    reversed_lines,
    sale_lines,
)
from models.orders import Order, Payment, Refund
from models.prepared import add, add_several
from services.env import Env

SALE, LATE, REVERSAL, FEE = "sale", "late_money", "refund", "fees"


def book(
    env: Env, *, kind: str, source: str, lines: Mapping[str, int], order: Order | None = None, split: str = "",
    reverses: JournalEntry | None = None,
) -> None:  # fmt: skip
    """Write one entry; `source` is UNIQUE, so that one cause is booked once."""
    named = {"order": order.id if order else None, "reverses": reverses.id if reverses else None}
    entry_id = add(JournalEntry, at=env.now, kind=kind, source=source, split=split, **named)
    rows = [{"entry": entry_id, "account": account, "amount_fen": fen} for account, fen in lines.items() if fen]
    add_several(JournalLine, rows)


def book_sale(env: Env, order: Order, payment: Payment) -> None:
    """An order is paid: everybody has his share of it."""
    book(env, kind=SALE, source=source_of(payment), lines=lines_of_sale(order), order=order, split=split_of(order))


def book_free_sale(env: Env, order: Order) -> None:
    """An order that a voucher has paid wholly: its cost is its bearer's. One of price 0 moves nothing."""
    if order.voucher_fen:
        book(
            env, kind=SALE, source=source_of_free(order), lines=lines_of_sale(order), order=order, split=split_of(order)
        )


def lines_of_sale(order: Order) -> dict[str, int]:
    """What its sale does to the accounts, by the split and the voucher that it has kept."""
    voucher = {"voucher_fen": order.voucher_fen or 0, "bearer": order.voucher_bearer or ""}
    return sale_lines(
        order.price_fen, lecturer_slug=order.lecturer.slug, percent=order.split_percent, **voucher
    )  # fmt: skip


def split_of(order: Order) -> str:
    """The shares that were agreed, as an entry names them."""
    return f"{order.lecturer.slug} {order.split_percent}/{100 - order.split_percent}"


def book_late_money(env: Env, payment: Payment) -> None:
    """Money came that pays for nothing: we owe it back."""
    lines = {CLEARING: payment.arrived_fen, PAYABLE_REFUND: -payment.arrived_fen}
    book(env, kind=LATE, source=source_of(payment), lines=lines, order=payment.order)


def source_of(payment: Payment) -> str:
    """What the entry of a payment's arrival is booked for."""
    return f"pay:{payment.transaction_id}"


def book_refund(env: Env, refund: Refund) -> None:
    """Money went back: what its arrival booked is taken back, all of it or pro rata."""
    if refund.payment_id is None:
        book_free_refund(env, refund)
        return
    booked = JournalEntry.get(source=source_of(refund.payment))
    before = -reversed_so_far(booked)
    lines = reversed_lines(lines_of(booked), before_fen=before, refund_fen=refund.amount_fen)
    source = f"refund:{refund.out_refund_no}"
    book(env, kind=REVERSAL, source=source, lines=lines, order=refund.order, split=booked.split, reverses=booked)


def book_free_refund(env: Env, refund: Refund) -> None:
    """No money went back; the cost of the voucher that had paid it is taken back."""
    booked = JournalEntry.get_or_none(source=source_of_free(refund.order))
    if booked:
        lines = {account: -fen for account, fen in lines_of(booked).items()}
        source = f"refund:{refund.out_refund_no}"
        book(env, kind=REVERSAL, source=source, lines=lines, order=refund.order, split=booked.split, reverses=booked)


def source_of_free(order: Order) -> str:
    """What the entry of an order without a payment is booked for."""
    return f"order:{order.no}"


def lines_of(entry: JournalEntry) -> dict[str, int]:
    """An entry's lines by their accounts, in the order in which they were written."""
    return {line.account: line.amount_fen for line in entry.lines.order_by(JournalLine.id)}


def reversed_so_far(entry: JournalEntry) -> int:
    """What reversals have taken from the clearing account; 0 or below."""
    lines = JournalLine.select(fn.COALESCE(fn.SUM(JournalLine.amount_fen), 0)).join(JournalEntry)
    return int(lines.where(JournalEntry.reverses == entry, JournalLine.account == CLEARING).scalar())


def book_fees(env: Env, *, day: str, fees_fen: int) -> None:
    """What WeChat kept of a day, as its bill says; once for each day."""
    is_booked = JournalEntry.select().where(JournalEntry.source == f"fees:{day}").exists()
    if fees_fen and not is_booked:
        book(env, kind=FEE, source=f"fees:{day}", lines={FEES: fees_fen, CLEARING: -fees_fen})
