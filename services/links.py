"""The heart: from the click on 星球 to a link, and back."""

from dataclasses import dataclass
from datetime import timedelta

from models import audit, scans
from models.access import Grant
from models.catalogue import CoursePlanet
from models.errors import (
    AlreadyLinked,
    AlreadyMember,
    BusinessError,
    LinkTaken,
    MembershipOver,
    NotEnrolled,
    NotFound,
    PairingNotLive,
    StateInvalid,
)
from models.links import (
    WAIVER_TEXT,
    WAIVER_VERSION,
    Link,
    LinkAttempt,
    Membership,
    RefundWaiver,
    check_relink,
)
from models.scans import Scan
from services import access, catalogue, memberships, payments
from services.access import Holding
from services.departures import Departure, depart
from services.env import Env

LINKED = "linked"
ATTEMPTS_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Offer:
    """What the confirm page shows before anything is agreed to."""

    course_slug: str
    course_title: str
    planet_title: str
    lecturer_name: str
    order_tail: str
    days: int
    waiver_text: str
    waiver_version: str
    linked_as: str | None


def offer(env: Env, *, person_id: int, course_slug: str) -> Offer:
    """What would be linked; raises NotEnrolled, PairingNotLive, or AlreadyLinked when nothing is left to link."""
    pairing = catalogue.live_pairing(course_slug)
    grant = choose_grant(env, person_id=person_id, course_id=pairing.course_id)
    link = active_link(person_id, pairing.planet.provider)
    return Offer(
        course_slug=course_slug, course_title=pairing.course.title, planet_title=pairing.planet.title,
        lecturer_name=pairing.planet.owner.name, order_tail=grant.source_tail, days=pairing.planet.days,
        waiver_text=WAIVER_TEXT, waiver_version=WAIVER_VERSION, linked_as=link.display_name if link else None,
    )  # fmt: skip


def choose_grant(env: Env, *, person_id: int, course_id: int) -> Grant:
    """The oldest live right to the course that can be linked now (L5).

    Raises NotEnrolled, AlreadyMember for a right that came from there, AlreadyLinked, or why what is left cannot be
    linked again: RelinkLimit, MembershipOver.
    """
    held = access.holdings(env, person_id=person_id, course_id=course_id)
    linkable = linkable_among(held)
    if not linkable:
        raise AlreadyMember if held else NotEnrolled
    nos: list[BusinessError] = []
    for holding in linkable:
        try:
            check_free(env, holding.memberships)
        except BusinessError as no:
            nos.append(no)
        else:
            return holding.grant
    raise next((no for no in nos if isinstance(no, AlreadyLinked)), nos[0])


def has_free_grant(env: Env, *, person_id: int, course_id: int) -> bool:
    """Whether anything is left to link for this course."""
    try:
        choose_grant(env, person_id=person_id, course_id=course_id)
    except BusinessError:
        return False
    return True


def linkable_among(held: list[Holding]) -> list[Holding]:
    """The rights that may open a planet: not those that came from it, which would be a loop (L5)."""
    return [one for one in held if one.grant.source in memberships.REASONS and not one.grant.is_from_planet]


def check_free(env: Env, earlier: list[Membership]) -> None:
    """Raise unless a right that has given these can be linked now: AlreadyLinked, RelinkLimit, MembershipOver."""
    if any(one.is_over(now=env.now) for one in earlier):
        raise MembershipOver
    if any(one.active_grant for one in earlier):
        raise AlreadyLinked
    check_relink(earlier, member_uid=None, now=env.now)


def active_links(person_id: int) -> list[Link]:
    """The links of a person, oldest first."""
    return list(Link.select().where(Link.active_person == person_id).order_by(Link.id))


def active_link(person_id: int, provider: str) -> Link | None:
    """The one active link of a person at a provider."""
    return Link.get_or_none(provider=provider, active_person=person_id)


def begin(
    env: Env, *, person_id: int, browser: str, course_slug: str, agreed: str, ip: str, user_agent: str, state: str = ""
) -> Departure:
    """Keep what he agreed to and prepare the hand-over; nothing takes effect before the planet has recognised him."""
    pairing = catalogue.live_pairing(course_slug)
    grant = choose_grant(env, person_id=person_id, course_id=pairing.course_id)
    where = {"browser": browser, "ip": ip, "user_agent": user_agent, "agreed": agreed, "state": state}
    return depart(env, person_id=person_id, grant_id=grant.id, planet=pairing.planet, **where)


def earlier_memberships(grant: Grant) -> list[Membership]:
    """What the purchase has given so far, with the links."""
    return list(Membership.select(Membership, Link).join(Link).where(Membership.grant == grant))


def refuse(env: Env, *, attempt_id: int, no: BusinessError) -> None:
    """Keep the "no" as the outcome of the attempt, for its page."""
    open_still = (LinkAttempt.id == attempt_id, LinkAttempt.outcome.is_null())
    if LinkAttempt.change_if(*open_still, outcome=no.code, said=no.message, finished_at=env.now):
        env.wake(Scan.finish_of(attempt_id, state=scans.DECLINED, now=env.now, no=no))


def complete(env: Env, *, attempt_id: int, member_uid: str, display_name: str) -> int:
    """One transaction: the link, the waiver in effect, the membership and its message out; the membership's id.

    Locks the right, then the link, in this order as everywhere: a refund or an unlink waits, or is seen.

    Raises NotEnrolled when the right ended meanwhile, PairingNotLive, LinkTaken, AlreadyLinked, MembershipOver,
    RelinkLimit.
    """
    attempt = LinkAttempt.find(id=attempt_id)
    attempt.check_words()
    grant = hold_grant(env, attempt.grant_id)
    if not CoursePlanet.find(course=grant.course_id, planet=attempt.planet_id).is_live:
        raise PairingNotLive
    check_relink(earlier_memberships(grant), member_uid=member_uid, now=env.now)
    payments.hold_account(env, provider=attempt.provider, member_uid=member_uid)
    link = link_for(env, attempt, member_uid=member_uid, display_name=display_name)
    membership = memberships.open_for(env, link=link, grant=grant, planet=attempt.planet)
    put_waiver_in_effect(env, attempt, link, grant)
    payments.serve_linked(env, provider=attempt.provider, member_uid=member_uid)
    note_linked(env, attempt, link, brought=f"grant:{grant.id}")
    return membership.id


def note_linked(env: Env, attempt: LinkAttempt, link: Link, *, brought: str) -> None:
    """The attempt has led to a link, once."""
    done = (LinkAttempt.id == attempt.id, LinkAttempt.outcome.is_null())
    if not LinkAttempt.change_if(*done, outcome=LINKED, finished_at=env.now, link=link):
        raise StateInvalid
    env.wake(Scan.finish_of(attempt.id, state=scans.LINKED, now=env.now))
    who = f"person:{attempt.person_id}"
    audit.record(at=env.now, who=who, action="link", subject=f"link:{link.id}", new=brought)


def hold_grant(env: Env, grant_id: int) -> Grant:
    """The right, still live, and locked until the end of the transaction, so that a refund cannot pass by."""
    if not Grant.change_if(Grant.id == grant_id, Grant.live(now=env.now), starts_at=Grant.starts_at):
        raise NotEnrolled
    return Grant.get_by_id(grant_id)


def link_for(env: Env, attempt: LinkAttempt, *, member_uid: str, display_name: str) -> Link:
    """The person's active link to this planet account, made if it is the first; two UNIQUE pairs decide races."""
    Link.add_once(
        person=attempt.person_id, provider=attempt.provider, member_uid=member_uid, display_name=display_name[:128],
        linked_at=env.now, active_person=attempt.person_id, active_uid=member_uid,
    )  # fmt: skip
    owner = Link.get_or_none(provider=attempt.provider, active_uid=member_uid)
    if owner is None:
        raise AlreadyLinked  # this person has a link to another account
    if owner.person_id != attempt.person_id:
        raise LinkTaken
    if not memberships.hold_link(owner.id, display_name=display_name[:128]):
        raise StateInvalid  # unlinked in this very moment
    return owner


def put_waiver_in_effect(env: Env, attempt: LinkAttempt, link: Link, grant: Grant) -> None:
    """What was agreed to before the hand-over counts from now on (B2)."""
    RefundWaiver.create(
        person=attempt.person_id, grant=grant, link=link, attempt=attempt,
        text_version=attempt.text_version, text_hash=attempt.text_hash, text=WAIVER_TEXT,
        agreed_at=attempt.created_at, effective_at=env.now,
        openid=attempt.openid, ip=attempt.ip, user_agent=attempt.user_agent,
    )  # fmt: skip


def unlink(env: Env, *, link_id: int, person_id: int, who: str, reason: str) -> None:
    """End a link of this person and every membership that came through it; waivers stay (L6)."""
    link = Link.find(id=link_id, person=person_id)
    if not end_link(env, link, who=who, reason=reason, told="unlink"):
        raise NotFound


def end_link(env: Env, link: Link, *, who: str, reason: str, told: str) -> bool:
    """End a link and what came through it, telling the planet why; True for the one who did."""
    active = (Link.id == link.id, Link.unlinked_at.is_null())
    gone = {"unlinked_at": env.now, "unlinked_by": who, "unlinked_reason": reason}
    if not Link.change_if(*active, active_person=None, active_uid=None, **gone):
        return False
    for membership in link.memberships.where(Membership.active_grant.is_null(False)):
        memberships.end(env, membership, reason=told)
    audit.record(at=env.now, who=who, action="unlink", subject=f"link:{link.id}", reason=reason)
    return True


def forget_old_attempts(env: Env) -> int:
    """Delete hand-overs that led to no link, and the marks of the person in them, after a month; how many."""
    vain = LinkAttempt.link.is_null() & (LinkAttempt.created_at < env.now - ATTEMPTS_KEPT)
    return LinkAttempt.delete().where(vain).execute()
