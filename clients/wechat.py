"""The Official Account's API: sign-in in WeChat, messages, menu, scene codes, and what a page needs to share itself.

Its Peer is made with LIMITS. Every method may raise RemoteDown (ask again later) or RemoteRefused (useless), and
their subclasses in `wechat_codes`; no text of theirs holds a secret, an openid or a code.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from wechatpy.client.api import WeChatJSAPI, WeChatMenu, WeChatMessage, WeChatQRCode, WeChatUser

from clients.answer import shaped
from clients.errors import CodeRefused
from clients.http import Peer
from clients.redis import Redis
from clients.shared_value import SharedValue
from clients.wechat_codes import NO_MENU, CallRefused, ConfigRefused, TokenRefused
from clients.wechat_js import js_signature, own_page
from clients.wechat_transport import Transport, checked
from clients.wechat_wire import FollowerReply, OAuthReply, SceneReply, TicketReply, TokenReply, UserInfoReply

LIMITS = {"connect_seconds": 2.0, "total_seconds": 4.0, "max_body": 65536}
SCOPES = ("snsapi_base", "snsapi_userinfo")
SCENE_MOST_SECONDS = 2_592_000
STATE = re.compile(r"[0-9a-zA-Z]{1,128}")
CODE = re.compile(r"[\w-]{1,512}", re.ASCII)


@dataclass(frozen=True)
class OAuthAnswer:
    """Whom WeChat has recognised. A snapshot page's ids are virtual: never link, pay or issue anything to them."""

    openid: str = field(repr=False)
    scope: str
    unionid: str | None = field(repr=False)
    is_snapshot: bool
    access_token: str = field(repr=False)  # of this person's page, only for `userinfo`


@dataclass(frozen=True)
class UserInfo:
    """What a person shows of himself; only after he agreed to it."""

    nickname: str = field(repr=False)
    avatar_url: str = field(repr=False)
    unionid: str | None = field(repr=False)


@dataclass(frozen=True)
class SceneCode:
    """A parametric QR: `url` is what to draw; scanning it brings the scene as a push."""

    ticket: str
    url: str
    seconds: int


class WeChat:
    """One account. All processes share its token and ticket through Redis; `now` is unix time."""

    def __init__(
        self,
        *,
        app_id: str,
        app_secret: str,
        api: Peer,
        open_url: str,
        base_url: str,
        redis: Redis,
        now: Callable[[], float],
        new_nonce: Callable[[], str],
    ) -> None:
        self.app_id = app_id
        self._app_secret = app_secret
        self._api = api
        self._open_url = open_url
        self._base_url = base_url
        self._now = now
        self._new_nonce = new_nonce
        shared = {"redis": redis, "now": now, "new_nonce": new_nonce}
        self._token = SharedValue("wechat_token", f"wechat:{app_id}:access_token", fetch=self._fetch_token, **shared)
        self._ticket = SharedValue(
            "wechat_js_ticket", f"wechat:{app_id}:jsapi_ticket", fetch=self._fetch_ticket, **shared
        )
        self._transport = Transport(api, self._token)

    async def close(self) -> None:
        """Gives up refreshes under way; the Peer is its maker's to close."""
        await self._token.close()
        await self._ticket.close()

    def authorize_url(self, redirect_uri: str, state: str, scope: str = "snsapi_base") -> str:
        """Where to send the browser; order and fragment are as WeChat demands. ValueError for a bad state or scope."""
        if not STATE.fullmatch(state) or scope not in SCOPES:
            raise ValueError("state or scope")
        return (
            f"{self._open_url}/connect/oauth2/authorize?appid={quote(self.app_id, safe='')}"
            f"&redirect_uri={quote(redirect_uri, safe='')}&response_type=code&scope={scope}"
            f"&state={state}#wechat_redirect"
        )

    async def exchange(self, code: str) -> OAuthAnswer:
        """Who came back with this code; CodeRefused when it is used, old or none: then he has to begin again."""
        if not CODE.fullmatch(code):
            raise CodeRefused(self._api.name, "41008")
        query = {"appid": self.app_id, "secret": self._app_secret, "code": code}
        found = await self._sns("oauth2/access_token", query | {"grant_type": "authorization_code"})
        reply = shaped(self._api.name, found, OAuthReply)
        return OAuthAnswer(reply.openid, reply.scope, reply.unionid, bool(reply.is_snapshotuser), reply.access_token)

    async def userinfo(self, who: OAuthAnswer) -> UserInfo:
        """Nickname and picture, for scope snsapi_userinfo; CodeRefused when the page's token is over."""
        query = {"access_token": who.access_token, "openid": who.openid, "lang": "zh_CN"}
        reply = shaped(self._api.name, await self._sns("userinfo", query), UserInfoReply)
        nickname = "".join(letter for letter in reply.nickname if letter.isprintable())[:64]
        avatar_url = reply.headimgurl if reply.headimgurl.startswith(("https://", "http://")) else ""
        return UserInfo(nickname, avatar_url, reply.unionid)

    async def send_text(self, openid: str, text: str) -> None:
        """A customer-service message; WindowOver when he has not written lately or got his number of them."""
        await WeChatMessage(self._transport).send_text(openid, text)

    async def send_template(
        self,
        openid: str,
        template_id: str,
        data: Mapping[str, str],
        *,
        url: str | None = None,
        client_msg_id: str | None = None,
    ) -> str:
        """A template message; WeChat drops a second one of the same `client_msg_id` for some minutes.

        Its number there, by which the event TEMPLATESENDJOBFINISH tells whether it was shown; empty where none came.
        """
        message: dict[str, Any] = {"touser": openid, "template_id": template_id}
        message["data"] = {name: {"value": value} for name, value in data.items()}
        message |= {"url": url} if url else {}
        message |= {"client_msg_id": client_msg_id} if client_msg_id else {}
        found = await self._transport.post("message/template/send", data=message)  # wechatpy's has no client_msg_id
        return str(found.get("msgid", ""))[:32]

    async def create_scene_code(self, scene_str: str, seconds: int) -> SceneCode:
        """A temporary QR whose scan is pushed to us as `scene_str` (1–64 characters)."""
        asked = {
            "expire_seconds": min(seconds, SCENE_MOST_SECONDS),
            "action_name": "QR_STR_SCENE",
            "action_info": {"scene": {"scene_str": scene_str}},
        }
        found = await WeChatQRCode(self._transport).create(asked)
        reply = shaped(self._api.name, found, SceneReply)
        return SceneCode(reply.ticket, reply.url, reply.expire_seconds)

    async def is_follower(self, openid: str) -> bool:
        """Does he follow the account?"""
        found = await WeChatUser(self._transport).get(openid)
        return shaped(self._api.name, found, FollowerReply).subscribe == 1

    async def push_menu(self, menu: Mapping[str, object]) -> None:
        """Replaces the account's menu."""
        await WeChatMenu(self._transport).create(menu)

    async def current_menu(self) -> dict[str, Any] | None:
        """The menu as WeChat has it, None when there is none."""
        try:
            return await self._transport.get("menu/get")  # wechatpy's would miss the refusal of a coroutine
        except CallRefused as refused:
            if refused.code != str(NO_MENU):
                raise
        return None

    async def jsapi_signature(self, url: str) -> dict[str, str | int]:
        """What wx.config wants for our page `url`; ForeignPage (a ValueError) for any other."""
        page = own_page(url, self._base_url)
        ticket, nonce, timestamp = await self._ticket.get(), self._new_nonce(), int(self._now())
        signature = js_signature(ticket, nonce, timestamp, page)
        return {"appId": self.app_id, "timestamp": timestamp, "nonceStr": nonce, "signature": signature}

    async def check(self) -> None:
        """Raises unless app id, secret and this server's address are accepted."""
        await self._transport.get("getcallbackip")

    async def _sns(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        answer = await self._api.call("GET", f"/sns/{path}", operation=path, query=query)
        with suppress(TokenRefused):
            return checked(answer)
        raise CodeRefused(self._api.name, "token")  # of the page: nobody but the person can renew it

    async def _fetch_token(self, force: bool) -> tuple[str, float]:
        asked = {"grant_type": "client_credential", "appid": self.app_id, "secret": self._app_secret}
        answer = await self._api.call(
            "POST", "/cgi-bin/stable_token", operation="stable_token", json=asked | {"force_refresh": force}
        )
        with suppress(TokenRefused):
            reply = shaped(self._api.name, checked(answer), TokenReply)
            return reply.access_token, reply.expires_in
        raise ConfigRefused(self._api.name, "40001")  # where no token went in, the secret is what is wrong

    async def _fetch_ticket(self, _force: bool) -> tuple[str, float]:
        found = await WeChatJSAPI(self._transport).get_ticket()
        reply = shaped(self._api.name, found, TicketReply)
        return reply.ticket, reply.expires_in
