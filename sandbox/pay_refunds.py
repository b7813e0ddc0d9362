"""Refunds at the pretend WeChat Pay: accepted at once, done a little later, and told."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox import pay_times
from sandbox.pay_company import PayCompany
from sandbox.pay_orders import PayNo, PayOrder
from sandbox.pay_refund import PayRefund
from sandbox.rendering import yuan

LONGEST_SECONDS = 365 * 86400
MOST_REFUNDS = 50
SECONDS_APART = 60
CHANGED = "订单金额或退款金额与之前请求不一致，请核实后再试"
OUTCOMES = ("SUCCESS", "ABNORMAL", "CLOSED")


class RefundingCompany(PayCompany):
    """The merchant's account with its refunds."""

    refund_outcome = "SUCCESS"
    """What becomes of the refunds that are under way: one of OUTCOMES."""
    refund_seconds: float | None = 5.0
    """How long a refund is under way; None until `settle_refunds`."""

    def refund(self, asked: dict[str, Any]) -> PayRefund:
        """Accept a refund, or find the one that was accepted under this number; raises PayNo."""
        self.sweep()
        order = self._order_of(asked)
        number = asked["out_refund_no"]
        if known := self._refund(number):
            if known.asked != asked:
                raise PayNo(400, "INVALID_REQUEST", CHANGED)
            return known
        self._check_refund(order, asked)
        return self._accept(order, asked)

    def find_refund(self, out_refund_no: str) -> PayRefund:
        """A refund by the merchant's number; raises PayNo."""
        self.sweep()
        found = self._refund(out_refund_no)
        if not found:
            raise PayNo(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
        return found

    def sweep(self) -> None:
        """Close what was not paid in time, and end the refunds whose time has come."""
        super().sweep()
        if self.refund_seconds is None:
            return
        for refund in self._under_way():
            if self.now >= (ends_at := refund.made_at + self.refund_seconds):
                self._end(refund, ends_at)

    def settle_refunds(self) -> list[PayRefund]:
        """End every refund that is under way, as `refund_outcome` says; these are they."""
        ended = self._under_way()
        for refund in ended:
            self._end(refund, self.now)
        return ended

    def withdraw(self) -> int:
        """The merchant takes all his money to his bank; how much it was."""
        fen = self.purse.balance_fen
        number = f"1{self.digits(27)}"
        self.purse.move(self.now, number, "提现", -fen, voucher=number, who=f"{self.settings.mch_id}操作员")
        return fen

    def _under_way(self) -> list[PayRefund]:
        given = [one for order in self.orders.values() for one in order.refunds]
        return [one for one in given if one.status == "PROCESSING"]

    def _end(self, refund: PayRefund, at: float) -> None:
        refund.status = self.refund_outcome
        refund.done_at = at if refund.status == "SUCCESS" else None
        if refund.status == "CLOSED":
            self._move(refund, 1, "退款关闭", at)
        content, url = refund.told(self.settings.mch_id), refund.asked.get("notify_url", "")
        self.notices.tell(f"REFUND.{refund.status}", url, content, about=refund.out_refund_no)

    def _refund(self, out_refund_no: str) -> PayRefund | None:
        given = [one for order in self.orders.values() for one in order.refunds]
        return next((one for one in given if one.out_refund_no == out_refund_no), None)

    def _order_of(self, asked: dict[str, Any]) -> PayOrder:
        own, wechats = asked.get("out_trade_no"), asked.get("transaction_id")
        for order in self.orders.values():
            if order.paid_at is not None and (order.out_trade_no == own or order.transaction_id == wechats):
                if {own, wechats} - {None, order.out_trade_no, order.transaction_id}:
                    raise PayNo(400, "INVALID_REQUEST", "您的请求参数与订单信息不一致")
                return order
        raise PayNo(404, "RESOURCE_NOT_EXISTS", "订单不存在")

    def _check_refund(self, order: PayOrder, asked: dict[str, Any]) -> None:
        amount, paid = asked["amount"], order.paid_fen
        if amount["total"] != paid:
            raise PayNo(400, "INVALID_REQUEST", CHANGED)
        if self.now > (order.paid_at or 0) + LONGEST_SECONDS:
            raise PayNo(400, "TRADE_OVERDUE", "订单已经超过退款期限")
        if order.refunded_fen >= paid:
            raise PayNo(400, "INVALID_REQUEST", "订单已全额退款")
        if order.refunded_fen + amount["refund"] > paid:
            raise PayNo(400, "INVALID_REQUEST", "退款金额大于支付金额")
        if len(order.refunds) >= MOST_REFUNDS:
            raise PayNo(403, "RULE_LIMIT", "部分退款次数已达上限")
        if order.refunds and self.now < order.refunds[-1].made_at + SECONDS_APART:
            raise PayNo(429, "FREQUENCY_LIMITED", "频率限制，同一笔订单的多次退款需间隔1分钟")
        if amount["refund"] - self._fee_back(order, amount["refund"]) > self.purse.balance_fen:
            raise PayNo(403, "NOT_ENOUGH", "基本账户余额不足，请充值后重新发起")

    def _fee_back(self, order: PayOrder, refund_fen: int) -> int:
        """The fee's share of all that goes back, less what was given already: a full refund gives all of it."""
        kept = [one for one in order.refunds if one.status != "CLOSED"]
        share = Decimal(order.fee_fen * (order.refunded_fen + refund_fen)) / order.paid_fen
        return int(share.quantize(Decimal(1), ROUND_HALF_UP)) - sum(one.fee_fen for one in kept)

    def _accept(self, order: PayOrder, asked: dict[str, Any]) -> PayRefund:
        number, today = asked["out_refund_no"], pay_times.digits(self.now)[:8]
        refund_id = f"50{self.digits(8)}{today}{self.digits(11)}"
        numbers = {"out_refund_no": number, "refund_id": refund_id, "transaction_id": order.transaction_id}
        money = {"total_fen": order.paid_fen, "fee_fen": self._fee_back(order, asked["amount"]["refund"])}
        refund = PayRefund(**numbers, **money, asked=asked, out_trade_no=order.out_trade_no, made_at=self.now)
        order.refunds.append(refund)
        order.state = "REFUND"
        self._move(refund, -1, "退款", self.now)
        return refund

    def _move(self, refund: PayRefund, sign: int, kind: str, at: float) -> None:
        note = f"退款总金额{yuan(refund.amount)}元;含手续费{yuan(refund.fee_fen)}元"
        who = {"who": f"{self.settings.mch_id}API", "business_number": refund.refund_id}
        number, fen = f"4200{self.digits(24)}", sign * (refund.amount - refund.fee_fen)
        self.purse.move(at, number, kind, fen, voucher=refund.out_refund_no, note=note, **who)
