"""For tests of the chat: a second push door on a site, with rows that are slow, away, or counted."""

import asyncio
import copy
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from peewee import OperationalError
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from models.base import database as bound
from models.links import Link
from sandbox.phone import Phone
from sandbox.pushes import Delivery, Pushes
from services.env import Env
from tests.site import Site
from wxbot.callback import PushDoor
from wxbot.delegate import PushSite
from wxbot.replies import Conversation


class Counted:
    """Rows that count how often they are asked."""

    def __init__(self, site: Site) -> None:
        self.threads = site.ctx.threads
        self.calls = 0

    async def read(self, call: Callable[[], Any]) -> Any:
        self.calls += 1
        return await self.threads.read(call)

    async def write(self, call: Callable[[], Any]) -> Any:
        self.calls += 1
        return await self.threads.write(call)


class Gated(Counted):
    """Rows that can be asked only while the gate stands open."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.gate = asyncio.Event()
        self.reached = asyncio.Event()

    async def read(self, call: Callable[[], Any]) -> Any:
        await self.waits()
        return await super().read(call)

    async def waits(self) -> None:
        """Say that somebody has come, and hold him."""
        self.reached.set()
        await self.gate.wait()

    async def write(self, call: Callable[[], Any]) -> Any:
        await self.waits()
        return await super().write(call)


class Away(Counted):
    """Rows that are away while `is_away`."""

    is_away = True

    async def read(self, call: Callable[[], Any]) -> Any:
        self.check()
        return await super().read(call)

    async def write(self, call: Callable[[], Any]) -> Any:
        self.check()
        return await super().write(call)

    def check(self) -> None:
        """Raise what comes when nobody listens at the database's address."""
        if self.is_away:
            raise OperationalError("could not connect")


@dataclass
class SecondDoor:
    """A push door of its own, to which WeChat pushes now."""

    conversation: Conversation
    door: PushDoor


@asynccontextmanager
async def second_door(site: Site, threads: Any, *, answer_within: float = 4.0) -> AsyncIterator[SecondDoor]:
    """Let WeChat push to another door, whose conversation works on the rows of `threads`."""
    now = site.server.unix_now
    conversation = Conversation(replace(site.ctx, threads=threads))
    door = PushDoor(site.server.codec(), conversation, now, answer_within=answer_within)
    server, sockets = HTTPServer(PushSite(Application(), door, now)), bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    settings = site.box.account.settings
    before, settings.callback_url = settings.callback_url, f"{origin(sockets[0].getsockname()[1])}/wx/push"
    try:
        yield SecondDoor(conversation, door)
    finally:
        settings.callback_url = before
        await door.drain(10)
        server.stop()
        await server.close_all_connections()


async def one(site: Site, text: str, name: str = "anna") -> str:
    """The one answer to a text."""
    (answer,) = await site.phone(name).say(text)
    return answer


async def signed_in_follower(site: Site, name: str = "anna") -> Phone:
    """Somebody follows the account, and is signed in in its pages."""
    await site.phone(name).follow()
    await site.signs_in(name)
    return site.phone(name)


def origin(port: int) -> str:
    """An address on this machine."""
    return f"http://127.0.0.1:{port}"


def pushes_to(site: Site, base_url: str) -> Pushes:
    """WeChat's pushes of the same account, to another address."""
    account = copy.copy(site.box.account)
    account.settings = replace(account.settings, callback_url=f"{base_url}/wx/push")
    return Pushes(account)


def last_push(site: Site) -> Delivery:
    """What WeChat pushed last, to be sent again."""
    return site.box.wechat.pushes.deliveries[-1]


def said(delivery: Delivery) -> str:
    """What the account answered."""
    return delivery.reply.text if delivery.reply else ""


def customer_messages(site: Site, name: str = "anna") -> list[str]:
    """What came to somebody by customer-service message."""
    return [bubble.text for bubble in site.phone(name).inbox if bubble.via == "custom"]


async def active_links(site: Site) -> list[str]:
    """The names of all accounts that are linked now."""
    return await site.ctx.read(lambda _: [r.display_name for r in Link.select().where(Link.unlinked_at.is_null())])


async def link_more(site: Site, name: str = "anna", *, account: str, provider: str = "manual") -> None:
    """A further link of somebody, at another provider."""
    person_id = await site.person_id(name)

    def link(env: Env) -> None:
        uid = f"uid-{account}"
        active = {"active_person": person_id, "active_uid": uid, "linked_at": env.now}
        Link.create(person=person_id, provider=provider, member_uid=uid, display_name=account, **active)

    await site.ctx.transact(link)


async def everything(site: Site) -> dict[str, list[str]]:
    """Every row of every table."""
    return await site.ctx.read(all_rows)


def all_rows(_env: Env) -> dict[str, list[str]]:
    """Every row of every table, as text."""
    return {
        name: sorted(map(repr, bound.execute_sql(f"SELECT * FROM {name}").fetchall())) for name in bound.get_tables()
    }
