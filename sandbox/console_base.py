"""What the console's handlers share: only this machine may ask, only its own pages may send forms."""

from typing import Any
from urllib.parse import urlsplit

from tornado.web import HTTPError, RequestHandler

from sandbox.desk import Desk
from sandbox.phone import Phone
from sandbox.rendering import render
from sandbox.rewriting import is_loopback


class ConsoleHandler(RequestHandler):
    """A page or call of the console; no switch touches it and no journal shows it."""

    def initialize(self, desk: Desk) -> None:
        """Called by Tornado with the route's kwargs."""
        self.desk = desk
        self.world = desk.world

    def check_xsrf_cookie(self) -> None:
        """`prepare` looks at the origin instead: scripts of acceptance runs have no cookie."""

    def prepare(self) -> None:
        """Refuse foreign host names (rebinding) and forms that another site's page sends."""
        own = f"{self.request.protocol}://{self.request.host}"
        if not is_loopback(own):
            raise HTTPError(403, "the sandbox answers on loopback only")
        origin = self.request.headers.get("Origin")
        if origin and self.request.method not in ("GET", "HEAD") and origin != own:
            raise HTTPError(403, "a form of another site")

    def show(self, page: str, **values: Any) -> None:
        """One page of the console in its frame."""
        shared = {"desk": self.desk, "world": self.world, "path": self.request.path}
        self.finish(render(page, **shared, **values))

    def phone(self, name: str) -> Phone:
        """The phone of a person that exists, or 404."""
        if name not in self.world.people:
            raise HTTPError(404)
        return self.desk.phone(name)

    def field(self, name: str) -> str:
        """One field of a form, blanks cut off."""
        return self.get_body_argument(name, "").strip()

    def number(self, name: str) -> float | None:
        """A number of a form; empty is None, junk is 400."""
        text = self.field(name)
        try:
            return float(text) if text else None
        except ValueError:
            raise HTTPError(400, f"{name} is no number") from None

    def back(self, default: str) -> None:
        """To the console's page that sent the form."""
        came = urlsplit(self.request.headers.get("Referer", ""))
        inside = came.netloc == self.request.host and came.path.startswith("/")
        self.redirect(came.path if inside and not came.path.startswith("//") else default, status=303)
