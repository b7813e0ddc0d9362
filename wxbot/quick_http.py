"""What Tornado does anew for every request, done once: deadlines, the reading of equal headers, TCP_NODELAY.

Together a third of what a push costs. The seams into Tornado are few and all here: a stream's `set_nodelay`, and the
connection's `_parse_headers`; a test of each fails when a new Tornado has them no more.
"""

import asyncio
from functools import partial
from typing import Any, Protocol

from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate
from tornado.iostream import IOStream

from services.turns import Turns

Parsed = tuple[str, HTTPHeaders]


class HasStream(Protocol):
    """A connection of Tornado's server."""

    stream: IOStream


class Deadlines:
    """Closes connections that take longer than `seconds`. One timer serves all of them: each sets and clears none."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._until: dict[HasStream, float] = {}
        self._sweep: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._until)

    def __contains__(self, connection: HasStream) -> bool:
        return connection in self._until

    def watch(self, connection: HasStream) -> None:
        """From now on its time runs."""
        loop = asyncio.get_running_loop()
        self._until[connection] = loop.time() + self.seconds
        if self._sweep is None:
            self._sweep = loop.call_later(self.seconds, self._close_overdue)

    def unwatch(self, connection: HasStream) -> None:
        """It was in time, or is gone."""
        self._until.pop(connection, None)

    def _close_overdue(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweep = None
        for connection, until in list(self._until.items()):  # the oldest first: all have the same time
            if until > loop.time():
                self._sweep = loop.call_at(until, self._close_overdue)
                return
            self.unwatch(connection)
            connection.stream.close()


class HeaderMemory:
    """Reads header blocks as Tornado does, and equal ones of one path only once: WeChat's are nearly always equal.

    Whoever gets the headers of that path must not change them.
    """

    most = 64

    def __init__(self, path: str) -> None:
        self._in_line = f" {path}?".encode("latin1")
        self._known: dict[bytes, HTTPHeaders] = {}

    def parse(self, connection: HTTP1Connection, data: bytes) -> Parsed:
        """Request line and headers; raises what Tornado raises for bad ones."""
        end = data.find(b"\n")
        line, block = data[:end], data[end:]
        if self._in_line not in line:
            return HTTP1Connection._parse_headers(connection, data)
        headers = self._known.get(block)
        if headers is None:
            _, headers = HTTP1Connection._parse_headers(connection, data)
            if len(self._known) >= self.most:
                self._known.clear()
            self._known[block] = headers
        return line.strip(b"\r").decode("latin1"), headers


class QuickServer(HTTPServer):
    """An HTTPServer for callers that send much the same again and again, above all to `quick_path`.

    A connection without a request is closed after `idle_seconds`. Each answer goes out at once, from the first one on.
    Connections that come in a crowd are begun in `turns`.
    """

    def initialize(self, *args: Any, quick_path: str, idle_seconds: float, turns: Turns, **options: Any) -> None:
        super().initialize(*args, **options)
        self.conn_params.header_timeout = None  # Tornado's makes a timer and two futures for each request
        self.idle = Deadlines(idle_seconds)
        self.headers = HeaderMemory(quick_path)
        self.turns = turns
        self.arriving = 0

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        self.arriving += 1
        self.turns.soon(partial(self._begin, stream, address))

    def _begin(self, stream: IOStream, address: Any) -> None:
        self.arriving -= 1
        stream.set_nodelay(True)
        stream.set_nodelay = _stays  # type: ignore[method-assign]
        super().handle_stream(stream, address)

    def start_request(self, server_conn: object, request_conn: HTTP1Connection) -> HTTPMessageDelegate:
        self.idle.watch(server_conn)
        request_conn._parse_headers = partial(self._read_headers, server_conn, request_conn)  # type: ignore[method-assign]
        return super().start_request(server_conn, request_conn)

    def _read_headers(self, server_conn: HasStream, request_conn: HTTP1Connection, data: bytes) -> Parsed:
        self.idle.unwatch(server_conn)
        return self.headers.parse(request_conn, data)

    def on_close(self, server_conn: object) -> None:
        self.idle.unwatch(server_conn)
        super().on_close(server_conn)


def _stays(_value: bool) -> None:
    """TCP_NODELAY was set when the connection came, and stays."""
