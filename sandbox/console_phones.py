"""The phones of the console: chat, menu, scanning, and the way into the phone's browser."""

import re
from functools import partial
from html import unescape
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup, escape
from tornado.web import HTTPError

from sandbox.console_base import ConsoleHandler
from sandbox.pay_cashier import CODE, cashier_url
from sandbox.phone import PLAIN, Phone
from sandbox.rendering import render, yuan
from sandbox.rewriting import is_loopback, to_phone
from sandbox.wechat_chat import Bubble

KINDS = {"wechat": "微信", "planet": "星球 App", "safari": "Safari"}
ANCHOR = re.compile(r"""<a\s[^>]*?href\s*=\s*["']([^"']*)["'][^>]*>(.*?)</a>""", re.I | re.S)


def view_url(name: str, url: str) -> str:
    """The console's page that shows an address in this phone."""
    return f"/phones/{name}/browser?" + urlencode({"url": url})


def link(name: str, url: str, words: str) -> Markup:
    """A link of the chat that opens inside the phone."""
    plain = unescape(re.sub(r"<[^>]*>", "", words)) or url
    view = view_url(name, url)
    web = to_phone(name, url) if url.startswith(("http://", "https://")) else view
    return Markup('<a class="open" href="{}" data-web="{}">{}</a>').format(view, web, plain)


def shown(name: str, bubble: Bubble) -> Markup:
    """A bubble's words; what the account wrote has its links."""
    if bubble.sender != "account":
        return escape(bubble.text)
    is_tagged = ANCHOR.search(bubble.text) is not None
    parts, last = [], 0
    for match in (ANCHOR if is_tagged else PLAIN).finditer(bubble.text):
        url = unescape(match[1]) if is_tagged else match[0]
        parts += [escape(bubble.text[last : match.start()]), link(name, url, match[2] if is_tagged else url)]
        last = match.end()
    return Markup("").join([*parts, escape(bubble.text[last:])])


def card_link(name: str, bubble: Bubble) -> Markup:
    """Where a template card leads; empty when nowhere."""
    url = str(bubble.more.get("url") or "")
    return link(name, url, "详情 ›") if url else Markup("")


class PhoneHandler(ConsoleHandler):
    """`/phones/anna`: the chat, and beside it (on a wide screen) the phone's browser."""

    def get(self, name: str) -> None:
        """The whole phone."""
        values = phone_values(self.phone(name))
        self.show("phone.html", kinds=KINDS, codes=self.codes(), web=partial(to_phone, name), **values)

    def codes(self) -> list[dict[str, str]]:
        """QR codes that hang somewhere in this world: the account's, the planets' pinned posts, and unpaid orders'."""
        tickets = self.desk.wechat.account.qr_tickets.values()
        found = [{"words": f"公众号二维码 {one.scene}", "what": one.url} for one in list(tickets)[-8:]]
        for group in self.desk.planet.groups.values():
            if group.pinned_link:
                found.append({"words": f"置顶帖 {group.title}", "what": group.pinned_link})
        unpaid = [one for one in self.desk.pay.orders.values() if one.state == "NOTPAY" and one.code_url]
        words = {one.code_url: f"付款码 ¥{yuan(one.amount)} {one.asked['description']}" for one in unpaid[-3:]}
        return found + [{"words": text, "what": code} for code, text in words.items()]


def phone_values(phone: Phone) -> dict[str, Any]:
    """What the chat's template wants."""
    name, account = phone.person.name, phone.wechat.account
    bubbles = [{"it": one, "html": shown(name, one), "card": card_link(name, one)} for one in phone.inbox[-100:]]
    fan, menu = account.chats.fan(phone.person), (account.menu or {}).get("button", [])
    facts = {"phone": phone, "person": phone.person, "name": name, "fan": fan}
    return facts | {"bubbles": bubbles, "menu": menu, "account": account.settings}


class ChatHandler(ConsoleHandler):
    """The bubbles alone, for the page's own refreshing."""

    def get(self, name: str) -> None:
        """A piece of HTML."""
        self.finish(render("bubbles.html", **phone_values(self.phone(name))))


class ActHandler(ConsoleHandler):
    """What a thumb does: say, follow, unfollow, menu, scan, switch."""

    async def post(self, name: str, act: str) -> None:
        """Do it and show the phone again, or the page that opened."""
        phone = self.phone(name)
        target = await getattr(self, f"_{act}")(phone)
        self.redirect(view_url(name, target) if target else f"/phones/{name}", status=303)

    async def _say(self, phone: Phone) -> None:
        if text := self.field("text"):
            await self.desk.soon(phone.say(text))

    async def _follow(self, phone: Phone) -> None:
        await self.desk.soon(phone.follow())

    async def _unfollow(self, phone: Phone) -> None:
        await self.desk.soon(phone.unfollow())

    async def _menu(self, phone: Phone) -> str | None:
        if url := self.field("url"):
            await self.desk.soon(phone.wechat.event(phone.person, "VIEW", EventKey=url))
            return url
        await self.desk.soon(phone.menu_click(self.field("key")))
        return None

    async def _scan(self, phone: Phone) -> str | None:
        what = self.field("what")
        ticket = phone.wechat.account.ticket_for_scene(what)
        if what.startswith(CODE):
            return cashier_url(self.desk.pay.base_url, what)
        if what.startswith(("http://", "https://")) and not ticket:
            return what
        if what:
            await self.desk.soon(phone.follow(ticket.scene if ticket else what))
        return None

    async def _switch(self, phone: Phone) -> None:
        phone.person.snapshot = bool(self.field("snapshot"))
        phone.person.callback_twice = bool(self.field("callback_twice"))
        if self.field("kind") in KINDS:
            phone.kind = self.field("kind")
        if self.field("forget"):
            phone.jar.clear()


class BrowserHandler(ConsoleHandler):
    """`/phones/anna/browser?url=`: the phone's browser with its address bar."""

    def get(self, name: str) -> None:
        """The frame; the page inside comes through `/phones/anna/web/…`."""
        phone, url = self.phone(name), self.get_query_argument("url", "").strip()
        if url and not url.startswith(("http://", "https://")):
            url = "http://" + url
        if url and not is_loopback(url):
            raise HTTPError(403, "only addresses of this machine are opened")
        self.show("browser.html", phone=phone, person=phone.person, name=name, url=url, src=to_phone(name, url))


routes = [
    (r"/phones/([0-9A-Za-z]+)", PhoneHandler),
    (r"/phones/([0-9A-Za-z]+)/chat", ChatHandler),
    (r"/phones/([0-9A-Za-z]+)/browser", BrowserHandler),
    (r"/phones/([0-9A-Za-z]+)/(say|follow|unfollow|menu|scan|switch)", ActHandler),
]
