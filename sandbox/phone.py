"""A person's phone: WeChat's in-app browser and the chat with the account."""

import json
import re
from html import unescape

from sandbox.browser import AUTHORISE, Browser
from sandbox.pay import PaySite
from sandbox.pay_cashier import CODE, answer_page, cashier_url
from sandbox.phone_page import Page
from sandbox.wechat import WeChatSite
from sandbox.wechat_chat import Bubble
from sandbox.world import FRAGMENT_HEADER, SandboxPerson, World

HREF = re.compile(r"""<a\s[^>]*?href\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.I)
PLAIN = re.compile(r"https?://[^\s<>\"'，。）]+")


class Phone(Browser):
    """One phone. `kind` may be switched to planet (the planet's app) or safari: then WeChat knows nobody."""

    def __init__(self, person: SandboxPerson, world: World, wechat: WeChatSite, cashier: PaySite) -> None:
        super().__init__(world, kind="wechat")
        self.person = person
        self.wechat = wechat
        self.cashier = cashier

    @property
    def openid(self) -> str:
        """The person's id at the account."""
        return self.wechat.account.openid(self.person)

    @property
    def inbox(self) -> list[Bubble]:
        """Everything in the chat, both ways, the oldest first."""
        return self.wechat.account.chats.fan(self.person).bubbles

    async def say(self, text: str) -> list[str]:
        """Write to the account; returns what came back at once."""
        return await self._heard(self.wechat.say(self.person, text))

    async def follow(self, scene: str | None = None) -> list[str]:
        """Follow the account, by search or through a parametric QR; returns the greeting."""
        return await self._heard(self.wechat.follow(self.person, scene))

    async def unfollow(self) -> list[str]:
        """Stop following."""
        return await self._heard(self.wechat.unfollow(self.person))

    async def menu_click(self, key: str) -> list[str]:
        """Tap the menu button with this key."""
        return await self._heard(self.wechat.click(self.person, key))

    async def menu_open(self, url: str) -> Page:
        """Tap the menu button that leads to this address: the push VIEW and the page."""
        await self.wechat.event(self.person, "VIEW", EventKey=url)
        return await self.open(url)

    async def scan(self, what: str) -> Page | list[str]:
        """Scan a QR: a page or the cashier opens, or (the account's own QR, by address or scene) the chat answers."""
        if what.startswith(CODE):
            return await self.open(cashier_url(self.cashier.base_url, what))
        ticket = self.wechat.account.ticket_for_scene(what)
        if ticket or not what.startswith(("http://", "https://")):
            return await self.follow(ticket.scene if ticket else what)
        return await self.open(what)

    async def pay(self, how: str = "ok") -> str:
        """What the page hears when its pay button opens the cashier and the person taps `ok` or `cancel`.

        The button has data-role=pay, and in data-pay the six fields of getBrandWCPayRequest. Why it came to
        `get_brand_wcpay_request:fail` stands in the journal.
        """
        page = self._shown()
        asked = [one.attrs["data-pay"] for one in page.find_all("pay") if "data-pay" in one.attrs]
        if self.kind != "wechat" or not asked:
            raise LookupError(f"nothing on {page.url} opens WeChat's cashier in {self.kind}")
        return answer_page(self.cashier, self.person, page.url, json.loads(asked[0]), how=how)["err_msg"]

    def chat_links(self) -> list[str]:
        """All addresses in what the account wrote, the oldest first; the last is the one to tap."""
        found: list[str] = []
        for bubble in self.inbox:
            if bubble.sender == "account":
                found += links_in(bubble)
        return found

    def _introduction(self, url: str) -> dict[str, str]:
        if self.kind == "safari" or (self.kind == "planet" and AUTHORISE in url):
            return {}
        return self.world.phone_header(self.person) | {FRAGMENT_HEADER: url.partition("#")[2]}

    def _calls_back_twice(self) -> bool:
        return self.person.callback_twice

    async def _heard(self, doing) -> list[str]:
        before = len(self.inbox)
        await doing
        return [one.text for one in self.inbox[before:] if one.via == "passive"]


def links_in(bubble: Bubble) -> list[str]:
    """The addresses in one bubble: tags first, else bare ones, and where a card leads."""
    tagged = [unescape(match[1] or match[2] or "") for match in HREF.finditer(bubble.text)]
    found = tagged or PLAIN.findall(bubble.text)
    cards = bubble.more.get("articles") or []
    found += [str(card.get("url", "")) for card in cards if isinstance(card, dict)]
    box = bubble.more.get("Articles")
    items = box.get("item", []) if isinstance(box, dict) else []
    found += [str(item.get("Url", "")) for item in (items if isinstance(items, list) else [items])]
    found.append(str(bubble.more.get("url", "")))
    return [one for one in found if one.startswith(("http://", "https://"))]
