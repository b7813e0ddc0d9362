"""Races for what comes in once and goes out once: one push, one outbox item, one job, one piece of news."""

from datetime import timedelta
from functools import partial

from models import audit
from models.delivery import ChatNotice, InboxItem, JobLease, OutboxItem
from models.links import LinkAttempt, Membership
from models.people import Identity
from services import inbox, jobs, links, memberships, notices, outbox, people
from services.env import Env
from tests.race_kit import RACE, RACERS, Racer, counted, each_round, goes_wrong, has_more, newcomer, overspends, race
from tests.site import Site

pytestmark = RACE
LOSERS = RACERS - 1
ACTED = "acted"


async def one_push(site: Site, number: int) -> list[Racer]:
    """One message comes sixteen times; who acts on it, wins."""

    def heard(env: Env) -> bool:
        did = []

        def act(env: Env) -> str:
            did.append(True)
            audit.record(at=env.now, who="race", action=ACTED, subject=f"push {number}")
            return env.new_code(64)

        said = inbox.once(env, source=inbox.PUSH, key=f"k{number}", act=act)
        assert said == InboxItem.get(source=inbox.PUSH, key=f"k{number}").reply, "a copy is answered alike"
        return bool(did)

    return [heard] * RACERS


async def careless_push(site: Site, number: int) -> list[Racer]:
    """One message comes sixteen times; without the constraint no two answers need be alike."""
    acts = {"source": inbox.PUSH, "key": f"k{number}", "act": lambda env: env.new_code(64)}
    return [partial(inbox.once, **acts)] * RACERS


async def one_item(site: Site, number: int) -> list[Racer]:
    """Sixteen workers see one item that is due; who may send it, wins."""
    await site.ctx.transact(outbox.enqueue, kind="race", subject=number, lane=f"race:{number}")

    def takes(env: Env, *, holder: str) -> bool:
        return outbox.lease_one(env, kind="race", subject=number, holder=holder) is not None

    return [partial(takes, holder=f"w{one}") for one in range(RACERS)]


async def all_items(site: Site, number: int) -> list[Racer]:
    """Sixteen workers take what is due, which is one item; whoever has it, wins."""
    await site.ctx.transact(outbox.enqueue, kind="race", subject=number, lane=f"race:{number}")

    def takes(env: Env, *, holder: str) -> bool:
        return any(job.subject == number for job in outbox.lease_due(env, holder=holder))

    return [partial(takes, holder=f"w{one}") for one in range(RACERS)]


async def many_changes(site: Site, number: int) -> list[Racer]:
    """Sixteen changes of one subject, of which the outside was told once."""
    await site.ctx.transact(outbox.enqueue, kind="race", subject=number, lane=f"race:{number}")
    return [partial(outbox.enqueue, kind="race", subject=number, lane=f"race:{number}")] * RACERS


async def first_changes(site: Site, number: int) -> list[Racer]:
    """Sixteen changes of one subject that the outside never heard of."""
    return [partial(outbox.enqueue, kind="race", subject=number, lane=f"race:{number}")] * RACERS


async def one_job(site: Site, number: int) -> list[Racer]:
    """Sixteen processes see that a job is due: for the first time in even rounds, again in odd ones."""
    if number % 2:
        site.clock.forward(seconds=7200)
    lease = {"name": f"race {number // 2}", "every": timedelta(hours=1)}
    return [partial(jobs.take, holder=f"w{one}", **lease) for one in range(RACERS)]


async def one_piece_of_news(site: Site, number: int) -> list[Racer]:
    """Sixteen messages of one follower could show him the news that waits."""

    def held(env: Env) -> ChatNotice:
        identity = Identity.get(person=people.person_with_openid(env, f"oRACER_{number}"))
        return ChatNotice.create(identity=identity, text="news", created_at=env.now, held_at=env.now)

    notice = await site.ctx.transact(held)
    return [partial(notices.show, notice=notice)] * RACERS


async def one_confirmation(site: Site, number: int) -> list[Racer]:
    """The planet confirms one membership to sixteen who have asked; all take note."""

    def linked(env: Env) -> int:
        attempt = LinkAttempt.get_by_id(newcomer(env, who=f"p{number}"))
        return links.complete(env, attempt_id=attempt.id, member_uid=f"m{number}", display_name="m")

    membership_id = await site.ctx.transact(linked)
    return [partial(memberships.note_delivered, membership_id=membership_id, version=1)] * RACERS


async def test_one_push_that_comes_sixteen_times_is_acted_on_once_and_answered_alike(arena, rounds):
    times = rounds(1, soak=200)
    await each_round(arena, one_push, times, ok=1, no=LOSERS)
    assert await counted(arena, audit.AuditEntry, audit.AuditEntry.action == ACTED) == times


async def test_one_item_seen_by_sixteen_workers_is_sent_by_one(arena, rounds):
    await each_round(arena, one_item, rounds(1, soak=200), ok=1, no=LOSERS)


async def test_what_is_due_is_shared_out_so_that_nobody_has_the_same(arena, rounds):
    await each_round(arena, all_items, rounds(1, soak=200), ok=1, no=LOSERS)


async def test_sixteen_changes_at_once_are_one_item_that_wants_all_of_them(arena, rounds):
    times = rounds(1, soak=200)
    await each_round(arena, many_changes, times, ok=RACERS)
    assert (
        await counted(arena, OutboxItem, OutboxItem.wanted == RACERS + 1) == await counted(arena, OutboxItem) == times
    )


async def test_sixteen_first_changes_at_once_are_one_item(arena, rounds):
    for number in range(times := rounds(1, soak=200)):
        came = await race(arena, await first_changes(arena, number))
        assert set(came) <= {"ok", "maintenance"}, "MariaDB's deadlocks may outlast all tries"
        assert await counted(arena, OutboxItem, OutboxItem.wanted == came["ok"]) > 0
    assert await counted(arena, OutboxItem) == times


async def test_one_job_seen_by_sixteen_processes_is_run_by_one(arena, rounds):
    times = rounds(1, soak=200)
    await each_round(arena, one_job, times, ok=1, no=LOSERS)
    assert await counted(arena, JobLease) == (times + 1) // 2


async def test_news_that_waits_is_shown_to_one_of_sixteen_messages(arena, rounds):
    await each_round(arena, one_piece_of_news, rounds(1, soak=200), ok=1, no=LOSERS)


async def test_a_membership_confirmed_sixteen_times_is_told_to_the_person_once(arena, rounds):
    times = rounds(1, soak=200)
    await each_round(arena, one_confirmation, times, ok=RACERS)
    assert await counted(arena, ChatNotice) == times


async def test_control_without_its_unique_place_one_is_many_and_verify_sees_it(loose_arena, without):
    without(OutboxItem, "kind", "subject")
    assert await goes_wrong(loose_arena, first_changes, partial(has_more, loose_arena, OutboxItem))
    without(JobLease, "name")
    assert await overspends(loose_arena, one_job)
    without(InboxItem, "source", "key")
    assert await overspends(loose_arena, careless_push)
    assert [one for one in await loose_arena.broken() if one.startswith("I10")]


async def test_control_who_looks_before_he_writes_is_not_alone(arena, careless):
    careless(Membership)
    assert await goes_wrong(arena, one_confirmation, partial(has_more, arena, ChatNotice))
    careless(ChatNotice)
    assert await overspends(arena, one_piece_of_news)
    careless(OutboxItem)
    assert await overspends(arena, one_item)
    assert await overspends(arena, all_items)

    async def due_again(site: Site, number: int) -> list[Racer]:
        await race(site, await one_job(site, 2 * number))
        return await one_job(site, 2 * number + 1)

    careless(JobLease)
    assert await overspends(arena, due_again)
