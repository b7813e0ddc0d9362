"""Orders at the pretend WeChat Pay, and how it says no."""

from dataclasses import dataclass, field
from typing import Any

from sandbox import pay_times
from sandbox.pay_refund import PayRefund

PREPAY_SECONDS = 2 * 3600
CLOSED_AFTER_SECONDS = 7 * 86400
WORDS = {
    "NOTPAY": "订单未支付",
    "SUCCESS": "支付成功",
    "REFUND": "订单发生过退款，退款详情请查询退款单",
    "CLOSED": "订单已关闭",
}


@dataclass(eq=False)
class PayOrder:
    """One order of the merchant under his own number; all amounts are whole fen."""

    out_trade_no: str
    trade_type: str
    asked: dict[str, Any]
    """The call that made it: a later one must be the same."""
    made_at: float
    time_expire: float
    state: str = "NOTPAY"
    prepay_id: str = ""
    code_url: str = ""
    payer_openid: str = ""
    transaction_id: str = ""
    paid_at: float | None = None
    paid_fen: int = 0
    fee_fen: int = 0
    refunds: list[PayRefund] = field(default_factory=list)

    @property
    def amount(self) -> int:
        """What was ordered."""
        return self.asked["amount"]["total"]

    @property
    def openid(self) -> str:
        """Who has paid, or who alone may; anybody may pay a QR."""
        return self.payer_openid or self.asked.get("payer", {}).get("openid", "")

    @property
    def refunded_fen(self) -> int:
        """What went back, or is going back."""
        return sum(one.amount for one in self.refunds if one.status != "CLOSED")

    def why_unpayable(self, now: float) -> str:
        """WeChat's words to a person who cannot pay it any more; empty when he can."""
        if self.paid_at is not None:
            return "该订单已支付"
        if self.state == "CLOSED":
            return "该订单已关闭"
        return "该订单已过期，请重新下单" if now >= self.time_expire else ""

    def shown(self, mch_id: str) -> dict[str, Any]:
        """The transaction, as the query and the notice tell it."""
        total = self.amount if self.paid_at is None else self.paid_fen
        shown = {"appid": self.asked["appid"], "mchid": mch_id, "out_trade_no": self.out_trade_no}
        shown |= {"trade_state": self.state, "trade_state_desc": WORDS[self.state]}
        shown |= {"attach": self.asked.get("attach", ""), "promotion_detail": []}
        amount = {"total": total, "currency": "CNY", "payer_currency": "CNY"}
        if self.paid_at is None:
            return shown | {"amount": amount}
        paid = {"transaction_id": self.transaction_id, "trade_type": self.trade_type, "bank_type": "OTHERS"}
        paid |= {"success_time": pay_times.written(self.paid_at), "payer": {"openid": self.payer_openid}}
        return shown | paid | {"amount": amount | {"payer_total": total}}


class PayNo(Exception):
    """A refusal in WeChat Pay's form; status 401, 404 and 405 of the gateway itself may have no code."""

    def __init__(self, status: int, code: str, message: str, detail: dict[str, Any] | None = None) -> None:
        super().__init__(f"{code} {message}")
        self.status, self.code, self.message, self.detail = status, code, message, detail

    def shown(self) -> dict[str, Any]:
        """The body of the answer."""
        told = {"code": self.code, "message": self.message}
        return told | {"detail": self.detail} if self.detail else told
