"""When to stop asking a company that does not answer, and when to try it again."""

from collections import deque
from collections.abc import Callable

WINDOW_SECONDS = 30
LEAST_CALLS = 10
OPEN_SECONDS = 15


class Breaker:
    """Opens for 15 s when half of at least ten calls of the last 30 s failed; then lets one trial at a time through."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._seconds: deque[list[int]] = deque()  # [second, calls, failures]: bounded by the window
        self._open_until: float | None = None
        self._trial_runs = False

    @property
    def is_open(self) -> bool:
        """True from the opening until a trial has succeeded."""
        return self._open_until is not None

    def admit(self) -> bool:
        """May a call go out now? A yes while open is the one trial; its `record` must follow."""
        if self._open_until is None:
            return True
        if self._trial_runs or self._monotonic() < self._open_until:
            return False
        self._trial_runs = True
        return True

    def record(self, *, failed: bool) -> None:
        """Tells how an admitted call ended."""
        if self._open_until is None:
            self._count(failed)
        elif self._trial_runs:
            self._end_trial(failed)
        # else: a call from before the opening came back late; it says nothing new

    def _count(self, failed: bool) -> None:
        second = int(self._monotonic())
        while self._seconds and self._seconds[0][0] <= second - WINDOW_SECONDS:
            self._seconds.popleft()
        if not self._seconds or self._seconds[-1][0] != second:
            self._seconds.append([second, 0, 0])
        self._seconds[-1][1] += 1
        self._seconds[-1][2] += failed
        calls = sum(entry[1] for entry in self._seconds)
        if calls >= LEAST_CALLS and 2 * sum(entry[2] for entry in self._seconds) >= calls:
            self._open_until = self._monotonic() + OPEN_SECONDS

    def _end_trial(self, failed: bool) -> None:
        self._trial_runs = False
        self._seconds.clear()
        self._open_until = self._monotonic() + OPEN_SECONDS if failed else None
