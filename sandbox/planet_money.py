"""What members pay the planet itself: payments, refunds, and the month's statement."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.planet_members import Group, Membership, PlanetNo, rfc3339

REFUND_HOURS = 72
SHANGHAI = ZoneInfo("Asia/Shanghai")


@dataclass(eq=False)
class Payment:
    """One payment of a member; a renewal is a payment of its own."""

    order_ref: str
    group: Group
    membership: Membership
    paid_fen: int
    fee_fen: int
    paid_at: datetime
    refunded_at: datetime | None = None

    def can_refund(self, now: datetime) -> bool:
        """Whether the member may still take his money back by himself."""
        return self.refunded_at is None and now < self.paid_at + timedelta(hours=REFUND_HOURS)

    def line(self, *, paid_fen: int, fee_fen: int, refunded_fen: int) -> dict[str, Any]:
        """A line of a statement."""
        who = {"order_ref": self.order_ref, "member_uid": self.membership.account.uid}
        money = {"paid_fen": paid_fen, "fee_fen": fee_fen, "refunded_fen": refunded_fen}
        return who | money | {"paid_at": rfc3339(self.paid_at)}


def month_of(at: datetime) -> str:
    """The Shanghai calendar month of a moment, `YYYY-MM`."""
    return at.astimezone(SHANGHAI).strftime("%Y-%m")


def closes_at(month: str) -> datetime:
    """When a month's lines are final: its end, and the time in which its last payment can be refunded."""
    year, number = (int(part) for part in month.split("-"))
    after = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=SHANGHAI)
    return after + timedelta(hours=REFUND_HOURS)


class Payments:
    """All payments of one planet; the planet keeps `fee_percent` of each."""

    def __init__(self, fee_percent: int = 20) -> None:
        self.fee_percent = fee_percent
        self._by_ref: dict[str, Payment] = {}

    def add(self, order_ref: str, group: Group, membership: Membership, now: datetime) -> Payment:
        """Note that a membership was paid."""
        paid = membership.paid_fen
        payment = Payment(order_ref, group, membership, paid, paid * self.fee_percent // 100, now)
        self._by_ref[order_ref] = payment
        return payment

    def find(self, order_ref: str) -> Payment:
        """The payment of that order."""
        if order_ref not in self._by_ref:
            raise PlanetNo(404, "not_found", "no such order")
        return self._by_ref[order_ref]

    def statement(self, group: Group, month: str, now: datetime) -> dict[str, Any]:
        """The month's lines in the order of payment; a refund after its month closed has a later line."""
        if month > month_of(now):
            raise PlanetNo(404, "not_found", "this month has not begun")
        own = [payment for payment in self._by_ref.values() if payment.group is group]
        lines = [line for payment in own if (line := self._line_in(payment, month))]
        return {"lines": lines, "closed": now >= closes_at(month)}

    def _line_in(self, payment: Payment, month: str) -> dict[str, Any] | None:
        paid_in = month_of(payment.paid_at)
        refunded_in = None
        if payment.refunded_at:
            is_late = payment.refunded_at >= closes_at(paid_in)
            refunded_in = month_of(payment.refunded_at) if is_late else paid_in
        if month not in (paid_in, refunded_in):
            return None
        refunded_fen = payment.paid_fen if month == refunded_in else 0
        sold_here = month == paid_in
        fee_fen = payment.fee_fen if sold_here and not refunded_fen else 0
        return payment.line(paid_fen=payment.paid_fen if sold_here else 0, fee_fen=fee_fen, refunded_fen=refunded_fen)
