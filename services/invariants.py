"""What `wxbot verify` looks for: each invariant is a query that names the rows which break it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from services.env import Env

CHECKS: list[tuple[str, str, Callable[[Env], Iterable[str]]]] = []


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant and what breaks it, if anything does."""

    name: str
    promise: str
    breaks: tuple[str, ...]


def invariant(name: str, promise: str) -> Callable[[Callable[[Env], Iterable[str]]], Callable[[Env], Iterable[str]]]:
    """Add a check to the list; it yields one short text for each row at fault."""

    def register(check: Callable[[Env], Iterable[str]]) -> Callable[[Env], Iterable[str]]:
        CHECKS.append((name, promise, check))
        return check

    return register
