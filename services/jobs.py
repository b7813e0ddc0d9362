"""What happens by itself: one table of what, how often; each job runs in one process at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from prometheus_client import Gauge

from models.access import Grant
from models.delivery import JobLease, OutboxItem
from models.links import Link
from services import inbox, notices, outbox, people
from services.context import Context
from services.env import Env

LEASE = timedelta(minutes=5)
LOOK_EVERY_SECONDS = 1.0
IDLE_SESSIONS = timedelta(days=31)
log = structlog.get_logger()
oldest = Gauge("wxbot_outbox_oldest_seconds", "age of the oldest undelivered item", multiprocess_mode="mostrecent")
undelivered = Gauge("wxbot_outbox_undelivered", "items not delivered", ["state"], multiprocess_mode="mostrecent")
links_active = Gauge("wxbot_links_active", "active links", multiprocess_mode="mostrecent")
grants_live = Gauge("wxbot_grants_live", "rights that hold", multiprocess_mode="mostrecent")


@dataclass(frozen=True, slots=True)
class Job:
    """What to do, and how often."""

    name: str
    every: timedelta
    run: Callable[[Context], Awaitable[object]]


async def tidy(ctx: Context) -> None:
    """Delete what is of no use to anybody any more."""
    await ctx.transact(people.forget_old_states)
    await ctx.transact(inbox.forget_old)
    await ctx.transact(notices.forget_old)
    before = ctx.clock.now() - IDLE_SESSIONS
    await ctx.transact(people.end_idle_sessions, before=before)


async def measure(ctx: Context) -> None:
    """Renew the gauges that an operator watches."""
    await ctx.read(count)


def count(env: Env) -> None:
    """What waits, and for how long."""
    undone = OutboxItem.done < OutboxItem.wanted
    row = OutboxItem.select().where(undone).order_by(OutboxItem.wanted_at).first()
    oldest.set((env.now - row.wanted_at).total_seconds() if row else 0)
    undelivered.labels("given_up").set(OutboxItem.select().where(undone, OutboxItem.gave_up_at.is_null(False)).count())
    undelivered.labels("waiting").set(OutboxItem.select().where(undone, OutboxItem.gave_up_at.is_null()).count())
    links_active.set(Link.select().where(Link.unlinked_at.is_null()).count())
    grants_live.set(Grant.select().where(Grant.live(now=env.now)).count())


JOBS = [
    Job("outbox", timedelta(seconds=1), outbox.deliver_due),
    Job("measure", timedelta(seconds=15), measure),
    Job("tidy", timedelta(hours=1), tidy),
]


def take(env: Env, *, name: str, every: timedelta, holder: str) -> bool:
    """Lease a job that is due; one conditional UPDATE decides who runs it."""
    JobLease.add_once(name=name, next_at=env.now)
    free = JobLease.leased_until.is_null() | (JobLease.leased_until <= env.now)
    mine = {"leased_by": holder, "leased_until": env.now + LEASE, "next_at": env.now + every}
    return JobLease.change_if(JobLease.name == name, JobLease.next_at <= env.now, free, **mine)


def let_go(env: Env, *, name: str, holder: str, error: str) -> None:
    """Give the lease back, keeping what went wrong for the operator."""
    free = {"leased_by": None, "leased_until": None, "last_error": error[:255] or None}
    JobLease.change_if(JobLease.name == name, JobLease.leased_by == holder, **free)


async def run_due(ctx: Context) -> list[str]:
    """Run each job that is due and free, one after the other; their names."""
    ran: list[str] = []
    for job in JOBS:
        if await ctx.transact(take, name=job.name, every=job.every, holder=ctx.process_id):
            await run_one(ctx, job)
            ran.append(job.name)
    return ran


async def run_one(ctx: Context, job: Job) -> None:
    """Run a job to its end; a failure of one keeps no other from running."""
    error = ""
    try:
        await job.run(ctx)
    except Exception as problem:
        error = f"{type(problem).__name__}"
        log.error("job failed", job=job.name, exc_info=problem)
    await ctx.transact(let_go, name=job.name, holder=ctx.process_id, error=error)


async def work(ctx: Context) -> None:
    """Run what is due, for ever; a failure is logged and the loop goes on."""
    while True:
        try:
            await ctx.clock.refresh()
            await run_due(ctx)
        except Exception as problem:  # noqa: BLE001 - the last resort of a loop that must go on; it is logged
            log.warning("the worker could not run", why=type(problem).__name__)
        await asyncio.sleep(LOOK_EVERY_SECONDS)
