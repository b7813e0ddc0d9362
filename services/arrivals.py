"""From a planet to its course: who is a paying member there gets here what he has paid for (L2)."""

from collections.abc import Sequence
from dataclasses import dataclass

from clients.planets import RemoteMembership
from models.catalogue import Planet
from models.errors import NotAMember, PairingNotLive, PaymentServed
from models.links import Link, LinkAttempt, RefundWaiver
from models.payments import ACTIVE, COURSE, NOTHING, REFUNDED, VOUCHER, PlanetPayment
from services import links, payment_views, payments
from services.departures import Departure, depart
from services.env import Env


def begin(
    env: Env, *, person_id: int, planet_slug: str, agreed: str, browser: str, ip: str, user_agent: str
) -> Departure:
    """Keep what he agreed to and prepare the hand-over; raises NotFound, PairingNotLive, WaiverNotAgreed."""
    planet = Planet.find(slug=planet_slug)
    check_open(planet)
    where = {"browser": browser, "ip": ip, "user_agent": user_agent, "agreed": agreed}
    return depart(env, person_id=person_id, grant_id=None, planet=planet, **where)


def check_open(planet: Planet) -> None:
    """Raise PairingNotLive unless a payment at this planet may give something here."""
    if payments.live_pairing(planet.provider, planet.group_id) is None:
        raise PairingNotLive


def complete(
    env: Env, *, attempt_id: int, member_uid: str, display_name: str, found: Sequence[RemoteMembership]
) -> None:
    """One transaction: the link, the payments as the planet has just told them, each served, the waiver in effect.

    Raises PairingNotLive, NotAMember, LinkTaken, AlreadyLinked, PaymentServed: then nothing was changed.
    """
    attempt = LinkAttempt.find(id=attempt_id)
    attempt.check_words()
    check_open(attempt.planet)
    payments.hold_account(env, provider=attempt.provider, member_uid=member_uid)
    brought = bring(env, attempt, found)
    link = links.link_for(env, attempt, member_uid=member_uid, display_name=display_name)
    waiting = payments.of_account(env, provider=attempt.provider, member_uid=member_uid)
    payments.serve(env, link=link, payments=[*brought, *waiting])
    if not has_served(link, brought):
        raise PaymentServed
    put_waiver_in_effect(env, attempt, link)
    links.note_linked(env, attempt, link, brought=f"planet:{attempt.planet.slug}")


def has_served(link: Link, brought: Sequence[PlanetPayment]) -> bool:
    """Whether any of these has served the person of the link, now or before; another may have been quicker."""
    his = (PlanetPayment.id.in_(brought), PlanetPayment.person == link.person_id)
    return PlanetPayment.select().where(*his).exists()


def bring(env: Env, attempt: LinkAttempt, found: Sequence[RemoteMembership]) -> list[PlanetPayment]:
    """The payments by which he is a member at this moment; raises NotAMember when there is none.

    What we granted ourselves is none (no loops, L5), nor what the planet's owner gave for nothing.
    """
    paid = [one for one in found if one.source == "paid" and one.order_ref]
    rows = [
        payments.learn(env, provider=attempt.provider, told=payments.Told.of(one, group_id=attempt.planet.group_id))
        for one in paid
    ]
    live = [
        row
        for row, one in zip(rows, paid, strict=True)
        if one.status == row.status == ACTIVE and (row.ends_at is None or row.ends_at > env.now)
    ]
    if not live:
        raise NotAMember
    return live


def put_waiver_in_effect(env: Env, attempt: LinkAttempt, link: Link) -> None:
    """What he agreed to counts for the first course of this planet that has no waiver yet.

    One yes, one waiver. A voucher that is owed needs none: nothing that we could refund was given.
    """
    given = PlanetPayment.select().where(PlanetPayment.person == attempt.person_id, PlanetPayment.gave == COURSE)
    waived = RefundWaiver.select(RefundWaiver.grant).where(RefundWaiver.person == attempt.person_id)
    mine = given.where(
        PlanetPayment.provider == attempt.provider, PlanetPayment.group_id == attempt.planet.group_id,
        PlanetPayment.status != REFUNDED, PlanetPayment.grant.not_in(waived),
    )  # fmt: skip
    if first := mine.order_by(PlanetPayment.id).first():
        links.put_waiver_in_effect(env, attempt, link, first.grant)


@dataclass(frozen=True, slots=True)
class Arrived:
    """What the way from the planet has given so far: `course`, `voucher`, `nothing`, or `none` before the first.

    `worth_fen` are the vouchers that he was given.
    """

    state: str
    course_slug: str
    course_title: str
    worth_fen: tuple[int, ...]
    is_linked: bool
    account: str


def arrived(env: Env, *, person_id: int, planet_slug: str) -> Arrived | None:
    """What a person has from his payments at a planet; None for an unknown planet."""
    planet = Planet.get_or_none(slug=planet_slug)
    if planet is None:
        return None
    mine = PlanetPayment.select().where(
        PlanetPayment.person == person_id, PlanetPayment.provider == planet.provider,
        PlanetPayment.group_id == planet.group_id, PlanetPayment.status != REFUNDED,
    )  # fmt: skip
    rows = list(mine.order_by(PlanetPayment.id))
    course = next((row.grant.course for row in rows if row.grant_id and row.grant.is_live(now=env.now)), None)
    link = links.active_link(person_id, planet.provider)
    return Arrived(
        state=state_of({row.gave for row in rows}, has_course=course is not None),
        course_slug=course.slug if course else "", course_title=course.title if course else "",
        worth_fen=tuple(payment_views.worth_of(row) for row in rows if row.gave == VOUCHER),
        is_linked=link is not None, account=link.display_name if link else "",
    )  # fmt: skip


def state_of(gave: set[str], *, has_course: bool) -> str:
    """The best of what he was given."""
    if has_course:
        return COURSE
    return next((word for word in (VOUCHER, NOTHING) if word in gave), "none")
