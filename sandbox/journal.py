"""The journal of all traffic, with full bodies: it is a sandbox, nothing in it is secret."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Entry:
    """One request and its answer; `direction` is seen from the sandbox: in = somebody asked it."""

    number: int
    at: float
    side: str
    direction: str
    operation: str
    method: str
    path: str
    status: int
    request: str = ""
    response: str = ""
    fault: str = ""
    more: dict[str, Any] = field(default_factory=dict)


class Journal:
    """The last `size` entries, oldest first."""

    def __init__(self, size: int = 2000) -> None:
        self._entries: deque[Entry] = deque(maxlen=size)
        self._count = 0

    def add(self, **facts: Any) -> Entry:
        """Keep one entry; the facts are the fields of `Entry` without its number."""
        self._count += 1
        entry = Entry(number=self._count, **facts)
        self._entries.append(entry)
        return entry

    def entries(
        self, side: str | None = None, operation: str | None = None, direction: str | None = None
    ) -> list[Entry]:
        """The entries that fit, oldest first."""
        return [
            entry
            for entry in self._entries
            if side in (None, entry.side)
            and operation in (None, entry.operation)
            and direction in (None, entry.direction)
        ]

    def clear(self) -> None:
        """Forget all entries; numbers go on."""
        self._entries.clear()
