"""The round trip to the planet, which recognises its own member; rows are touched only through `transact`."""

import asyncio
from dataclasses import dataclass

import structlog

from clients.errors import CodeRefused, RemoteDown, RemoteRefused
from clients.planets import PERSON_WAITS_SECONDS, Recognised, WrongIssuer
from clients.planets.partner import code_challenge
from models.errors import BusinessError, Declined, RemoteAway, StartFromYourCourse, StateInvalid, TooBusy
from models.links import LinkAttempt
from models.people import CODE_SHAPE, STATE_SHAPE, digest
from services import arrivals, links, outbox
from services.context import Context
from services.departures import Departure
from services.env import Env

log = structlog.get_logger()
WHOLE_WAIT_SECONDS = 3.5
LEAST_SECONDS = 0.5


def callback_address(ctx: Context, provider: str) -> str:
    """Where the planet sends the browser back to."""
    return f"{ctx.config.base_url}/links/callback/{provider}"


async def start(ctx: Context, *, course_slug: str, **asked: str | int) -> str:
    """Begin, and return the planet's address to send the browser to; RemoteAway when that planet is not set up."""
    card = ctx.catalogue.course(course_slug).planet
    if card and card.provider not in ctx.planets:
        raise RemoteAway(who="星球")
    return way_out(ctx, await ctx.transact(links.begin, course_slug=course_slug, **asked))


async def start_at_planet(ctx: Context, *, planet_slug: str, **asked: str | int) -> str:
    """The same for who comes from the planet; RemoteAway also where the planet cannot tell who has paid there."""
    planet = ctx.planets.get(ctx.catalogue.door(planet_slug).planet.provider)
    if planet is None or not planet.capabilities.has_members:
        raise RemoteAway(who="星球")
    return way_out(ctx, await ctx.transact(arrivals.begin, planet_slug=planet_slug, **asked))


def way_out(ctx: Context, departure: Departure) -> str:
    """The planet's address for the browser."""
    return ctx.planet(departure.provider).authorize_url(
        redirect_uri=callback_address(ctx, departure.provider), group_id=departure.group_id,
        state=departure.state, code_challenge=code_challenge(departure.verifier),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finished:
    """The attempt whose page tells the outcome; `has_linked` for the one call that made the link."""

    attempt_id: int
    has_linked: bool


@dataclass(frozen=True, slots=True)
class Return:
    """An attempt that has come back; only the first of its callers does the work.

    `came_from` is the planet of who brings a payment of there, by the wire's name; empty for who brings a course.
    """

    attempt_id: int
    is_first: bool
    verifier: str
    came_from: str


async def finish(
    ctx: Context, *, provider: str, browser: str, person_id: int | None, state: str, code: str, issuer: str, error: str
) -> Finished:
    """Take the planet's answer, and keep the outcome for the attempt's page.

    Raises, before any call out: StateInvalid, StartFromYourCourse. Twice is once.
    """
    planet = ctx.planet(provider)
    if not STATE_SHAPE.fullmatch(state):
        raise StateInvalid
    try:
        planet.check_issuer(issuer)
    except WrongIssuer:
        raise StateInvalid from None
    who = {"browser": browser, "person_id": person_id}
    came = await ctx.transact(take_return, provider=provider, state=state, **who)
    if not came.is_first:
        return Finished(came.attempt_id, has_linked=False)
    if error or not CODE_SHAPE.fullmatch(code):
        away = RemoteAway(who="星球") if error else StateInvalid()
        no = Declined() if error == "access_denied" else away
        await ctx.transact(links.refuse, attempt_id=came.attempt_id, no=no)
        return Finished(came.attempt_id, has_linked=False)
    return Finished(came.attempt_id, has_linked=await recognise(ctx, provider, came, code))


def take_return(env: Env, *, provider: str, state: str, browser: str, person_id: int | None) -> Return:
    """Use the state up, if it is this browser's, this provider's, and still good.

    `person_id` is who is signed in by now: on a phone that went to another hand, the one who agreed is not here.
    """
    attempt = LinkAttempt.of(state, browser_hash=digest(browser), now=env.now)
    if attempt.provider != provider:
        raise StateInvalid
    if person_id is not None and person_id != attempt.person_id:
        raise StartFromYourCourse
    came_from = "" if attempt.grant_id else attempt.planet.group_id
    return Return(attempt.id, attempt.take(now=env.now), attempt.code_verifier, came_from)


async def recognise(ctx: Context, provider: str, came: Return, code: str) -> bool:
    """Ask the planet who this is there, complete the link, and try to deliver the membership at once.

    False when that came to a "no", which is kept. A database that is away is no "no": it is raised.
    """
    until = asyncio.get_running_loop().time() + WHOLE_WAIT_SECONDS
    back = {"redirect_uri": callback_address(ctx, provider), "verifier": came.verifier}
    try:
        member = await ctx.planet(provider).exchange(code=code, within=PERSON_WAITS_SECONDS, **back)
        membership_id = await complete(ctx, provider, came, member, until=until)
    except TooBusy:
        raise
    except (RemoteDown, RemoteRefused, BusinessError) as problem:
        await ctx.transact(links.refuse, attempt_id=came.attempt_id, no=in_our_words(problem))
        return False
    if membership_id is not None:
        await outbox.deliver_now(ctx, kind=outbox.MEMBERSHIP, subject=membership_id, within=left(until))
    return True


async def complete(ctx: Context, provider: str, came: Return, member: Recognised, *, until: float) -> int | None:
    """Make the link; the membership that it opens, or None for who comes from the planet and has one there.

    Of him the planet is asked at this very moment what he has paid.
    """
    who = {"attempt_id": came.attempt_id, "member_uid": member.member_uid, "display_name": member.display_name}
    if not came.came_from:
        return await ctx.transact(links.complete, **who)
    known = await ctx.planet(provider).member(came.came_from, member.member_uid, within=left(until))
    await ctx.transact(arrivals.complete, found=known.memberships if known else (), **who)
    return None


def left(until: float) -> float:
    """The seconds that a waiting person still has."""
    return max(LEAST_SECONDS, until - asyncio.get_running_loop().time())


def in_our_words(problem: RemoteDown | RemoteRefused | BusinessError) -> BusinessError:
    """What the person reads; a planet that refuses us and not him is our trouble, and stands in the log."""
    if isinstance(problem, BusinessError):
        return problem
    if isinstance(problem, CodeRefused):
        return StateInvalid()
    if isinstance(problem, RemoteRefused):
        log.error("the planet does not accept us", why=str(problem))
    return RemoteAway(who="星球")
