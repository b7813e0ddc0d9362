"""JSON of which nobody has to guess what it says: a name that stands twice, or a number that is none, is refused."""

import json
from typing import Any


def loads(body: bytes) -> Any:
    """What UTF-8 JSON says; ValueError for all other bytes, whatever they are."""
    try:
        return json.loads(body.decode(), object_pairs_hook=_each_once, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_number(_text: str) -> None:
    raise ValueError("no number of JSON")
