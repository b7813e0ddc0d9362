"""A cookie jar as browsers keep them, but one store for each scheme, host and port."""

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit


@dataclass
class Cookie:
    """One stored cookie; `ends_at` None lives until the browser closes."""

    name: str
    value: str
    path: str
    http_only: bool
    same_site: str
    ends_at: float | None


class Jar:
    """Takes `Set-Cookie`, gives `Cookie`. Breaks no rule quietly: a refused cookie stands in `refused`."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._stores: dict[str, dict[tuple[str, str], Cookie]] = {}
        self.refused: list[str] = []

    def store(self, url: str, header: str) -> None:
        """Keep, replace or (when its time is over) drop one cookie."""
        first, *rest = [part.strip() for part in header.split(";")]
        name, found, value = first.partition("=")
        marks = {key.strip().lower(): val.strip() for key, _, val in (one.partition("=") for one in rest)}
        if not found or not name or not self._allowed(url, name, marks):
            self.refused.append(header)
            return
        path = marks.get("path") if marks.get("path", "").startswith("/") else self._folder(url)
        cookie = Cookie(
            name, value, path or "/", "httponly" in marks, marks.get("samesite", "lax").lower(), self._ends_at(marks)
        )
        store = self._stores.setdefault(self._origin(url), {})
        store[name, cookie.path] = cookie
        if cookie.ends_at is not None and cookie.ends_at <= self._now():
            del store[name, cookie.path]

    def header(self, url: str, *, method: str = "GET", cross_site: bool = False) -> str:
        """What the browser would send; a cross-site POST takes no Lax cookie along, nothing takes a Strict one."""
        path = urlsplit(url).path or "/"
        fitting = [
            one
            for one in self.cookies(url)
            if self._path_fits(one.path, path) and not (cross_site and self._held_back(one, method))
        ]
        fitting.sort(key=lambda one: -len(one.path))
        return "; ".join(f"{one.name}={one.value}" for one in fitting)

    def cookies(self, url: str) -> list[Cookie]:
        """All live cookies of the address's origin."""
        now = self._now()
        store = self._stores.get(self._origin(url), {})
        return [one for one in store.values() if one.ends_at is None or one.ends_at > now]

    def get(self, url: str, name: str) -> str | None:
        """The value of one cookie."""
        return next((one.value for one in self.cookies(url) if one.name == name), None)

    def clear(self) -> None:
        """As a new phone."""
        self._stores.clear()

    @staticmethod
    def _held_back(cookie: Cookie, method: str) -> bool:
        return cookie.same_site == "strict" or (cookie.same_site == "lax" and method != "GET")

    @staticmethod
    def _origin(url: str) -> str:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}"

    @staticmethod
    def _allowed(url: str, name: str, marks: dict[str, str]) -> bool:
        secure = urlsplit(url).scheme == "https"
        if "secure" in marks and not secure:
            return False
        if marks.get("samesite", "").lower() == "none" and "secure" not in marks:
            return False
        domain = marks.get("domain", "").lstrip(".")
        if domain and domain != urlsplit(url).hostname:
            return False
        if name.startswith("__Host-"):
            return "secure" in marks and "domain" not in marks and marks.get("path") == "/"
        return not name.startswith("__Secure-") or "secure" in marks

    def _ends_at(self, marks: dict[str, str]) -> float | None:
        if "max-age" in marks:
            number = marks["max-age"]
            return self._now() + int(number) if number.lstrip("-").isdecimal() else None
        if "expires" in marks:
            try:
                return parsedate_to_datetime(marks["expires"]).timestamp()
            except ValueError:
                return None
        return None

    @staticmethod
    def _folder(url: str) -> str:
        return urlsplit(url).path.rpartition("/")[0] or "/"

    @staticmethod
    def _path_fits(own: str, asked: str) -> bool:
        return asked == own or asked.startswith(own if own.endswith("/") else own + "/")
