"""How people pay: the cashier inside WeChat that a page opens, and the one that a QR opens."""

import hmac
import json
from typing import Any
from urllib.parse import quote

from sandbox.handler import BaseSandboxHandler
from sandbox.pay_company import PayCompany
from sandbox.pay_crypto import is_signed, lines
from sandbox.pay_orders import PayOrder
from sandbox.rendering import render
from sandbox.world import SandboxPerson

CODE = "weixin://wxpay/bizpayurl?pr="
SAID = "get_brand_wcpay_request:"
BRIDGE = ("appId", "timeStamp", "nonceStr", "package", "signType", "paySign")


class CashierNo(Exception):
    """What the cashier shows to a person instead of a price."""


def bridged(site: PayCompany, person: SandboxPerson, page_url: str, asked: dict[str, Any]) -> PayOrder:
    """The order that a page asks this person to pay by `getBrandWCPayRequest`; raises CashierNo."""
    folders = site.settings.page_folders
    if folders is not None and not page_url.startswith(tuple(folders)):
        raise CashierNo(f"当前页面的URL未注册：{page_url}")
    if missing := [name for name in BRIDGE if not isinstance(asked.get(name), str) or not asked[name]]:
        raise CashierNo(f"调用支付JSAPI缺少参数：{missing[0]}")
    message = lines(*(asked[name] for name in BRIDGE[:4]))
    is_whole = asked["signType"] == "RSA" and asked["package"].startswith("prepay_id=")
    if not is_whole or not is_signed(site.settings.merchant_certificate_pem, message, asked["paySign"]):
        raise CashierNo("支付验证签名失败")
    order = payable(site, asked["package"].removeprefix("prepay_id="))
    if asked["appId"] != order.asked["appid"]:
        raise CashierNo("商家参数格式有误，请联系商家解决")
    if order.openid != site.world.openid(person, order.asked["appid"]):
        raise CashierNo("下单账号与支付账号不一致，请核实后再支付")
    return order


def payable(site: PayCompany, given: str) -> PayOrder:
    """The order behind a `prepay_id` or `code_url`; raises CashierNo when nobody can pay it."""
    try:
        order, why_not = site.behind(given)
    except LookupError:
        raise CashierNo("商家参数格式有误，请联系商家解决") from None
    if why_not:
        raise CashierNo(why_not)
    return order


def answer_page(
    site: PayCompany, person: SandboxPerson, page_url: str, asked: dict[str, Any], *, how: str
) -> dict[str, str]:  # fmt: skip
    """What the page's callback hears once the person has tapped `ok` or `cancel`; the reason of a fail beside it."""
    why = ""
    try:
        order = bridged(site, person, page_url, asked)
    except CashierNo as no:
        how, why = "fail", str(no)
    if how == "ok":
        site.pays(order.out_trade_no, person)
    told = {"err_msg": SAID + how} | ({"err_desc": why} if why else {})
    facts = {"at": site.now, "side": "pay", "direction": "in", "operation": "pay.cashier", "method": "BRIDGE"}
    shown = {"request": json.dumps(asked), "response": json.dumps(told, ensure_ascii=False)}
    more = {"person": person.name}
    site.world.journal.add(**facts, path=page_url, status=403 if why else 200, **shown, more=more)
    return told


class CashierHandler(BaseSandboxHandler):
    """`/cashier?pr=`: the page behind a payment QR, for the phone that scanned it."""

    side = "pay"
    operation = "pay.cashier"

    def initialize(self, site: PayCompany) -> None:
        """Called by Tornado with the route's kwargs."""
        super().initialize(site.world)
        self.site = site

    def check_xsrf_cookie(self) -> None:
        """The form has a token of its own."""

    async def get(self) -> None:
        """The price and two buttons, or why not."""
        if not self.phone:
            return self._show("refused", why="请用沙盒里的手机扫码支付")
        try:
            order = payable(self.site, self._given)
        except CashierNo as no:
            return self._show("refused", why=str(no))
        return self._show("asks", order=order)

    async def post(self) -> None:
        """`act` is pay or cancel."""
        if not hmac.compare_digest(self.get_body_argument("token", "").encode(), self._token().encode()):
            return self._show("refused", why="请重新扫码")
        try:
            order = payable(self.site, self._given)
        except CashierNo as no:
            return self._show("refused", why=str(no))
        if self.phone and self.get_body_argument("act", "") == "pay":
            self.site.pays(order.out_trade_no, self.phone)
            return self._show("paid", order=order)
        return self._show("cancelled", order=order)

    @property
    def _given(self) -> str:
        return CODE + self.get_query_argument("pr", "")

    def _token(self) -> str:
        """Ties the form to this phone and code."""
        owner = f"{self.phone.name if self.phone else ''} {self._given}"
        return hmac.digest(self.site.form_key, owner.encode(), "sha256").hex()

    def _show(self, state: str, **values: Any) -> None:
        known = {"state": state, "merchant": self.site.settings.mch_name, "order": None, "why": ""}
        known["token"] = self._token()
        self.set_header("Cache-Control", "no-store")
        self.finish(render("pay_cashier.html", **known | values))


def cashier_url(base_url: str, code_url: str) -> str:
    """Where a phone goes that has scanned a payment QR."""
    return f"{base_url}/cashier?pr={quote(code_url.removeprefix(CODE))}"


routes = [(r"/cashier", CashierHandler)]
