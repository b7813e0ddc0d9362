"""For tests that attack: requests byte by byte, every route with an address that fits it, and a watch on the log."""

import asyncio
import io
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import structlog
from tornado.web import RequestHandler

from h5.heads import GetUsesUp
from h5.system import Plain
from services import people
from tests.site import COURSE, Site
from wxbot import logs

TOKEN = "ab12" * 8
WECHAT = "Mozilla/5.0 (Linux; Android 15) MicroMessenger/8.0.50"
SLOW_SECONDS = 2.0
SAMPLES = {
    "([a-z0-9][a-z0-9-]{0,63})": COURSE,
    "([0-9]{1,18})": "1",
    "([0-9]{1,4})": "1",
    "([a-z_]{1,32})": "partner",
    "([0-9a-f]{32})": "0" * 32,
    "([0-9]{8}[0-9a-f]{24})": "20261122" + "0" * 24,
    "(?:refund-)?": "",
    "([0-9a-z]{16})": "a" * 16,
    "([^/]{1,64})": "yiling",
    "([^/]{1,191})": "A1",
    "(MP_verify_[^/]{1,64})": "MP_verify_AbCdEfGh01234567.txt",
    "(png|svg)": "svg",
    r"(weui\.min\.css)": "weui.min.css",
    "(svg|png)": "svg",
    "(.*)": "site.css",
}


@dataclass
class Answer:
    """What came back on the wire, and how long it took."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def told(self) -> tuple[int, Any]:
        """Status and JSON without the request's own number: two equal ones cannot be told apart."""
        return self.status, {name: value for name, value in self.json.items() if name != "rid"}


async def raw(site: Site, data: bytes) -> Answer:
    """Send these bytes on a connection of their own; status 0 when it was closed without a word."""
    port = int(site.base_url.rpartition(":")[2])
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        came = await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        came = b""
    finally:
        writer.close()
    return parse(came, time.perf_counter() - began)


def parse(came: bytes, seconds: float) -> Answer:
    """The bytes of one answer, taken apart."""
    head, _, body = came.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin1").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        headers[name] = f"{headers[name]}\n{value}" if name in headers else value
    return Answer(int(first.split(" ")[1]) if first else 0, headers, body, seconds)


async def ask(
    site: Site,
    path: str,
    method: str = "GET",
    *,
    form: Any = None,
    body: bytes = b"",
    cookies: Any = (),
    may_fail: bool = False,
    **headers: str,
) -> Answer:
    """One request; `form` is sent as a page's form would be, `Content_Type=` is a header of that name.

    Whatever it answers is calm; it may be 503, where somebody outside is away.
    """
    lines = {"Host": site.base_url.removeprefix("http://"), "Connection": "close", "User-Agent": WECHAT}
    if form is not None:
        body, lines["Content-Type"] = urlencode(form, doseq=True).encode(), "application/x-www-form-urlencoded"
    if cookies:
        lines["Cookie"] = "; ".join(f"{name}={value}" for name, value in dict(cookies).items())
    if body or method in {"POST", "PUT", "PATCH"}:
        lines["Content-Length"] = str(len(body))
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items())]
    answer = await raw(site, "\r\n".join(head).encode("latin1") + b"\r\n\r\n" + body)
    if not may_fail and answer.status != 503:
        check_calm(answer, (method, path))
    return answer


async def post(site: Site, path: str, cookies: dict[str, str], fields: Any = (), **headers: str) -> Answer:
    """A form with its right CSRF token, asking for JSON."""
    form = [("_xsrf", TOKEN), *(fields.items() if isinstance(fields, dict) else fields)]
    jar = {"_xsrf": TOKEN} | cookies
    return await ask(site, path, "POST", form=form, cookies=jar, Accept="application/json", **headers)


async def session(site: Site, name: str = "anna") -> dict[str, str]:
    """The cookie of a fresh session of somebody."""
    token = await site.ctx.transact(people.new_session, person_id=await site.person_id(name))
    return {site_cookie(site, "session"): token}


def site_cookie(site: Site, name: str) -> str:
    """A cookie's name, as this site calls it."""
    return f"__Host-{name}" if site.config.is_https else name


def jar_of(site: Site, name: str) -> dict[str, str]:
    """All cookies that somebody's phone holds of us."""
    return {one.name: one.value for one in site.phone(name).jar.cookies(site.base_url)}


@dataclass(frozen=True)
class Route:
    """One line of the routing table."""

    pattern: str
    handler: type[RequestHandler]

    @property
    def path(self) -> str:
        """An address that it serves; a group that nobody knows a sample of stops the test by its name."""
        path = self.pattern.removesuffix("$")
        for group, sample in SAMPLES.items():
            path = path.replace(group, sample)
        path = path.replace("\\", "")
        assert not set("([{?*+") & set(path), f"SAMPLES needs a value for a group of {self.pattern}"
        return path

    def serves(self, method: str) -> bool:
        """Whether the handler has this method."""
        if method == "HEAD":
            return self.serves("GET") and not issubclass(self.handler, GetUsesUp)
        own = getattr(self.handler, method.lower(), None)
        return own is not None and own is not RequestHandler._unimplemented_method

    @property
    def asks_anything(self) -> bool:
        """Whether it reads an argument, a cookie or a row; files and machines' pages do not."""
        return not issubclass(self.handler, Plain)


def routes_of(site: Site) -> list[Route]:
    """Every route of the Application itself, so that a new one is among them."""
    rules = site.server.application.wildcard_router.rules
    return [Route(rule.matcher.regex.pattern, rule.target) for rule in rules]


def check_calm(answer: Answer, what: object) -> None:
    """No fault of ours, no word of how we are built, and no waiting for a refusal."""
    assert answer.status < 500, what
    assert answer.seconds < SLOW_SECONDS or answer.status < 400, what
    for word in (b"Traceback", b'File "', b"tornado", b"peewee", b"SELECT ", b"sqlite3", b"/h5/"):
        assert word not in answer.body, what


@contextmanager
def logged(level: str) -> Iterator[io.StringIO]:
    """Everything that is logged meanwhile, as it would stand in the file."""
    root = logging.getLogger()
    kept, before = (root.handlers, root.level), structlog.get_config()
    logs.set_up(level, for_good=False)
    written = io.StringIO()
    root.handlers[0].setStream(written)
    try:
        yield written
    finally:
        root.handlers, root.level = kept
        structlog.configure(**before)


@contextmanager
def watched(level: str = "info") -> Iterator[io.StringIO]:
    """The same; a fault of ours fails the test."""
    with logged(level) as written:
        yield written
    for line in written.getvalue().splitlines():
        assert "request failed" not in line and "Traceback" not in line, line
