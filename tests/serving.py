"""A `wxbot serve` for tests: where it can be reached, and what it has started."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest

from tests.commands import Running
from tests.server_process import free_port
from tests.site import Site


class Place:
    """Where a serving command can be reached."""

    def __init__(self) -> None:
        self.listen = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.listen}"

    async def ask(self, path: str, **how: Any) -> Any:
        """One request on a connection of its own; None while nobody answers."""
        client = AsyncHTTPClient(force_instance=True)
        try:
            return await client.fetch(HTTPRequest(f"{self.url}{path}", **how), raise_error=False)
        except OSError:
            return None
        finally:
            client.close()

    async def is_up(self, served: Running) -> None:
        """Wait until it is ready to serve."""
        while (answer := await self.ask("/readyz")) is None or answer.code != 200:
            assert served.process.poll() is None, served.said()[-2000:]
            await asyncio.sleep(0.02)


class Kept:
    """A connection that is kept for many requests."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, place: Place) -> "Kept":
        """Raises ConnectionRefusedError when nobody listens."""
        host, _, port = place.listen.rpartition(":")
        return cls(*await asyncio.open_connection(host, int(port)))

    async def ask(self, *parts: bytes) -> tuple[int, bool]:
        """Send a request; status, and whether the connection is kept. Raises when it is cut."""
        for part in parts:
            self.writer.write(part)
        return await self.answer()

    async def answer(self) -> tuple[int, bool]:
        """The whole answer to what was sent."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin1").lower()
        length = int(head.partition("content-length: ")[2].split("\r\n")[0])
        await self.reader.readexactly(length)
        return int(head.split(" ")[1]), "connection: close" not in head


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """One request of HTTP/1.1."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


@pytest.fixture
def place() -> Place:
    """A free address."""
    return Place()


@pytest.fixture
def serve(running: Callable[..., Running], place: Place, database_url: str) -> Callable[..., Running]:
    """`serve(*options, setting=…)` on that address and the test's database."""

    def start(*options: str, **settings: Any) -> Running:
        settings = {"listen": place.listen, "base_url": place.url, "database_url": database_url} | settings
        return running("serve", *options, **settings)

    return start


@pytest.fixture
def beside_sandbox(site: Site) -> dict[str, Any]:
    """Settings of a second serving process beside the same sandbox and rows as the site's own."""
    kept = site.settings()
    return {name: value for name, value in kept.items() if name not in {"base_url", "database_url"}}


def children_of(pid: int) -> list[int]:
    """The processes that this one has started."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    """Whether there is such a process."""
    return Path(f"/proc/{pid}").exists()
