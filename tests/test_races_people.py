"""Races for who one is: one way back from WeChat, one session, one invitation, one question; sixteen at once."""

from functools import partial

from models.audit import AuditEntry
from models.catalogue import Lecturer, LecturerInvite
from models.delivery import ChatQuestion
from models.people import Identity, Session, SignInState, digest
from services import lecturers, people, questions
from services.env import Env
from tests.race_kit import RACE, RACERS, Racer, counted, each_round, goes_wrong, has_more, overspends
from tests.site import Site

pytestmark = RACE
LOSERS = RACERS - 1


def person(env: Env, who: object) -> int:
    """Somebody's id."""
    return people.person_with_openid(env, f"oRACER_{who}").id


async def one_sign_in(site: Site, number: int) -> list[Racer]:
    """WeChat calls back sixteen times with one state; who is first asks it."""
    state = await site.ctx.transact(people.begin_sign_in, browser="b", target="me")
    return [lambda env: people.take_state(env, state=state, browser="b").is_first] * RACERS


async def session_of(site: Site, number: int) -> str:
    """A fresh session."""
    return await site.ctx.transact(lambda env: people.new_session(env, person(env, number)))


async def one_renewal(site: Site, number: int) -> list[Racer]:
    """One session is renewed sixteen times."""
    token = await session_of(site, number)
    return [lambda env: people.renew_session(env, token=token) is not None] * RACERS


async def careless_renewal(site: Site, number: int) -> list[Racer]:
    """The same by who looks whether it is there, and does not ask whether he was the one who took it away."""
    token = await session_of(site, number)

    def renew(env: Env) -> bool:
        old = Session.get_or_none(token_hash=digest(token))
        if old is None:
            return False
        Session.delete().where(Session.id == old.id).execute()
        return bool(people.new_session(env, old.person_id))

    return [renew] * RACERS


async def one_invitation(site: Site, number: int) -> list[Racer]:
    """Sixteen people tap one invitation of a lecturer."""

    def prepare(env: Env) -> tuple[str, list[int]]:
        address = lecturers.invite(env, slug=Lecturer.select().first().slug)
        return address.rsplit("/", 1)[1], [person(env, one) for one in range(RACERS)]

    code, racers = await site.ctx.transact(prepare)
    return [partial(lecturers.accept, code=code, person_id=one) for one in racers]


async def asked(site: Site, number: int) -> int:
    """Somebody has been asked which link he means; his identity."""

    def ask(env: Env) -> int:
        identity = Identity.get(person=person(env, number))
        questions.ask(env, identity=identity, topic="unlink", choices=[number + 1])
        return identity.id

    return await site.ctx.transact(ask)


async def one_question(site: Site, number: int) -> list[Racer]:
    """Sixteen messages answer one question."""
    mine = await asked(site, number)
    return [lambda env: bool(questions.take(env, identity=Identity.get_by_id(mine), topic="unlink"))] * RACERS


async def many_questions(site: Site, number: int) -> list[Racer]:
    """One follower asks sixteen times at once; all are content."""
    whose = await site.ctx.transact(lambda env: person(env, number))

    def ask(env: Env) -> None:
        identity = Identity.get(person=whose)
        questions.ask(env, identity=identity, topic="unlink", choices=[1])

    return [ask] * RACERS


async def careless_question(site: Site, number: int) -> list[Racer]:
    """The same by who looks and then closes it, whoever else has closed it meanwhile."""
    mine = await asked(site, number)

    def take(env: Env) -> bool:
        found = questions.choices_of(env, identity=Identity.get_by_id(mine), topic="unlink")
        ChatQuestion.delete().where(ChatQuestion.identity == mine).execute()
        return bool(found)

    return [take] * RACERS


async def test_one_way_back_from_wechat_is_followed_once(arena, rounds):
    await each_round(arena, one_sign_in, rounds(1, soak=200), ok=1, no=LOSERS)


async def test_one_session_renewed_sixteen_times_is_one_session(arena, rounds):
    times = rounds(1, soak=200)
    await each_round(arena, one_renewal, times, ok=1, no=LOSERS)
    assert await counted(arena, Session) == times


async def test_one_invitation_tapped_by_sixteen_people_makes_one_lecturer(arena, rounds):
    times = rounds(1, soak=200)
    await each_round(arena, one_invitation, times, ok=1, invite_over=LOSERS)
    assert await counted(arena, AuditEntry, AuditEntry.action == "became lecturer") == times


async def test_one_question_answered_sixteen_times_is_answered_once(arena, rounds):
    await each_round(arena, one_question, rounds(1, soak=200), ok=1, no=LOSERS)


async def test_a_follower_who_asks_sixteen_times_at_once_is_answered_each_time_about_one_question(arena, rounds):
    times = rounds(1, soak=200)
    await each_round(arena, many_questions, times, ok=RACERS)
    assert await counted(arena, ChatQuestion) == times


async def test_control_without_its_unique_place_a_follower_has_many_questions(loose_arena, without):
    without(ChatQuestion, "identity_id")
    assert await goes_wrong(loose_arena, many_questions, partial(has_more, loose_arena, ChatQuestion))


async def test_control_who_looks_before_he_writes_is_not_alone(arena, careless):
    careless(SignInState)
    assert await overspends(arena, one_sign_in)
    careless(LecturerInvite)
    assert await overspends(arena, one_invitation)
    assert await overspends(arena, careless_renewal)
    assert await overspends(arena, careless_question)
