"""What every page shares: who asks, how rows are reached, and how a "no" looks. Keep it small."""

import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import wraps
from http import HTTPStatus
from typing import Any

import structlog
from tornado.web import HTTPError, MissingArgumentError, RequestHandler

from h5 import addresses, pages
from h5.heads import HeadAsGet, methods_of
from h5.rates import Counted
from models.errors import BusinessError, NotFound, NotSignedIn, OpenInWechat, TooBusy, WrongInput
from services import people
from services.context import Context

log = structlog.get_logger()
MONTH_SECONDS = 30 * 86_400
BROWSER_SECRET = re.compile(r"[0-9a-f]{64}")
PLAIN_NO = {
    400: "请求的格式不对，请返回后重试。",
    403: "这个页面停留太久，或不是从本站打开的。请返回刷新后再试。",
    404: NotFound.says,
    405: "这个地址不支持这样的操作。",
}


def signed_in(method: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Only for a signed-in person; anybody else is led to sign in and back to `target` of the handler."""

    @wraps(method)
    async def guarded(self: "BaseHandler", *args: str, **kwargs: Any) -> None:
        if self.person is None:
            raise NotSignedIn
        await method(self, *args, **kwargs)

    return guarded


class BaseHandler(Counted, HeadAsGet, RequestHandler):
    """One request: `person` is the signed-in visitor or None, `seen` what `look` has found of him.

    Raise to refuse, and nothing was changed.
    """

    person: people.Visitor | None = None
    seen: Any = None

    @property
    def ctx(self) -> Context:
        """What the process holds."""
        return self.settings["ctx"]

    @property
    def target(self) -> str:
        """Where to come back to after signing in: the id of one of our own pages (see h5/oauth.py)."""
        return "home"

    @property
    def way_back(self) -> str:
        """`target`; or home, for a request that was refused before its address was taken apart."""
        return self.target if hasattr(self, "path_args") else "home"

    def look(self) -> people.Look | None:
        """What this page wants to know of a signed-in visitor; it is read in one go with who he is."""
        return None

    async def prepare(self) -> None:
        """Who asks, and when; before the method."""
        self.ctx.in_flight += 1
        self.rid = self.ctx.new_code(64)
        structlog.contextvars.bind_contextvars(rid=self.rid)
        await self.ctx.turns.mine()
        await self.ctx.clock.refresh()
        token = self.get_cookie(self.cookie("session"))
        if token:
            self.person, self.seen = await self.ctx.read(people.visit, token=token, look=self.look())
            if self.person is None:
                await self.limit("guess")
        await self.check_rate()
        if self.person and self.person.wants_touch:
            with suppress(TooBusy):  # the next request notes it
                await self.ctx.transact(people.touch_session, token=token)

    def cookie(self, name: str) -> str:
        """A cookie's full name: bound to this very host wherever there is https."""
        return f"__Host-{name}" if self.ctx.config.is_https else name

    def keep(self, name: str, value: str) -> None:
        """Set one of our cookies, for a month from now by the browser's own clock."""
        safe = {"secure": self.ctx.config.is_https, "httponly": True, "samesite": "Lax"}
        self.set_cookie(self.cookie(name), value, expires_days=None, max_age=MONTH_SECONDS, path="/", **safe)

    def drop(self, name: str) -> None:
        """Delete one of our cookies."""
        safe = {"secure": self.ctx.config.is_https, "httponly": True, "samesite": "Lax"}
        self.clear_cookie(self.cookie(name), path="/", **safe)

    def browser(self) -> str:
        """The secret of this browser, made when it first begins something."""
        secret = self.known_browser() or self.ctx.new_code(256)
        self.keep("browser", secret)
        return secret

    def known_browser(self) -> str:
        """The secret this browser already has; empty for one that never began anything, or made it up carelessly."""
        secret = self.get_cookie(self.cookie("browser")) or ""
        return secret if BROWSER_SECRET.fullmatch(secret) else ""

    async def renew_session(self) -> None:
        """Rights have changed (a link, a role): the session gets a new secret."""
        token = self.get_cookie(self.cookie("session"), "")
        if self.person and (renewed := await self.ctx.transact(people.renew_session, token=token)):
            self.keep("session", renewed)

    @property
    def in_wechat(self) -> bool:
        """A hint for the page only: WeChat's own browser (not WeCom's); never a proof."""
        agent = self.user_agent
        return "MicroMessenger/" in agent and "wxwork/" not in agent

    @property
    def user_agent(self) -> str:
        """What the browser calls itself."""
        return self.request.headers.get("User-Agent", "")

    @property
    def ip(self) -> str:
        """The address that asks; `X-Forwarded-For` counts only from proxies named in the settings."""
        forwarded = self.request.headers.get("X-Forwarded-For", "")
        return addresses.who_asks(self.request.remote_ip or "", forwarded, self.ctx.config.trusted_proxies)

    def field(self, name: str, default: str | None = None, *, most: int = 2000) -> str:
        """One field of the posted form; raises WrongInput when it is missing, doubled or too long."""
        values = self.get_body_arguments(name) or [default]
        if len(values) > 1 or values[0] is None or len(values[0]) > most:
            raise WrongInput(what=name)
        return values[0]

    def asked(self, name: str) -> str:
        """One argument of the address to the letter, or empty; a doubled one counts as none."""
        values = self.get_query_arguments(name, strip=False)
        return values[0] if len(values) == 1 else ""

    def page(self, template: str, **facts: Any) -> None:
        """Answer with a page."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(pages.render(self, template, **facts))

    def see(self, path: str) -> None:
        """Send the browser on with a GET."""
        self.redirect(path, status=303)

    @property
    def wants_json(self) -> bool:
        """A machine asks."""
        return "application/json" in self.request.headers.get("Accept", "")

    def set_default_headers(self) -> None:
        for name, value in self.settings["safe_headers"].items():
            self.set_header(name, value)

    def compute_etag(self) -> None:
        """No page is kept by a browser (`no-store`), so none needs a mark to be known again by."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """The one place that shows a "no", as a page or as JSON."""
        problem = kwargs.get("exc_info", (None, None))[1]
        if isinstance(problem, NotSignedIn) and not self.in_wechat and not self.wants_json:
            problem = OpenInWechat()
        code, message = self._words(status_code, problem)
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", methods_of(self))
        if isinstance(problem, BusinessError):
            self.set_status(problem.status)
            if problem.status in {429, 503}:
                self.set_header("Retry-After", str(problem.facts.get("retry_after", 5)))
        rid = getattr(self, "rid", "")
        if self.wants_json:
            self.set_header("Content-Type", "application/json; charset=utf-8")
            self.finish(json.dumps({"code": code, "message": message, "rid": rid}, ensure_ascii=False))
        else:
            facts = {"code": code, "message": message, "rid": rid, "target": self.way_back}
            self.page(pages.PAGE_OF_ERROR.get(code, "error.html"), **facts)

    def _words(self, status: int, problem: BaseException | None) -> tuple[str, str]:
        if isinstance(problem, BusinessError):
            return problem.code, problem.message
        if isinstance(problem, MissingArgumentError):
            return WrongInput.code, WrongInput.says.format(what=problem.arg_name)
        if status in PLAIN_NO:
            return f"http_{status}", PLAIN_NO[status]
        return "failed", "出了点问题，我们已经记录下来。请稍后再试。"

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        problem = kwargs.get("exc_info", (None, None))[1]
        super().send_error(problem.status if isinstance(problem, BusinessError) else status_code, **kwargs)

    def log_exception(self, kind: Any, problem: Any, trace: Any) -> None:
        """One line for a refusal; a fault of ours with where it happened, never with values."""
        if isinstance(problem, BusinessError):
            log.info("refused", code=problem.code, page=type(self).__name__)
        elif isinstance(problem, HTTPError):
            log.info("refused", code=problem.status_code, page=type(self).__name__)
        else:
            log.error("request failed", page=type(self).__name__, exc_info=(kind, problem, trace))

    def on_finish(self) -> None:
        self.ctx.in_flight -= hasattr(self, "rid")
        structlog.contextvars.unbind_contextvars("rid")


class MissingHandler(BaseHandler):
    """Every address that is not ours."""

    acts = "page"

    @property
    def wants_json(self) -> bool:
        return super().wants_json or self.request.path.startswith("/api/")

    def check_xsrf_cookie(self) -> None:
        """Nothing is changed here, so nothing can be forged."""

    async def prepare(self) -> None:
        await super().prepare()
        raise NotFound
