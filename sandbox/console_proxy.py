"""The browser inside a phone: fetches pages of this machine with the phone's own jar, and rewrites them."""

import asyncio
import re
from urllib.parse import urljoin, urlsplit

from tornado.httpclient import HTTPError as FetchError
from tornado.httpclient import HTTPResponse
from tornado.web import HTTPError

from sandbox.browser import AUTHORISE, site_of
from sandbox.console_base import ConsoleHandler
from sandbox.console_pay import BRIDGE
from sandbox.phone import Phone
from sandbox.rewriting import from_phone, is_loopback, rewrite_css, rewrite_html, to_phone

PASSED_ON = ("Accept", "Content-Type", "X-Xsrftoken", "X-Csrftoken", "X-Requested-With", "Idempotency-Key")
HEAD = re.compile(r"<head\b[^>]*>", re.I)
KEPT = ("Content-Type", "Cache-Control", "Content-Disposition", "Retry-After", "Last-Modified", "Refresh")


class PhoneWebHandler(ConsoleHandler):
    """`/phones/anna/web/http/127.0.0.1:8000/…`: that page, as anna's WeChat sees it."""

    def prepare(self) -> None:
        """Read which phone and which page."""
        super().prepare()
        found = from_phone(self.request.uri or "")
        if not found or not is_loopback(found[1]):
            raise HTTPError(404)
        self.own_phone, self.url = self.phone(found[0]), found[1]

    async def get(self) -> None:
        """A navigation or an asset."""
        await self._pass_on(None)

    async def post(self) -> None:
        """A form."""
        await self._pass_on(self.request.body)

    async def delete(self) -> None:
        """A call of a script."""
        await self._pass_on(None)

    async def put(self) -> None:
        """A call of a script."""
        await self._pass_on(self.request.body)

    async def _pass_on(self, body: bytes | None) -> None:
        if "text/event-stream" in self.request.headers.get("Accept", ""):
            return self.set_status(204)  # streams are not passed on; 204 tells the browser not to come again
        source = self._source()
        headers = {name: self.request.headers[name] for name in PASSED_ON if name in self.request.headers}
        if body is not None:
            headers["Origin"] = f"{urlsplit(source).scheme}://{urlsplit(source).netloc}"
        cross_site = site_of(source) != site_of(self.url)
        try:
            answer = await self.own_phone.fetch(
                self.request.method or "GET", self.url, body, headers, cross_site=cross_site
            )
        except (FetchError, OSError) as gone:
            self.set_status(502)
            return self.show("unreachable.html", url=self.url, why=type(gone).__name__)
        await self._answer(answer)

    def _source(self) -> str:
        """The page inside the phone that asks; the phone's own address bar counts as the page itself."""
        came = urlsplit(self.request.headers.get("Referer", ""))
        found = from_phone(came.path + (f"?{came.query}" if came.query else ""))
        return found[1] if found and came.netloc == self.request.host else self.url

    async def _answer(self, answer: HTTPResponse) -> None:
        name = self.own_phone.person.name
        self.set_status(answer.code)
        for header in KEPT:
            if header in answer.headers:
                self.set_header(header, answer.headers[header])
        if target := answer.headers.get("Location"):
            target = urljoin(self.url, target)
            await self._preload(target)
            return self.set_header("Location", to_phone(name, target))
        if answer.code in (204, 304):
            return None
        kind, raw = answer.headers.get("Content-Type", ""), answer.body or b""
        if "text/html" in kind:
            raw = self._as_in_wechat(rewrite_html(name, self.url, raw.decode(errors="replace"))).encode()
        elif "text/css" in kind:
            raw = rewrite_css(name, self.url, raw.decode(errors="replace")).encode()
        self.write(raw)
        return None

    def _as_in_wechat(self, html: str) -> str:
        """WeChat gives every page its bridge; other browsers have none, and a text without a head is no page."""
        if self.own_phone.kind != "wechat":
            return html
        return HEAD.sub(lambda found: f'{found[0]}<script src="{BRIDGE}"></script>', html, count=1)

    async def _preload(self, target: str) -> None:
        """WeChat asks for the OAuth callback twice when the phone's switch says so."""
        from_wechat = self.world.is_own_origin(self.url) and urlsplit(self.url).path == AUTHORISE
        if from_wechat and self.own_phone.person.callback_twice and is_loopback(target):
            await asyncio.wait({asyncio.ensure_future(self._quietly(self.own_phone, target))}, timeout=3)

    @staticmethod
    async def _quietly(phone: Phone, target: str) -> None:
        try:
            await phone.fetch("GET", target)
        except (FetchError, OSError):
            return


class StrayHandler(ConsoleHandler):
    """A path that only makes sense inside a phone (a script's own address): sent on to where it belongs."""

    def prepare(self) -> None:
        """By the Referer; 404 for everything else."""
        super().prepare()
        found = from_phone(urlsplit(self.request.headers.get("Referer", "")).path)
        if not found:
            raise HTTPError(404)
        name, page = found
        self.redirect(to_phone(name, urljoin(page, self.request.uri or "/")), status=307)
