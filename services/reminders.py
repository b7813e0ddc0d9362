"""到期提醒: 30, 7 and 1 days before a membership ends, each at most once, and none for a year that goes on (R2)."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from peewee import Expression, fn

from clients.errors import RemoteRefused
from models.base import days_left, shanghai_words
from models.catalogue import Planet
from models.links import Link, Membership, MembershipReminder
from models.payments import ACTIVE, PlanetPayment
from services import notices, outbox, people
from services.context import Context
from services.env import Env

PURPOSE = "membership_ending"
FIELDS = ("thing1", "time2")  # of a template, unless the setting names others: the planet, and until when
MOST_LETTERS = 20
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
            send(env, MembershipReminder.get(membership=number, days=days))
            told += 1
    return told


def send(env: Env, reminder: MembershipReminder) -> None:
    """By template message where one is set up, else in the chat."""
    if env.config.wechat_templates.get(PURPOSE):
        outbox.enqueue(env, kind=outbox.REMINDER, subject=reminder.id, lane=f"reminder:{reminder.id}")
    else:
        tell(env, reminder_id=reminder.id)


def tell(env: Env, *, reminder_id: int) -> None:
    """Write it in the chat; what WeChat does not let through is held for his next message."""
    membership = MembershipReminder.find(id=reminder_id).membership
    left, title = days_left(membership.ends_at, now=env.now), membership.planet.title
    if left is not None and membership.is_live(now=env.now):
        soon, until = f"还有 {left} 天" if left else "今天", shanghai_words(membership.ends_at)
        text = f"「{title}」的答疑{soon}到期（{until}），想问的问题请抓紧提。\n不想再收到提醒，回复「退订」。"
        notices.tell(env, person_id=membership.link.person_id, text=text, is_news=True)


@dataclass(frozen=True, slots=True)
class Letter:
    """A template message to one follower."""

    openid: str
    template_id: str
    data: dict[str, str]


def letter(env: Env, *, reminder_id: int) -> Letter | None:
    """What to send; None when it is of no use any more, or he has left."""
    membership = MembershipReminder.find(id=reminder_id).membership
    template_id, *names = env.config.wechat_templates.get(PURPOSE, "").split()
    identity = people.identity_of(membership.link.person_id)
    if not membership.is_live(now=env.now) or identity is None or not identity.wants_news:
        return None
    title, until = membership.planet.title, shanghai_words(membership.ends_at)
    short = title if len(title) <= MOST_LETTERS else f"{title[: MOST_LETTERS - 1]}…"
    return Letter(identity.uid, template_id, dict(zip(names or FIELDS, (short, until), strict=False)))


@outbox.delivers(outbox.REMINDER)
async def deliver(ctx: Context, reminder_id: int, within: float) -> None:
    """Send it as a template message; where WeChat refuses that, in the chat instead."""
    found = await ctx.read(letter, reminder_id=reminder_id)
    if found is None:
        return
    more: dict[str, Any] = {"url": f"{ctx.config.base_url}/me", "client_msg_id": f"reminder-{reminder_id}"}
    try:
        await ctx.wechat.send_template(found.openid, found.template_id, found.data, **more)
    except RemoteRefused:
        await ctx.transact(tell, reminder_id=reminder_id)
