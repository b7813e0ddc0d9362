"""Bringing a row to what a file says, and telling what that changed."""

from typing import Any

from models.base import Row


def put(row: type[Row], key: dict[str, Any], values: dict[str, Any], name: str = "") -> list[str]:
    """Insert or change one row; a sentence for what changed."""
    name = name or f"{row.__name__.lower()} {key.get('slug')}"
    old = row.get_or_none(**key)
    if old is None:
        row.create(**key, **values)
        return [f"+ {name}"]
    changed = {field: value for field, value in values.items() if old.__data__[field] != value}
    if changed:
        row.update(**changed).where(row.id == old.id).execute()
    return [f"~ {name}: {field} {brief(old.__data__[field])} → {brief(value)}" for field, value in changed.items()]


def brief(value: Any) -> str:
    """The beginning of a value, on one line."""
    return " ".join(f"{value!s:.60}".split())
