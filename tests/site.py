"""The whole product beside the sandbox, in the test's own loop: what a story test asks for."""

import base64
import json
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets

from models.base import database as bound
from sandbox.options import PlanetSettings
from sandbox.pay_settings import PaySettings
from sandbox.phone import Phone
from sandbox.phone_page import Page
from sandbox.server import Sandbox
from sandbox.world import World
from services import catalogue_file, catalogue_load, config, outbox, people, purchases, verify
from services.env import Env
from wxbot.demo import merchant_of
from wxbot.server import Server, build_context

CATALOGUE = Path(__file__).parent.parent / "deploy" / "catalogue.example.yaml"
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"a webhook secret of 32 bytes !!!").decode()
START = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
COURSE, OTHER_COURSE = "infosec-workplace", "python-first-steps"


class Clock:
    """The time of a test: stands still until it is moved."""

    def __init__(self) -> None:
        self.moment = START

    def now(self) -> datetime:
        return self.moment

    async def refresh(self) -> None:
        """Nothing to look up."""

    def forward(self, **span: float) -> None:
        """`forward(days=3)`"""
        self.moment += timedelta(**span)


class Site:
    """The product as a server, its context, and the sandbox around it."""

    def __init__(self, database_url: str, clock: Clock, **changes: Any) -> None:
        self.clock = clock
        self.sockets = bind_sockets(0, "127.0.0.1")
        self.base_url = f"http://127.0.0.1:{self.sockets[0].getsockname()[1]}"
        self.box = self._sandbox()
        self.database_url, self.changes = database_url, changes
        self.folder = TemporaryDirectory(prefix="wxbot-site-")

    def _sandbox(self) -> Sandbox:
        planet = PlanetSettings(redirect_uris=[f"{self.base_url}/links/callback/partner"])
        world = World(seed=1, clock=lambda: self.clock.now().timestamp())
        wechat = {"callback_url": f"{self.base_url}/wx/push", "resend_seconds": 0, "answer_seconds": 2}
        return Sandbox(world, planet=planet, pay=PaySettings(is_delivering=False), **wechat)

    async def start(self) -> None:
        """Serve; the catalogue of the example is loaded, the planets are there."""
        self.box.start()
        for group_id, title, price in (("g1", "信息安全星球", 19900), ("g2", "Python 学习星球", 9900)):
            self.box.planet.add_group(group_id, title, price, self.box.phone("caoz").person)
        self.config = config.load(_env_file=None, **self.settings() | self.changes)
        self.ctx = build_context(self.config, clock=self.clock, monotonic=time.monotonic, new_code=self.new_code)
        file, lines = catalogue_file.read(CATALOGUE)
        file.campaigns.clear()  # each test has those that it is about
        await self.ctx.transact(catalogue_load.load, file=file, lines=lines)
        self.key = await self.ctx.transact(purchases.add_platform, name="yiling")
        self.server = Server(self.ctx, with_worker=False)
        await self.server.start(self.sockets)

    @staticmethod
    def new_code(bits: int) -> str:
        return secrets.token_hex(bits // 8)

    def settings(self) -> dict[str, Any]:
        """The settings of a site beside this sandbox."""
        account, planet = self.box.account.settings, PlanetSettings()
        return {
            "base_url": self.base_url,
            "database_url": self.database_url,
            "database_threads": 2,
            "secret_keys": ["k" * 40],
            "wechat_app_id": account.app_id,
            "wechat_app_secret": account.app_secret,
            "wechat_token": account.token,
            "wechat_aes_keys": account.aes_keys,
            "wechat_api_url": self.box.wechat_api_url,
            "wechat_open_url": self.box.wechat_open_url,
            "planet_url": self.box.planet_url,
            "planet_client_id": planet.client_id,
            "planet_client_secret": planet.client_secrets[0],
            "planet_webhook_secrets": [WEBHOOK_SECRET],
            **merchant_of(self.box, Path(self.folder.name)),
        }

    async def stop(self) -> None:
        """End both."""
        await self.server.stop()
        await self.box.stop()
        self.folder.cleanup()

    @property
    def env(self) -> Env:
        """What a plain service gets at this moment."""
        return self.ctx.env()

    @property
    def world(self) -> World:
        return self.box.world

    def phone(self, name: str = "anna") -> Phone:
        """Somebody's phone."""
        return self.box.phone(name)

    async def buys(self, name: str = "anna", *, course: str = COURSE, order_no: str = "") -> str:
        """Somebody bought a course at the platform, which tells us by his openid; the order number."""
        order_no = order_no or f"A{self.new_code(32)}"
        told = {"course": course, "openid": self.phone(name).openid, "paid_fen": 19900, "paid_at": self.clock.now()}
        body = purchases.PurchaseBody(**told)
        await self.ctx.transact(purchases.put, platform="yiling", order_no=order_no, body=body)
        return order_no

    async def signs_in(self, name: str = "anna", path: str = "/me") -> Page:
        """Somebody opens a page of his own, and taps 登录 if he has to."""
        phone = self.phone(name)
        page = await phone.open(f"{self.base_url}{path}")
        return await phone.tap("sign-in") if page.find("sign-in") else page

    async def posts(self, name: str, path: str, **fields: str) -> Page:
        """Somebody sends a form that no page of ours shows him, with the right CSRF token."""
        phone = self.phone(name)
        token = phone.jar.get(self.base_url, "_xsrf") or ""
        return await phone.post(f"{self.base_url}{path}", {"_xsrf": token, **fields})

    async def fetch(self, path: str, **request: Any) -> HTTPResponse:
        """One request of a machine, whatever the answer; no redirect is followed."""
        how = {"raise_error": False, "follow_redirects": False}
        return await AsyncHTTPClient().fetch(f"{self.base_url}{path}", **how, **request)

    @staticmethod
    def json(answer: HTTPResponse) -> Any:
        """The body of a machine's answer."""
        return json.loads(answer.body)

    async def at_planet(self, name: str = "anna", *, course: str = COURSE) -> Page:
        """Somebody with the course agrees to the waiver and stands before the planet's consent page."""
        await self.signs_in(name, f"/courses/{course}/planet")
        return await self.phone(name).submit("confirm", waiver=self.waiver)

    waiver = "2026-11"

    async def links(self, name: str = "anna", *, course: str = COURSE) -> Page:
        """Somebody links his course to his planet account, to the end."""
        await self.at_planet(name, course=course)
        return await self.phone(name).tap("planet-agree")

    async def person_id(self, name: str = "anna") -> int:
        """Somebody's id here."""
        return await self.ctx.transact(lambda env: people.person_with_openid(env, self.phone(name).openid).id)

    async def delivers(self) -> int:
        """The worker's round."""
        return await outbox.deliver_due(self.ctx)

    async def broken(self) -> list[str]:
        """Invariants that do not hold."""
        findings = await self.ctx.read(verify.run)
        return [f"{one.name} {one.promise}: {one.breaks}" for one in findings if one.breaks]

    async def rows(self) -> dict[str, int]:
        """A hash of every table, to show that a refusal changed nothing."""
        return await self.ctx.read(table_hashes)

    async def every_row(self) -> dict[str, int]:
        """A hash of every table without exception, for a refusal that may not even leave a trace."""
        return await self.ctx.read(table_hashes, quiet=frozenset())


QUIET = frozenset({"inbox_item", "session", "sign_in_state", "schema_migration"})


def table_hashes(_env: Env, *, quiet: frozenset[str] = QUIET) -> dict[str, int]:
    """Content of each table; sessions, sign-in states and the inbox aside, which every visit may touch."""
    names = [name for name in bound.get_tables() if name not in quiet]
    return {
        name: hash(tuple(sorted(map(repr, bound.execute_sql(f"SELECT * FROM {name}").fetchall())))) for name in names
    }


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still at START."""
    return Clock()


@pytest.fixture
def make_site(io_loop: IOLoop, database_url: str, clock: Clock) -> Iterator[Callable[..., Site]]:
    """`make_site(setting=value)` starts a site with other settings."""
    made: list[Site] = []

    def make(**changes: Any) -> Site:
        site = Site(database_url, clock, **changes)
        io_loop.run_sync(site.start)
        made.append(site)
        return site

    yield make
    for site in made:
        io_loop.run_sync(site.stop)


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    """The product beside the sandbox."""
    return make_site()
