"""WeChat's own web pages: the OAuth page and the picture of a parametric QR."""

import io
import re
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import qrcode

from sandbox.handler import BaseSandboxHandler
from sandbox.rendering import render
from sandbox.wechat_account import WeChatAccount
from sandbox.world import FRAGMENT_HEADER, SandboxPerson, World

ORDER = ["appid", "redirect_uri", "response_type", "scope", "state"]
STATE = re.compile(r"[0-9A-Za-z]{0,128}\Z")
SCOPES = ("snsapi_base", "snsapi_userinfo")
MISSING = {"appid": 10010, "redirect_uri": 10011, "response_type": 10012, "scope": 10013}


class PageProblem(Exception):
    """WeChat shows an error page and goes nowhere; `code` stands on it."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


def back_to(redirect_uri: str, answer: dict[str, str]) -> str:
    """The site's address with the answer added to its query."""
    parts = urlsplit(redirect_uri)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *answer.items()])
    return parts._replace(query=query, fragment="").geturl()


def check_asked(account: WeChatAccount, query: str) -> dict[str, str]:
    """The arguments of an authorise address; PageProblem for what WeChat refuses, in its order."""
    found = parse_qs(query, keep_blank_values=True)
    asked = {name: found.get(name, [""])[0] for name in ORDER}
    for name, code in MISSING.items():
        if not asked[name]:
            raise PageProblem(code, f"缺少参数 {name}")
    if asked["appid"] != account.app_id:
        raise PageProblem(10013, "AppID 参数错误")
    if urlsplit(asked["redirect_uri"]).hostname not in account.settings.redirect_domains:
        raise PageProblem(10003, "redirect_uri 域名与后台配置不一致")
    if asked["response_type"] != "code":
        raise PageProblem(10012, "response_type 参数错误")
    if asked["scope"] not in SCOPES or not account.settings.is_verified:
        raise PageProblem(10005, "Scope 参数错误或没有 Scope 权限")
    if not STATE.match(asked["state"]):
        raise PageProblem(10016, "state 参数错误：只能是 128 个以内的字母和数字")
    given = [name for name, _ in parse_qsl(query, keep_blank_values=True) if name in ORDER]
    if given not in (ORDER, ORDER[:-1]):  # a site may leave the state out
        raise PageProblem(10016, "参数顺序错误：appid, redirect_uri, response_type, scope, state")
    return asked


class AuthoriseHandler(BaseSandboxHandler):
    """`/connect/oauth2/authorize`: who asks, may the site know, and back with a code."""

    side = "wechat"
    operation = "oauth.authorize"

    def initialize(self, world: World, account: WeChatAccount) -> None:
        """Called by Tornado with the route's kwargs."""
        super().initialize(world)
        self.account = account

    def check_xsrf_cookie(self) -> None:
        """A pretend page; its only user is the person at this machine."""

    async def get(self) -> None:
        """A phone goes on at once for snsapi_base; else the page asks."""
        if (asked := self._asked()) is None:
            return
        # Only the phone can see what stands behind the #, so it tells.
        if self.phone and self.request.headers.get(FRAGMENT_HEADER) != "wechat_redirect":
            return self._problem(10016, "地址的末尾必须是 #wechat_redirect")
        silent = asked["scope"] == "snsapi_base"
        if self.phone and silent and "forcePopup" not in self.request.arguments:
            self._go_back(asked, self.phone, "snapshot" if self.phone.snapshot else "allow")
        elif self.phone:
            self._ask(asked, [self.phone])
        elif "MicroMessenger/" in self.request.headers.get("User-Agent", ""):
            self._ask(asked, list(self.world.people.values()))
        else:
            self._problem(0, "请在微信客户端打开链接")

    async def post(self) -> None:
        """The tap: allow, deny or snapshot, by this phone or by the chosen person."""
        if (asked := self._asked()) is None:
            return
        person = self.phone or self.world.people.get(self.get_body_argument("person", ""))
        answer = self.get_body_argument("answer", "deny")
        if not person or answer not in ("allow", "deny", "snapshot"):
            return self._problem(10016, "没有选择是谁")
        if answer == "allow" and person.snapshot:
            answer = "snapshot"
        self._go_back(asked, person, answer)

    def _asked(self) -> dict[str, str] | None:
        try:
            return check_asked(self.account, self.request.query)
        except PageProblem as problem:
            self._problem(problem.code, problem.words)
        return None

    def _go_back(self, asked: dict[str, str], person: SandboxPerson, answer: str) -> None:
        told = {"state": asked["state"]}
        if answer != "deny":
            snapshot = answer == "snapshot"
            told = {"code": self.account.oauth.new_code(person, asked["scope"], snapshot=snapshot)} | told
        self.set_header("Cache-Control", "no-store")
        self.redirect(back_to(asked["redirect_uri"], told), status=302)

    def _ask(self, asked: dict[str, str], people: list[SandboxPerson]) -> None:
        site = urlsplit(asked["redirect_uri"]).netloc
        name = self.account.settings.name
        self.finish(render("authorise.html", asked=asked, people=people, site=site, account=name))

    def _problem(self, code: int, words: str) -> None:
        self.finish(render("problem.html", code=code, words=words))


class ShowQrHandler(BaseSandboxHandler):
    """`/cgi-bin/showqrcode`: the picture behind a ticket; 404 for a wrong or old one."""

    side = "wechat"
    operation = "showqrcode"

    def initialize(self, world: World, account: WeChatAccount) -> None:
        """Called by Tornado with the route's kwargs."""
        super().initialize(world)
        self.account = account

    async def get(self) -> None:
        """No token needed."""
        found = self.account.qr_tickets.get(self.get_query_argument("ticket", ""))
        if not found or (found.ends_at is not None and found.ends_at <= self.world.now()):
            self.set_status(404)
            return
        picture = io.BytesIO()
        qrcode.make(found.url).convert("RGB").save(picture, "JPEG")
        self.set_header("Content-Type", "image/jpg")
        self.write(picture.getvalue())
