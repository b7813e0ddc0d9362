"""The WeChat side as one site: an account, its API, its pages, its pushes."""

from typing import Any

from tornado.web import Application

from sandbox import wechat_api_base, wechat_api_menu, wechat_api_messages, wechat_api_users
from sandbox.pushes import Delivery, Pushes
from sandbox.wechat_account import WeChatAccount
from sandbox.wechat_api import ApiHandler, UnknownCallHandler
from sandbox.wechat_pages import AuthoriseHandler, ShowQrHandler
from sandbox.world import SandboxPerson, World

APIS = wechat_api_base.apis + wechat_api_menu.apis + wechat_api_messages.apis + wechat_api_users.apis


class WeChatSite:
    """What happens between people and one Official Account."""

    def __init__(self, world: World, account: WeChatAccount) -> None:
        self.world = world
        self.account = account
        self.pushes = Pushes(account)

    def application(self) -> Application:
        """api.weixin.qq.com, open.weixin.qq.com and mp.weixin.qq.com in one."""
        shared = {"world": self.world, "account": self.account}
        routes: list[Any] = [
            (api.path, ApiHandler, shared | {"api": api, "push_later": self.pushes.later}) for api in APIS
        ]
        routes += [
            ("/connect/oauth2/authorize", AuthoriseHandler, shared),
            ("/cgi-bin/showqrcode", ShowQrHandler, shared),
        ]
        return Application(routes, default_handler_class=UnknownCallHandler, default_handler_args={"world": self.world})

    async def say(self, person: SandboxPerson, text: str) -> Delivery:
        """The person writes to the account."""
        return await self.message(person, "text", {"Content": text}, shown=text)

    async def message(self, person: SandboxPerson, kind: str, fields: dict[str, Any], *, shown: str) -> Delivery:
        """The person sends a message of any kind."""
        self.account.chats.add(person, "me", kind, shown)
        self.account.chats.open_window(person, "message")
        return await self.pushes.send(person, {"MsgType": kind} | fields)

    async def event(self, person: SandboxPerson, event: str, **fields: Any) -> Delivery:
        """Push any event with its own fields, spelled as WeChat spells them."""
        return await self.pushes.send(person, {"MsgType": "event", "Event": event} | fields)

    async def follow(self, person: SandboxPerson, scene: str | None = None, *, paid: str = "") -> Delivery:
        """The person follows: by search, through a parametric QR (`scene`), or after paying (`paid`)."""
        fan = self.account.chats.fan(person)
        if fan.follows and scene is not None:
            return await self._scan_again(person, scene)
        via = "ADD_SCENE_QR_CODE" if scene is not None else "ADD_SCENE_SEARCH"
        fan.follows, fan.since, fan.scene = True, self.world.now(), scene or ""
        fan.via = "ADD_SCENE_PAID" if paid else via
        self.account.chats.add(person, "system", "event", "已关注")
        self.account.chats.open_window(person, "follow")
        key = f"last_trade_no_{paid}" if paid else ""
        fields = {"EventKey": key} if scene is None else self._scene(scene, "qrscene_")
        return await self.event(person, "subscribe", **fields)

    async def unfollow(self, person: SandboxPerson) -> Delivery:
        """The person stops following; nothing can be sent to her any more."""
        self.account.chats.fan(person).follows = False
        self.account.chats.add(person, "system", "event", "已取消关注")
        return await self.event(person, "unsubscribe", EventKey="")

    async def click(self, person: SandboxPerson, key: str) -> Delivery:
        """A tap on a menu button of type click."""
        self.account.chats.open_window(person, "menu")
        return await self.event(person, "CLICK", EventKey=key)

    async def revoke(self, person: SandboxPerson, info: str = "205", *, cancel: bool = False) -> Delivery:
        """The person takes back an authorisation, or (`cancel`) closes her WeChat account."""
        name = "user_authorization_cancellation" if cancel else "user_authorization_revoke"
        fields = {"OpenID": self.account.openid(person), "UnionID": person.unionid or ""}
        return await self.event(person, name, **fields, AppID=self.account.app_id, RevokeInfo=info)

    async def _scan_again(self, person: SandboxPerson, scene: str) -> Delivery:
        self.account.chats.open_window(person, "scan")
        return await self.event(person, "SCAN", **self._scene(scene, ""))

    def _scene(self, scene: str, prefix: str) -> dict[str, str]:
        found = self.account.ticket_for_scene(scene)
        return {"EventKey": prefix + scene, "Ticket": found.ticket if found else self.world.new_id("gQ", 320)}
