"""Template messages: the purposes there are, what their fields hold, and whether WeChat takes one just now."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from models.base import SHANGHAI

LINKED, VOUCHER_ISSUED, MEMBERSHIP_ENDING, REFUNDED, BOUNTY = (
    "linked", "voucher_issued", "membership_ending", "refunded", "bounty",
)  # fmt: skip
PURPOSES = {
    LINKED: ("thing1", "time2"),  # the planet, until when he is a member
    VOUCHER_ISSUED: ("thing1", "amount2", "time3"),  # what for, what it is worth (`yuan`), until when
    MEMBERSHIP_ENDING: ("thing1", "time2"),  # the planet, until when
    REFUNDED: ("thing1", "amount2"),  # the course, how much (`yuan`)
    BOUNTY: ("thing1", "thing2"),  # what he reported, what he gets for it
}
"""The fields of each purpose's template in their order, unless the setting names others behind the id."""
MOST_LETTERS = {"thing": 20, "phrase": 5, "name": 10, "character_string": 32, "letter": 32, "number": 32}
KIND = re.compile(r"[a-z_]+")
OF_THE_MINUTE = "45011"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Letter:
    """A template message, without whom it is for."""

    template_id: str
    data: dict[str, str]
    page: str


def letter_of(templates: Mapping[str, str], *, purpose: str, values: Sequence[str], page: str) -> Letter | None:
    """The message for a purpose; None where no template is set for it."""
    template_id, *names = templates.get(purpose, "").split() or [""]
    if not template_id:
        return None
    pairs = zip(names or PURPOSES[purpose], values, strict=False)
    return Letter(template_id, {name: fit(name, value) for name, value in pairs}, page)


def fit(name: str, value: str) -> str:
    """A value in one line, cut to what a field of this kind may hold: WeChat refuses a longer one."""
    kind, line = KIND.match(name), " ".join(value.split())
    most = MOST_LETTERS.get(kind[0], len(line)) if kind else len(line)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def yuan(fen: int) -> str:
    """Money as a field of the kind `amount` takes it."""
    return f"{fen // 100}.{fen % 100:02}元"


def mistake_in(templates: Mapping[str, str]) -> str:
    """What is wrong with the setting; empty when nothing is."""
    for purpose, words in templates.items():
        if purpose not in PURPOSES:
            return f"has a purpose that is none: they are {', '.join(PURPOSES)}"
        if len(words.split()) > 1 + len(PURPOSES[purpose]):
            return f"names more fields for {purpose} than it has: {len(PURPOSES[purpose])}"
    return ""


class Quota:
    """Whether WeChat's quota of template messages is used up: until it is new, nobody asks again in vain."""

    def __init__(self) -> None:
        self._new_at = LONG_AGO

    def is_used_up(self, *, now: datetime) -> bool:
        """Whether a letter would only be refused."""
        return now < self._new_at

    def note(self, code: str, *, now: datetime) -> None:
        """WeChat has said so: for this minute, or until midnight in Shanghai."""
        local = now.astimezone(SHANGHAI)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        self._new_at = now + timedelta(minutes=1) if code == OF_THE_MINUTE else midnight
