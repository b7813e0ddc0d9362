"""`/control/pay/…`: WeChat Pay's switches and people's taps as JSON, for acceptance runs."""

from dataclasses import asdict, fields
from typing import Any

from sandbox.control import ControlHandler, Wrong
from sandbox.letters import Letter
from sandbox.pay import PaySite
from sandbox.pay_orders import PayNo, PayOrder
from sandbox.pay_refunds import OUTCOMES
from sandbox.pay_settings import PaySettings


class PayControlHandler(ControlHandler):
    """One JSON call about WeChat Pay."""

    @property
    def pay(self) -> PaySite:
        """The site."""
        return self.desk.pay

    def shown(self, order: PayOrder) -> dict[str, Any]:
        """An order with what the merchant cannot see: who pays, and by which code."""
        given = {"description": order.asked["description"], "prepay_id": order.prepay_id, "code_url": order.code_url}
        given |= {"amount": order.amount, "fee_fen": order.fee_fen, "openid": order.openid}
        return order.shown(self.pay.settings.mch_id) | given | {"refunds": [one.shown() for one in order.refunds]}

    def order(self, asked: dict[str, Any]) -> PayOrder:
        """The order that the call names."""
        try:
            return self.pay.find(str(asked.get("out_trade_no", "")))
        except PayNo as no:
            raise Wrong(no.message) from None


class MerchantHandler(PayControlHandler):
    """The merchant's settings with the keys of both sides, and the switches."""

    switches = ("refund_outcome", "refund_seconds", "fee_percent", "balance_fen")

    def get(self) -> None:
        """`{"settings": {…}, "refund_outcome", "refund_seconds", "fee_percent", "balance_fen"}`; keys are PEM."""
        settings = {
            name: value.decode() if isinstance(value, bytes) else value
            for name, value in asdict(self.pay.settings).items()
        }
        self.finish({"settings": settings} | {name: getattr(self.pay, name) for name in self.switches})

    def post(self) -> None:
        """Change any of them by name, settings without their head; keys stay as they are."""
        asked = self.asked()
        own = {one.name for one in fields(PaySettings) if not one.name.endswith("_pem")}
        if unknown := set(asked) - own - set(self.switches):
            raise Wrong(f"cannot change {sorted(unknown)}; there are {sorted(own | set(self.switches))}")
        if asked.get("refund_outcome", OUTCOMES[0]) not in OUTCOMES:
            raise Wrong(f"refund_outcome is one of {OUTCOMES}")
        PaySettings(**(asdict(self.pay.settings) | {name: asked[name] for name in own & set(asked)})).check()
        for name, value in asked.items():
            setattr(self.pay if name in self.switches else self.pay.settings, name, value)
        self.get()


class OrdersHandler(PayControlHandler):
    """The merchant's orders."""

    def get(self) -> None:
        """All of them, the oldest first."""
        self.pay.sweep()
        self.finish({"orders": [self.shown(one) for one in self.pay.orders.values()]})

    def post(self) -> None:
        """`{"out_trade_no", "person", "amount_fen"}`: somebody pays; the amount may be left out, or be a wrong one."""
        asked = self.asked()
        order, person = self.order(asked), self.person_phone(asked.get("person")).person
        try:
            self.pay.pays(order.out_trade_no, person, asked.get("amount_fen"))
        except PayNo as no:
            raise Wrong(no.message) from None
        self.finish(self.shown(order))


class RefundsHandler(PayControlHandler):
    """What becomes of refunds."""

    def post(self) -> None:
        """`{"outcome"}` (may be left out): end every refund under way now, and leave the switch so."""
        asked = self.asked()
        if asked.get("outcome", self.pay.refund_outcome) not in OUTCOMES:
            raise Wrong(f"outcome is one of {OUTCOMES}")
        self.pay.refund_outcome = asked.get("outcome", self.pay.refund_outcome)
        self.finish({"refunds": [one.shown() for one in self.pay.settle_refunds()]})


class NoticesHandler(PayControlHandler):
    """What the merchant was told, or is being told."""

    def get(self) -> None:
        """The last hundred, the oldest first."""
        self.finish({"notices": [asdict(one) for one in list(self.pay.notices.history)[-100:]]})

    async def post(self) -> None:
        """`{"id"}` sends one again under its id; `{}` sends what is due. Both wait for the answers."""
        if wanted := self.asked().get("id"):
            found: list[Letter] = [one for one in self.pay.notices.history if one.id == wanted]
            if not found:
                raise Wrong(f"no notice {wanted!r}")
            self.pay.notices.send_again(found[0])
        delivered = await self.pay.notices.deliver_due()
        self.finish({"delivered": delivered, "waiting": len(self.pay.notices.waiting)})


class BillsHandler(PayControlHandler):
    """Where the bills lie."""

    def post(self) -> None:
        """`{"left_out": [number], "amounts": {number: fen}, "added": {number: fen}}`, each in place of the old one."""
        asked, changes = self.asked(), self.pay.bill_changes
        if unknown := set(asked) - {"left_out", "amounts", "added"}:
            raise Wrong(f"cannot change {sorted(unknown)}")
        changes.left_out = set(asked.get("left_out", changes.left_out))
        changes.amounts = dict(asked.get("amounts", changes.amounts))
        changes.added = dict(asked.get("added", changes.added))
        self.finish(asdict(changes) | {"left_out": sorted(changes.left_out)})


routes = [
    (r"/control/pay", MerchantHandler),
    (r"/control/pay/orders", OrdersHandler),
    (r"/control/pay/refunds", RefundsHandler),
    (r"/control/pay/notices", NoticesHandler),
    (r"/control/pay/bills", BillsHandler),
]
