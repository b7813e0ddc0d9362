"""Purchases of platforms that keep their own shop: told once, claimed once, taken back when refunded there (B4)."""

import hmac
import re
from dataclasses import dataclass
from datetime import datetime

from models import audit
from models.access import PURCHASE, Grant
from models.base import shanghai_day
from models.catalogue import Course
from models.errors import BusinessError, ClaimTaken, NotFound, OrderNoTaken, Waived, WrongInput
from models.links import RefundWaiver
from models.people import Person, digest
from models.purchases import ORDER_NO, Platform, Purchase
from services import access, earned, people, signing
from services.env import Env
from services.purchase_body import PurchaseBody

MOST_REASON = 255
PLATFORM_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True)
class PurchaseAnswer:
    """What the platform sees of a purchase, now."""

    platform: str
    order_no: str
    course: str
    status: str
    claim_url: str | None
    waived_at: str | None


def add_platform(env: Env, *, name: str) -> str:
    """Make a key for a platform, shown once; a second call for the same name replaces the key."""
    if not PLATFORM_NAME.fullmatch(name):
        raise WrongInput(what="a platform's name has lower-case letters, digits and hyphens, at most 32")
    key = env.new_code(256)
    if not Platform.add_once(name=name, key_hash=digest(key), created_at=env.now):
        Platform.update(key_hash=digest(key)).where(Platform.name == name).execute()
    audit.record(at=env.now, who="command", action="platform key made", subject=f"platform:{name}")
    return key


def is_key(env: Env, *, name: str, key: str, platform: str) -> bool:
    """Whether the key is this platform's; as slow for an unknown platform as for a wrong key."""
    known = Platform.get_or_none(name=name) if PLATFORM_NAME.fullmatch(name) else None
    right = known.key_hash if known else digest("no such platform")
    return hmac.compare_digest(right, digest(key)) and known is not None and name == platform


def put(env: Env, *, platform: str, order_no: str, body: PurchaseBody) -> tuple[PurchaseAnswer, bool]:
    """Register a purchase; (answer, True when it is new). The same body again is the same purchase.

    Raises NotFound for an unknown course, OrderNoTaken when the number came with another body.
    """
    if not ORDER_NO.fullmatch(order_no):
        raise WrongInput(what="order_no: 1 to 64 of letters, digits, _ . -")
    shop = Platform.find(name=platform)
    course = Course.get_or_none(slug=body.course)
    if course is None:
        raise WrongInput(what=f"course: unknown course {body.course}")
    is_new = Purchase.add_once(
        platform=shop, order_no=order_no, course=course, phone=body.phone, email=body.email, created_at=env.now,
        paid_fen=body.paid_fen, paid_at=body.paid_at, body_digest=body_fingerprint(env, body),
    )  # fmt: skip
    purchase = Purchase.get(platform=shop, order_no=order_no)
    if is_new:
        assign(env, purchase, body)
    elif not signing.is_fingerprint(env.config, "purchase", same_text(body), purchase.body_digest):
        raise OrderNoTaken
    return answer(env, Purchase.get_by_id(purchase.id)), is_new


def body_fingerprint(env: Env, body: PurchaseBody) -> str:
    """Tells the same body from another without keeping the phone number in it."""
    return signing.fingerprint(env.config.secret_keys[0], "purchase", same_text(body))


def same_text(body: PurchaseBody) -> str:
    """The same for the same purchase; a field that is not filled leaves no trace, so that a new one may come."""
    return body.model_dump_json(exclude_none=True)


def assign(env: Env, purchase: Purchase, body: PurchaseBody) -> None:
    """Give the course to the known person at once; for anybody else make the claim link."""
    if body.openid:
        person = people.person_with_openid(env, body.openid)
        purchase.take(person, now=env.now)
        give(env, purchase, person)
    else:
        code = signing.short_code(env.config.secret_keys[0], "claim", purchase.source_ref)
        Purchase.update(claim_hash=digest(code)).where(Purchase.id == purchase.id).execute()


def give(env: Env, purchase: Purchase, person: Person) -> None:
    """The right to the course, from the moment it was paid."""
    starts_at = min(purchase.paid_at, env.now)
    where = {"source": PURCHASE, "source_ref": purchase.source_ref, "course": purchase.course}
    access.give(env, person=person, starts_at=starts_at, **where)


def answer(env: Env, purchase: Purchase) -> PurchaseAnswer:
    """The purchase as its platform sees it."""
    code = claim_code(env, purchase) if purchase.status == "claimable" else None
    waiver = waiver_of(purchase)
    return PurchaseAnswer(
        platform=purchase.platform.name, order_no=purchase.order_no, course=purchase.course.slug,
        status=purchase.status, claim_url=f"{env.config.base_url}/claims/{code}" if code else None,
        waived_at=waiver.effective_at.isoformat().replace("+00:00", "Z") if waiver else None,
    )  # fmt: skip


def claim_code(env: Env, purchase: Purchase) -> str | None:
    """The claim link's code, derived again; whichever of our keys made it."""
    known = purchase.claim_hash or ""
    codes = (signing.short_code(key, "claim", purchase.source_ref) for key in env.config.secret_keys)
    return next((code for code in codes if hmac.compare_digest(digest(code), known)), None)


def grant_of(purchase: Purchase) -> Grant | None:
    """The right that came from it."""
    return Grant.get_or_none(source=PURCHASE, source_ref=purchase.source_ref, course=purchase.course_id)


def waiver_of(purchase: Purchase) -> RefundWaiver | None:
    """The first waiver in effect for it, if its planet was entered."""
    grant = grant_of(purchase)
    return RefundWaiver.select().where(RefundWaiver.grant == grant).order_by(RefundWaiver.id).first() if grant else None


def find(env: Env, *, platform: str, order_no: str) -> PurchaseAnswer:
    """The purchase as it stands; raises NotFound."""
    return answer(env, by_number(platform, order_no))


def by_number(platform: str, order_no: str) -> Purchase:
    """A platform's purchase by its own number; raises NotFound."""
    if not ORDER_NO.fullmatch(order_no):  # no such number was ever taken, and not every database can be asked for it
        raise NotFound
    return Purchase.find(platform=Platform.find(name=platform), order_no=order_no)


def refund(env: Env, *, platform: str, order_no: str, override: str) -> PurchaseAnswer:
    """It was refunded at the platform: the right ends, and what hung on it or was earned by it. Again is the same.

    Raises Waived when its planet was entered, and what models/voucher_errors.py has for a voucher that it earned and
    that is spent or held, unless `override` gives a reason (recorded).
    """
    purchase = by_number(platform, order_no)
    refunded = {"refunded_at": env.now, "refund_override": override or None}
    if Purchase.change_if(Purchase.id == purchase.id, Purchase.refunded_at.is_null(), **refunded):
        if grant := grant_of(purchase):
            access.take_back(env, grant, reason="refund")  # locks the right before the waiver is looked for
        waiver = waiver_of(purchase)
        if waiver and not override:
            raise Waived(waived_at=shanghai_day(waiver.effective_at))
        if grant:
            earned.end_elsewhere(env, grant, is_overridden=bool(override))
        who, subject = f"platform:{platform}", f"purchase:{purchase.id}"
        audit.record(at=env.now, who=who, action="refunded at the platform", subject=subject, reason=override)
    return answer(env, Purchase.get_by_id(purchase.id))


class ClaimOver(BusinessError):
    """The purchase behind the claim link was refunded at its platform."""

    code = "claim_over"
    status = 410
    says = "这笔购买已经在原平台退款，领取链接失效了。如有疑问，请联系购买课程的平台。"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a claim link offers; `is_mine` when who asks has it already."""

    course_slug: str
    course_title: str
    platform: str
    order_tail: str
    paid_at: datetime
    is_mine: bool


def claim_offer(env: Env, *, code: str, person_id: int) -> Claim:
    """What may be claimed; raises NotFound for an unknown link, ClaimOver, ClaimTaken when it is another's."""
    purchase = by_claim(code)
    if purchase.person_id not in {None, person_id}:
        raise ClaimTaken
    return Claim(
        course_slug=purchase.course.slug, course_title=purchase.course.title, platform=purchase.platform.name,
        order_tail=purchase.order_tail, paid_at=purchase.paid_at, is_mine=purchase.person_id == person_id,
    )  # fmt: skip


def by_claim(code: str) -> Purchase:
    """The purchase behind a claim link; raises NotFound, and ClaimOver for a refunded one."""
    purchase = Purchase.find(claim_hash=digest(code))
    if purchase.refunded_at is not None:
        raise ClaimOver
    return purchase


def claim(env: Env, *, code: str, person_id: int) -> str:
    """Give the course to who opened the link; its slug. Twice by him is once; for a second person: ClaimTaken."""
    purchase = by_claim(code)
    person = Person.get_by_id(person_id)
    if purchase.take(person, now=env.now):
        give(env, purchase, person)
        subject = f"purchase:{purchase.id}"
        audit.record(at=env.now, who=f"person:{person_id}", action="claimed", subject=subject)
    elif by_claim(code).person_id != person_id:
        raise ClaimTaken
    return purchase.course.slug
