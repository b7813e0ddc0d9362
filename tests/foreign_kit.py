"""Clients of WeChat that others wrote, led to the sandbox: a mapped session for Python, a node process for npm."""

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from tornado.ioloop import IOLoop
from wechatpy.exceptions import WeChatClientException, WeChatException

from sandbox.server import Sandbox
from sandbox.world import World

SCRIPTS = Path(__file__).parent / "foreign"
PACKAGES = Path(__file__).parent.parent / "node_modules"
WECHAT = ("api.weixin.qq.com", "mp.weixin.qq.com", "open.weixin.qq.com")
PAY = "api.mch.weixin.qq.com"


class ToSandbox(HTTPAdapter):
    """Takes every https request of a session to the sandbox; one that is not meant for WeChat goes nowhere."""

    def __init__(self, box: Sandbox) -> None:
        super().__init__()
        self._hosts = dict.fromkeys(WECHAT, box.wechat_api_url) | {PAY: box.pay_url}

    def send(self, request: requests.PreparedRequest, *args: Any, **how: Any) -> requests.Response:
        asked = urlsplit(request.url)
        assert asked.hostname in self._hosts, f"{asked.hostname} is not WeChat"
        request.url = self._hosts[asked.hostname] + asked._replace(scheme="", netloc="").geturl()
        return super().send(request, *args, **how)


def lead(session: requests.Session, box: Sandbox) -> None:
    """Let a stock client's session find WeChat in the sandbox."""
    session.trust_env = False
    session.mount("https://", ToSandbox(box))


class Refused(Exception):
    """An npm client threw; `name`, `code` and the words are its own."""

    def __init__(self, name: str, message: str, code: int | str | None = None) -> None:
        super().__init__(message)
        self.name, self.code = name, code


class Npm:
    """One node process in which a client of each npm package lives."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, script: str, **told: Any) -> "Npm":
        """`told`: what the script wants to know of its account, and the port of its WeChat."""
        pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
        command = ["node", "--no-deprecation", str(SCRIPTS / script), json.dumps(told)]
        return cls(await asyncio.create_subprocess_exec(*command, **pipes))

    async def call(self, on: str, method: str, *args: Any) -> Any:
        """`on` is one of the script's clients; what the method throws is raised as Refused."""
        self._process.stdin.write(json.dumps({"on": on, "method": method, "args": args}).encode() + b"\n")
        line = await asyncio.wait_for(self._process.stdout.readline(), 20)
        answer = json.loads(line)
        if "error" in answer:
            raise Refused(**answer["error"])
        return answer.get("value")

    async def stop(self) -> None:
        """Let it end."""
        self._process.stdin.close()
        await self._process.wait()


async def wechatpy_refusal(
    call: Callable[..., Any], *args: Any, kind: type[WeChatException] = WeChatClientException
) -> int:
    """The errcode of what the client raises."""
    with pytest.raises(kind) as refused:
        await asyncio.to_thread(call, *args)
    assert type(refused.value) is kind and " rid: " in refused.value.errmsg
    return refused.value.errcode


def need_npm(package: str) -> None:
    """Leave the test out where npm has not installed this."""
    if not shutil.which("node") or not (PACKAGES / package).is_dir():
        pytest.skip("node or its packages are not installed (npm ci)")


@pytest.fixture
def box(io_loop: IOLoop) -> Iterator[Sandbox]:
    """A pretend WeChat at the real time, which foreign clients read; anna follows the account."""
    box = Sandbox(World(seed=11))

    async def start() -> None:
        box.start()
        await box.phone("anna").follow()

    io_loop.run_sync(start)
    yield box
    io_loop.run_sync(box.stop)


@pytest.fixture
def make_wechatpy(box: Sandbox) -> Iterator[Callable[..., Any]]:
    """`make_wechatpy(WeChatClient, secret)`: a stock client led to the sandbox; the secret may be left out."""
    made: list[Any] = []

    def make(kind: type, secret: str = box.account.settings.app_secret, *more: str) -> Any:
        made.append(kind(box.account.app_id, secret, *more))
        lead(made[-1]._http, box)
        return made[-1]

    yield make
    for client in made:
        client._http.close()


@pytest.fixture
def start_npm(io_loop: IOLoop) -> Iterator[Callable[..., Awaitable[Npm]]]:
    """`await start_npm(box, app_secret=…)` starts the npm clients of an account; without npm it is left out."""
    need_npm("co-wechat-api")
    running: list[Npm] = []

    async def start(box: Sandbox, **changes: Any) -> Npm:
        own = box.account.settings
        told = {"app_id": own.app_id, "app_secret": own.app_secret, "token": own.token, "aes_key": own.aes_keys[0]}
        told["port"] = urlsplit(box.wechat_api_url).port
        running.append(await Npm.start("wechat.cjs", **told | changes))
        return running[-1]

    yield start
    for npm in running:
        io_loop.run_sync(npm.stop)
