"""反馈: a problem is kept in the person's own words, until a person looks at it."""

from models.bounty import LONGEST, Report
from services.env import Env


def keep(env: Env, *, person_id: int, text: str, source: str) -> int:
    """Keep a report, at most LONGEST characters of it; returns the number that he can name."""
    legible = "".join(letter for letter in text if letter >= " " or letter in "\n\t")
    return Report.create(person=person_id, text=legible[:LONGEST], created_at=env.now, source=source).id
