"""The handler that all sides share: takes the fault of its call, and writes the journal."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from http.client import responses
from typing import Any

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.iostream import IOStream, StreamClosedError
from tornado.web import Application, RequestHandler

from sandbox.faults import BEFORE, Fault
from sandbox.world import SandboxPerson, World

SHOWN_BYTES = 65536


class BaseSandboxHandler(RequestHandler):
    """A call of one side. Subclasses set `side` and `operation`, and get `world` from the route's kwargs.

    Faults before the method: down, slow, error, busy, junk (the method does not run, except after slow).
    Faults after it: timeout_after_commit (done, never answered), half (half of the body, then cut).
    """

    side = ""
    operation = ""
    quiet = False
    """True keeps a call out of the journal (style sheets, polling)."""

    def __init__(self, application: Application, request: HTTPServerRequest, **kwargs: Any) -> None:
        self._fault: Fault | None = None
        self._gone = asyncio.Event()
        super().__init__(application, request, **kwargs)

    def initialize(self, world: World) -> None:
        """Called by Tornado with the route's kwargs."""
        self.world = world

    @property
    def phone(self) -> SandboxPerson | None:
        """Whose phone asks, if a phone of the sandbox does."""
        return self.world.phone_of(self.request)

    async def prepare(self) -> None:
        """Take this call's fault, and act at once on those that come before the method.

        A subclass that overrides this awaits it first and returns when `self._finished`.
        """
        self._fault = self.world.faults.take(self.side, self.operation)
        if self._fault and self._fault.kind in BEFORE:
            await getattr(self, f"_be_{self._fault.kind}")(self._fault)

    def on_connection_close(self) -> None:
        """Whoever waited has gone: a slow answer need not wait on."""
        self._gone.set()

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> Awaitable[None]:
        """Send the answer, or what the fault makes of it."""
        if chunk is not None:
            self.write(chunk)
        body = b"".join(self._write_buffer)
        self._journal(self.get_status(), body)
        kind = self._fault.kind if self._fault else ""
        if kind == "timeout_after_commit":
            return asyncio.ensure_future(self._hang(self._fault.seconds or 0))
        if kind == "half":
            return asyncio.ensure_future(self._send_half(body))
        return super().finish()

    async def _be_down(self, fault: Fault) -> None:
        self._journal(0, b"")
        self.detach().close()

    async def _be_slow(self, fault: Fault) -> None:
        await self._wait(fault.seconds or 5)

    async def _be_error(self, fault: Fault) -> None:
        self.set_status(500)
        self.finish("Internal Server Error")

    async def _be_busy(self, fault: Fault) -> None:
        self.set_status(429)
        self.set_header("Retry-After", str(int(fault.seconds or 1)))
        self.finish("Too Many Requests")

    async def _be_junk(self, fault: Fault) -> None:
        self.finish("<html><body>\u4e71\u7801 }{ 404? OK</body></html>")

    async def _wait(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._gone.wait(), seconds)
        except TimeoutError:
            return

    async def _hang(self, seconds: float) -> None:
        """Keep the connection `seconds` long without a word, then cut it."""
        stream = self.detach()
        await self._wait(seconds)
        stream.close()

    async def _send_half(self, body: bytes) -> None:
        self.set_header("Content-Length", str(len(body)))
        head = self._head(self._headers, self.get_status())
        stream: IOStream | None = self.detach()
        if stream is None:  # the other side has gone already
            return
        with suppress(StreamClosedError):
            await stream.write(head + body[: len(body) // 2])
            stream.close()

    @staticmethod
    def _head(headers: HTTPHeaders, status: int) -> bytes:
        lines = [f"HTTP/1.1 {status} {responses.get(status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in headers.get_all()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def _journal(self, status: int, body: bytes) -> None:
        if self.quiet:
            return
        self.world.journal.add(
            at=self.world.now(),
            side=self.side,
            direction="in",
            operation=self.operation,
            method=self.request.method or "",
            path=self.request.uri or "",
            status=status,
            request=self.request.body[:SHOWN_BYTES].decode(errors="replace"),
            response=body[:SHOWN_BYTES].decode(errors="replace"),
            fault=self._fault.kind if self._fault else "",
        )
