"""What a scanner says, held against the list of what is known to be no fault."""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

LIST = Path(__file__).with_name("exceptions.yml")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One fault that one scanner sees at one place."""

    tool: str
    what: str
    at: str

    def __str__(self) -> str:
        return f"{self.tool}: {self.what} at {self.at}"


@dataclass(frozen=True, slots=True)
class Known:
    """A line of the list: a finding that is none, and why; `at` may hold `*`."""

    tool: str
    what: str
    at: str
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Whether this line speaks of the finding."""
        return (self.tool, self.what) == (finding.tool, finding.what) and fnmatchcase(finding.at, self.at)


def known() -> list[Known]:
    """The list."""
    return [Known(**line) for line in yaml.safe_load(LIST.read_text(encoding="utf-8"))]


def judge(found: Iterable[Finding], listed: list[Known], ran: set[str]) -> tuple[list[str], bool]:
    """One line for each finding, and one for each listed one that has gone; whether all is well.

    A line of the list that no longer applies is told, not punished: a scanner that looks less far is no fault of ours.
    """
    lines, is_clean = [], True
    seen: set[Known] = set()
    for finding in sorted(set(found)):
        excuse = next((one for one in listed if one.covers(finding)), None)
        seen |= {excuse} if excuse else set()
        is_clean &= excuse is not None
        lines.append(f"known    {finding}: {excuse.reason}" if excuse else f"FINDING  {finding}")
    gone = [one for one in listed if one.tool in ran and one not in seen]
    return lines + [f"gone     {one.tool}: {one.what} at {one.at}: take it off {LIST.name}" for one in gone], is_clean
