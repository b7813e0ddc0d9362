"""`wxbot check`: does each part that the settings name really work? Each line is ok, or says why not."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from peewee import MySQLDatabase, PeeweeException

from clients.errors import RemoteDown, RemoteRefused
from clients.redis import REDIS_FAULTS
from models.base import database
from models.catalogue import Planet
from models.errors import BusinessError
from services import ready
from services.context import Context
from services.database import COLLATION
from services.env import Env

NO_PROVIDER = (
    "the catalogue names it, but its provider {provider} is not set up, so nobody can link it: "
    "set WXBOT_PLANET_URL, WXBOT_PLANET_CLIENT_ID and WXBOT_PLANET_CLIENT_SECRET"
)


@dataclass(frozen=True, slots=True)
class Line:
    """One part: ok, or why not; `skipped` for what is not set up."""

    part: str
    state: str
    words: str


async def run(ctx: Context) -> list[Line]:
    """Look at every part; none keeps another from being looked at."""
    parts: dict[str, Callable[[Context], Awaitable[str]]] = {
        "settings": settings,
        "database": rows,
        "redis": redis,
        "wechat": wechat,
        "pay": pay,
    }
    lines = [await look(ctx, part, what) for part, what in parts.items()]
    return lines + await planets(ctx)


async def look(ctx: Context, part: str, what: Callable[[Context], Awaitable[str]]) -> Line:
    """One part, its failure put into words."""
    try:
        return Line(part, "ok", await what(ctx))
    except NotSetUp as why:
        return Line(part, "skipped", str(why))
    except (Wrong, RemoteDown, RemoteRefused, BusinessError, PeeweeException, *REDIS_FAULTS) as why:
        return Line(part, "wrong", str(why.__cause__ or why) or type(why).__name__)


class NotSetUp(Exception):
    """The settings do not name this part."""


class Wrong(Exception):
    """It is set up, and does not work; the text says what to do."""


async def settings(ctx: Context) -> str:
    """They were read, or we would not be here; what is odd about them is said."""
    live = ctx.config.live_urls()
    if live and not ctx.config.is_https:
        raise Wrong("WXBOT_BASE_URL is a loopback address while a live company is set up: nobody can be sent back here")
    if ctx.config.is_https and not ctx.config.trusted_proxies:  # we speak no https ourselves, so a proxy does
        raise Wrong(
            "WXBOT_TRUSTED_PROXIES is empty: every visitor comes from the proxy's own address, so limits take all for "
            "one, and a phone cannot be told where a PC is"
        )
    return "live" if live else "sandbox: every outside address is this machine"


async def rows(ctx: Context) -> str:
    """The database answers, with every migration and the right collation."""
    return await ctx.read(look_at_rows)


def look_at_rows(env: Env) -> str:
    """Raise Wrong for missing migrations or a collation that merges openids."""
    if lacks := ready.missing(env):
        raise Wrong(f"{len(lacks)} migrations are missing: run `wxbot migrate`")
    if isinstance(database.obj, MySQLDatabase):
        found = database.execute_sql("SELECT @@collation_database").fetchone()[0]
        if found != COLLATION:
            raise Wrong(f"its collation is {found}, not {COLLATION}: openids that differ in case would merge")
    return env.config.database_url.partition(":")[0]


async def redis(ctx: Context) -> str:
    """It takes a value and gives it back."""
    await ctx.redis.set("wxbot:check", "1", ex=10)
    if await ctx.redis.get("wxbot:check") != "1":
        raise Wrong("it does not keep what it is given")
    return "answers" if ctx.config.redis_url else "embedded: for one process only"


async def wechat(ctx: Context) -> str:
    """The app id, the secret and this machine's address are accepted."""
    if not ctx.config.wechat_app_id:
        raise NotSetUp("WXBOT_WECHAT_APP_ID is empty")
    await ctx.wechat.check()
    return "the token is accepted"


async def pay(ctx: Context) -> str:
    """The merchant's key is accepted, and what WeChat Pay answers is signed by a key that we know."""
    if ctx.pay is None:
        raise NotSetUp("WXBOT_PAY_MCH_ID is empty: nothing is sold here")
    await ctx.pay.check()
    return "the merchant's key is accepted, and WeChat Pay's is known"


async def planets(ctx: Context) -> list[Line]:
    """Each planet of the catalogue is there at its provider; one that nobody can be sent to is wrong."""

    async def one(slug: str, provider: str, group_id: str) -> str:
        if provider not in ctx.planets:
            raise Wrong(NO_PROVIDER.format(provider=provider))
        found = await ctx.planet(provider).group(group_id, within=10)
        return f"{found.member_count} members"

    try:
        known = await ctx.read(named_planets)
    except (PeeweeException, BusinessError) as why:
        return [Line("planet", "wrong", f"the catalogue cannot be read: {type(why).__name__}")]
    if not known:
        return [Line("planet", "skipped", "the catalogue names no planet yet")]
    return [await look(ctx, f"planet {p[0]}", lambda _ctx, p=p: one(*p)) for p in known]


def named_planets(env: Env) -> list[tuple[str, str, str]]:
    """Slug, provider and group of every planet."""
    return list(Planet.select(Planet.slug, Planet.provider, Planet.group_id).tuples())
