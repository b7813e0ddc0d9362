"""扫码确认: from the PC's wish to the phone's yes or no. Every move is one conditional UPDATE; see models/scans.py."""

import hmac
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from models import scans
from models.catalogue import Course
from models.errors import (
    AccountMismatch,
    AlreadySignedIn,
    BusinessError,
    NotFound,
    ScanCancelled,
    ScanExpired,
    ScanTaken,
    TooMany,
    WrongInput,
    retold,
)
from models.links import LinkAttempt
from models.people import STATE_LIFE, digest
from models.scans import Scan
from services import catalogue, links, scan_secrets
from services.departures import Departure
from services.env import Env
from services.links import Offer

KEPT = timedelta(days=1)
TARGET = "scan"


@dataclass(frozen=True, slots=True)
class Asked:
    """A new scan: its id for the PC, the code for the QR, the number that both sides show, seconds to live."""

    public_id: str
    code: str
    number: str
    ttl: int


def ask(
    env: Env, *, browser: str, person_id: int | None, purpose: str, course_slug: str, target: str, renews: str,
    ip: str, user_agent: str,
) -> Asked:  # fmt: skip
    """A PC wants a phone's yes: a row that its browser owns, in place of the one it renews.

    Raises WrongInput, NotFound, PairingNotLive, AlreadySignedIn, ScanExpired (renewed often enough), ScanTaken (the
    old one is in somebody's hands), TooMany.
    """
    course = what_for(purpose, course_slug, person_id)
    renewals = renew(env, renews, browser) if renews else 0
    check_few(env, browser)
    public_id, number = env.new_code(128), f"{int(env.new_code(32), 16) % 100:02d}"
    code = scan_secrets.code_of(env.config.secret_keys[0], public_id, browser)
    Scan.create(
        public_id=public_id, code_hash=digest(code), browser_hash=digest(browser), purpose=purpose, course=course,
        target=target, number=number, pc_person=person_id, ip=ip[:64], user_agent=user_agent[:255],
        renewals=renewals, created_at=env.now, changed_at=env.now,
        expires_at=env.now + timedelta(seconds=env.config.scan_seconds),
    )  # fmt: skip
    return Asked(public_id, code, number, env.config.scan_seconds)


def what_for(purpose: str, course_slug: str, person_id: int | None) -> Course | None:
    """The course that is to be linked; none for signing in. Raises for what cannot be asked."""
    if purpose == scans.LINK:
        return catalogue.live_pairing(course_slug).course
    if purpose != scans.SIGN_IN:
        raise WrongInput(what="purpose")
    if person_id is not None:
        raise AlreadySignedIn
    return None


def renew(env: Env, public_id: str, browser: str) -> int:
    """Put the old one aside; how often it has been renewed with this."""
    old = Scan.of_browser(public_id, browser)
    if old.renewals >= scans.RENEWALS:
        raise ScanExpired
    if old.state != scans.WAITING and old.is_live(now=env.now):
        raise ScanTaken
    aside = {"state": scans.SUPERSEDED, "version": Scan.version + 1, "changed_at": env.now, "finished_at": env.now}
    if Scan.change_if(Scan.id == old.id, Scan.state == old.state, Scan.state.in_(scans.LIVE), **aside):
        env.wake(Scan.get_by_id(old.id))
    return old.renewals + 1


def check_few(env: Env, browser: str) -> None:
    """Raise TooMany when this browser has enough of them; a bound for rows, not a promise to anybody."""
    live = Scan.select().where(Scan.browser_hash == digest(browser), Scan.state.in_(scans.LIVE))
    ends = [scan.expires_at for scan in live.where(Scan.expires_at > env.now)]
    if len(ends) >= scans.LIVE_AT_ONCE:
        raise TooMany(retry_after=int((min(ends) - env.now).total_seconds()) + 1)


def opened(env: Env, *, code: str, person_id: int) -> None:
    """A phone with an identity has scanned: the first one has it, for three minutes (L3).

    Raises NotFound, AccountMismatch, ScanExpired, ScanTaken, ScanCancelled. Where nothing can be linked, the scan is
    declined with the reason, which the PC hears at once.
    """
    scan = Scan.of_code(code)
    if scan.scanned_by_id == person_id:
        return
    check_same_person(scan, person_id)
    until = min(env.now + scans.SCANNED_LIFE, scan.created_at + scans.LONGEST_LIFE)
    his = {"scanned_by": person_id, "scanned_at": env.now, "expires_at": until}
    if not scan.move(Scan.state == scans.WAITING, now=env.now, state=scans.SCANNED, **his):
        check_mine(env, Scan.get_by_id(scan.id), person_id)
        return  # he tapped twice
    if no := why_not(env, scan, person_id):
        refuse(env, scan, no)
    env.wake(Scan.get_by_id(scan.id))


def arrived(env: Env, *, target: str, person_id: int) -> None:
    """Somebody has signed in on his way to a page: if it is a scan's, he has scanned it; the page tells a "no"."""
    kind, _, code = target.partition(":")
    if kind == TARGET:
        with suppress(BusinessError):
            opened(env, code=code, person_id=person_id)


def check_same_person(scan: Scan, person_id: int | None) -> None:
    """Raise AccountMismatch when the PC is signed in as somebody else: else a photo of a QR would join two people."""
    if person_id is not None and scan.pc_person_id not in (None, person_id):
        raise AccountMismatch


def why_not(env: Env, scan: Scan, person_id: int) -> BusinessError | None:
    """Why this person cannot link what the PC wants."""
    try:
        offer(env, scan, person_id)
    except BusinessError as no:
        return no
    return None


def offer(env: Env, scan: Scan, person_id: int) -> Offer | None:
    """What would be linked, where the scan is for that; raises what `links.offer` raises."""
    return links.offer(env, person_id=person_id, course_slug=scan.course.slug) if scan.purpose == scans.LINK else None


def refuse(env: Env, scan: Scan, no: BusinessError) -> bool:
    """He does not want it, or cannot have it."""
    told = {"refused_code": no.code, "said": no.message[:255], "finished_at": env.now}
    return scan.move(Scan.state == scans.SCANNED, now=env.now, state=scans.DECLINED, **told)


def check_live(env: Env, scan: Scan) -> None:
    """Raise ScanExpired for one of which nothing can come any more."""
    if not scan.is_live(now=env.now):
        raise ScanExpired


def check_mine(env: Env, scan: Scan, person_id: int) -> None:
    """Raise unless this phone holds the scan and its time runs, or it has come to a good end: what to tell instead."""
    check_same_person(scan, person_id)
    state = scan.shown_state(now=env.now)
    if state in {scans.EXPIRED, scans.SUPERSEDED}:
        raise ScanExpired
    if state == scans.CANCELLED:
        raise ScanCancelled
    if scan.scanned_by_id != person_id:
        raise ScanTaken
    if state == scans.DECLINED:
        raise retold(scan.refused_code, scan.said)


def confirm(
    env: Env, *, code: str, person_id: int, page: str, browser: str, agreed: str, ip: str, user_agent: str
) -> Departure | None:
    """The phone's yes, once; the hand-over to the planet, or None where the phone shows the six digits next.

    Confirmation, the waiver as agreed and the state of the hand-over are one transaction. The same page again gets
    the same answer. Raises what `check_mine` raises, ScanTaken for another page, and what `links.begin` raises.
    """
    scan = Scan.of_code(code)
    scan_secrets.check_confirm_id(env, scan, person_id, page)
    is_link = scan.purpose == scans.LINK
    until = env.now + (STATE_LIFE if is_link else scans.DIGITS_LIFE)
    his = {"confirm_hash": digest(page), "confirmed_at": env.now, "expires_at": until}
    mine = (Scan.state == scans.SCANNED, Scan.scanned_by == person_id)
    if not scan.move(*mine, now=env.now, state=scans.CONFIRMED, **his):
        return confirmed_before(env, Scan.get_by_id(scan.id), person_id, page)
    departure = depart(env, scan, person_id, page, browser, agreed, ip, user_agent) if is_link else None
    env.wake(Scan.get_by_id(scan.id))
    return departure


def depart(
    env: Env, scan: Scan, person_id: int, page: str, browser: str, agreed: str, ip: str, user_agent: str
) -> Departure:
    """Begin the hand-over of the phone's browser, and remember which one the PC follows."""
    state = scan_secrets.state_of(env, page)
    who = {"person_id": person_id, "browser": browser, "ip": ip, "user_agent": user_agent}
    departure = links.begin(env, course_slug=scan.course.slug, agreed=agreed, state=state, **who)
    Scan.update(attempt=LinkAttempt.get(state_hash=digest(state))).where(Scan.id == scan.id).execute()
    return departure


def confirmed_before(env: Env, scan: Scan, person_id: int, page: str) -> Departure | None:
    """What the same page has led to already; raises for any other."""
    check_mine(env, scan, person_id)
    if not hmac.compare_digest(scan.confirm_hash or "", digest(page)):
        raise ScanTaken
    if scan.attempt is None:
        return None
    attempt = scan.attempt
    return Departure(attempt.provider, attempt.planet.group_id, scan_secrets.state_of(env, page), attempt.code_verifier)


def decline(env: Env, *, code: str, person_id: int, no: BusinessError) -> None:
    """The phone's no; again is the same."""
    scan = Scan.of_code(code)
    if scan.scanned_by_id != person_id:
        raise NotFound
    if refuse(env, scan, no):
        env.wake(Scan.get_by_id(scan.id))
    else:
        with suppress(type(no)):
            check_mine(env, Scan.get_by_id(scan.id), person_id)
            raise ScanTaken  # confirmed already


def forget_old(env: Env) -> int:
    """Delete what was over a day ago, with the marks of the PC in it; how many."""
    return Scan.delete().where(Scan.expires_at < env.now - KEPT).execute()
