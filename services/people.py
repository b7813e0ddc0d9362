"""Signing in with WeChat, sessions, following, and leaving."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

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
from services import signing
from services.context import Context
from services.env import Env

LOOKS_FOR_THE_FIRST = 20
LOOK_EVERY_SECONDS = 0.2
ERASED = "erased"


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
    with_profile: bool


def begin_sign_in(env: Env, *, browser: str, target: str, with_profile: bool = False) -> str:
    """Remember where this browser wants to go; returns the state for WeChat's OAuth page."""
    state = env.new_code(128)
    SignInState.create(
        state_hash=digest(state),
        browser_hash=digest(browser),
        created_at=env.now,
        expires_at=env.now + STATE_LIFE,
        target=signing.seal(env.config, target),
        with_profile=with_profile,
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
        signed_in = await ctx.transact(open_session, state_id=taken.id)
        if signed_in:
            return signed_in
        await asyncio.sleep(LOOK_EVERY_SECONDS)  # the first call is still asking WeChat
    raise StateInvalid


def take_state(env: Env, *, state: str, browser: str) -> Taken:
    """Use the state up, if it is this browser's and still good."""
    row = SignInState.of(state, browser_hash=digest(browser), now=env.now)
    return Taken(id=row.id, is_first=row.take(now=env.now), with_profile=row.with_profile)


async def recognise(ctx: Context, taken: Taken, code: str) -> None:
    """Ask WeChat who this is, and write the outcome into the state's row."""
    if not CODE_SHAPE.fullmatch(code):
        await ctx.transact(refuse_sign_in, state_id=taken.id, no=SignInRefused())
        return
    try:
        answer = await ctx.wechat.exchange(code)
        wanted = taken.with_profile and not answer.is_snapshot
        nickname = (await ctx.wechat.userinfo(answer)).nickname if wanted else None
    except (CodeRefused, RemoteRefused):
        await ctx.transact(refuse_sign_in, state_id=taken.id, no=SignInRefused())
    except RemoteDown:
        await ctx.transact(refuse_sign_in, state_id=taken.id, no=RemoteAway(who="微信"))
    else:
        if answer.is_snapshot:
            await ctx.transact(refuse_sign_in, state_id=taken.id, no=SnapshotUser())
        else:
            await ctx.transact(accept_sign_in, state_id=taken.id, openid=answer.openid, nickname=nickname)


def refuse_sign_in(env: Env, *, state_id: int, no: BusinessError) -> None:
    """Keep the "no", for this call and for a second one."""
    SignInState.update(refused=no.code, said=no.message).where(SignInState.id == state_id).execute()


def accept_sign_in(env: Env, *, state_id: int, openid: str, nickname: str | None) -> None:
    """Keep whom WeChat has recognised."""
    person = person_with_openid(env, openid)
    if nickname:
        Identity.update(nickname=nickname[:64]).where(Identity.person == person, Identity.uid == openid).execute()
    SignInState.update(person=person).where(SignInState.id == state_id).execute()


def open_session(env: Env, *, state_id: int) -> SignedIn | None:
    """A new session for the recognised person; None while WeChat is still being asked."""
    row = SignInState.find(id=state_id)
    if row.refused:
        raise retold(row.refused, row.said)
    if row.person_id is None:
        return None
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


def new_session(env: Env, person_id: int) -> str:
    """Open a session; returns the secret of its cookie, which is stored nowhere."""
    token = env.new_code(256)
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


def visitor(env: Env, *, token: str) -> Visitor | None:
    """Whose session this is; None for an unknown or ended one."""
    row = Session.get_or_none(token_hash=digest(token))
    if row is None or not row.is_live(now=env.now):
        return None
    return Visitor(id=row.person_id, wants_touch=row.wants_touch(now=env.now))


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


def openid_of(person_id: int) -> str:
    """The openid of a person at our own account; raises NotFound for one who left."""
    identity = Identity.get_or_none(person=person_id, side=OA, provider=WECHAT)
    if identity is None or identity.uid.startswith(ERASED):
        raise NotFound
    return identity.uid


def forget_old_states(env: Env) -> int:
    """Delete sign-in states that nobody can use any more; how many."""
    return SignInState.delete().where(SignInState.expires_at < env.now - STATE_LIFE).execute()


def end_idle_sessions(env: Env, *, before: datetime) -> int:
    """Delete sessions that were last seen before a moment; how many."""
    return Session.delete().where(Session.seen_at < before).execute()
