"""A small browser without JavaScript: a jar, redirects, links, forms."""

import asyncio
from urllib.parse import urlencode, urljoin, urlsplit

from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from sandbox.phone_jar import Jar
from sandbox.phone_page import Element, Form, Hop, Page
from sandbox.world import World

MOST_HOPS = 20
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
USER_AGENTS = {
    "wechat": IPHONE + "Mobile/15E148 MicroMessenger/8.0.50(0x1800322f) NetType/WIFI Language/zh_CN",
    "planet": IPHONE + "Mobile/15E148 xiaomiquan/5.9.1 iOS/phone/17.5",
    "safari": IPHONE + "Version/17.5 Mobile/15E148 Safari/604.1",
    "pc": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36",
}
AUTHORISE = "/connect/oauth2/authorize"


def site_of(url: str) -> str:
    """What SameSite compares: scheme and host, without the port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}"


class Browser:
    """One browser of one machine. `kind` chooses the User-Agent: wechat, planet, safari, pc."""

    def __init__(self, world: World, *, kind: str = "pc") -> None:
        self.world = world
        self.kind = kind
        self.jar = Jar(world.now)
        self.page: Page | None = None
        self.seconds = 20.0
        self._client: AsyncHTTPClient | None = None

    async def open(self, url: str) -> Page:
        """Type an address."""
        return await self._go("GET", url, None, source=url)

    async def post(self, url: str, fields: dict[str, str]) -> Page:
        """Send any fields anywhere, as from this page: for what no form offers."""
        return await self._go("POST", url, urlencode(fields), source=self._here(url))

    async def tap(self, role: str) -> Page:
        """Tap the link or button with this data-role on the present page."""
        element = self._element(role)
        if element.tag == "a":
            return await self._go("GET", urljoin(self._shown().url, element.attrs["href"]), None)
        form = self._shown().form_of(element)
        if not form:
            raise LookupError(f"data-role={role} is a <{element.tag}> that nobody can tap")
        return await self._send(form, {}, element)

    async def submit(self, form_or_role: Form | str, **fields: object) -> Page:
        """Fill in and send a form: given, or named by its own data-role or by that of something in it."""
        button = None
        if isinstance(form_or_role, Form):
            form = form_or_role
        else:
            element = self._element(form_or_role)
            found = self._shown().form_of(element)
            if not found:
                raise LookupError(f"data-role={form_or_role} is in no form")
            form, button = found, element
        return await self._send(form, fields, button)

    async def refresh(self) -> Page:
        """Follow the page's meta refresh, or load it again."""
        page = self._shown()
        return await self._go("GET", page.refresh_url or page.url, None)

    async def fetch(
        self, method: str, url: str, body: str | None = None, headers: dict[str, str] | None = None, **how: bool
    ) -> HTTPResponse:
        """One request with this browser's cookies; redirects are not followed."""
        self._client = self._client or SimpleAsyncHTTPClient(force_instance=True, max_clients=50)
        cookie = self.jar.header(url, method=method, cross_site=how.get("cross_site", False))
        sent = {"User-Agent": USER_AGENTS[self.kind], "Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        sent |= {"Accept-Language": "zh-CN,zh;q=0.9"} | ({"Cookie": cookie} if cookie else {})
        if self.world.is_own_origin(url):
            sent |= self._introduction(url)
        request = HTTPRequest(url.partition("#")[0], method=method, body=body, headers=sent | (headers or {}))
        request.follow_redirects, request.allow_nonstandard_methods = False, True
        request.request_timeout = self.seconds
        answer = await self._client.fetch(request, raise_error=False)
        for header in answer.headers.get_list("Set-Cookie"):
            self.jar.store(url, header)
        return answer

    def close(self) -> None:
        """Close its connections."""
        if self._client:
            self._client.close()

    def _introduction(self, url: str) -> dict[str, str]:
        """What only the sandbox's own servers are told; a PC says nothing."""
        return {}

    def _calls_back_twice(self) -> bool:
        return False

    async def _send(self, form: Form, fields: dict[str, object], button: Element | None) -> Page:
        sent, action, method = form.filled(fields), form.action, form.method
        if button and button.tag in ("button", "input"):
            if button.attrs.get("name") and button.attrs.get("type", "submit").lower() in ("submit", "image"):
                sent.append((button.attrs["name"], button.attrs.get("value", "")))
            action = urljoin(self._shown().url, button.attrs.get("formaction") or action)
            method = (button.attrs.get("formmethod") or method).upper()
        if method == "GET":
            return await self._go("GET", urlsplit(action)._replace(query=urlencode(sent)).geturl(), None)
        return await self._go("POST", action, urlencode(sent))

    async def _go(self, method: str, url: str, body: str | None, *, source: str | None = None) -> Page:
        """Navigate, through all redirects; `source` is the page that asks (SameSite looks at it)."""
        source, hops, is_callback = source or self._here(url), [], False
        for _ in range(MOST_HOPS):
            # WeChat's preload: it asks for the callback address twice, at once, and shows the later answer.
            times = 2 if is_callback and self._calls_back_twice() else 1
            answers = await asyncio.gather(*[self._hop(method, url, body, source) for _ in range(times)])
            hops += [Hop(method, url, one.code) for one in answers]
            answer = answers[-1]
            target = answer.headers.get("Location")
            if answer.code not in (301, 302, 303, 307, 308) or not target:
                headers = dict(answer.headers.items())
                self.page = Page(url, answer.code, headers, answer.body or b"", hops)
                return self.page
            if answer.code < 307 and method != "HEAD":
                method, body = "GET", None
            is_callback = self.world.is_own_origin(url) and urlsplit(url).path == AUTHORISE
            url = urljoin(url, target)
        raise RuntimeError(f"more than {MOST_HOPS} redirects, the last to {url}")

    async def _hop(self, method: str, url: str, body: str | None, source: str) -> HTTPResponse:
        headers: dict[str, str] = {}
        if body is not None:
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            headers["Origin"] = f"{urlsplit(source).scheme}://{urlsplit(source).netloc}"
        return await self.fetch(method, url, body, headers, cross_site=site_of(url) != site_of(source))

    def _here(self, url: str) -> str:
        return self.page.url if self.page else url

    def _shown(self) -> Page:
        if not self.page:
            raise LookupError("no page is open")
        return self.page

    def _element(self, role: str) -> Element:
        found = self._shown().find(role)
        if not found:
            roles = sorted({one.attrs["data-role"] for one in self._shown().root.walk() if "data-role" in one.attrs})
            raise LookupError(f"no data-role={role} on {self._shown().url} ({self._shown().status}); there are {roles}")
        tappable = [one for one in found.walk() if one.tag in ("a", "button", "form") or "href" in one.attrs]
        is_control = found.tag in ("a", "button", "input", "form", "select", "textarea")
        return found if is_control or not tappable else tappable[0]
