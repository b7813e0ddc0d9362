"""The sandbox's own pages: Jinja2 with autoescape, templates in `pages/`."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

PAGES = Path(__file__).parent / "pages"
SHANGHAI = timezone(timedelta(hours=8))


def shanghai_time(seconds: float) -> str:
    """Unix seconds as people read them."""
    return datetime.fromtimestamp(seconds, UTC).astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def yuan(fen: int) -> str:
    """Whole fen as a price tag: 19900 is 199.00."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


_environment = Environment(loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined)
_environment.filters["shanghai"] = shanghai_time
_environment.filters["yuan"] = yuan


def render(page: str, **values: Any) -> str:
    """One page as HTML; a name that the page wants and nobody gave is an error."""
    return _environment.get_template(page).render(**values)
