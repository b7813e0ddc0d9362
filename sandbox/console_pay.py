"""WeChat Pay in the console: the cashier inside the phones, and the merchant's page."""

import json
from typing import Any

from tornado.web import HTTPError

from sandbox.console_base import ConsoleHandler
from sandbox.pay_cashier import CashierNo, answer_page, bridged
from sandbox.pay_orders import PayNo
from sandbox.pay_refunds import OUTCOMES
from sandbox.pay_settings import MODES
from sandbox.rendering import render, yuan
from sandbox.rewriting import from_phone

BRIDGE = "/pay-bridge.js"
PEMS = {
    "apiclient_key.pem": "merchant_private_key_pem",
    "apiclient_cert.pem": "merchant_certificate_pem",
    "pub_key.pem": "public_key_pem",
    "platform_cert.pem": "platform_certificate_pem",
}
FILES = {
    "apiclient_key.pem": "商户 API 私钥",
    "apiclient_cert.pem": "商户 API 证书",
    "pub_key.pem": "微信支付公钥",
    "platform_cert.pem": "平台证书",
}
STATES = {"NOTPAY": "未支付", "SUCCESS": "已支付", "REFUND": "转入退款", "CLOSED": "已关闭"}
ENDS = {"SUCCESS": "退款成功", "ABNORMAL": "退款异常", "CLOSED": "退款关闭", "PROCESSING": "退款处理中"}
WAYS = {"waiting": "在路上", "held": "压着", "delivered": "收到了", "lost": "丢了", "given_up": "放弃了"}


class BridgeHandler(ConsoleHandler):
    """The script that gives a page inside a phone its `WeixinJSBridge`."""

    def get(self) -> None:
        """The same for every page: it reads its own address."""
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.finish(render("pay_bridge.js"))


class PhonePayHandler(ConsoleHandler):
    """What that script asks: may this page open the cashier, and what the tap came to."""

    def post(self, name: str) -> None:
        """`{"page", "asked", "how": look | ok | cancel}`, all as JSON."""
        phone, told = self.phone(name), self._told()
        found = from_phone(str(told.get("page", "")))
        asked, how = told.get("asked"), told.get("how")
        if phone.kind != "wechat" or not found or not isinstance(asked, dict) or how not in ("look", "ok", "cancel"):
            raise HTTPError(400)
        if how == "look":
            self.finish(self._looked(phone.person, found[1], asked))
        else:
            self.finish(answer_page(self.desk.pay, phone.person, found[1], asked, how=how))

    def _told(self) -> dict[str, Any]:
        try:
            told = json.loads(self.request.body)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            raise HTTPError(400)
        return told

    def _looked(self, person: Any, page_url: str, asked: dict[str, Any]) -> dict[str, str]:
        shown = {"merchant": self.desk.pay.settings.mch_name}
        try:
            order = bridged(self.desk.pay, person, page_url, asked)
        except CashierNo as no:
            return shown | {"problem": str(no)}
        return shown | {"sum": yuan(order.amount), "description": order.asked["description"]}


class MerchantHandler(ConsoleHandler):
    """`/pay`: what the merchant sees in pay.weixin.qq.com, and more."""

    def get(self) -> None:
        """Keys, orders, notices."""
        self._show("")

    async def post(self) -> None:
        """Save the switches, pay as somebody, end the refunds, send a notice again."""
        act = self.field("act")
        doing = {"save": self._save, "pay": self._pay, "settle": self._settle, "again": self._again}
        if act not in doing:
            raise HTTPError(400)
        said = doing[act]()
        await self.desk.soon(self.desk.pay.notices.deliver_due())
        self._show(said)

    def _save(self) -> str:
        pay, outcome, mode = self.desk.pay, self.field("refund_outcome"), self.field("mode")
        if outcome not in OUTCOMES or mode not in MODES:
            raise HTTPError(400)
        pay.refund_outcome, pay.settings.mode = outcome, mode
        pay.settings.is_certificates_open = bool(self.field("is_certificates_open"))
        return "已保存"

    def _pay(self) -> str:
        person = self.phone(self.field("person")).person
        try:
            self.desk.pay.pays(self.field("out_trade_no"), person)
        except PayNo as no:
            return no.message
        return f"{person.nickname}付了款"

    def _settle(self) -> str:
        return f"{len(self.desk.pay.settle_refunds())} 笔退款有了结果"

    def _again(self) -> str:
        notices = self.desk.pay.notices
        found = [one for one in notices.history if one.id == self.field("id")]
        if not found:
            raise HTTPError(404)
        notices.send_again(found[0])
        return "又送了一遍"

    def _show(self, said: str) -> None:
        self.desk.pay.sweep()
        words = {"states": STATES, "ends": ENDS, "ways": WAYS, "files": FILES, "outcomes": OUTCOMES}
        last = {"orders": list(self.desk.pay.orders.values())[-50:][::-1]}
        last["notices"] = list(self.desk.pay.notices.history)[-20:][::-1]
        self.show("pay.html", pay=self.desk.pay, own=self.desk.pay.settings, said=said, **words, **last)


class PemHandler(ConsoleHandler):
    """The keys as files, for a bot that is set up by hand."""

    def get(self, name: str) -> None:
        """One PEM."""
        if name not in PEMS:
            raise HTTPError(404)
        self.set_header("Content-Type", "application/x-pem-file")
        self.set_header("Content-Disposition", f"attachment; filename={name}")
        self.finish(getattr(self.desk.pay.settings, PEMS[name]))


routes = [
    (r"/pay", MerchantHandler),
    (r"/pay/([a-z_]+\.pem)", PemHandler),
    (r"/pay-bridge\.js", BridgeHandler),
    (r"/phones/([0-9A-Za-z]+)/pay", PhonePayHandler),
]
