"""A push door of which one message in `every` (0: none) waits for WeChat's API, which takes 100 ms: `… PORT EVERY`."""

import asyncio
import sys
from collections.abc import Awaitable
from itertools import count
from typing import Any

from tornado.web import Application, RequestHandler

from benchmarks.pages.subjects import settings
from benchmarks.push.letters import ACCOUNT
from services import config
from tests.server_process import free_port
from wxbot import reality
from wxbot.callback import PushDoor, Said
from wxbot.replies import Conversation
from wxbot.server import Server, build_context

API_SECONDS = 0.1


class Api(RequestHandler):
    """Answers everything, after a while."""

    async def get(self) -> None:
        await asyncio.sleep(API_SECONDS)
        self.write({"subscribe": 1})

    async def post(self) -> None:
        self.write({"access_token": "t" * 64, "expires_in": 7200})


class Asking(Conversation):
    """The product's, but for one message in so many."""

    every = 0
    heard_before = count(1)

    def hear(self, heard: Any) -> Said | Awaitable[Said]:
        said = super().hear(heard)
        if self.every and next(self.heard_before) % self.every == 0:
            return self.ask(heard, said)
        return said

    async def ask(self, heard: Any, said: Said) -> Said:
        """The same answer, after a look at WeChat."""
        await self.ctx.wechat.is_follower(heard.from_user)
        return said


async def serve(port: int, every: int) -> None:
    """For ever."""
    api = free_port()
    Application([(r"/.*", Api)], log_function=lambda handler: None).listen(api, "127.0.0.1")
    Asking.every = every
    asked = settings("sqlite:///:memory:", port) | ACCOUNT | {"wechat_api_url": f"http://127.0.0.1:{api}"}
    chosen = config.load(_env_file=None, **asked)
    ctx = build_context(chosen, clock=reality.clock(chosen), monotonic=reality.monotonic, new_code=reality.new_code)
    server = Server(ctx)
    server.http.request_callback.door = PushDoor(server.codec(), Asking(ctx), server.unix_now)
    server.http.listen(port, "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
