"""The PC's side of a scan: what it may know, calling it off, and typing the six digits of the phone."""

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from clients.errors import RemoteDown, RemoteRefused
from models import scans
from models.errors import BusinessError, NotFound, ScanExpired, ScanTaken, WrongDigits
from models.links import Membership
from models.people import REPEAT_LIFE, Session, digest
from models.scans import Scan
from services import people, scan_secrets, signing
from services import scans as steps
from services.context import Context
from services.env import Env

log = structlog.get_logger()
SOMEBODY = "微信用户"


@dataclass(frozen=True, slots=True)
class Progress:
    """What the PC's browser may know: no more than it needs to follow."""

    public_id: str
    version: int
    state: str
    ttl: int
    mask: str
    until: datetime | None
    purpose: str
    number: str
    course_slug: str
    target: str
    said: str
    can_renew: bool


@dataclass(frozen=True, slots=True)
class Begun:
    """A new scan, and what its QR says."""

    public_id: str
    entry: str
    number: str
    ttl: int


async def begin(ctx: Context, *, browser: str, **asked: Any) -> Begun:
    """A PC asks for a phone; raises what `scans.ask` raises."""
    made = await ctx.transact(steps.ask, browser=browser, **asked)
    if ctx.config.scan_by_account:
        await enter_by_account(ctx, made)
    entry = await ctx.read(entry_of, public_id=made.public_id, browser=browser)
    return Begun(made.public_id, entry, made.number, made.ttl)


async def enter_by_account(ctx: Context, made: steps.Asked) -> None:
    """Let the account's own QR stand in place of ours: it tells us the openid, and leads who scans into the chat.

    Where WeChat makes none, ours does the same.
    """
    seconds = int(scans.LONGEST_LIFE.total_seconds())
    try:
        scene = await ctx.wechat.create_scene_code(f"{steps.TARGET}:{made.code}", seconds)
    except (RemoteDown, RemoteRefused) as problem:
        log.warning("the account made no QR, ours takes its place", why=str(problem))
        return
    await ctx.transact(keep_entry, public_id=made.public_id, entry=scene.url)


def keep_entry(env: Env, *, public_id: str, entry: str) -> None:
    """What the QR says from now on."""
    Scan.update(sealed_entry=signing.seal(env.config, entry)).where(Scan.public_id == public_id).execute()


def progress(env: Env, *, public_id: str, browser: str) -> Progress:
    """Where it stands."""
    scan = Scan.of_browser(public_id, browser)
    left = (scan.expires_at - env.now).total_seconds() if scan.is_live(now=env.now) else 0
    return Progress(
        public_id=public_id, version=scan.version, state=scan.shown_state(now=env.now), ttl=int(left),
        mask=mask_of(scan), until=until_of(scan), purpose=scan.purpose, number=scan.number,
        course_slug=scan.course.slug if scan.course_id else "", target=scan.target, said=scan.said,
        can_renew=scan.renewals < scans.RENEWALS,
    )  # fmt: skip


def version_of(env: Env, *, public_id: str, browser: str) -> int:
    """How often it has changed; raises NotFound for a scan of another browser."""
    return Scan.of_browser(public_id, browser).version


def mask_of(scan: Scan) -> str:
    """Who has scanned, so that its owner knows himself and nobody else learns a name."""
    if scan.scanned_by_id is None:
        return ""
    name = scan.attempt.link.display_name if scan.attempt_id and scan.attempt.link_id else ""
    return f"{name[0]}**" if name else SOMEBODY


def until_of(scan: Scan) -> datetime | None:
    """Until when the link that was made gives the planet."""
    if scan.state != scans.LINKED:
        return None
    membership = Membership.get_or_none(link=scan.attempt.link_id, active_grant=scan.attempt.grant_id)
    return membership.ends_at if membership else None


def entry_of(env: Env, *, public_id: str, browser: str) -> str:
    """What the QR says: our own address, or the account's where it made one; raises NotFound."""
    scan = Scan.of_browser(public_id, browser)
    if scan.sealed_entry:
        return signing.unseal(env.config, scan.sealed_entry)
    codes = (scan_secrets.code_of(key, public_id, browser) for key in env.config.secret_keys)
    code = next((code for code in codes if hmac.compare_digest(digest(code), scan.code_hash)), None)
    if code is None:
        raise NotFound
    return f"{env.config.base_url}/s/{code}"


def cancel(env: Env, *, public_id: str, browser: str) -> None:
    """The PC calls it off, as long as the phone has not gone on to the planet; again is the same."""
    scan = Scan.of_browser(public_id, browser)
    open_still = Scan.state.in_([scans.WAITING, scans.SCANNED])
    digits = (Scan.state == scans.CONFIRMED) & (Scan.purpose == scans.SIGN_IN)
    off = {"state": scans.CANCELLED, "finished_at": env.now}
    if not scan.move(open_still | digits, now=env.now, **off) and scan.shown_state(now=env.now) == scans.CONFIRMED:
        raise ScanTaken
    env.wake(Scan.get_by_id(scan.id))


def end_of_browser(env: Env, *, browser: str) -> None:
    """Who signs out at a PC leaves no QR behind that still works."""
    for scan in Scan.select().where(Scan.browser_hash == digest(browser), Scan.state.in_(scans.LIVE)):
        if scan.move(Scan.state.in_(scans.LIVE), now=env.now, state=scans.EXPIRED, finished_at=env.now):
            env.wake(Scan.get_by_id(scan.id))


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session for the PC, and where it wanted to go."""

    token: str
    target: str


async def finish_sign_in(ctx: Context, **asked: str) -> SignedIn:
    """Take the digits typed at the PC; a try that fails is counted, so it must not be rolled back.

    Raises NotFound, WrongDigits, ScanExpired (too late, or the third wrong try).
    """
    came = await ctx.transact(type_digits, **asked)
    if isinstance(came, BusinessError):
        raise came
    return came


def type_digits(env: Env, *, public_id: str, browser: str, digits: str) -> SignedIn | BusinessError:
    """One of three tries, counted before it is looked at: many at once get no more tries than one by one."""
    scan = Scan.of_browser(public_id, browser)
    if scan.purpose != scans.SIGN_IN:
        raise NotFound
    is_right = hmac.compare_digest(scan_secrets.digits_of(env, scan).encode(), digits.encode())
    confirmed = Scan.state == scans.CONFIRMED
    if not scan.move(confirmed, now=env.now, tries=Scan.tries + 1):
        return done_before(env, Scan.get_by_id(scan.id), browser, is_right)
    if not is_right:
        return wrong(env, Scan.get_by_id(scan.id))
    if not scan.move(confirmed, now=env.now, state=scans.DONE, finished_at=env.now):
        return done_before(env, Scan.get_by_id(scan.id), browser, is_right)
    env.wake(Scan.get_by_id(scan.id))
    return SignedIn(
        people.new_session(env, scan.scanned_by_id, token=scan_secrets.token_of(env, scan, browser)), scan.target
    )


def wrong(env: Env, scan: Scan) -> BusinessError:
    """How many tries are left; after the last one it is over."""
    if scan.tries < scans.TRIES:
        return WrongDigits(left=scans.TRIES - scan.tries)
    scan.move(Scan.state == scans.CONFIRMED, now=env.now, state=scans.CANCELLED, finished_at=env.now)
    env.wake(Scan.get_by_id(scan.id))
    return ScanExpired()


def done_before(env: Env, scan: Scan, browser: str, is_right: bool) -> SignedIn | BusinessError:
    """The same answer again, for a minute, to whom the right digits are still known."""
    token = scan_secrets.token_of(env, scan, browser)
    is_fresh = scan.state == scans.DONE and env.now < scan.finished_at + REPEAT_LIFE
    if not (is_fresh and is_right and Session.get_or_none(token_hash=digest(token))):
        return ScanExpired()
    return SignedIn(token, scan.target)
