"""The whole sandbox as HTTP servers on loopback, and its entry for the command line."""

import asyncio
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from sandbox.console import console_application
from sandbox.desk import Desk
from sandbox.options import PlanetSettings, SandboxOptions
from sandbox.pay import PaySite
from sandbox.pay_settings import PaySettings
from sandbox.phone import Phone
from sandbox.planet import PlanetSite
from sandbox.wechat import WeChatSite
from sandbox.wechat_account import AccountSettings, WeChatAccount
from sandbox.world import World

MOST_BODY = 1024 * 1024


class Sandbox:
    """WeChat, the planet, WeChat Pay and the console in the current event loop. Port 0 takes a free one.

    Settings may also be changed on `.planet` and `.pay.settings` while it runs.
    """

    def __init__(
        self,
        world: World,
        *,
        wechat_port: int = 0,
        console_port: int = 0,
        planet_port: int = 0,
        pay_port: int = 0,
        account: AccountSettings | None = None,
        planet: PlanetSettings | None = None,
        pay: PaySettings | None = None,
        **account_changes: Any,
    ) -> None:
        self.world = world
        self.account = WeChatAccount(world, account, **account_changes)
        self.wechat = WeChatSite(world, self.account)
        self.planet = PlanetSite(world, **vars(planet or PlanetSettings()))
        self.pay = PaySite(world, self.account, pay)
        self.desk = Desk(world, self.wechat, self.planet, self.pay)
        self._ports = {"wechat": wechat_port, "console": console_port, "planet": planet_port, "pay": pay_port}
        self._servers: list[HTTPServer] = []
        self.wechat_api_url = self.wechat_open_url = self.console_url = self.planet_url = self.pay_url = ""

    def start(self) -> None:
        """Listen; the addresses are known afterwards. The planet has a host name of its own: cookies ignore ports."""
        self.wechat_api_url = self.wechat_open_url = self._listen("wechat", self.wechat.application())
        self.planet_url = self._listen("planet", self.planet.application(), host="localhost")
        self.planet.base_url = self.planet_url
        self.planet.start()
        self.pay_url = self.pay.base_url = self._listen("pay", self.pay.application())
        self.pay.start()
        self.console_url = self._listen("console", console_application(self.desk))
        self.world.origins |= {self.wechat_api_url, self.planet_url, self.pay_url}
        own = {"wechat": self.wechat_api_url, "planet": self.planet_url, "pay": self.pay_url}
        self.desk.addresses.update(own, console=self.console_url)

    async def stop(self) -> None:
        """Close everything and give up what is on its way."""
        await self.desk.stop()
        for server in self._servers:
            server.stop()
            await server.close_all_connections()

    def phone(self, name: str) -> Phone:
        """The person's phone, always the same; a new person is added on the way."""
        return self.desk.phone(name)

    def _listen(self, side: str, application: Application, *, host: str = "127.0.0.1") -> str:
        # Idle connections close early, so that stopping never waits for one.
        server = HTTPServer(application, max_body_size=MOST_BODY, idle_connection_timeout=30)
        sockets = bind_sockets(self._ports[side], "127.0.0.1")
        server.add_sockets(sockets)
        self._servers.append(server)
        return f"http://{host}:{sockets[0].getsockname()[1]}"


def build(options: SandboxOptions) -> Sandbox:
    """A sandbox with its people and planets, not yet listening; LiveSettings when it must not exist."""
    options.check()
    world = World(seed=options.seed)
    ports = {"wechat_port": options.wechat_port, "console_port": options.console_port}
    ports |= {"planet_port": options.planet_port, "pay_port": options.pay_port}
    box = Sandbox(world, account=options.account, planet=options.planet, pay=options.pay, **ports)
    box.desk.site_url = options.site_url
    for name, nickname in options.people.items():
        world.add_person(name, nickname)
    for group_id, title, price_fen, owner in options.groups:
        box.planet.add_group(group_id, title, price_fen, box.phone(owner).person)
    return box


async def run(options: SandboxOptions, *, started: Any = None, until: asyncio.Event | None = None) -> None:
    """Serve until `until` is set (for ever without it). `started(box)` is called once it listens.

    Raises LiveSettings before anything listens, OSError when a port is taken.
    """
    box = build(options)
    try:
        box.start()
        if started:
            started(box)
        await (until or asyncio.Event()).wait()
    finally:
        await box.stop()
