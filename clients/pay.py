"""WeChat Pay, API v3, for one merchant and one app: orders, refunds, notices and bills.

Its Peers are made with LIMITS and BILL_LIMITS, both with the API's base URL. Every call may raise RemoteDown (ask again
with the same number) or RemoteRefused (useless), and their subclasses in `pay_codes`; no text of theirs holds a secret,
an openid or a number. A notice is looked at in the order of `pay_notices`, and calls nobody.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import TypeVar

from clients import pay_asks
from clients.errors import RemoteDown
from clients.http import Answer, Peer
from clients.pay_bill_files import BillFiles
from clients.pay_bills import BillLine, FundLine, read_fund_bill, read_trade_bill
from clients.pay_certificates import Certificates
from clients.pay_codes import ON_PREPAY, CallRefused, NotEnough, NotKnown, NumberUsed, OrderClosed, OrderPaid, failure
from clients.pay_crypto import Merchant, read_api_v3_key, read_private_key
from clients.pay_keys import PlatformKeys
from clients.pay_notices import NoticeForged, Notices, PayNotice
from clients.pay_transport import Transport
from clients.pay_wire import (
    CAME,
    NativeWire,
    PrepayWire,
    RefundAnswerWire,
    RemoteRefund,
    Transaction,
    TransactionWire,
)

__all__ = [
    "BILL_LIMITS", "LIMITS", "BillLine", "FundLine", "NotEnough", "NoticeForged", "NumberUsed", "OrderClosed",
    "OrderPaid", "PayNotice", "PlatformKeys", "RemoteRefund", "Transaction", "WeChatPay", "read_private_key",
]  # fmt: skip

Found = TypeVar("Found")
LIMITS = {"connect_seconds": 1.0, "total_seconds": 4.0, "max_body": 256 * 1024}
BILL_LIMITS = {"connect_seconds": 2.0, "total_seconds": 60.0, "max_body": 64 * 1024 * 1024, "max_in_flight": 2}
NO_SUCH_ORDER = "wxbot-check-no-such-order"


class WeChatPay:
    """One merchant. `now` is unix time; the keys and certificates are as their files stand (PEM)."""

    def __init__(
        self,
        *,
        app_id: str,
        mch_id: str,
        serial: str,
        private_key: bytes,
        api_v3_key: str,
        platform_keys: PlatformKeys,
        api: Peer,
        bills: Peer,
        notify_url: str,
        refund_notify_url: str,
        now: Callable[[], float],
        new_nonce: Callable[[], str],
    ) -> None:
        self.app_id = app_id
        self.mch_id = mch_id
        self._name = api.name
        self._us = {"appid": app_id, "mchid": mch_id}
        self._notify_url = notify_url
        self._refund_notify_url = refund_notify_url
        secret = read_api_v3_key(api_v3_key)
        self._merchant = Merchant(mch_id, serial, read_private_key(private_key), now, new_nonce)
        self._transport = Transport(api, self._merchant, platform_keys)
        self._bills = BillFiles(self._transport, bills)
        self._certificates = Certificates(self._transport, platform_keys, secret)
        self._notices = Notices(app_id=app_id, mch_id=mch_id, api_v3_key=secret, keys=platform_keys)

    async def prepay_jsapi(
        self,
        *,
        out_trade_no: str,
        description: str,
        amount_fen: int,
        openid: str,
        expires_at: datetime,
        within: float | None = None,
    ) -> str:
        """The prepay_id for a page in WeChat, anew for the same order; OrderPaid, OrderClosed, NumberUsed."""
        what = {"out_trade_no": out_trade_no, "description": description, "amount_fen": amount_fen}
        body = pay_asks.order(expires_at=expires_at, **what) | {"payer": {"openid": openid}}
        return (await self._prepay("jsapi", body, within)).read(PrepayWire).prepay_id

    async def prepay_native(
        self,
        *,
        out_trade_no: str,
        description: str,
        amount_fen: int,
        expires_at: datetime,
        within: float | None = None,
    ) -> str:
        """The address that a PC draws as a QR; raises as `prepay_jsapi`."""
        what = {"out_trade_no": out_trade_no, "description": description, "amount_fen": amount_fen}
        body = pay_asks.order(expires_at=expires_at, **what)
        return (await self._prepay("native", body, within)).read(NativeWire).code_url

    def bridge(self, prepay_id: str) -> dict[str, str]:
        """The six fields with which a page calls getBrandWCPayRequest."""
        return self._merchant.bridge(self.app_id, prepay_id)

    async def query(self, out_trade_no: str, within: float | None = None) -> Transaction | None:
        """How an order stands, None when WeChat knows none of this number."""
        target = f"{pay_asks.order_path(out_trade_no)}?mchid={self.mch_id}"
        with suppress(NotKnown):
            found = (await self._transport.get(target, "query", within)).read(TransactionWire)
            return self._same(found, out_trade_no=out_trade_no, **self._us).row()
        return None

    async def close(self, out_trade_no: str, within: float | None = None) -> None:
        """No money is taken for it any more, be it open, closed or unknown; OrderPaid when some has come."""
        target, body = f"{pay_asks.order_path(out_trade_no)}/close", {"mchid": self.mch_id}
        try:
            await self._transport.post(target, "close", body, within=within, status=204)
        except (OrderClosed, NotKnown):
            return
        except CallRefused:  # their table has no code of its own for an order that is paid
            found = await self.query(out_trade_no, within)
            if found is None or found.state not in CAME:
                raise
            raise OrderPaid(self._name, found.state) from None

    async def refund(
        self,
        *,
        out_refund_no: str,
        transaction_id: str,
        refund_fen: int,
        total_fen: int,
        reason: str,
        within: float | None = None,
    ) -> RemoteRefund:
        """Has money given back, once for a number however often it is asked; accepted is not done. NotEnough."""
        same = {"out_refund_no": out_refund_no, "transaction_id": transaction_id}
        same |= {"refund_fen": refund_fen, "total_fen": total_fen}
        body = pay_asks.refund(reason=reason, **same) | {"notify_url": self._refund_notify_url}
        answer = await self._transport.post(pay_asks.REFUNDS, "refund", body, within=within)
        return self._same(answer.read(RefundAnswerWire).row(), **same)

    async def query_refund(self, out_refund_no: str, within: float | None = None) -> RemoteRefund | None:
        """How a refund stands, None when WeChat knows none of this number."""
        with suppress(NotKnown):
            answer = await self._transport.get(pay_asks.refund_path(out_refund_no), "query_refund", within)
            return self._same(answer.read(RefundAnswerWire).row(), out_refund_no=out_refund_no)
        return None

    async def trade_bill(self, on: date) -> list[BillLine]:
        """Payments and refunds of a day in Shanghai, known from ten the next morning; RemoteDown before."""
        target = f"/v3/bill/tradebill?bill_date={on.isoformat()}&bill_type=ALL"
        return await self._bills.lines(target, "trade_bill", read_trade_bill)

    async def fund_flow_bill(self, on: date) -> list[FundLine]:
        """What came into the merchant's account on a day and what left it; RemoteDown as `trade_bill`."""
        target = f"/v3/bill/fundflowbill?bill_date={on.isoformat()}&account_type=BASIC"
        return await self._bills.lines(target, "fund_flow_bill", read_fund_bill)

    def read_notice(self, headers: Mapping[str, Sequence[str]], body: bytes) -> PayNotice:
        """What WeChat Pay tells by itself; NoticeForged for every fault, whatever came."""
        return self._notices.read(headers, body, self._merchant.now())

    async def refresh_certificates(self) -> None:
        """Fetches platform certificates where they are due; call it every few minutes."""
        await self._certificates.refresh(self._merchant.now())

    async def check(self) -> None:
        """Raises unless WeChat accepts our signature and we theirs: asks for an order that cannot be."""
        await self.refresh_certificates()
        target = f"{pay_asks.order_path(NO_SUCH_ORDER)}?mchid={self.mch_id}"
        answer = await self._transport.send("GET", target, "check")
        no = failure(answer)
        if not isinstance(no, NotKnown):
            raise no
        if "Wechatpay-Signature" in answer.headers:  # with a refusal it may be missing
            self._transport.proved(answer)

    async def _prepay(self, way: str, body: dict[str, object], within: float | None) -> Answer:
        body = self._us | body | {"notify_url": self._notify_url}
        target = f"{pay_asks.ORDERS}/{way}"
        return await self._transport.post(target, f"prepay_{way}", body, within=within, meanings=ON_PREPAY)

    def _same(self, found: Found, **asked: object) -> Found:
        """`found`, if it is about what was asked."""
        if any(getattr(found, name) != value for name, value in asked.items()):
            raise RemoteDown(self._name, "wrong_body", unknown=True)
        return found
