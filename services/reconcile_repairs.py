"""What a whole list that is believed leads to: ours is told again, what was paid is taken in, the rest is listed."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from peewee import chunked

from clients.errors import RemoteError
from clients.planets import BACKGROUND_SECONDS, RemoteMembership
from models.delivery import OutboxItem
from models.links import Membership
from models.mismatches import GONE, LEFT, REMOVED, UNKNOWN
from services import memberships, mismatches, outbox, payments
from services.context import Context
from services.env import Env
from services.mismatches import Place
from services.reconcile_list import Here, Look, paid_missing, put_out

TOLD_AT_ONCE = 8
ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Done:
    """How many were told again or taken in, and how many differences stand in the list."""

    repaired: int
    listed: int


async def repair(ctx: Context, here: Here, look: Look, again: set[int]) -> Done:
    """Repair ours, take in what was paid there, see that who was removed is gone, and list the rest."""
    found, place = look.found, Place(here.provider, here.group_id)
    await ctx.transact(hasten, here=here)
    await note_payments(ctx, place, [*found.news.values(), *found.refunds.values()])
    told = await tell(ctx, again)
    revoked = await tell(ctx, found.revoke)
    left = await each(revoked, lambda number: is_left(ctx, number))
    await each(told, lambda number: deliver(ctx, number))
    lists = await ctx.transact(list_differences, here=here, look=look, left=left)
    await tell(ctx, left)
    news = len(found.news) + len(found.refunds)
    return Done(repaired=len(told) + len(revoked) + news, listed=lists)


def hasten(env: Env, *, here: Here) -> int:
    """Make due now what waits for this planet, also what was given up for want of an answer; how many.

    It answers again; what it has refused is left to a person.
    """
    its = Membership.select(Membership.id).where(Membership.planet == here.id)
    waits = (OutboxItem.kind == outbox.MEMBERSHIP, OutboxItem.done < OutboxItem.wanted, OutboxItem.subject.in_(its))
    refused = OutboxItem.gave_up_at.is_null(False) & (OutboxItem.error_class == outbox.REFUSED)
    again = {"due_at": env.now, "attempts": 0, "gave_up_at": None}
    return OutboxItem.update(**again).where(*waits, ~refused).execute()


async def note_payments(ctx: Context, place: Place, news: list[RemoteMembership]) -> None:
    """Bring what members paid there up to date, in batches."""
    for some in chunked(news, ROWS_AT_ONCE):
        await ctx.transact(note_some, place=place, news=some)


def note_some(env: Env, *, place: Place, news: Iterable[RemoteMembership]) -> None:
    """One batch of them."""
    for one in news:
        payments.hear(env, provider=place.provider, told=payments.Told.of(one, group_id=place.group_id))


async def tell(ctx: Context, ids: Iterable[int]) -> list[int]:
    """Put these into the outbox once more, in batches; which ones were not under way already."""
    told: list[int] = []
    for some in chunked(sorted(ids), ROWS_AT_ONCE):
        told += await ctx.transact(memberships.tell_again, ids=some)
    return told


async def each(ids: Iterable[int], ask: Callable[[int], Awaitable[bool]]) -> list[int]:
    """Ask of each, some at a time; those of which it was true."""
    true: list[int] = []
    for some in chunked(ids, TOLD_AT_ONCE):
        answers = await asyncio.gather(*(ask(one) for one in some))
        true += [one for one, answer in zip(some, answers, strict=True) if answer]
    return true


async def deliver(ctx: Context, number: int) -> bool:
    """Tell the planet now; what does not work out is left to the worker."""
    return await outbox.deliver_now(ctx, kind=outbox.MEMBERSHIP, subject=number, within=BACKGROUND_SECONDS)


async def is_left(ctx: Context, number: int) -> bool:
    """End it there now, then look: True when the planet has said yes and shows it as active all the same."""
    if not await deliver(ctx, number):
        return False
    want = await ctx.read(memberships.wanted, membership_id=number)
    with suppress(RemoteError):  # the next look will see it
        there = await ctx.planet(want.provider).member(want.group_id, want.member_uid, within=BACKGROUND_SECONDS)
        return there is not None and any(one.ref == want.ref and one.status == "active" for one in there.memberships)
    return False


def list_differences(env: Env, *, here: Here, look: Look, left: list[int]) -> int:
    """Keep what is for a person to decide, and close what is gone; how many the list shows."""
    found, place = look.found, Place(here.provider, here.group_id)
    gone = paid_missing(env, here=here, look=look)
    removed = mismatches.of_memberships(found.removed | put_out(env, here=here))
    shown = {
        REMOVED: removed | mismatches.of_payments(found.paid_removed),
        UNKNOWN: found.unknown,
        GONE: mismatches.of_payments(gone),
        LEFT: mismatches.of_memberships(left),
    }
    listed = sum(mismatches.see(env, place=place, kind=kind, found=rows) for kind, rows in shown.items())
    mismatches.resolve_gone(env, place=place, since=look.started_at)
    return listed
