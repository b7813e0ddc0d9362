"""Buying: check-out, order page, paying, cancelling, refunds; 我的订单."""

import asyncio
import json
import re

from h5.base import BaseHandler, signed_in
from h5.targets import ORDER_NO, SLUG
from models.errors import NotFound, WrongInput
from models.orders import JSAPI, NATIVE
from services import order_views, orders, paying, qr, refunds
from services.config import is_loopback

FEN = re.compile(r"0|[1-9][0-9]{0,8}")
CLICK = re.compile(r"[0-9a-f]{32}")
MOST_REASON = 200
MOST_CODE = 64


def trade_type(handler: BaseHandler) -> str:
    """WeChat's own browser pays by itself; anywhere else a phone scans a QR."""
    return JSAPI if handler.in_wechat else NATIVE


class BuyHandler(BaseHandler):
    """Check-out: GET shows what would be ordered and changes nothing, POST orders it."""

    acts = "buy"

    @property
    def target(self) -> str:
        return f"buy:{self.path_args[0]}"

    @signed_in
    async def get(self, slug: str) -> None:
        offer = await self.ctx.read(order_views.offer, person_id=self.person.id, course_slug=slug)
        self.page("buy.html", offer=offer.checkout, choices=offer.choices, click=self.ctx.new_code(128))

    @signed_in
    async def post(self, slug: str) -> None:
        click, seen = self.field("click", most=32), self.field("price_fen", most=9)
        if not CLICK.fullmatch(click):
            raise WrongInput(what="click")
        if not FEN.fullmatch(seen):
            raise WrongInput(what="price_fen")
        voucher = self.field("typed", "", most=MOST_CODE).strip() or self.field("voucher", "", most=MOST_CODE)
        if voucher:
            await self.limit("voucher")  # whoever tries codes is stopped, also at right ones (V6)
        asked = {"course_slug": slug, "click": click, "seen_fen": int(seen), "trade_type": trade_type(self)}
        asked["voucher"] = voucher
        self.see(f"/orders/{await paying.order(self.ctx, person_id=self.person.id, **asked)}")


class OfOrder(BaseHandler):
    """What is done on an order's page leads back to it."""

    @property
    def target(self) -> str:
        return f"order:{self.path_args[0]}"


class OrderHandler(OfOrder):
    """One order: how it stands, and what can be done with it; as JSON only a mark that changes with the page."""

    looks = "outcome"

    @signed_in
    async def get(self, no: str) -> None:
        order = await self.ctx.read(order_views.view, person_id=self.person.id, no=no)
        if self.wants_json:
            self.write({"state": order.state, "mark": order.mark})
            return
        shown = {"bridge": self.bridge(order), "moves": self.moves_by_itself(order)}
        self.page("order.html", order=order, sandbox=is_loopback(self.ctx.config.pay_api_url), **shown)

    def bridge(self, order: order_views.OrderView) -> str:
        """What WeChat's browser needs to take the money, signed now; empty where it cannot."""
        if not (self.in_wechat and order.is_payable and order.prepay_id and self.ctx.pay):
            return ""
        return json.dumps(self.ctx.pay.bridge(order.prepay_id))

    @staticmethod
    def moves_by_itself(order: order_views.OrderView) -> bool:
        """Whether something is under way that the page should follow."""
        return order.state in {"unpaid", "closing"} or any(one.is_open for one in order.refunds)


class PayHandler(OfOrder):
    """A tap on 支付: WeChat is made ready for it."""

    acts = "buy"

    @signed_in
    async def post(self, no: str) -> None:
        await paying.start(self.ctx, person_id=self.person.id, no=no, trade_type=trade_type(self))
        self.see(f"/orders/{no}")


class CheckHandler(OfOrder):
    """我已支付: WeChat is asked."""

    acts = "buy"

    @signed_in
    async def post(self, no: str) -> None:
        await paying.check(self.ctx, person_id=self.person.id, no=no)
        self.see(f"/orders/{no}")


class CancelHandler(OfOrder):
    """取消订单."""

    @signed_in
    async def post(self, no: str) -> None:
        await self.ctx.transact(orders.cancel, person_id=self.person.id, no=no)
        self.see(f"/orders/{no}")


class RefundHandler(BaseHandler):
    """退款: GET says whether and what it means, POST asks for it."""

    @property
    def target(self) -> str:
        return f"refund:{self.path_args[0]}"

    @signed_in
    async def get(self, no: str) -> None:
        self.page("refund.html", order=await self.ctx.read(order_views.view, person_id=self.person.id, no=no))

    @signed_in
    async def post(self, no: str) -> None:
        reason = self.field("reason", "", most=MOST_REASON)
        await self.ctx.transact(refunds.ask, person_id=self.person.id, no=no, reason=reason)
        self.see(f"/orders/{no}")


class OrderQrHandler(OfOrder):
    """The QR by which a phone pays an order, for its buyer's own page."""

    looks = "picture"

    @signed_in
    async def get(self, no: str) -> None:
        order = await self.ctx.read(order_views.view, person_id=self.person.id, no=no)
        if not (order.is_payable and order.code_url):
            raise NotFound
        self.set_header("Content-Type", "image/svg+xml")
        self.finish(await asyncio.to_thread(qr.svg, order.code_url))


class MyOrdersHandler(BaseHandler):
    """我的订单."""

    @property
    def target(self) -> str:
        return "orders"

    @signed_in
    async def get(self) -> None:
        self.page("my_orders.html", orders=await self.ctx.read(order_views.lines, person_id=self.person.id))


ORDER = rf"/orders/({ORDER_NO})"
routes = [
    (rf"/courses/({SLUG})/buy", BuyHandler),
    (ORDER, OrderHandler),
    (rf"{ORDER}/pay", PayHandler),
    (rf"{ORDER}/check", CheckHandler),
    (rf"{ORDER}/cancel", CancelHandler),
    (rf"{ORDER}/refund", RefundHandler),
    (rf"{ORDER}/qr\.svg", OrderQrHandler),
    (r"/me/orders", MyOrdersHandler),
]
