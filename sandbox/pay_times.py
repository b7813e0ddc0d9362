"""Moments as WeChat Pay writes them: RFC 3339 in Shanghai, whole seconds."""

import re
from datetime import UTC, date, datetime, time, timedelta

from sandbox.rendering import SHANGHAI

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)")


def written(seconds: float) -> str:
    """Unix seconds as WeChat Pay writes them."""
    return datetime.fromtimestamp(int(seconds), UTC).astimezone(SHANGHAI).isoformat()


def digits(seconds: float) -> str:
    """The same as fourteen digits, for numbers that begin with a moment."""
    return datetime.fromtimestamp(seconds, UTC).astimezone(SHANGHAI).strftime("%Y%m%d%H%M%S")


def read(text: str) -> float:
    """Unix seconds of an RFC 3339 moment; ValueError for everything else."""
    if not RFC3339.fullmatch(text):
        raise ValueError(f"no RFC 3339 moment: {text}")
    return datetime.fromisoformat(text).timestamp()


def day_of(seconds: float) -> date:
    """The Shanghai calendar day of a moment."""
    return datetime.fromtimestamp(seconds, UTC).astimezone(SHANGHAI).date()


def ready_at(day: date) -> float:
    """When the bills of a day can be had: the next morning at ten."""
    return datetime.combine(day + timedelta(days=1), time(10), SHANGHAI).timestamp()
