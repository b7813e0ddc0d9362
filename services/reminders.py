"""到期提醒: 30, 7 and 1 days before a membership ends, each at most once, and none for a year that goes on (R2)."""

from datetime import timedelta

from peewee import Expression, fn

from models.base import days_left, shanghai_words
from models.catalogue import Planet
from models.links import Link, Membership, MembershipReminder
from models.payments import ACTIVE, PlanetPayment
from services import inbox, letters, notices, outbox
from services.context import Context
from services.env import Env

AT_ONCE = 500


async def remind(ctx: Context) -> int:
    """The job: remind all whose time has come, some at a time; how many.

    Who is first seen at 5 days gets that of 7 alone, and who was seen at 30 that of 7 when it is due.
    """
    told, days_before = 0, ctx.config.reminder_days
    for days, least in zip(days_before, [*days_before[1:], 0], strict=False):  # until the next one takes over
        last = 0
        while found := await ctx.read(ending, days=days, least=least, after=last):
            last = found[-1]
            told += await ctx.transact(remind_some, ids=found, days=days)
    return told


def ending(env: Env, *, days: int, least: int, after: int) -> list[int]:
    """The next memberships that end between so many days, were opened, do not go on, and were not reminded of it."""
    most, least_left = env.now + timedelta(days=days), env.now + timedelta(days=least)
    soon = (Membership.ends_at > least_left, Membership.ends_at <= most)
    lives = (Membership.revoked_at.is_null(), Membership.delivered_version > 0, Membership.id > after)
    same = (MembershipReminder.membership == Membership.id, MembershipReminder.days == days)
    reminded = fn.EXISTS(MembershipReminder.select(MembershipReminder.id).where(*same))
    rows = Membership.select(Membership.id).join(Link).switch(Membership).join(Planet)
    rows = rows.where(*soon, *lives, ~reminded, ~followed(), ~paid_on()).order_by(Membership.id).limit(AT_ONCE)
    return [number for (number,) in rows.tuples()]


def followed() -> Expression:
    """Whether another year of the same person at the same planet goes on after it."""
    later, whose = Membership.alias(), Link.alias()
    years = later.select(later.id).join(whose).where(
        whose.person == Link.person, later.planet == Membership.planet, later.revoked_at.is_null(),
        later.delivered_version > 0, later.ends_at > Membership.ends_at,
    )  # fmt: skip
    return fn.EXISTS(years)


def paid_on() -> Expression:
    """Whether he has paid the planet himself for the time after it."""
    lasts = PlanetPayment.ends_at.is_null() | (PlanetPayment.ends_at > Membership.ends_at)
    paid = PlanetPayment.select(PlanetPayment.id).where(
        PlanetPayment.provider == Link.provider, PlanetPayment.member_uid == Link.member_uid,
        PlanetPayment.group_id == Planet.group_id, PlanetPayment.status == ACTIVE, lasts,
    )  # fmt: skip
    return fn.EXISTS(paid)


def remind_some(env: Env, *, ids: list[int], days: int) -> int:
    """Tell each of these once; UNIQUE decides between two processes."""
    told = 0
    for number in ids:
        if MembershipReminder.add_once(membership=number, days=days, created_at=env.now):
            tell(env, MembershipReminder.get(membership=number, days=days))
            told += 1
    return told


def tell(env: Env, reminder: MembershipReminder) -> None:
    """Say how long it is to go."""
    membership = reminder.membership
    left, title = days_left(membership.ends_at, now=env.now), membership.planet.title
    if left is not None and membership.is_live(now=env.now):
        soon, until = f"还有 {left} 天" if left else "今天", shanghai_words(membership.ends_at)
        text = f"「{title}」的答疑{soon}到期（{until}），想问的问题请抓紧提。\n不想再收到提醒，回复「退订」。"
        letter = {"purpose": letters.MEMBERSHIP_ENDING, "fields": (title, until)}
        notices.tell(env, person_id=membership.link.person_id, text=text, is_news=True, **letter)


def tell_once(env: Env, *, reminder_id: int) -> None:
    """The same for an item of the outbox, which may come twice."""
    if inbox.is_new(env, source=outbox.REMINDER, key=str(reminder_id)):
        tell(env, MembershipReminder.find(id=reminder_id))


@outbox.delivers(outbox.REMINDER)
async def deliver(ctx: Context, reminder_id: int, within: float) -> None:
    """An item that an older version has left behind: told as any other now. May go once no such item is left."""
    await ctx.transact(tell_once, reminder_id=reminder_id)
