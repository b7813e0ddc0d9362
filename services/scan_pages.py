"""What the phone shows of a scan: what is asked, by which PC, and what comes of it."""

from dataclasses import dataclass
from datetime import datetime

from models import scans
from models.scans import Scan
from services import scan_secrets
from services import scans as steps
from services.env import Env
from services.links import Offer


@dataclass(frozen=True, slots=True)
class Page:
    """The phone's page: `open` (tap to go on), `confirm`, `digits` to be typed at the PC, or `done`."""

    step: str
    purpose: str
    number: str
    course_title: str
    ip: str
    user_agent: str
    asked_at: datetime
    offer: Offer | None = None
    page: str = ""
    digits: str = ""
    attempt_id: int | None = None


def page(env: Env, *, code: str, person_id: int | None) -> Page:
    """What this phone may see now; nothing is changed.

    Raises NotFound, and what `scans.check_mine` raises: why this phone has nothing to say here (any more).
    """
    scan = Scan.of_code(code)
    facts = {
        "purpose": scan.purpose, "number": scan.number, "course_title": scan.course.title if scan.course_id else "",
        "ip": scan.ip, "user_agent": scan.user_agent, "asked_at": scan.created_at,
    }  # fmt: skip
    if person_id is None or scan.state == scans.WAITING:
        steps.check_same_person(scan, person_id)
        steps.check_live(env, scan)
        return Page("open", **facts)
    steps.check_mine(env, scan, person_id)
    if scan.state == scans.SCANNED:
        return Page(
            "confirm",
            **facts,
            offer=steps.offer(env, scan, person_id),
            page=scan_secrets.confirm_id(env, scan, person_id),
        )
    if scan.state == scans.CONFIRMED and scan.purpose == scans.SIGN_IN:
        return Page("digits", **facts, digits=scan_secrets.digits_of(env, scan))
    return Page("done", **facts, attempt_id=scan.attempt_id)
