"""The frame of the server API: one handler, a table of calls, WeChat's way of answering."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tornado.web import Finish

from sandbox.faults import Fault
from sandbox.handler import BaseSandboxHandler
from sandbox.wechat_account import WeChatAccount
from sandbox.wechat_errors import WeChatError
from sandbox.world import World

ESCAPED = re.compile(r"(?<!\\)((?:\\\\)*)\\u([0-9a-fA-F]{4})")


@dataclass
class Call:
    """What a call has in hand: the account, the query, the JSON body, and a way to push later."""

    account: WeChatAccount
    args: dict[str, str]
    body: dict[str, Any]
    push_later: Callable[..., None]

    @property
    def world(self) -> World:
        """The world of the account."""
        return self.account.world

    def text(self, name: str) -> str:
        """A string of the body; empty when it is missing or something else."""
        value = self.body.get(name)
        return value if isinstance(value, str) else ""


@dataclass
class Api:
    """One call: address, method, function, daily quota; `needs_token` False for tokens and sns."""

    operation: str
    method: str
    path: str
    do: Callable[[Call], dict[str, Any]]
    daily: int = 100_000
    needs_token: bool = True

    @property
    def is_page_call(self) -> bool:
        """Whether it is one of `/sns/…`, which another part of WeChat answers."""
        return self.operation.startswith("sns.")


class ApiHandler(BaseSandboxHandler):
    """Answers one call: HTTP 200 even for a refusal, JSON in real UTF-8, called text/plain by the page calls."""

    side = "wechat"

    def initialize(self, world: World, account: WeChatAccount, api: Api, push_later: Callable) -> None:
        """Take the call out of the table."""
        super().initialize(world)
        self.account, self.api, self.push_later = account, api, push_later
        self.operation = api.operation

    def check_xsrf_cookie(self) -> None:
        """Machines have no cookies."""

    async def get(self) -> None:
        """Every call may come by GET …"""
        self._answer()

    async def post(self) -> None:
        """… or by POST, as its row says."""
        self._answer()

    def _answer(self) -> None:
        try:
            answer = self.api.do(self._call())
        except WeChatError as refused:
            self._refuse(refused)
        else:
            # What WeChat says when all is well has its slashes escaped; a refusal has not.
            self._say(json.dumps(answer, ensure_ascii=False).replace("/", "\\/"))

    async def _be_busy(self, fault: Fault) -> None:
        """WeChat knows no 429: it says -1, and does nothing."""
        self._refuse(WeChatError(-1))
        self.finish()

    def _refuse(self, refused: WeChatError) -> None:
        answer = refused.answer(self._request_id(), is_page_call=self.api.is_page_call)
        self._say(json.dumps(answer, ensure_ascii=False))

    def _say(self, body: str) -> None:
        kind = "text/plain" if self.api.is_page_call else "application/json; encoding=utf-8"
        self.set_header("Content-Type", kind)
        self.write(body)

    def _request_id(self) -> str:
        """Three groups of eight; the first is the time."""
        return f"{int(self.world.now()):08x}-{self.world.new_id('', 32)}-{self.world.new_id('', 32)}"

    def _call(self) -> Call:
        args = {name: values[-1].decode(errors="replace") for name, values in self.request.query_arguments.items()}
        self._check_address()
        if self.api.method == "POST" and self.request.method != "POST":
            raise WeChatError(43002)
        if self.api.needs_token:
            self.account.tokens.check(args.get("access_token", ""))
            self.account.quota.take(self.api.path, self.api.daily)
        body = self._body() if self.api.method == "POST" else {}
        return Call(self.account, args, body, self.push_later)

    def _check_address(self) -> None:
        allowed = self.account.settings.ip_white_list
        if allowed is not None and not self.api.is_page_call and self.request.remote_ip not in allowed:
            raise WeChatError(40164, self.request.remote_ip or "")

    def _body(self) -> dict[str, Any]:
        if not self.request.body:
            raise WeChatError(44002)
        try:
            # WeChat shows \uXXXX literally in menus and messages: who sends it shall see that.
            text = ESCAPED.sub(r"\1\\\\u\2", self.request.body.decode())
            body = json.loads(text)
        except ValueError:
            raise WeChatError(47001) from None
        if not isinstance(body, dict):
            raise WeChatError(47001)
        return body


class UnknownCallHandler(BaseSandboxHandler):
    """Whatever the sandbox does not know: said plainly and kept in the journal."""

    side = "wechat"
    operation = "unknown"

    def check_xsrf_cookie(self) -> None:
        """Machines have no cookies."""

    async def prepare(self) -> None:
        """404 for every method."""
        self.set_status(404)
        raise Finish(f"the sandbox has no {self.request.path}")
