"""Rendering: Jinja2 that escapes everything and stops at an unknown name; how money and days look."""

from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from h5.targets import path_of
from models.base import SHANGHAI, shanghai_words

if TYPE_CHECKING:
    from tornado.web import RequestHandler

ROOT = Path(__file__).parent.parent
JWEIXIN = "https://res.wx.qq.com/open/js/jweixin-1.6.0.js"
PAGE_OF_ERROR = {"not_signed_in": "sign_in.html", "open_in_wechat": "open_in_wechat.html"}
KEPT_PARTS = 1024
WEUI = ROOT / "node_modules" / "weui" / "dist" / "style" / "weui.min.css"


def yuan(fen: int) -> str:
    """19900 → ¥199, 19950 → ¥199.50"""
    whole, rest = divmod(fen, 100)
    return f"¥{whole}" if not rest else f"¥{whole}.{rest:02d}"


def date_day(on: date) -> str:
    """2018年8月1日, of a plain date."""
    return f"{on.year}年{on.month}月{on.day}日"


def minute(moment: datetime) -> str:
    """2027-11-22 17:30, in Shanghai."""
    return f"{moment.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


def clock(moment: datetime) -> str:
    """17:30, in Shanghai."""
    return f"{moment.astimezone(SHANGHAI):%H:%M}"


@lru_cache(KEPT_PARTS)
def part(template: str, **facts: Any) -> Markup:
    """A piece of a page that says the same to everybody, drawn once for the same facts."""
    return Markup(templates.get_template(template).render(**facts))  # noqa: S704  # nosec B704 - it has escaped them


def environment() -> Environment:
    """The one template environment."""
    made = Environment(
        loader=FileSystemLoader(ROOT / "templates"), autoescape=True, undefined=StrictUndefined, auto_reload=False,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.globals |= {"part": part, "yuan": yuan}
    made.filters |= {"yuan": yuan, "day": shanghai_words, "minute": minute, "clock": clock, "date_day": date_day}
    return made


templates = environment()


def again(handler: "RequestHandler") -> str:
    """The path that may be asked for once more by a tap; empty where that would not do the same."""
    request = handler.request
    return request.path if request.method == "GET" and not request.query else ""


def render(handler: "RequestHandler", template: str, *, target: str = "", **facts: Any) -> str:
    """A page for this visitor; `target` where the handler cannot tell its own."""
    ctx, target = handler.settings["ctx"], target or handler.target
    there = path_of(target)
    shared = {
        "xsrf": lambda: Markup(handler.xsrf_form_html()),  # noqa: S704  # nosec B704 - Tornado has escaped it
        "person": handler.person,
        "in_wechat": handler.in_wechat,
        "target": target,
        "there": there,
        "address": f"{ctx.config.base_url}{there}",
        "path": handler.request.path,
        "retry": again(handler),
        "weui": handler.settings["weui"],
        "jweixin": JWEIXIN if handler.in_wechat and ctx.config.is_https else "",
        "now": ctx.clock.now(),
    }
    return templates.get_template(template).render(**shared, **facts)
