"""What the outside must hear: written with its cause, sent after commit, at least once, in order for each lane."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from peewee import ModelSelect, fn
from prometheus_client import Counter

from clients.errors import RemoteDown, RemoteRefused
from clients.wechat_codes import ConfigRefused
from models.delivery import OutboxItem
from models.errors import TooBusy
from models.links import Membership
from models.prepared import add_once
from services.context import Context
from services.env import Env

MEMBERSHIP = "membership"
NOTICE = "notice"
REMINDER = "reminder"  # of an older version
CLOSE = "close"
REFUND = "refund"
TOLD_KEPT = timedelta(days=30)
NOT_ACCEPTED = {"invalid_client", "http_401", "http_403"}
LEASE = timedelta(seconds=60)
AT_ONCE = 8
SENT, LATER, REFUSED, UNKNOWN, OURS = "sent", "later", "refused", "unknown", "ours"
log = structlog.get_logger()
sent = Counter("wxbot_outbox_sent", "deliveries by kind and outcome", ["kind", "outcome"])


@dataclass(frozen=True, slots=True)
class Job:
    """One leased item: what to tell whom, and up to which change."""

    id: int
    kind: str
    subject: int
    wanted: int


Delivery = Callable[[Context, int, float], Awaitable[None]]
deliveries: dict[str, Delivery] = {}


def delivers(kind: str) -> Callable[[Delivery], Delivery]:
    """Name the function that delivers items of a kind; what it raises beside RemoteDown, RemoteRefused is our fault."""

    def register(deliver: Delivery) -> Delivery:
        deliveries[kind] = deliver
        return deliver

    return register


def enqueue(env: Env, *, kind: str, subject: int, lane: str) -> None:
    """Tell the outside of a change of `subject`; a change that is not yet told is told together with this one.

    The UPDATE comes first: an INSERT that finds its row leaves a shared lock on MariaDB, and two of those who then
    want to change it stand in each other's way.
    """
    moments = {"wanted_at": env.now, "due_at": env.now}
    known = (OutboxItem.kind == kind, OutboxItem.subject == subject)
    fresh = {"wanted": OutboxItem.wanted + 1, "attempts": 0, "done_at": None, "gave_up_at": None, **moments}
    if OutboxItem.change_if(*known, **fresh):
        return
    if not enqueue_first(env, kind=kind, subject=subject, lane=lane):
        OutboxItem.change_if(*known, **fresh)  # somebody else has made it in this very moment


def enqueue_first(env: Env, *, kind: str, subject: int, lane: str) -> bool:
    """The same for a subject of which nothing was told yet, such as a new row; False when something was."""
    moments = {"created_at": env.now, "wanted_at": env.now, "due_at": env.now}
    return add_once(OutboxItem, kind=kind, subject=subject, lane=lane, **moments)


def ready(env: Env) -> ModelSelect:
    """Items that are due, free, and the first of their lane."""
    earlier = OutboxItem.alias()
    blocked = earlier.select(earlier.id).where(
        earlier.lane == OutboxItem.lane,
        earlier.id < OutboxItem.id,
        earlier.done < earlier.wanted,
        earlier.gave_up_at.is_null(),
    )
    free = OutboxItem.leased_until.is_null() | (OutboxItem.leased_until <= env.now)
    due = (OutboxItem.due_at <= env.now) & OutboxItem.gave_up_at.is_null()
    return OutboxItem.select().where(due, free, ~fn.EXISTS(blocked))


def lease_due(env: Env, *, holder: str) -> list[Job]:
    """Take what is due and free, at most one of each lane; nobody else sends these for a minute."""
    found = ready(env).order_by(OutboxItem.due_at, OutboxItem.id).limit(AT_ONCE)
    return [job for item in found if (job := lease(env, item, holder=holder))]


def lease_one(env: Env, *, kind: str, subject: int, holder: str) -> Job | None:
    """Take one item at once, if it is due and free and nothing stands before it."""
    item = ready(env).where(OutboxItem.kind == kind, OutboxItem.subject == subject).first()
    return lease(env, item, holder=holder) if item else None


def lease(env: Env, item: OutboxItem, *, holder: str) -> Job | None:
    """One conditional UPDATE decides who sends it."""
    free = OutboxItem.leased_until.is_null() | (OutboxItem.leased_until <= env.now)
    same = (OutboxItem.id == item.id, free, OutboxItem.wanted == item.wanted, OutboxItem.due_at.is_null(False))
    if not OutboxItem.change_if(*same, leased_by=holder, leased_until=env.now + LEASE):
        return None
    return Job(id=item.id, kind=item.kind, subject=item.subject, wanted=item.wanted)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended; `error` carries no secret. Not again before `least_seconds` have passed."""

    name: str
    error: str = ""
    least_seconds: int = 0


def settle(env: Env, *, job: Job, holder: str, outcome: Outcome) -> None:
    """Give the lease back, and keep how it went."""
    if outcome.name == SENT:
        settle_sent(env, job=job, holder=holder)
    else:
        settle_failed(env, job=job, holder=holder, outcome=outcome)


def settle_sent(env: Env, *, job: Job, holder: str) -> None:
    """Done up to what was seen; a change that came meanwhile stays due."""
    mine = (OutboxItem.id == job.id, OutboxItem.leased_by == holder)
    let_go = {"leased_by": None, "leased_until": None, "error": None, "error_class": None}
    if not OutboxItem.change_if(
        *mine, OutboxItem.wanted == job.wanted, done=job.wanted, done_at=env.now, due_at=None, **let_go
    ):
        OutboxItem.change_if(*mine, done=job.wanted, **let_go)


def settle_failed(env: Env, *, job: Job, holder: str, outcome: Outcome) -> None:
    """Try again later, or hand it to the operator's list; a change that came meanwhile is due as if nothing was."""
    item = OutboxItem.find(id=job.id)
    item.attempts += 1
    due_at = None if outcome.name == REFUSED else item.retry_at(now=env.now, spread=spread(env))
    least = env.now + timedelta(seconds=outcome.least_seconds)
    mine = (OutboxItem.id == job.id, OutboxItem.leased_by == holder)
    let_go = {"leased_by": None, "leased_until": None, "error": outcome.error[:255], "error_class": outcome.name}
    verdict = {"due_at": max(due_at, least)} if due_at else {"due_at": None, "gave_up_at": env.now}
    if not OutboxItem.change_if(
        *mine, OutboxItem.wanted == job.wanted, attempts=item.attempts, **verdict, **let_go
    ):  # what failed is not what is wanted now
        OutboxItem.change_if(*mine, due_at=least, **let_go)


def spread(env: Env) -> float:
    """A number by chance in -1 … 1, so that what failed together does not come again together."""
    return int(env.new_code(32), 16) / 2**31 - 1


def is_ours(no: RemoteRefused) -> bool:
    """Whether they refuse us and not this call: our settings or our account are at fault, and a person has to act."""
    return isinstance(no, ConfigRefused) or no.code in NOT_ACCEPTED


async def attempt(ctx: Context, job: Job, within: float) -> Outcome:
    """Tell it once; raises TooBusy when our own rows are away."""
    try:
        await deliveries[job.kind](ctx, job.subject, within)
    except RemoteDown as problem:
        return Outcome(UNKNOWN if problem.unknown else LATER, str(problem), problem.retry_after or 0)
    except RemoteRefused as problem:
        if is_ours(problem):
            log.error("we are not accepted", item=job.id, why=str(problem))
        return Outcome(OURS if is_ours(problem) else REFUSED, str(problem))
    except TooBusy:
        raise
    except Exception as problem:  # a fault of ours must neither come back each minute nor stop the rest
        log.error("outbox item failed", item=job.id, kind=job.kind, exc_info=problem)
        return Outcome(OURS, type(problem).__name__)
    return Outcome(SENT)


async def deliver(ctx: Context, job: Job, *, within: float) -> bool:
    """Send one leased item within so many seconds; True when the outside has heard it, and we have it on record.

    Raises nothing: where it cannot be settled its lease runs out, and it comes again.
    """
    try:
        outcome = await attempt(ctx, job, within)
        await ctx.transact(settle, job=job, holder=ctx.process_id, outcome=outcome)
    except Exception as problem:  # noqa: BLE001 - the last resort, so that one item never stops another; it is logged
        log.warning("outbox item not settled", item=job.id, kind=job.kind, why=type(problem).__name__)
        return False
    sent.labels(job.kind, outcome.name).inc()
    log.info("outbox item tried", item=job.id, kind=job.kind, outcome=outcome.name)
    return outcome.name == SENT


async def deliver_now(ctx: Context, *, kind: str, subject: int, within: float) -> bool:
    """Send one item while a person waits; raises nothing: what does not work out is left to the worker."""
    try:
        job = await ctx.transact(lease_one, kind=kind, subject=subject, holder=ctx.process_id)
    except Exception as problem:  # noqa: BLE001 - a courtesy must not cost the person his page; it is logged
        log.warning("outbox item not tried at once", kind=kind, why=type(problem).__name__)
        return False
    return await deliver(ctx, job, within=within) if job else False


async def deliver_due(ctx: Context, stopping: asyncio.Event | None = None) -> int:
    """Send what is due, until nothing is left or we are told to stop; how many were heard."""
    heard = 0
    while not (stopping and stopping.is_set()) and (jobs := await ctx.transact(lease_due, holder=ctx.process_id)):
        heard += sum(await asyncio.gather(*(deliver(ctx, job, within=10) for job in jobs)))
    return heard


@dataclass(frozen=True, slots=True)
class Waiting:
    """A line of the operator's list: what is not delivered, since when, and why."""

    id: int
    kind: str
    subject: int
    since: datetime
    attempts: int
    gave_up: bool
    error_class: str
    error: str


def undelivered(env: Env) -> list[Waiting]:
    """Everything that the outside has not heard yet, oldest first."""
    rows = OutboxItem.select().where(OutboxItem.done < OutboxItem.wanted).order_by(OutboxItem.wanted_at)
    return [waiting_line(row) for row in rows]


def waiting_line(row: OutboxItem) -> Waiting:
    """One item as a line of the list."""
    why = {"error_class": row.error_class or "", "error": row.error or ""}
    place = {"id": row.id, "kind": row.kind, "subject": row.subject, "since": row.wanted_at}
    return Waiting(**place, attempts=row.attempts, gave_up=row.gave_up_at is not None, **why)


def retry(env: Env, *, item_id: int | None) -> int:
    """Make one item, or all that wait or were given up, due now, with all delays anew; how many. It stays as old."""
    waiting = OutboxItem.done < OutboxItem.wanted
    chosen = waiting if item_id is None else waiting & (OutboxItem.id == item_id)
    again = {"due_at": env.now, "attempts": 0, "gave_up_at": None}
    if item_id is not None:  # a person has decided, also of whom the planet's owner removed
        its = OutboxItem.select(OutboxItem.subject).where(chosen, OutboxItem.kind == MEMBERSHIP)
        Membership.update(refused_code=None).where(Membership.id.in_(its)).execute()
    return OutboxItem.update(**again).where(chosen).execute()


def forget_told(env: Env) -> int:
    """Delete items of news that was told a month ago; how many. What `verify` asks for stays."""
    told = OutboxItem.kind.in_([NOTICE, REMINDER, CLOSE]) & (OutboxItem.done_at < env.now - TOLD_KEPT)
    return OutboxItem.delete().where(told, OutboxItem.done >= OutboxItem.wanted).execute()
