"""The whole sandbox as HTTP servers on loopback, and its entry for the command line."""

from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from sandbox.phone import Phone
from sandbox.wechat import WeChatSite
from sandbox.wechat_account import AccountSettings, WeChatAccount
from sandbox.world import World

MOST_BODY = 1024 * 1024


class Sandbox:
    """WeChat, the planet and the console in the current event loop. Port 0 takes a free one."""

    def __init__(
        self,
        world: World,
        *,
        wechat_port: int = 0,
        console_port: int = 0,
        planet_port: int = 0,
        account: AccountSettings | None = None,
        **account_changes: Any,
    ) -> None:
        self.world = world
        self.account = WeChatAccount(world, account, **account_changes)
        self.wechat = WeChatSite(world, self.account)
        self._ports = {"wechat": wechat_port, "console": console_port, "planet": planet_port}
        self._servers: list[HTTPServer] = []
        self._phones: dict[str, Phone] = {}
        self.wechat_api_url = self.wechat_open_url = self.console_url = self.planet_url = ""

    def start(self) -> None:
        """Listen; the addresses are known afterwards."""
        self.wechat_api_url = self.wechat_open_url = self._listen("wechat", self.wechat.application())
        self.world.origins |= {self.wechat_api_url}

    async def stop(self) -> None:
        """Close everything and give up what is on its way."""
        await self.wechat.pushes.stop()
        for phone in self._phones.values():
            phone.close()
        for server in self._servers:
            server.stop()
            await server.close_all_connections()

    def phone(self, name: str) -> Phone:
        """The person's phone, always the same; a new person is added on the way."""
        if name not in self.world.people:
            self.world.add_person(name)
        if name not in self._phones:
            self._phones[name] = Phone(self.world.people[name], self.world, self.wechat)
        return self._phones[name]

    def _listen(self, side: str, application: Application, *, host: str = "127.0.0.1") -> str:
        server = HTTPServer(application, max_body_size=MOST_BODY)
        sockets = bind_sockets(self._ports[side], "127.0.0.1")
        server.add_sockets(sockets)
        self._servers.append(server)
        return f"http://{host}:{sockets[0].getsockname()[1]}"
