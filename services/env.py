"""What a plain service may know beside its rows."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from models.scans import Scan
from services.config import Config


class Clock(Protocol):
    """Where the time comes from; tests and the sandbox hand in their own."""

    def now(self) -> datetime:
        """The moment, aware, in UTC."""

    async def refresh(self) -> None:
        """Look again, where the time lives elsewhere (`WXBOT_CLOCK_URL`)."""


@dataclass(frozen=True, slots=True)
class Env:
    """What a service may know beside its rows: one reading of the clock, chance, and the settings."""

    now: datetime
    new_code: Callable[[int], str]
    config: Config
    woken: dict[str, int] = field(default_factory=dict)
    """Scans that this transaction moves, with their new versions: who waits for them is told after the commit."""

    def wake(self, scan: Scan | None) -> None:
        """Whoever waits for this scan is to hear of its new version; None is nobody's."""
        if scan is not None:
            self.woken[scan.public_id] = scan.version
