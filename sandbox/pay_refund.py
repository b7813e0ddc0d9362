"""A refund at the pretend WeChat Pay."""

from dataclasses import dataclass
from typing import Any

from sandbox import pay_times


@dataclass(eq=False)
class PayRefund:
    """One refund under the merchant's own number; all amounts are whole fen."""

    out_refund_no: str
    refund_id: str
    asked: dict[str, Any]
    out_trade_no: str
    transaction_id: str
    total_fen: int
    made_at: float
    fee_fen: int = 0
    """What the merchant gets back of the fee."""
    status: str = "PROCESSING"
    done_at: float | None = None

    @property
    def amount(self) -> int:
        """What goes back."""
        return self.asked["amount"]["refund"]

    def shown(self) -> dict[str, Any]:
        """As the calls answer it."""
        shown = {"refund_id": self.refund_id, "out_refund_no": self.out_refund_no}
        shown |= {"transaction_id": self.transaction_id, "out_trade_no": self.out_trade_no}
        shown |= {"channel": "ORIGINAL", "user_received_account": "支付用户零钱", "status": self.status}
        shown |= {"create_time": pay_times.written(self.made_at), "funds_account": "AVAILABLE"}
        if self.status == "SUCCESS":
            shown["success_time"] = pay_times.written(self.done_at or 0)
        amount = self._amount() | {"settlement_refund": self.amount, "settlement_total": self.total_fen}
        return shown | {"amount": amount | {"discount_refund": 0, "currency": "CNY"}, "promotion_detail": []}

    def told(self, mch_id: str) -> dict[str, Any]:
        """As the notice tells it."""
        told = {"mchid": mch_id, "out_trade_no": self.out_trade_no, "transaction_id": self.transaction_id}
        told |= {"out_refund_no": self.out_refund_no, "refund_id": self.refund_id, "refund_status": self.status}
        if self.status == "SUCCESS":
            told["success_time"] = pay_times.written(self.done_at or 0)
        return told | {"amount": self._amount(), "user_received_account": "支付用户零钱"}

    def _amount(self) -> dict[str, Any]:
        sums = {"total": self.total_fen, "refund": self.amount}
        return sums | {"payer_total": self.total_fen, "payer_refund": self.amount}
