"""Rewrites a page so that it stays inside a phone of the console: links, forms, assets, redirects, CSS."""

import re
from html import escape, unescape
from ipaddress import ip_address
from urllib.parse import urljoin, urlsplit

ATTRIBUTES = re.compile(
    r"""(\s(?:href|src|action|formaction|poster)\s*=\s*)(?:"([^"]*)"|'([^']*)'|([^\s>"']+))""", re.I
)
REFRESH = re.compile(r"""(<meta\b[^>]*?content\s*=\s*["'][\d.\s]+;\s*url\s*=\s*)([^"'>]+)""", re.I)
CSS_URL = re.compile(r"""(url\(\s*["']?)([^"')]+)""", re.I)
PROXIED = re.compile(r"^/phones/([0-9A-Za-z]+)/web/(https?)(?:~(\w+))?/([^/]+)(/.*)?$", re.S)


def is_loopback(url: str) -> bool:
    """Whether the address is of this machine: nothing else is ever fetched for the console."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def to_phone(name: str, url: str) -> str:
    """The console's address for a page in this person's phone; a foreign address stays as it is."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not is_loopback(url):
        return url
    # The # of WeChat's authorise address never reaches a server, but the pretend WeChat wants to see it.
    mark = "~wechat_redirect" if parts.fragment == "wechat_redirect" else ""
    rest = parts._replace(scheme="", netloc="").geturl() or "/"
    rest = rest if rest.startswith("/") else "/" + rest
    return f"/phones/{name}/web/{parts.scheme}{mark}/{parts.netloc}{rest}"


def from_phone(path: str) -> tuple[str, str] | None:
    """(person, real address) of a console path with query; None when it is none."""
    match = PROXIED.match(path)
    if not match:
        return None
    name, scheme, mark, netloc, rest = match.groups()
    return name, f"{scheme}://{netloc}{rest or '/'}" + (f"#{mark}" if mark else "")


def rewrite_html(name: str, base: str, html: str) -> str:
    """The page with every address of this machine turned into the phone's."""

    def attribute(match: re.Match[str]) -> str:
        value = next(group for group in match.groups()[1:] if group is not None)
        return f'{match[1]}"{escape(_inside(name, base, unescape(value)))}"'

    def refresh(match: re.Match[str]) -> str:
        return match[1] + escape(_inside(name, base, unescape(match[2])))

    return REFRESH.sub(refresh, ATTRIBUTES.sub(attribute, html))


def rewrite_css(name: str, base: str, css: str) -> str:
    """The style sheet likewise."""
    return CSS_URL.sub(lambda match: match[1] + _inside(name, base, match[2]), css)


def _inside(name: str, base: str, value: str) -> str:
    if value.startswith(("#", "data:", "javascript:", "mailto:", "tel:")):
        return value
    return to_phone(name, urljoin(base, value)) if value else value
