"""What comes a second time or too late changes nothing, also where an earlier guard has let it by."""

from datetime import timedelta

import pytest
from peewee import IntegrityError

from models.access import Grant
from models.audit import AuditEntry
from models.catalogue import CoursePlanet, Lecturer
from models.delivery import ChatNotice, JobLease, OutboxItem
from models.errors import Declined, RemoteAway
from models.links import Link, LinkAttempt, Membership, RefundWaiver
from services import access, jobs, lecturers, links, memberships, outbox, people, questions
from services.env import Env
from tests.site import Site
from tests.test_links import no_of

gen = pytest.mark.gen_test(timeout=40)
HOUR = timedelta(hours=1)


async def linked(site: Site) -> int:
    """Anna has linked and the planet knows; her membership."""
    await site.buys()
    await site.links()
    await site.delivers()
    return await site.ctx.read(lambda _env: Membership.get().id)


async def one(site: Site, row: type) -> object:
    """The only row of a kind."""
    return await site.ctx.read(lambda _env: row.select().get())


@gen
async def test_a_link_that_has_ended_is_held_by_nobody(site):
    await linked(site)
    link = await one(site, Link)
    hold = {"link_id": link.id, "display_name": "another"}
    assert await site.ctx.transact(lambda _env: memberships.hold_link(**hold)) is True
    whose = {"person_id": link.person_id, "who": "test", "reason": "test"}
    await site.ctx.transact(links.unlink, link_id=link.id, **whose)
    before = await site.rows()
    assert await site.ctx.transact(lambda _env: memberships.hold_link(**hold)) is False
    assert await site.rows() == before


@gen
async def test_one_source_gives_one_right(site):
    await site.buys()
    kept = await one(site, Grant)
    again = {"source": kept.source, "source_ref": kept.source_ref, "starts_at": site.clock.now()}
    given = await site.ctx.transact(lambda env: access.give(env, person=kept.person, course=kept.course, **again).id)
    assert given == kept.id
    assert await site.ctx.read(lambda _env: Grant.select().count()) == 1


@gen
async def test_what_was_taken_back_stays_as_it_was_taken_back(site):
    await site.buys()
    took = [await site.ctx.transact(lambda env, why=why: take_back(env, why)) for why in ("refund", "operator")]
    assert took == [True, False]
    assert (await one(site, Grant)).revoked_reason == "refund"


def take_back(env: Env, why: str) -> bool:
    """The only right ends."""
    return access.take_back(env, Grant.get(), reason=why)


@gen
async def test_a_membership_ends_once(site):
    await linked(site)
    ended = [
        await site.ctx.transact(lambda env, why=why: memberships.end(env, Membership.get(), reason=why))
        for why in ("unlink", "refund")
    ]
    row = await one(site, Membership)
    assert (ended, row.revoked_reason, row.version) == ([True, False], "unlink", 2)


@gen
async def test_an_older_confirmation_hides_no_newer_one(site):
    mine = await linked(site)
    await site.ctx.transact(lambda _env: Membership.update(version=3).execute())
    for version in (3, 2):
        await site.ctx.transact(memberships.note_delivered, membership_id=mine, version=version)
    assert (await one(site, Membership)).delivered_version == 3


@gen
async def test_an_old_no_is_none_to_what_is_wanted_now(site):
    mine = await linked(site)
    await site.ctx.transact(lambda _env: Membership.update(version=2).execute())
    await site.ctx.transact(memberships.note_refused, membership_id=mine, version=1, code="late")
    assert (await one(site, Membership)).refused_code is None


@gen
async def test_the_person_is_told_of_the_first_confirmation_only(site):
    mine = await linked(site)
    await site.ctx.transact(lambda _env: Membership.update(version=2).execute())
    await site.ctx.transact(memberships.note_delivered, membership_id=mine, version=2)
    assert (await one(site, Membership)).delivered_version == 2
    assert await site.ctx.read(lambda _env: ChatNotice.select().count()) == 1


@gen
async def test_one_attempt_has_one_waiver(site):
    await linked(site)

    def again(_env: Env) -> None:
        values = {name: value for name, value in RefundWaiver.get().__data__.items() if name != "id"}
        RefundWaiver.create(**values)

    with pytest.raises(IntegrityError):
        await site.ctx.transact(again)
    assert await site.ctx.read(lambda _env: RefundWaiver.select().count()) == 1


@gen
async def test_the_first_outcome_of_an_attempt_stays(site):
    await site.buys()
    await site.at_planet()
    attempt = await one(site, LinkAttempt)
    for no in (Declined(), RemoteAway(who="星球")):
        await site.ctx.transact(links.refuse, attempt_id=attempt.id, no=no)
    assert (await one(site, LinkAttempt)).outcome == Declined.code


@gen
async def test_a_pause_while_he_is_at_the_planet_keeps_the_link_away(site):
    await site.buys()
    await site.at_planet()
    await site.ctx.transact(lambda env: CoursePlanet.update(paused_at=env.now).execute())
    assert no_of(await site.phone().tap("planet-agree"))[1] == "pairing_not_live"
    assert await site.ctx.read(lambda _env: Membership.select().count() + RefundWaiver.select().count()) == 0


@gen
async def test_a_year_that_ends_while_he_is_at_the_planet_is_not_given_again(site):
    mine = await linked(site)
    whose = {"person_id": await site.person_id(), "who": "test", "reason": "test"}
    await site.ctx.transact(links.unlink, link_id=(await one(site, Membership)).link_id, **whose)
    site.clock.moment = (await one(site, Membership)).ends_at - timedelta(minutes=5)
    await site.at_planet()
    site.clock.forward(minutes=6)
    assert no_of(await site.phone().tap("planet-agree"))[1] == "membership_over"
    assert (await one(site, Membership)).id == mine
    assert await site.broken() == []


@gen
async def test_a_pause_of_what_is_paused_changes_nothing(site):
    def paused_twice(env: Env) -> tuple[object, int]:
        pairing = CoursePlanet.get(CoursePlanet.opted_in_at.is_null(False))
        person_id = lecturer_of(env, pairing)
        moments = []
        for now in (env.now, env.now + HOUR):
            lecturers.pause(Env(now, env.new_code, env.config), pairing_id=pairing.id, person_id=person_id)
            moments.append(CoursePlanet.get_by_id(pairing.id).paused_at)
        return moments, AuditEntry.select().where(AuditEntry.action == "pairing paused").count()

    moments, written = await site.ctx.transact(paused_twice)
    assert moments[0] == moments[1] == site.clock.now() and written == 1


def lecturer_of(env: Env, pairing: CoursePlanet) -> int:
    """Somebody becomes the lecturer of a pairing."""
    lecturer = pairing.course.lecturer
    address = lecturers.invite(env, slug=lecturer.slug)
    person_id = people.person_with_openid(env, "oLECTURER").id
    lecturers.accept(env, code=address.rsplit("/", 1)[1], person_id=person_id)
    assert Lecturer.get_by_id(lecturer.id).person_id == person_id
    return person_id


@gen
async def test_what_one_was_asked_is_no_question_to_another(site):
    def asked(env: Env) -> tuple[list[int], list[int], list[int]]:
        anna, bob = (people.person_with_openid(env, f"oPERSON{name}").identities.get() for name in "ab")
        questions.ask(env, identity=anna, topic="unlink", choices=[7])
        his = questions.choices_of(env, identity=bob, topic="unlink"), questions.take(env, identity=bob, topic="unlink")
        return *his, questions.take(env, identity=anna, topic="unlink")

    assert await site.ctx.transact(asked) == ([], [], [7])


@gen
async def test_a_job_that_was_run_is_not_due_before_its_time(site):
    due = {"name": "thing", "every": HOUR, "holder": "a"}
    assert await site.ctx.transact(jobs.take, **due)
    await site.ctx.transact(jobs.let_go, name="thing", holder="a", error="")
    site.clock.forward(minutes=59)
    assert not await site.ctx.transact(jobs.take, **due)
    site.clock.forward(minutes=1)
    assert await site.ctx.transact(jobs.take, **due)


THING = {"kind": "thing", "subject": 1}


@gen
async def test_one_subject_has_one_item(site):
    for _ in range(2):
        await site.ctx.transact(outbox.enqueue, lane="thing", **THING)
    assert (await one(site, OutboxItem)).wanted == 2
    assert await site.ctx.read(lambda _env: OutboxItem.select().count()) == 1


@gen
async def test_a_change_that_comes_while_one_is_told_is_told_too(site):
    await site.ctx.transact(outbox.enqueue, lane="thing", **THING)
    job = await site.ctx.transact(outbox.lease_one, holder="a", **THING)
    await site.ctx.transact(outbox.enqueue, lane="thing", **THING)
    await site.ctx.transact(outbox.settle, job=job, holder="a", outcome=outbox.Outcome(outbox.SENT))
    item = await one(site, OutboxItem)
    assert (item.done, item.wanted, item.due_at) == (1, 2, site.clock.now())


@pytest.mark.parametrize("outcome", [outbox.SENT, outbox.LATER, outbox.REFUSED])
@gen
async def test_who_has_lost_his_lease_settles_nothing(site, outcome):
    await site.ctx.transact(outbox.enqueue, lane="thing", **THING)
    late = await site.ctx.transact(outbox.lease_one, holder="a", **THING)
    site.clock.forward(seconds=60)
    assert await site.ctx.transact(outbox.lease_one, holder="b", **THING)
    before = await site.rows()
    await site.ctx.transact(outbox.settle, job=late, holder="a", outcome=outbox.Outcome(outcome, "late"))
    assert await site.rows() == before


@gen
async def test_who_has_lost_a_job_neither_keeps_nor_frees_it(site):
    for holder in ("a", "b"):
        assert await site.ctx.transact(jobs.take, name="thing", every=timedelta(seconds=1), holder=holder)
        site.clock.forward(seconds=31)
    before = await site.rows()
    await site.ctx.transact(jobs.renew, name="thing", holder="a")
    await site.ctx.transact(jobs.let_go, name="thing", holder="a", error="late")
    assert await site.rows() == before
    assert (await one(site, JobLease)).leased_by == "b"
