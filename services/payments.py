"""Payments at a planet: learnt by version, each served once ever, ended when it is refunded there (L5, R6)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from clients.planets import RemoteMembership
from models import audit, mismatches
from models.access import PLANET
from models.base import shanghai_words
from models.catalogue import SAME_PRICE, Course, CoursePlanet, Planet
from models.links import Link
from models.payments import (
    ACTIVE,
    COURSE,
    EXPIRED,
    NOTHING,
    REFUNDED,
    REMOVED,
    VOUCHER,
    PlanetAccount,
    PlanetPayment,
)
from models.vouchers import Voucher
from services import access, earned, letters, memberships, notices, vouchers
from services.context import Context
from services.env import Env
from services.mismatches import note

PLANET_REFUND = "planet_refund"
STATUS = {"active": ACTIVE, "expired": EXPIRED, "revoked": REMOVED, "refunded": REFUNDED}
AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Told:
    """A payment as the planet tells of it, in an event or when it is asked."""

    group_id: str
    member_uid: str
    order_ref: str
    paid_fen: int | None
    status: str
    starts_at: datetime
    ends_at: datetime | None
    version: int

    @classmethod
    def of(cls, paid: RemoteMembership, *, group_id: str) -> Self:
        """What an answer of the planet says of one payment."""
        return cls(
            group_id=group_id, member_uid=paid.member_uid, order_ref=paid.order_ref, paid_fen=paid.paid_fen,
            status=STATUS[paid.status], starts_at=paid.starts_at, ends_at=paid.ends_at, version=paid.version,
        )  # fmt: skip

    def row(self) -> dict[str, object]:
        """The columns that a newer version changes; an amount that is not told again stays."""
        values = {name: getattr(self, name) for name in self.__slots__ if name != "order_ref"}
        return values if self.paid_fen is not None else {k: v for k, v in values.items() if k != "paid_fen"}


def hold_account(env: Env, *, provider: str, member_uid: str) -> None:
    """Let nobody else link this planet account, or change its payments, before this transaction ends.

    To be called before its payments or its link are looked for. The UPDATE comes first, as in the outbox.
    """
    mine = (PlanetAccount.provider == provider, PlanetAccount.member_uid == member_uid)
    if PlanetAccount.change_if(*mine, seen_at=env.now):
        return
    if not PlanetAccount.add_once(provider=provider, member_uid=member_uid, seen_at=env.now):
        PlanetAccount.change_if(*mine, seen_at=env.now)


def learn(env: Env, *, provider: str, told: Told) -> PlanetPayment:
    """Bring a payment up to what the planet says, if that is newer than what we know, with what it ends; the row.

    The money of a refunded one is back: whatever is said of it later gives nothing.
    """
    same = (PlanetPayment.provider == provider, PlanetPayment.order_ref == told.order_ref)
    newer = (*same, PlanetPayment.version < told.version, PlanetPayment.status != REFUNDED)
    values = told.row() | {"changed_at": env.now}
    names = {"provider": provider, "order_ref": told.order_ref, "created_at": env.now}
    is_news = (
        PlanetPayment.change_if(*newer, **values)
        or PlanetPayment.add_once(**names, **values)
        or PlanetPayment.change_if(*newer, **values)  # somebody else has added it in this very moment
    )
    payment = PlanetPayment.get(*same)
    if is_news:
        settle(env, payment)
    return payment


def settle(env: Env, payment: PlanetPayment) -> None:
    """What a new version does to what the payment gave (R6): refunded ends it, removed is for a person to decide."""
    if payment.status == REFUNDED and payment.gave in {COURSE, VOUCHER}:
        end(env, payment)
    if payment.status == REMOVED and payment.still_gives:
        put_before_operator(env, payment, kind=mismatches.REMOVED)


def put_before_operator(env: Env, payment: PlanetPayment, *, kind: str) -> None:
    """A person decides about it."""
    note(
        env, kind=kind, provider=payment.provider, group_id=payment.group_id, key=payment.order_ref,
        member_uid=payment.member_uid, payment=payment,
    )  # fmt: skip


def end(env: Env, payment: PlanetPayment) -> None:
    """Its money is back: the right that it gave ends, and no other; a voucher that is owed is owed no more."""
    lost = "代金券"
    if payment.grant_id:
        access.take_back(env, payment.grant, reason=PLANET_REFUND)
        lost = f"课程「{payment.grant.course.title}」"
    earned.kill(env, Voucher.payment == payment)
    text = f"您在星球的付款已退款，它带来的{lost}也随之结束。别的来源给您的权益不受影响。"
    notices.tell(env, person_id=payment.person_id, text=text)


def live_pairing(provider: str, group_id: str) -> CoursePlanet | None:
    """By which pairing a payment at this planet gives something; None while there is no open one."""
    rows = CoursePlanet.select(CoursePlanet, Course, Planet).join(Course).switch(CoursePlanet).join(Planet)
    rows = rows.where(Planet.provider == provider, Planet.group_id == group_id).order_by(CoursePlanet.id)
    live = [row for row in rows if row.is_live]
    return min(live, key=lambda row: row.mode != SAME_PRICE, default=None)


def worth(env: Env, payment: PlanetPayment, pairing: CoursePlanet) -> str:
    """What it gives: the course (C3 same_price), a voucher (shared), or nothing below the floor (R6)."""
    floor = pairing.planet.price_fen * env.config.planet_floor_percent
    if payment.paid_fen is None or payment.paid_fen * 100 < floor:
        return NOTHING
    if pairing.mode == SAME_PRICE:
        return COURSE
    return VOUCHER if payment.paid_fen else NOTHING  # a planet that costs nothing has taken nothing to be kept whole


def serve(env: Env, *, link: Link, payments: Iterable[PlanetPayment]) -> None:
    """Give the person of a link what each payment pays for; what waits for its planet to be opened goes on waiting."""
    for payment in payments:
        pairing = live_pairing(payment.provider, payment.group_id)
        if pairing:
            serve_one(env, payment, link, pairing)


def serve_one(env: Env, payment: PlanetPayment, link: Link, pairing: CoursePlanet) -> None:
    """One payment, once ever: one conditional UPDATE decides who of many is served."""
    gave = worth(env, payment, pairing)
    free = (PlanetPayment.id == payment.id, PlanetPayment.waiting(now=env.now))
    if not PlanetPayment.change_if(*free, served_at=env.now, person=link.person_id, link=link, gave=gave):
        return
    if gave == COURSE:
        right = {"source": PLANET, "source_ref": payment.source_ref, "starts_at": env.now}
        grant = access.give(env, person=link.person, course=pairing.course, **right)
        PlanetPayment.update(grant=grant).where(PlanetPayment.id == payment.id).execute()
    if gave == NOTHING:
        put_before_operator(env, payment, kind=mismatches.BELOW_FLOOR)
    who, subject = f"person:{link.person_id}", f"payment:{payment.id}"
    audit.record(at=env.now, who=who, action="planet payment served", subject=subject, new=gave)
    if gave == VOUCHER:
        issue_voucher(env, payment_id=payment.id)
    else:
        notices.tell(env, person_id=link.person_id, text=words_of(gave, pairing))


def issue_voucher(env: Env, *, payment_id: int) -> None:
    """What a payment at a shared planet is worth, and a word about it (V3)."""
    payment = PlanetPayment.get_by_id(payment_id)
    planet = Planet.get(provider=payment.provider, group_id=payment.group_id)
    voucher = vouchers.issue_for_payment(env, payment, planet=planet)
    fields = (f"星球「{planet.title}」的付款", letters.yuan(voucher.amount_fen), shanghai_words(voucher.last_day))
    letter = {"purpose": letters.VOUCHER_ISSUED, "fields": fields, "page": "/me/vouchers"}
    notices.tell(env, person_id=payment.person_id, text=voucher_words(env, voucher, planet), **letter)


def voucher_words(env: Env, voucher: Voucher, planet: Planet) -> str:
    """What the person reads in the chat."""
    since = f"，{shanghai_words(voucher.starts_at)}起可以使用" if voucher.starts_at > env.now else ""
    return (
        f"您在星球「{planet.title}」的付款带来一张 ¥{voucher.amount_fen / 100:.2f} 代金券：{voucher.code}\n"
        f"用于讲师 {planet.owner.name} 的课程{since}，{shanghai_words(voucher.last_day)}前有效。\n"
        f"去看看能买什么：{env.config.base_url}/me/vouchers"
    )


def words_of(gave: str, pairing: CoursePlanet) -> str:
    """What the person reads in the chat."""
    paid = f"您在星球「{pairing.planet.title}」的付款"
    if gave == COURSE:
        return f"{paid}带来了课程「{pairing.course.title}」，现在就可以看。"
    return f"{paid}低于星球的价格，没有自动带来课程。我们的同事会核对，不用重复付款。"


def of_account(env: Env, *, provider: str, member_uid: str) -> list[PlanetPayment]:
    """The payments of a planet account that still wait for their person, oldest first."""
    mine = PlanetPayment.select().where(PlanetPayment.provider == provider, PlanetPayment.member_uid == member_uid)
    return list(mine.where(PlanetPayment.waiting(now=env.now)).order_by(PlanetPayment.id))


def serve_linked(env: Env, *, provider: str, member_uid: str) -> None:
    """Give the person of this planet account what waits, if he has linked; to be called with the account held."""
    waiting = of_account(env, provider=provider, member_uid=member_uid)
    link = Link.get_or_none(provider=provider, active_uid=member_uid) if waiting else None
    if link and memberships.hold_link(link.id):
        serve(env, link=link, payments=waiting)


def serve_account(env: Env, *, provider: str, member_uid: str) -> None:
    """The same, in a transaction of its own."""
    hold_account(env, provider=provider, member_uid=member_uid)
    serve_linked(env, provider=provider, member_uid=member_uid)


def late(env: Env) -> list[tuple[str, str]]:
    """The planet accounts, linked, whose payments wait though they need not: their planet has been opened since."""
    its_link = (Link.provider == PlanetPayment.provider) & (Link.active_uid == PlanetPayment.member_uid)
    its_planet = (Planet.provider == PlanetPayment.provider) & (Planet.group_id == PlanetPayment.group_id)
    rows = PlanetPayment.select(PlanetPayment.provider, PlanetPayment.member_uid).distinct()
    rows = rows.join(Link, on=its_link).switch(PlanetPayment).join(Planet, on=its_planet).join(CoursePlanet)
    is_open = (CoursePlanet.opted_in_at.is_null(False), CoursePlanet.paused_at.is_null())
    return list(rows.where(PlanetPayment.waiting(now=env.now), *is_open).limit(AT_ONCE).tuples())


async def serve_late(ctx: Context) -> None:
    """Serve them, each in a transaction of its own; and issue the vouchers that were owed before there were any."""
    for provider, member_uid in await ctx.read(late):
        await ctx.transact(serve_account, provider=provider, member_uid=member_uid)
    for payment_id in await ctx.read(vouchers.owed):
        await ctx.transact(issue_voucher, payment_id=payment_id)


def hear(env: Env, *, provider: str, told: Told) -> None:
    """What a planet tells of a payment by an event or in its list: learnt, and served if its person has linked."""
    account = {"provider": provider, "member_uid": told.member_uid}
    hold_account(env, **account)
    learn(env, provider=provider, told=told)
    serve_linked(env, **account)


def takes_back(known: PlanetPayment, paid: RemoteMembership) -> bool:
    """Whether this news would end a right here: what gave something was refunded there."""
    return paid.status == REFUNDED and known.still_gives
