"""What happens by itself: who runs it, and what a process that ends in the middle leaves behind."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from clients.planets import Capabilities
from models.delivery import JobLease, OutboxItem
from models.links import LinkAttempt
from models.mismatches import Reconciliation
from services import jobs, outbox
from tests.test_outbox import Planet, beside, item_of, untold

gen = pytest.mark.gen_test(timeout=40)
ONLY_SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])


class Slow:
    """Work that takes until it is let go."""

    def __init__(self) -> None:
        self.began, self.go_on = asyncio.Event(), asyncio.Event()

    async def __call__(self, *_ctx: object, **_asked: object) -> None:
        self.began.set()
        await self.go_on.wait()


def tidies(work, *, every: float = 3600.0) -> jobs.Job:
    """A job that one process at a time runs."""
    return jobs.Job("slow", timedelta(seconds=every), work)


@gen
async def test_a_killed_worker_stops_no_other_from_delivering(site):
    await untold(site)
    hangs = Slow()
    killed = asyncio.create_task(jobs.run_due(replace(beside(site, Planet(hangs)), process_id="killed")))
    await hangs.began.wait()
    await site.buys("bob")
    await site.at_planet("bob")
    site.world.faults.set("planet", "down", operation="planet.grant")
    await site.phone("bob").tap("planet-agree")
    site.world.faults.clear()
    site.clock.forward(seconds=10)
    await jobs.run_due(site.ctx)
    assert [m.status for m in site.box.planet.memberships("g1")] == ["active"], "bob's, though anna's hangs"
    site.clock.forward(minutes=1)
    await jobs.run_due(site.ctx)
    assert (await item_of(site)).is_done, "anna's, as soon as its own lease is over"
    killed.cancel()
    await asyncio.wait([killed])


@gen
async def test_a_job_that_is_cut_off_is_free_at_once(site):
    slow = Slow()
    job = tidies(slow)
    cut = asyncio.create_task(jobs.run_leased(site.ctx, job))
    await slow.began.wait()
    other = replace(site.ctx, process_id="other")
    assert not await jobs.run_leased(other, job), "one at a time"
    cut.cancel()
    await asyncio.wait([cut])
    lease = await site.ctx.read(lambda _env: JobLease.get(name="slow"))
    assert lease.leased_by is None and lease.leased_until is None


@gen
async def test_a_killed_processs_job_is_free_after_half_a_minute_and_a_long_one_keeps_its_lease(site):
    slow = Slow()
    job = tidies(slow, every=0.0)
    other = replace(site.ctx, process_id="other")
    long = asyncio.create_task(jobs.run_leased(site.ctx, job))
    await slow.began.wait()
    site.clock.forward(seconds=20)
    await site.ctx.transact(jobs.renew, name="slow", holder=site.ctx.process_id)
    site.clock.forward(seconds=20)
    assert not await jobs.run_leased(other, job), "renewed while it runs"
    site.clock.forward(seconds=11)  # nobody has renewed it: its process is dead
    slow.go_on.set()
    assert await jobs.run_leased(other, job)
    await long


@gen
async def test_looking_for_work_uses_up_no_numbers(site):
    for _ in range(20):
        await jobs.run_due(site.ctx)
    rows = await site.ctx.read(lambda _env: list(JobLease.select()))
    assert len(rows) == len([job for job in jobs.JOBS if job.every]), "those that one process runs"
    await site.ctx.transact(lambda env: JobLease.create(name="next", next_at=env.now))
    newest = await site.ctx.read(lambda _env: JobLease.get(name="next"))
    assert newest.id == max(row.id for row in rows) + 1


@gen
@ONLY_SQLITE
async def test_told_to_stop_a_worker_settles_what_it_is_telling_and_starts_nothing_new(site):
    await untold(site)
    stopping, slow = asyncio.Event(), Slow()
    ctx = beside(site, Planet(slow))
    working = asyncio.create_task(jobs.work(ctx, stopping))
    await slow.began.wait()
    stopping.set()
    slow.go_on.set()
    await working
    assert (await item_of(site)).is_done
    (news,) = await site.ctx.read(outbox.undelivered)
    assert (news.kind, news.attempts) == (outbox.NOTICE, 0), "for the next process"


@gen
@ONLY_SQLITE
async def test_a_list_that_takes_long_keeps_no_message_waiting_and_is_cut_when_the_worker_stops(site):
    await untold(site)
    reads = Slow()

    class Endless(Planet):
        capabilities = Capabilities(has_members=True)

        async def pages(self, _group_id: str):
            await reads()
            yield

    async def tell(**_asked: object) -> None:
        await reads.began.wait()  # the list is being read

    stopping = asyncio.Event()
    working = asyncio.create_task(jobs.work(beside(site, Endless(tell)), stopping))
    while not (await item_of(site)).is_done:  # noqa: ASYNC110 - by the other loop of the same worker
        await asyncio.sleep(0.01)
    stopping.set()
    await asyncio.wait_for(working, 10)
    lease = await site.ctx.read(lambda _env: JobLease.get(name="reconcile"))
    assert (lease.leased_by, lease.last_error) == (None, "cut off")
    (cut,) = await site.ctx.read(lambda _env: list(Reconciliation.select()))
    assert cut.outcome is None


@gen
@ONLY_SQLITE
async def test_every_serving_process_measures(site):
    await untold(site)
    await site.server.measure()
    assert REGISTRY.get_sample_value("wxbot_links_active") == 1
    assert REGISTRY.get_sample_value("wxbot_outbox_undelivered", {"state": "waiting"}) == 1
    assert REGISTRY.get_sample_value("wxbot_outbox_oldest_seconds") == 60


@gen
async def test_what_is_of_no_use_any_more_is_deleted_and_the_rest_is_kept(site):
    await site.buys("anna")
    await site.at_planet("anna")  # a hand-over that leads nowhere
    await site.links("anna")
    await site.phone("anna").follow()
    while await site.delivers():
        pass

    async def kept() -> tuple[int, int]:
        return await site.ctx.read(lambda _env: (LinkAttempt.select().count(), OutboxItem.select().count()))

    site.clock.forward(days=30)
    await jobs.tidy(site.ctx)
    assert await kept() == (2, 2), "a month is not over"
    site.clock.forward(seconds=1)
    await jobs.tidy(site.ctx)
    assert await kept() == (1, 1), "the link's own attempt and the membership's own item stay"
    assert await site.broken() == []
