"""Serves the push path below Tornado's request objects, and hands all else to the Application unchanged.

A push costs about half of what it costs in a RequestHandler this way. Tornado still reads the message:
header and body limits, chunks, framing errors (a bare 400) and keep-alive are its own.
"""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from tornado.http1connection import HTTP1Connection, HTTP1ServerConnection
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
    format_timestamp,
)

from wxbot.callback import Answer, PushDoor, count
from wxbot.quick_http import Deadlines

NOT_ALLOWED = Answer(405)
PUSH_PATH = "/wx/push"


class PushSite(HTTPServerConnectionDelegate):
    """What an HTTPServer serves: `path` by the push door, every other path by `application`."""

    def __init__(
        self,
        application: HTTPServerConnectionDelegate,
        door: PushDoor,
        now: Callable[[], float],
        *,
        path: str = PUSH_PATH,
        max_body: int = 64 * 1024,
        body_seconds: float = 5.0,
        safe_headers: Mapping[str, str] | None = None,
    ) -> None:
        """`now` gives Unix seconds for the Date header; a body may take `body_seconds` to arrive."""
        self.safe_headers = safe_headers or {}
        self.application = application
        self.door = door
        self.path = path
        self.max_body = max_body
        self.now = now
        self.reading = Deadlines(body_seconds)
        self._heads: dict[tuple[int, str, int], bytes] = {}
        self._date = (0, b"")

    def start_request(self, server_conn: HTTP1ServerConnection, request_conn: HTTP1Connection) -> HTTPMessageDelegate:
        return PushExchange(self, server_conn, request_conn)

    def on_close(self, server_conn: HTTP1ServerConnection) -> None:
        self.application.on_close(server_conn)

    def head(self, answer: Answer) -> bytes:
        """Status line and headers up to the length, ready to send."""
        key = (answer.status, answer.media, answer.retry_after)
        head = self._heads.get(key)
        if head is None:
            lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
            lines += [f"{name}: {value}" for name, value in self.headers_of(answer).get_all()]
            head = self._heads[key] = "\r\n".join(lines).encode("latin1")
        return head + self.date()

    def headers_of(self, answer: Answer) -> HTTPHeaders:
        """All headers but Date and Content-Length."""
        headers = HTTPHeaders({**self.safe_headers, "Content-Type": f"{answer.media}; charset=utf-8"})
        if answer.retry_after:
            headers["Retry-After"] = str(answer.retry_after)
        if answer is NOT_ALLOWED:
            headers["Allow"] = "GET, POST"
        return headers

    def date(self) -> bytes:
        """The Date header, written once a second."""
        second = int(self.now())
        if self._date[0] != second:
            self._date = (second, f"\r\nDate: {format_timestamp(second)}\r\nContent-Length: ".encode("latin1"))
        return self._date[1]


class PushExchange(HTTPMessageDelegate):
    """One request; after its headers either the door's own, or a mere pass to the application."""

    def __init__(self, site: PushSite, server_conn: HTTP1ServerConnection, connection: HTTP1Connection) -> None:
        self.site = site
        self.server_conn = server_conn
        self.connection = connection
        self.body = b""
        self.pieces: bytearray | bytes = b""

    def headers_received(self, start_line: RequestStartLine, headers: HTTPHeaders) -> Awaitable[None] | None:
        path, _, self.query = start_line.path.partition("?")
        site = self.site
        if path != site.path:
            return self._hand_over(start_line, headers)
        self.method = start_line.method
        kept = not self.connection._disconnect_on_finish  # they ask for that, or we are leaving
        self.plain_keep_alive = kept and start_line.version == "HTTP/1.1" and self.method != "HEAD"
        self.connection.set_max_body_size(site.max_body)
        self.connection.set_body_timeout(None)  # our own watch is cheaper than Tornado's task per body
        site.reading.watch(self.server_conn)
        return None

    def _hand_over(self, start_line: RequestStartLine, headers: HTTPHeaders) -> Awaitable[None] | None:
        """From here on Tornado's calls go to the application's own delegate, as if we were not there."""
        inner = self.site.application.start_request(self.server_conn, self.connection)
        self.data_received = inner.data_received  # type: ignore[method-assign]
        self.finish = inner.finish  # type: ignore[method-assign]
        self.on_connection_close = inner.on_connection_close  # type: ignore[method-assign]
        return inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> None:
        if self.body:  # rare: WeChat's bodies come in one piece
            self.pieces = self.pieces or bytearray(self.body)
            self.pieces += chunk
        else:
            self.body = chunk

    def finish(self) -> None:
        site = self.site
        site.reading.unwatch(self.server_conn)
        if self.method == "POST":
            site.door.push(self.query, bytes(self.pieces) or self.body, self.send)
        elif self.method == "GET":
            self.send(site.door.verify(self.query))
        else:
            self.send(NOT_ALLOWED)

    def on_connection_close(self) -> None:
        """The request broke off: too large, too slow, or the caller went away."""
        self.site.reading.unwatch(self.server_conn)
        count["rejected:broken_off"]()

    def send(self, answer: Answer) -> None:
        """Write the answer; a caller that has gone is no error, WeChat will ask again."""
        connection = self.connection
        if self.plain_keep_alive:
            self.write(b"%b%d\r\n\r\n%b" % (self.site.head(answer), len(answer.body), answer.body))
        else:
            headers = self.site.headers_of(answer)
            headers["Date"] = format_timestamp(self.site.now())
            headers["Content-Length"] = str(len(answer.body))
            start_line = ResponseStartLine("HTTP/1.1", answer.status, HTTPStatus(answer.status).phrase)
            connection.write_headers(start_line, headers, answer.body if self.method != "HEAD" else None)
        connection.finish()

    def write(self, data: bytes) -> None:
        """Into the socket while it takes all at once, as it does nearly always; else through Tornado's buffer."""
        stream = self.connection.stream
        if not stream.closed() and not stream.writing():
            try:  # noqa: SIM105 - `suppress` takes as long as all the rest of this
                data = data[stream.socket.send(data) :]
            except OSError:  # full or gone: the stream finds out for itself
                pass
        if data:
            self.connection.write(data)
