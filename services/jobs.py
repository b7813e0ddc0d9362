"""What happens by itself: the outbox in any process, and a table of jobs that one process at a time runs."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from peewee import PeeweeException
from prometheus_client import Gauge

from models.access import Grant
from models.delivery import JobLease, OutboxItem
from models.errors import TooBusy
from models.links import Link
from services import (
    inbox,
    line,
    links,
    notices,
    outbox,
    pay_bills,
    pay_differences,
    paying,
    payments,
    people,
    reconcile,
    reminders,
    scans,
    voucher_reminders,
)
from services.context import Context
from services.env import Env

LEASE = timedelta(seconds=30)
RENEW_EVERY_SECONDS = 10.0
LOOK_EVERY_SECONDS = 1.0
IDLE_SESSIONS = timedelta(days=31)
log = structlog.get_logger()
oldest = Gauge("wxbot_outbox_oldest_seconds", "age of the oldest undelivered item", multiprocess_mode="mostrecent")
undelivered = Gauge("wxbot_outbox_undelivered", "items not delivered", ["state"], multiprocess_mode="mostrecent")
links_active = Gauge("wxbot_links_active", "active links", multiprocess_mode="mostrecent")
grants_live = Gauge("wxbot_grants_live", "rights that hold", multiprocess_mode="mostrecent")


@dataclass(frozen=True, slots=True)
class Job:
    """What to do, and how often; what `is_long` is cut when the process is told to stop, and begins anew elsewhere."""

    name: str
    every: timedelta
    run: Callable[[Context], Awaitable[object]]
    is_long: bool = False


async def tidy(ctx: Context) -> None:
    """Delete what is of no use to anybody any more."""
    await ctx.transact(people.forget_old_states)
    await ctx.transact(inbox.forget_old)
    await ctx.transact(notices.forget_old)
    await ctx.transact(line.forget_old)
    await ctx.transact(outbox.forget_told)
    await ctx.transact(scans.forget_old)
    await ctx.transact(links.forget_old_attempts)
    await ctx.transact(reconcile.forget_old)
    before = ctx.clock.now() - IDLE_SESSIONS
    await ctx.transact(people.end_idle_sessions, before=before)


async def measure(ctx: Context) -> None:
    """Renew the gauges that an operator watches; in every process that serves them."""
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
    reconcile.measure(env)
    line.measure(env)
    pay_differences.measure(env)


LINE = Job("line", timedelta(seconds=1), line.answer_due, is_long=True)
RECONCILE = Job("reconcile", timedelta(minutes=5), reconcile.run_due, is_long=True)
Round = Callable[[Context, asyncio.Event], Awaitable[object]]
JOBS = [
    Job("tidy", timedelta(hours=1), tidy),
    Job("remind", timedelta(hours=1), reminders.remind),
    Job("vouchers", timedelta(hours=1), voucher_reminders.remind),
    Job("payments", timedelta(minutes=1), payments.serve_late),
    Job("pay", timedelta(seconds=5), paying.look_due),
    Job("bills", timedelta(minutes=10), pay_bills.run_due, is_long=True),
    RECONCILE,
]


def take(env: Env, *, name: str, every: timedelta, holder: str, by_hand: bool = False) -> bool:
    """Lease a job that is due, or by hand at any time; one conditional UPDATE, or the first INSERT, decides who."""
    free = JobLease.leased_until.is_null() | (JobLease.leased_until <= env.now)
    latest = env.now + every if by_hand else env.now
    mine = {"leased_by": holder, "leased_until": env.now + LEASE, "next_at": env.now + every}
    if JobLease.change_if(JobLease.name == name, JobLease.next_at <= latest, free, **mine):
        return True
    is_known = JobLease.select().where(JobLease.name == name).exists()
    return not is_known and JobLease.add_once(name=name, **mine)


def renew(env: Env, *, name: str, holder: str) -> None:
    """Keep the lease of a job that still runs."""
    JobLease.change_if(JobLease.name == name, JobLease.leased_by == holder, leased_until=env.now + LEASE)


def let_go(env: Env, *, name: str, holder: str, error: str) -> None:
    """Give the lease back, keeping what went wrong for the operator."""
    free = {"leased_by": None, "leased_until": None, "last_error": error[:255] or None}
    JobLease.change_if(JobLease.name == name, JobLease.leased_by == holder, **free)


async def run_due(ctx: Context, stopping: asyncio.Event | None = None) -> list[str]:
    """Send what is due, in as many processes as there are; then run each job that is due and free: their names."""
    await outbox.deliver_due(ctx, stopping)
    return await run_jobs(ctx, stopping)


async def run_jobs(ctx: Context, stopping: asyncio.Event | None = None) -> list[str]:
    """Run each job that is due and free: their names."""
    ran: list[str] = []
    for job in JOBS:
        if not (stopping and stopping.is_set()) and await run_leased(ctx, job, stopping):
            ran.append(job.name)
    return ran


async def run_leased(ctx: Context, job: Job, stopping: asyncio.Event | None = None, *, by_hand: bool = False) -> bool:
    """Run a job if it is due and free, to its end or until it is cancelled; nobody else runs it meanwhile."""
    lease = {"name": job.name, "holder": ctx.process_id}
    if not await ctx.transact(take, every=job.every, by_hand=by_hand, **lease):
        return False
    error, keeping = "cut off", asyncio.create_task(keep(ctx, **lease))
    try:
        error = await until(stopping, run_one(ctx, job)) if job.is_long and stopping else await run_one(ctx, job)
    finally:
        keeping.cancel()
        await ctx.transact(let_go, error=error, **lease)
    return True


async def until(stopping: asyncio.Event, working: Coroutine[Any, Any, str]) -> str:
    """Work to the end, or until we are told to stop."""
    both = asyncio.create_task(working), asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        return both[0].result() if both[0].done() else "cut off"
    finally:
        for one in both:
            one.cancel()
        await asyncio.wait(both)


async def keep(ctx: Context, *, name: str, holder: str) -> None:
    """Renew a lease again and again; while rows are away it may run out, and another process begin."""
    while True:
        await asyncio.sleep(RENEW_EVERY_SECONDS)
        with suppress(TooBusy, PeeweeException):
            await ctx.transact(renew, name=name, holder=holder)


async def run_one(ctx: Context, job: Job) -> str:
    """Run a job; a failure of one keeps no other from running. What went wrong, or nothing."""
    try:
        await job.run(ctx)
    except Exception as problem:
        log.error("job failed", job=job.name, exc_info=problem)
        return type(problem).__name__
    return ""


async def work(ctx: Context, stopping: asyncio.Event) -> None:
    """Send and run what is due until told to stop, then end what is begun; a long job keeps no message waiting."""
    rounds = (outbox.deliver_due, run_jobs, answer_line)
    await asyncio.gather(*(again_and_again(ctx, stopping, one) for one in rounds))


async def answer_line(ctx: Context, stopping: asyncio.Event | None = None) -> bool:
    """Answer those who stand in line; one process at a time, so that they are answered in their order."""
    return bool(await ctx.read(line.first)) and await run_leased(ctx, LINE, stopping)


async def again_and_again(ctx: Context, stopping: asyncio.Event, round_of: Round) -> None:
    """One of both, round after round; a failure is logged and the loop goes on."""
    while not stopping.is_set():
        try:
            await ctx.clock.refresh()
            await round_of(ctx, stopping)
        except Exception as problem:  # noqa: BLE001 - the last resort of a loop that must go on; it is logged
            log.warning("the worker could not run", why=type(problem).__name__)
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), LOOK_EVERY_SECONDS)
