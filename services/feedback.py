"""反馈: a problem is kept in the person's own words, until a person looks at it."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime

from models.bounty import LONGEST, Report
from models.people import Person
from services.env import Env

LATEST = 200


def keep(env: Env, *, person_id: int, text: str, source: str) -> int:
    """Keep a report, at most LONGEST characters of it; returns the number that he can name."""
    legible = "".join(letter for letter in text if letter in "\n\t" or unicodedata.category(letter) != "Cc")
    return Report.create(person=person_id, text=legible[:LONGEST], created_at=env.now, source=source).id


@dataclass(frozen=True, slots=True)
class ReportLine:
    """One report as a line of the list, its person by his pseudonym."""

    number: int
    created_at: datetime
    person: str
    source: str
    text: str


def listed(env: Env) -> list[ReportLine]:
    """The latest reports, newest first; one whose person has left WeChat is empty."""
    rows = Report.select(Report, Person).join(Person).order_by(Report.id.desc()).limit(LATEST)
    return [ReportLine(row.id, row.created_at, row.person.pseudonym, row.source, row.text) for row in rows]
