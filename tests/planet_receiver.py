"""A door that the sandbox planet's events come to, and the check of a signature as a receiver writes it."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tornado.escape import json_decode
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.ioloop import IOLoop
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from tests.planet_kit import WEBHOOK_SECRET, PlanetKit


@dataclass
class Receiver:
    """What our side saw, and what it answers."""

    status: int = 204
    requests: list[HTTPServerRequest] = field(default_factory=list)

    @property
    def bodies(self) -> list[dict]:
        """The bodies, in the order of arrival."""
        return [json_decode(request.body) for request in self.requests]

    @property
    def ids(self) -> list[str]:
        """The webhook-id of each call."""
        return [request.headers["webhook-id"] for request in self.requests]


class Door(RequestHandler):
    """Keeps each call and answers as told."""

    def initialize(self, seen: Receiver) -> None:
        """Called by Tornado."""
        self.seen = seen

    def post(self) -> None:
        """One event."""
        self.seen.requests.append(self.request)
        self.set_status(self.seen.status)
        self.finish()


@contextmanager
def receiving(io_loop: IOLoop, planet: PlanetKit) -> Iterator[Receiver]:
    """The planet's events go to a door on a free port of this machine."""
    seen = Receiver()
    sock, port = bind_unused_port()

    async def serve() -> HTTPServer:
        """Servers start on the running loop."""
        server = HTTPServer(Application([("/events", Door, {"seen": seen})]))
        server.add_sockets([sock])
        return server

    server = io_loop.run_sync(serve)
    planet.site.events.url = f"http://127.0.0.1:{port}/events"
    yield seen
    server.stop()
    io_loop.run_sync(server.close_all_connections)


def is_signed(request: HTTPServerRequest, now: float) -> bool:
    """The receiver's check, written from the specification and not from the sandbox."""
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    event_id, timestamp, signatures = (request.headers[name] for name in names)
    key = base64.b64decode(WEBHOOK_SECRET.removeprefix("whsec_"))
    mac = hmac.new(key, b".".join([event_id.encode(), timestamp.encode(), request.body]), hashlib.sha256)
    expected = "v1," + base64.b64encode(mac.digest()).decode()
    return expected in signatures.split(" ") and abs(int(timestamp) - now) <= 300
