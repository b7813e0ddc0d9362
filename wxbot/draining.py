"""Lets a server leave without cutting anybody: who is connected is answered, and told to connect elsewhere."""

import asyncio
import math
import socket
from typing import Any

from tornado.http1connection import HTTP1Connection, HTTP1ServerConnection
from tornado.httputil import HTTPMessageDelegate

from wxbot.quick_http import QuickServer

BACKLOG = 128
LINGER_SECONDS = 1.0


class DrainingServer(QuickServer):
    """A QuickServer that can leave.

    The seams into Tornado are its private `_sockets`, `_connections`, `_handle_connection`, a connection's
    `_disconnect_on_finish` and a stream's `_read_buffer_size`.
    """

    def initialize(self, *args: Any, **options: Any) -> None:
        super().initialize(*args, **options)
        self.left_at = math.inf
        self.requests: dict[object, HTTP1Connection] = {}

    def start_request(self, server_conn: object, request_conn: HTTP1Connection) -> HTTPMessageDelegate:
        self.requests[server_conn] = request_conn
        return super().start_request(server_conn, request_conn)

    def on_close(self, server_conn: object) -> None:
        self.requests.pop(server_conn, None)
        super().on_close(server_conn)

    def leave(self) -> None:
        """Let in who has connected already, then nobody more; every answer from now on is its connection's last."""
        if self.left_at < math.inf:
            return
        self.left_at = asyncio.get_running_loop().time()
        for listening in list(self._sockets.values()):
            self._let_in(listening)
        self.conn_params.no_keep_alive = True
        for request in self.requests.values():
            request._disconnect_on_finish = True
        self.stop()

    def _let_in(self, listening: socket.socket) -> None:
        """The kernel has answered them: closing the socket would cut them."""
        for _ in range(BACKLOG):
            try:
                self._handle_connection(*listening.accept())
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way, and who keeps a connection had time to use it once more."""
        if self.arriving or any(one not in self.idle or _speaks(one) for one in self._connections):
            return False
        return not self._connections or asyncio.get_running_loop().time() >= self.left_at + LINGER_SECONDS


def _speaks(connection: HTTP1ServerConnection) -> bool:
    """Whether the first bytes of a request have come."""
    stream: Any = connection.stream
    if stream.closed():
        return False
    if stream._read_buffer_size:
        return True
    try:
        return bool(stream.socket.recv(1, socket.MSG_PEEK))
    except OSError:
        return False
