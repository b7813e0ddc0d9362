"""What a planet tells us: proved, read, kept once, and given its effect in the same transaction."""

from clients.planets import EventForged, EventMalformed, PlanetNews
from models.errors import EventRefused, EventUnreadable, NotFound
from models.news import PlanetEvent
from models.payments import ACTIVE, EXPIRED, REFUNDED, REMOVED
from models.people import digest
from services import memberships, payments
from services.context import Context
from services.env import Env

STATUS = {
    "purchased": ACTIVE, "renewed": ACTIVE, "expired": EXPIRED, "refunded": REFUNDED, "removed": REMOVED,
}  # fmt: skip


async def take(ctx: Context, *, provider: str, headers: dict[str, list[str]], body: bytes) -> None:
    """Keep an event; twice is once, and a kind that is new to us leaves no trace.

    Raises NotFound for a planet that sends none, EventRefused, EventUnreadable.
    """
    planet = ctx.planet(provider)
    if not planet.capabilities.has_events:
        raise NotFound
    try:
        event_id, news = planet.read_event(headers, body, ctx.clock.now().timestamp())
    except EventForged:
        raise EventRefused from None
    except EventMalformed:
        raise EventUnreadable from None
    if news:
        await ctx.transact(keep, provider=provider, event_id=event_id, news=news)


def keep(env: Env, *, provider: str, event_id: str, news: PlanetNews) -> bool:
    """True for the one call that kept it."""
    key = digest(f"{provider} {event_id}")
    if not PlanetEvent.add_once(event_key=key, provider=provider, received_at=env.now, **facts(news)):
        return False
    if news.source == "paid":
        payments.hear(env, provider=provider, told=told(news))
    elif news.kind == "removed":
        memberships.removed_by_owner(env, provider=provider, group_id=news.group_id, ref=news.ref)
    return True


def told(news: PlanetNews) -> payments.Told:
    """What it says of a payment there, or of its end."""
    return payments.Told(
        group_id=news.group_id, member_uid=news.member_uid, order_ref=news.order_ref, paid_fen=news.paid_fen,
        status=STATUS[news.kind], starts_at=news.starts_at, ends_at=news.ends_at, version=news.version,
    )  # fmt: skip


def facts(news: PlanetNews) -> dict[str, object]:
    """What the row says of it."""
    names = (
        "kind", "group_id", "member_uid", "source", "order_ref", "ref", "paid_fen", "starts_at", "ends_at", "version",
        "told_at",
    )  # fmt: skip
    return {name: getattr(news, name) for name in names}
