"""对账: each night a planet's whole list beside our rows; nobody is removed by a list that is not believed (R4)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from peewee import fn
from prometheus_client import Gauge

from clients.errors import RemoteError
from models import audit
from models.base import SHANGHAI
from models.catalogue import Planet
from models.errors import WrongInput
from models.mismatches import Mismatch, Reconciliation
from services.context import Context
from services.env import Env
from services.mismatches import SEEN_BY_LIST
from services.reconcile_list import (
    BRAKED,
    DOWN,
    OK,
    SMALLER,
    Here,
    Look,
    compare,
    is_mass,
    live_number,
    missing,
)
from services.reconcile_repairs import repair

NIGHT_HOUR, NIGHT_MINUTE = 3, 30  # in Shanghai, when nobody asks for anything
AGAIN_AFTER = timedelta(minutes=10)
LIST_SECONDS = 1800
KEPT = timedelta(days=90)
CONFIRMABLE = {SMALLER, BRAKED}
Progress = Callable[[int, int], None]
log = structlog.get_logger()
braked = Gauge(
    "wxbot_reconciliation_braked", "1 while a planet's last list was not acted upon", ["planet"],
    multiprocess_mode="mostrecent",
)  # fmt: skip
differing = Gauge("wxbot_mismatches", "open differences with planets", ["kind"], multiprocess_mode="mostrecent")


@dataclass(frozen=True, slots=True)
class Report:
    """What one look came to; `held_back` is what would have been done with a list that can be believed."""

    planet: str
    outcome: str
    members: int = 0
    repaired: int = 0
    listed: int = 0
    held_back: int = 0


async def run_due(ctx: Context) -> list[Report]:
    """The job: each planet once a night, and again after ten minutes until its list can be believed."""
    return [await run(ctx, here) for here in await ctx.read(due) if can_read(ctx, here)]


def last_night(now: datetime) -> datetime:
    """The latest half past three in Shanghai."""
    here = now.astimezone(SHANGHAI)
    night = here.replace(hour=NIGHT_HOUR, minute=NIGHT_MINUTE, second=0, microsecond=0)
    return night if night <= here else night - timedelta(days=1)


def due(env: Env) -> list[Here]:
    """Planets with something to compare, not yet done since last night, and not tried within ten minutes."""
    done = Reconciliation.select(Reconciliation.planet)
    settled = done.where(Reconciliation.outcome == OK, Reconciliation.started_at >= last_night(env.now))
    tried = done.where(Reconciliation.started_at > env.now - AGAIN_AFTER)
    waits = Planet.id.not_in(settled) & Planet.id.not_in(tried)
    return [here for here in planets(env) if Planet.select().where(Planet.id == here.id, waits).exists()]


def planets(env: Env, *, slug: str | None = None) -> list[Here]:
    """The planets of the catalogue, or the one that is asked for; raises WrongInput when there is none."""
    chosen = Planet.select().where(Planet.slug == slug if slug else True).order_by(Planet.id)
    found = [Here(one.id, one.slug, one.provider, one.group_id) for one in chosen]
    if slug and not found:
        raise WrongInput(what=f"unknown planet {slug}")
    return found


def can_read(ctx: Context, here: Here) -> bool:
    """Whether its provider is set up and shows its members."""
    return here.provider in ctx.planets and ctx.planets[here.provider].capabilities.has_members


async def run(ctx: Context, here: Here, *, progress: Progress | None = None, confirmed: str = "") -> Report:
    """One look at one planet, to the end; `confirmed` says why a person takes a smaller list or many removals."""
    number = await ctx.transact(begin, here=here)
    look, outcome = await read_list(ctx, here, progress)
    plan = await ctx.read(judge, here=here, look=look, outcome=outcome, confirmed=bool(confirmed))
    if plan.outcome == OK:
        done = await repair(ctx, here, look, plan.again)
        report = Report(here.slug, OK, look.members, repaired=done.repaired, listed=done.listed)
    else:
        report = Report(here.slug, plan.outcome, look.members, held_back=plan.changes(look))
    await ctx.transact(finish, number=number, look=look, report=report, here=here, confirmed=confirmed)
    if report.outcome == OK:
        log.info("reconciled", planet=here.slug, members=report.members, repaired=report.repaired)
    else:
        log.warning("reconciliation held back", planet=here.slug, why=report.outcome, changes=report.held_back)
    return report


def begin(env: Env, *, here: Here) -> int:
    """Note that a look has begun; one that is cut off has no outcome."""
    return Reconciliation.create(planet=here.id, started_at=env.now).id


async def read_list(ctx: Context, here: Here, progress: Progress | None) -> tuple[Look, str]:
    """The list to its end, compared page by page; `down` when it cannot be had whole."""
    look = Look(started_at=ctx.clock.now())
    try:
        async with asyncio.timeout(LIST_SECONDS):
            async for page in ctx.planet(here.provider).pages(here.group_id):
                before = min(look.before, page.as_of)
                found = await ctx.read(compare, here=here, members=page.members, before=before)
                look.take(page, found)
                if progress:
                    progress(look.members, page.total)
    except (RemoteError, TimeoutError) as problem:
        log.warning("the list cannot be read", planet=here.slug, why=str(problem) or "too slow")
        return look, DOWN
    return look, OK


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, and whether it may be."""

    outcome: str
    again: set[int]

    def changes(self, look: Look) -> int:
        """How many memberships it is about."""
        found = look.found
        return sum(map(len, (self.again, found.revoke, found.refunds, found.news)))


def judge(env: Env, *, here: Here, look: Look, outcome: str, confirmed: bool) -> Plan:
    """Whether this list may be acted upon: believed, and without a mass of removals, unless a person confirms."""
    live, most_percent = live_number(env, here=here), env.config.planet_brake_percent
    if outcome == OK:
        last = Reconciliation.select().where(Reconciliation.planet == here.id, Reconciliation.outcome == OK)
        latest = last.order_by(Reconciliation.id.desc()).first()
        outcome = look.verdict(last=latest, is_expected=live > 0, most_percent=most_percent)
    if outcome == OK and is_mass(len(look.found.revoke) + len(look.found.refunds), live, most_percent=most_percent):
        outcome = BRAKED
    if confirmed and outcome in CONFIRMABLE:
        outcome = OK
    again = look.found.again | (missing(env, here=here, look=look) if outcome == OK else set())
    return Plan(outcome, again)


def finish(env: Env, *, number: int, look: Look, report: Report, here: Here, confirmed: str) -> None:
    """Write down how the look came out; a person's confirmation goes into the audit log."""
    counts = {name: getattr(report, name) for name in ("outcome", "members", "repaired", "listed", "held_back")}
    seen = {"as_of": look.as_of, "total": look.totals[1] if look.totals else None, "finished_at": env.now}
    Reconciliation.update(**counts, **seen).where(Reconciliation.id == number).execute()
    if confirmed and report.outcome == OK:
        audit.record(at=env.now, who="command", action="reconcile", subject=f"planet:{here.slug}", reason=confirmed)


def measure(env: Env) -> None:
    """Renew the gauges: planets whose last list was not acted upon, and what is open for a person."""
    finished = Reconciliation.select(fn.MAX(Reconciliation.id)).where(Reconciliation.outcome.is_null(False))
    latest = Reconciliation.select(Planet.slug, Reconciliation.outcome).join(Planet)
    for slug, outcome in latest.where(Reconciliation.id.in_(finished.group_by(Reconciliation.planet))).tuples():
        braked.labels(slug).set(outcome != OK)
    counted = Mismatch.select(Mismatch.kind, fn.COUNT(Mismatch.id)).where(Mismatch.resolved_at.is_null())
    numbers = dict.fromkeys(SEEN_BY_LIST, 0) | dict(counted.group_by(Mismatch.kind).tuples())
    for kind, number in numbers.items():
        differing.labels(kind).set(number)


def forget_old(env: Env) -> int:
    """Delete looks of long ago, but for the last good one of each planet, by which the next is judged; how many."""
    good = Reconciliation.select(fn.MAX(Reconciliation.id)).where(Reconciliation.outcome == OK)
    kept = [number for (number,) in good.group_by(Reconciliation.planet).tuples()]
    old = Reconciliation.started_at < env.now - KEPT
    return Reconciliation.delete().where(old, Reconciliation.id.not_in(kept)).execute()
