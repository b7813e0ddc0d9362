"""A pretend WeChat Pay as an object, before any HTTP: one merchant's orders, and who pays them."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox import pay_times
from sandbox.pay_flows import BillChanges, BillFile, Purse
from sandbox.pay_notices import Notices
from sandbox.pay_orders import CLOSED_AFTER_SECONDS, PREPAY_SECONDS, PayNo, PayOrder
from sandbox.pay_settings import PaySettings
from sandbox.rendering import yuan
from sandbox.wechat_account import WeChatAccount
from sandbox.world import SandboxPerson, World

LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHANGED = "请求重入时，参数与首次请求时不一致"


class PayCompany:
    """One merchant's account; times are the world's clock, amounts whole fen."""

    def __init__(self, world: World, account: WeChatAccount, settings: PaySettings | None = None) -> None:
        self.world = world
        self.account = account
        self.settings = settings or PaySettings()
        self.settings.check()
        self.notices = Notices(world, self.settings)
        self.form_key = world.new_id(bits=256).encode()
        self.orders: dict[str, PayOrder] = {}
        """By the merchant's own number, the oldest first."""
        self.spoilt: set[str] = set()
        """Numbers that were closed before they were ever ordered: nothing can be ordered under them."""
        self.purse = Purse()
        self.bill_changes = BillChanges()
        self.bill_files: dict[str, BillFile] = {}
        self.fee_percent = 0.6
        self._given: dict[str, tuple[PayOrder, float]] = {}

    @property
    def now(self) -> float:
        """Unix seconds of the world's clock."""
        return self.world.now()

    def place(self, trade_type: str, asked: dict[str, Any]) -> PayOrder:
        """Order, or make the same order ready once more; raises PayNo."""
        self._check_parties(asked)
        self.sweep()
        number = asked["out_trade_no"]
        order = self.orders.get(number)
        if number in self.spoilt:
            raise PayNo(400, "INVALID_REQUEST", CHANGED)
        if order is None:
            expires_at = self._expires_at(asked)
            order = self.orders[number] = PayOrder(number, trade_type, asked, self.now, expires_at)
        else:
            self._check_again(order, trade_type, asked)
        self._make_ready(order)
        return order

    def find(self, out_trade_no: str) -> PayOrder:
        """An order by the merchant's number; raises PayNo."""
        self.sweep()
        if out_trade_no not in self.orders:
            raise PayNo(404, "ORDER_NOT_EXIST", "订单不存在")
        return self.orders[out_trade_no]

    def find_transaction(self, transaction_id: str) -> PayOrder:
        """A paid order by WeChat's number; raises PayNo."""
        found = [one for one in self.orders.values() if one.transaction_id == transaction_id and transaction_id]
        if not found:
            raise PayNo(404, "ORDER_NOT_EXIST", "订单不存在")
        return found[0]

    def close(self, out_trade_no: str) -> None:
        """Close an unpaid order; again is nothing, and a number that was never ordered is spoilt by it."""
        order = self.orders.get(out_trade_no)
        if order is None:
            self.spoilt.add(out_trade_no)
        elif order.paid_at is not None:
            raise PayNo(400, "ORDERPAID", "该订单已支付")
        else:
            order.state = "CLOSED"

    def behind(self, given: str) -> tuple[PayOrder, str]:
        """The order behind a `prepay_id` or `code_url`, and WeChat's words when it cannot be paid by it.

        Raises LookupError for one that was never given.
        """
        self.sweep()
        order, given_at = self._given[given]
        is_old = self.now >= given_at + PREPAY_SECONDS
        return order, order.why_unpayable(self.now) or ("支付请求已失效，请重新发起支付" if is_old else "")

    def pays(self, out_trade_no: str, person: SandboxPerson, amount_fen: int | None = None) -> PayOrder:
        """The person pays, whoever he is; another amount than ordered, to play what must never happen."""
        order = self.find(out_trade_no)
        if order.paid_at is not None or order.state == "CLOSED":
            code = "ORDER_CLOSED" if order.state == "CLOSED" else "ORDERPAID"
            raise PayNo(400, code, order.why_unpayable(self.now))
        order.paid_fen = order.amount if amount_fen is None else amount_fen
        order.fee_fen = self.fee_of(order.paid_fen)
        order.state, order.paid_at = "SUCCESS", self.now
        order.payer_openid = self.world.openid(person, order.asked["appid"])
        order.transaction_id = f"4200{self.digits(6)}{pay_times.digits(self.now)[:8]}{self.digits(10)}"
        self._book(order)
        content = order.shown(self.settings.mch_id)
        self.notices.tell("TRANSACTION.SUCCESS", order.asked["notify_url"], content, about=order.out_trade_no)
        return order

    @property
    def balance_fen(self) -> int:
        """What the merchant has at WeChat Pay, after fees; refunds are paid out of it."""
        return self.purse.balance_fen

    @balance_fen.setter
    def balance_fen(self, fen: int) -> None:
        self.purse.balance_fen = fen

    def fee_of(self, amount_fen: int) -> int:
        """WeChat Pay's fee, half a fen rounded up."""
        exact = amount_fen * Decimal(str(self.fee_percent)) / 100
        return int(exact.quantize(Decimal(1), ROUND_HALF_UP))

    def sweep(self) -> None:
        """Close what was not paid in time."""
        for order in self.orders.values():
            ends_at = order.made_at + CLOSED_AFTER_SECONDS
            if self.settings.closes_at_time_expire:
                ends_at = min(ends_at, order.time_expire)
            if order.state == "NOTPAY" and self.now >= ends_at:
                order.state = "CLOSED"

    def digits(self, count: int) -> str:
        """So many random digits."""
        return "".join(str(self.world.random.randrange(10)) for _ in range(count))

    def _book(self, order: PayOrder) -> None:
        number, fee_fen, about = order.transaction_id, order.fee_fen, {"voucher": order.out_trade_no, "name": "交易"}
        note = f"结算总金额 {yuan(order.paid_fen)} 元;含手续费 {yuan(fee_fen)} 元"
        self.purse.move(self.now, number, "交易", order.paid_fen, **about, note=note)
        self.purse.move(self.now, number, "扣除交易手续费", -fee_fen, **about, note=note)

    def _check_parties(self, asked: dict[str, Any]) -> None:
        if asked["mchid"] != self.settings.mch_id:
            raise PayNo(400, "MCH_NOT_EXISTS", "商户号不存在")
        if asked["appid"] != self.account.app_id:
            raise PayNo(400, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配")
        openid = asked.get("payer", {}).get("openid")
        if openid is not None and not self.account.person(openid):
            where = {"location": "body", "field": "/payer/openid", "value": openid}
            raise PayNo(400, "PARAM_ERROR", "无效的openid", where)

    def _check_again(self, order: PayOrder, trade_type: str, asked: dict[str, Any]) -> None:
        if order.paid_at is not None:
            raise PayNo(400, "ORDERPAID", "该订单已支付")
        if order.state == "CLOSED":
            raise PayNo(400, "ORDER_CLOSED", "该订单已关闭")
        if order.trade_type != trade_type:
            raise PayNo(403, "OUT_TRADE_NO_USED", "商户订单号重复")
        if order.asked != asked:
            raise PayNo(400, "INVALID_REQUEST", CHANGED)
        if self.now >= order.time_expire:
            raise PayNo(400, "INVALID_REQUEST", "订单已超过支付结束时间，请使用新的商户订单号重新下单")

    def _expires_at(self, asked: dict[str, Any]) -> float:
        """The last moment to pay: at least a minute from now, at most seven days."""
        latest = self.now + CLOSED_AFTER_SECONDS
        wanted = pay_times.read(asked["time_expire"]) if "time_expire" in asked else latest
        return max(self.now + 60, min(wanted, latest))

    def _make_ready(self, order: PayOrder) -> None:
        if order.trade_type == "JSAPI":
            given = order.prepay_id = f"wx{pay_times.digits(self.now)}{self.world.new_id('', 80)}"
        else:
            code = "".join(self.world.random.choices(LETTERS, k=9))
            given = order.code_url = f"weixin://wxpay/bizpayurl?pr={code}"
        self._given[given] = order, self.now
