"""What all doors of the pretend planet share: errors as pages or JSON, who is asking, safe forms."""

import base64
import hmac
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from tornado.web import HTTPError

from sandbox.handler import BaseSandboxHandler
from sandbox.planet_company import PlanetCompany
from sandbox.planet_members import Account, PlanetNo
from sandbox.world import SandboxPerson

PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
SHANGHAI = ZoneInfo("Asia/Shanghai")
COOKIE = "planet_browser"
SAYS = {400: "这个请求不完整。", 403: "这里不能这样做。", 404: "没有这个页面。", 405: "这里不能这样做。"}


def shanghai_time(at: datetime | None) -> str:
    """A moment for people."""
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M") if at else "长期"


def yuan(fen: int) -> str:
    """Money for people: 19900 is 199, 19950 is 199.50."""
    return f"{fen // 100}" if fen % 100 == 0 else f"{fen / 100:.2f}"


PAGES.filters |= {"time": shanghai_time, "yuan": yuan}


class PlanetHandler(BaseSandboxHandler):
    """Any call to the planet. `operations` names the switch of each method where they differ."""

    side = "planet"
    operations: ClassVar[dict[str, str]] = {}

    def initialize(self, site: PlanetCompany) -> None:
        """Called by Tornado with the route's kwargs."""
        super().initialize(site.world)
        self.site = site

    async def prepare(self) -> None:
        """Name the operation of this method, then let the switches act."""
        self.operation = self.operations.get(self.request.method or "", self.operation)
        await super().prepare()

    @property
    def origin(self) -> str:
        """The planet's own base URL, which is also its `iss`."""
        return self.site.base_url or f"{self.request.protocol}://{self.request.host}"

    def only(self, name: str, *, body: bool = False) -> str:
        """The one value of a parameter; missing is empty, doubled is refused."""
        values = self.get_body_arguments(name) if body else self.get_query_arguments(name)
        if len(values) > 1:
            raise PlanetNo(400, "invalid_request", f"{name} stands there twice")
        return values[0] if values else ""

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """A refusal is an answer, not an accident; only the rest is logged."""
        if not isinstance(value, PlanetNo):
            super().log_exception(typ, value, tb)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Turn whatever stopped the call into the refusal this door speaks."""
        reason = kwargs.get("exc_info", (None, None))[1]
        if isinstance(reason, PlanetNo):
            self.refuse(reason)
        else:
            names = {404: "not_found", 500: "server_error"}
            self.refuse(PlanetNo(status_code, names.get(status_code, "invalid_request"), self._reason))

    def refuse(self, no: PlanetNo) -> None:
        """Answer with a refusal in JSON."""
        self.set_status(no.status)
        if no.status == 401:
            self.set_header("WWW-Authenticate", 'Basic realm="planet"')
        self.finish({"error": no.error, "message": no.message})


class ApiHandler(PlanetHandler):
    """A call of our client: HTTP Basic with one of the live secrets, JSON both ways."""

    async def prepare(self) -> None:
        """Faults first, then who is calling."""
        await super().prepare()
        if not self._finished:
            self.check_client()

    def set_default_headers(self) -> None:
        """No answer of the API may be kept by anybody on the way."""
        self.set_header("Cache-Control", "no-store")

    def check_client(self) -> None:
        """Refuse unless the Basic header names our client with a live secret."""
        kind, _, value = self.request.headers.get("Authorization", "").partition(" ")
        try:
            text = base64.b64decode(value, validate=True).decode()
        except ValueError:
            text = ""
        known = [f"{self.site.client_id}:{secret}" for secret in self.site.client_secrets]
        matches = [hmac.compare_digest(text.encode(), one.encode()) for one in known]
        if kind.lower() != "basic" or not any(matches):
            raise PlanetNo(401, "invalid_client", "unknown client or wrong secret")


class PageHandler(PlanetHandler):
    """A page for people: phones of the sandbox are known, other browsers say who they are."""

    operation = "planet.page"
    form_targets = "'self'"
    """CSP: where a form of this page may lead in the end"""

    @property
    def person(self) -> SandboxPerson | None:
        """Who is asking."""
        return self.phone or self.site.browsers.get(self.get_cookie(COOKIE, ""))

    @property
    def account(self) -> Account | None:
        """The planet account that is in use."""
        return self.site.account_of(self.person) if self.person else None

    def me(self) -> tuple[SandboxPerson, Account]:
        """Who is asking, for what needs somebody."""
        if not self.person:
            raise PlanetNo(403, "not_allowed", "请先选择你是谁。")
        return self.person, self.site.account_of(self.person)

    def form_token(self) -> str:
        """What a form of this browser carries while this account is in use; sets the cookie it needs."""
        if self.phone:
            owner = f"phone:{self.phone.name}"
        else:
            browser = self.get_cookie(COOKIE) or self.world.new_id("b", 256)
            self.set_cookie(COOKIE, browser, httponly=True, samesite="Lax")
            owner = f"browser:{browser}"
        uid = self.account.uid if self.account else ""
        return hmac.digest(self.site.form_key, f"{owner} {uid}".encode(), "sha256").hex()

    def check_form(self) -> None:
        """Refuse a form that this browser was not shown, or was shown under another account."""
        known_browser = self.phone or self.get_cookie(COOKIE)
        given = self.only("token", body=True)
        if not known_browser or not hmac.compare_digest(given.encode(), self.form_token().encode()):
            raise PlanetNo(403, "not_allowed", "这个页面过期了，请返回重新打开。")

    def show(self, page: str, **values: Any) -> None:
        """Answer with one of the pages."""
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "same-origin")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header(
            "Content-Security-Policy",
            "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
            f"frame-ancestors 'none'; form-action {self.form_targets}",
        )
        common = {"site": self.site, "account": self.account, "person": self.person, "now": self.site.now}
        common |= {"token": self.form_token(), "here": self.request.uri, "host": self.request.host}
        self.finish(PAGES.get_template(f"planet_{page}.html").render(**common, **values))

    def refuse(self, no: PlanetNo) -> None:
        """A page that says what is wrong; Chinese of our own where the reason is Tornado's or for engineers."""
        self.set_status(no.status)
        says = no.message if not no.message.isascii() else SAYS.get(no.status, "出错了，请稍后再试。")
        self.show("refused", says=says, error=no.error, detail=no.message)

    def own_path(self, path: str) -> str:
        """`path` when it is one of the planet's own addresses, else the front page."""
        parts = urlsplit(path)
        is_own = path.startswith("/") and not path.startswith("//") and "\\" not in path
        return path if is_own and not parts.netloc and path.isprintable() else "/"


class LostHandler(PageHandler):
    """Every address that does not exist; below `/v1` and `/oauth/token` in JSON."""

    def prepare(self) -> None:
        """Refuse, whatever the method."""
        raise HTTPError(404)

    def refuse(self, no: PlanetNo) -> None:
        """In the form of the door that was meant."""
        if self.request.path.startswith("/v1"):
            PlanetHandler.refuse(self, no)
        else:
            super().refuse(no)
