"""Signing in with WeChat, sessions, following, and leaving."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from peewee import Expression

from clients.errors import CodeRefused, RemoteDown, RemoteRefused
from models.errors import BusinessError, NotFound, RemoteAway, SignInRefused, SnapshotUser, StateInvalid, retold
from models.people import (
    CODE_SHAPE,
    OA,
    STATE_LIFE,
    STATE_SHAPE,
    WECHAT,
    Identity,
    Person,
    Session,
    SignInState,
    digest,
)
from models.prepared import Prepared, given
from services import signing
from services.context import Context
from services.env import Env

Look = Callable[..., Any]
log = structlog.get_logger()
LOOKS_FOR_THE_FIRST = 20
LOOK_EVERY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A fresh session, and the page of ours where the person wanted to go."""

    token: str
    person_id: int
    target: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A returning state: only the first of its callers does the work."""

    id: int
    is_first: bool


def begin_sign_in(env: Env, *, browser: str, target: str) -> str:
    """Remember where this browser wants to go; returns the state for WeChat's OAuth page."""
    state = env.new_code(128)
    SignInState.create(
        state_hash=digest(state),
        browser_hash=digest(browser),
        created_at=env.now,
        expires_at=env.now + STATE_LIFE,
        target=signing.seal(env.config, target),
    )
    return state


async def finish_sign_in(ctx: Context, *, state: str, code: str, browser: str) -> SignedIn:
    """Turn WeChat's answer into a session; a second call of the same browser gets the first one's outcome.

    Raises StateInvalid, StartFromYourCourse (before any call to WeChat), SnapshotUser, SignInRefused, RemoteAway.
    """
    if not STATE_SHAPE.fullmatch(state):
        raise StateInvalid
    taken = await ctx.transact(take_state, state=state, browser=browser)
    if taken.is_first:
        await recognise(ctx, taken, code)
    for _ in range(LOOKS_FOR_THE_FIRST):
        if await ctx.read(is_answered, state_id=taken.id):
            return await ctx.transact(open_session, state_id=taken.id)
        await asyncio.sleep(LOOK_EVERY_SECONDS)  # the first call is still asking WeChat
    raise StateInvalid


def take_state(env: Env, *, state: str, browser: str) -> Taken:
    """Use the state up, if it is this browser's and still good."""
    row = SignInState.of(state, browser_hash=digest(browser), now=env.now)
    return Taken(id=row.id, is_first=row.take(now=env.now))


async def recognise(ctx: Context, taken: Taken, code: str) -> None:
    """Ask WeChat who this is, and write the outcome into the state's row."""
    if not CODE_SHAPE.fullmatch(code):
        await ctx.transact(refuse_sign_in, state_id=taken.id, no=SignInRefused())
        return
    no: BusinessError | None = None
    try:
        answer = await ctx.wechat.exchange(code)
        no = SnapshotUser() if answer.is_snapshot else None
    except CodeRefused:
        no = SignInRefused()
    except (RemoteDown, RemoteRefused) as problem:
        log.warning("WeChat did not say who this is", why=str(problem))
        no = RemoteAway(who="微信")
    if no:
        await ctx.transact(refuse_sign_in, state_id=taken.id, no=no)
    else:
        await ctx.transact(accept_sign_in, state_id=taken.id, openid=answer.openid)


def refuse_sign_in(env: Env, *, state_id: int, no: BusinessError) -> None:
    """Keep the "no", for this call and for a second one."""
    SignInState.update(refused=no.code, said=no.message).where(SignInState.id == state_id).execute()


def accept_sign_in(env: Env, *, state_id: int, openid: str) -> None:
    """Keep whom WeChat has recognised."""
    person = person_with_openid(env, openid)
    SignInState.update(person=person).where(SignInState.id == state_id).execute()


def is_answered(env: Env, *, state_id: int) -> bool:
    """Whether WeChat has said who this is, or that it does not say."""
    row = SignInState.find(id=state_id)
    return row.person_id is not None or row.refused is not None


def open_session(env: Env, *, state_id: int) -> SignedIn:
    """A new session for the recognised person; raises the "no" that was kept."""
    row = SignInState.find(id=state_id)
    if row.refused:
        raise retold(row.refused, row.said)
    token = new_session(env, row.person_id)
    return SignedIn(token=token, person_id=row.person_id, target=signing.unseal(env.config, row.target))


def person_with_openid(env: Env, openid: str) -> Person:
    """The person behind an openid of our account; the first to ask makes him."""
    if known := Identity.of_openid(openid):
        return known.person
    person = Person.create(created_at=env.now)
    if Identity.add_once(person=person, side=OA, provider=WECHAT, uid=openid, created_at=env.now):
        return person
    person.delete_instance()  # somebody else made him in this very moment
    return Identity.get(side=OA, provider=WECHAT, uid=openid).person


def new_session(env: Env, person_id: int, *, token: str = "") -> str:
    """Open a session; returns the secret of its cookie, which is stored nowhere."""
    token = token or env.new_code(256)
    Session.create(token_hash=digest(token), person=person_id, created_at=env.now, seen_at=env.now)
    return token


def renew_session(env: Env, *, token: str) -> str | None:
    """Swap the secret of a session, so that one which was seen before a change of rights is worth nothing.

    None when somebody else has just done so: his answer carries the new secret.
    """
    old = Session.get_or_none(token_hash=digest(token))
    if old is None or Session.delete().where(Session.id == old.id).execute() != 1:
        return None
    return new_session(env, old.person_id)


@dataclass(frozen=True, slots=True)
class Visitor:
    """The signed-in person, as handlers hold him."""

    id: int
    wants_touch: bool


SESSION = Prepared(lambda: Session.select().where(Session.token_hash == given("token_hash")))


def visitor(env: Env, *, token: str) -> Visitor | None:
    """Whose session this is; None for an unknown or ended one."""
    found = SESSION.first(token_hash=digest(token))
    if found is None or not found[0].is_live(now=env.now):
        return None
    return Visitor(id=found[0].person_id, wants_touch=found[0].wants_touch(now=env.now))


def visit(env: Env, *, token: str, look: Look | None) -> tuple[Visitor | None, Any]:
    """Who asks, and what a look at his rows finds: one turn on a database thread for a whole page."""
    who = visitor(env, token=token)
    return who, look(env, person_id=who.id) if who and look else None


def touch_session(env: Env, *, token: str) -> None:
    """Note that the session is in use."""
    Session.update(seen_at=env.now).where(Session.token_hash == digest(token)).execute()


def sign_out(env: Env, *, token: str) -> None:
    """End one session."""
    Session.delete().where(Session.token_hash == digest(token)).execute()


def ours(openid: str) -> Expression:
    """The condition for an identity at our own account: another company may use the same letters."""
    return (Identity.side == OA) & (Identity.provider == WECHAT) & (Identity.uid == openid)


def follow(env: Env, *, openid: str) -> Person:
    """He follows the account; his rights are where they were (R5)."""
    person = person_with_openid(env, openid)
    Identity.update(followed_at=env.now, unfollowed_at=None).where(ours(openid)).execute()
    return person


def unfollow(env: Env, *, openid: str) -> None:
    """He unfollows; nothing else changes (R5)."""
    Identity.update(unfollowed_at=env.now).where(ours(openid)).execute()


IDENTITY = Prepared(
    lambda: Identity.select().where(
        Identity.person == given("person_id"), Identity.side == OA, Identity.provider == WECHAT
    )
)


def identity_of(person_id: int) -> Identity | None:
    """A person at our own account; None for one who left, or was never there."""
    found = IDENTITY.first(person_id=person_id)
    return None if found is None or found[0].has_left else found[0]


def hold(person_id: int) -> None:
    """Let nobody else who asks for this person's row go on before this transaction ends."""
    Person.update(created_at=Person.created_at).where(Person.id == person_id).execute()


def openid_of(person_id: int) -> str:
    """The openid of a person at our own account; raises NotFound for one who left."""
    identity = identity_of(person_id)
    if identity is None:
        raise NotFound
    return identity.uid


def forget_old_states(env: Env) -> int:
    """Delete sign-in states that nobody can use any more; how many."""
    return SignInState.delete().where(SignInState.expires_at < env.now - STATE_LIFE).execute()


def end_idle_sessions(env: Env, *, before: datetime) -> int:
    """Delete sessions that were last seen before a moment; how many."""
    return Session.delete().where(Session.seen_at < before).execute()
