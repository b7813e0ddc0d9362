"""`make run`: the product with embedded defaults beside the sandbox, with something to look at."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from sandbox.options import PlanetSettings, SandboxOptions
from sandbox.server import Sandbox, build
from sandbox.wechat_account import AccountSettings
from services import catalogue_file, catalogue_load, database, lecturers, purchases, qr
from services import config as settings
from services.config import Config
from services.context import Context
from wxbot import logs, reality
from wxbot.__main__ import listen, told_to_stop
from wxbot.menu import menu
from wxbot.server import Server, build_context

ROOT = Path(__file__).parent.parent
BASE_URL = "http://127.0.0.1:8000"
EXAMPLE = ROOT / "deploy" / "catalogue.example.yaml"
PLANETS = [("g1", "信息安全星球", 19900, "caoz"), ("g2", "Python 学习星球", 9900, "caoz")]
PEOPLE = {"anna": "小安（已报名）", "bob": "阿宝（还没报名）", "caoz": "讲师甲"}
WEBHOOK_SECRET = "whsec_c2FuZGJveC1ldmVudHMtc2VjcmV0LTAxMjM0NTY3"  # noqa: S105 - of the pretend planet


class WorldClock:
    """The sandbox's clock, which the newcomer may move."""

    def __init__(self, box: Sandbox) -> None:
        self.world = box.world

    def now(self) -> datetime:
        """The moment of the pretend world."""
        return datetime.fromtimestamp(self.world.now(), UTC)

    async def refresh(self) -> None:
        """It is in this very process."""


def fresh_rows(config: Config) -> None:
    """An empty database with every table."""
    for file in Path(ROOT / "var").glob("demo.db*"):
        file.unlink()
    database.migrate(database.connect(config.database_url))


def world() -> Sandbox:
    """The outside world, knowing where we are."""
    account = AccountSettings(callback_url=f"{BASE_URL}/wx/push")
    planet = PlanetSettings(
        redirect_uris=[f"{BASE_URL}/links/callback/partner"],
        webhook_url=f"{BASE_URL}/planets/partner/events",
        webhook_secret=WEBHOOK_SECRET,
    )
    return build(SandboxOptions(account=account, planet=planet, people=PEOPLE, groups=PLANETS, site_url=BASE_URL))


def settings_beside(box: Sandbox) -> Config:
    """Our settings, every outside address being the sandbox; whatever the surroundings say."""
    account, planet = box.account.settings, PlanetSettings()
    return settings.load(
        _env_file=None,
        base_url=BASE_URL,
        listen="127.0.0.1:8000",
        database_url=f"sqlite:///{ROOT}/var/demo.db",
        redis_url="",
        secret_keys=["this key protects nothing but a sandbox on one machine"],
        wechat_app_id=account.app_id,
        wechat_app_secret=account.app_secret,
        wechat_token=account.token,
        wechat_aes_keys=account.aes_keys,
        wechat_api_url=box.wechat_api_url,
        wechat_open_url=box.wechat_open_url,
        planet_url=box.planet_url,
        planet_client_id=planet.client_id,
        planet_client_secret=planet.client_secrets[0],
        planet_webhook_secrets=[WEBHOOK_SECRET],
        log_level="warning",
    )


async def furnish(ctx: Context, box: Sandbox) -> dict[str, str]:
    """Something to look at: the example catalogue, a purchase of 小安, one to claim, an invitation for the lecturer."""
    file, lines = catalogue_file.read(EXAMPLE)
    await ctx.transact(catalogue_load.load, file=file, lines=lines)
    await ctx.transact(purchases.add_platform, name="yiling")
    paid = {"course": "infosec-workplace", "paid_fen": 19900, "paid_at": ctx.clock.now() - timedelta(days=1)}
    told = {"platform": "yiling", "order_no": f"ANNA-{ctx.new_code(32)}"}
    anna = purchases.PurchaseBody(openid=box.phone("anna").openid, **paid)
    await ctx.transact(purchases.put, body=anna, **told)
    other = {"platform": "yiling", "order_no": f"PHONE-{ctx.new_code(32)}"}
    unknown = purchases.PurchaseBody(phone="13800000000", **paid)
    claimable, _ = await ctx.transact(purchases.put, body=unknown, **other)
    await ctx.wechat.push_menu(menu(BASE_URL))
    return {"claim": claimable.claim_url or "", "invite": await ctx.transact(lecturers.invite, slug="linlan")}


def tell(box: Sandbox, links: dict[str, str]) -> None:
    """Where to look first, and what to click."""
    phone = f"{box.console_url}/phones/anna"
    click.secho("\nwxbot runs beside a pretend WeChat and a pretend planet. Ctrl-C stops all of it.\n", bold=True)
    click.echo(f"  Look here first   {phone}")
    click.echo("                    小安 has bought 信息安全职场培训. In her phone: open the site, tap the course,")
    click.echo("                    then 星球; sign in, agree, confirm. Or write 星球 in the chat.\n")
    click.echo(f"  Everybody's phone {box.console_url}")
    click.echo(f"  The site itself   {BASE_URL}    (outside WeChat it shows how to get in)")
    click.echo(f"  To claim          {links['claim']}")
    click.echo(f"  For the lecturer  {links['invite']}    (paste into 讲师甲's phone)")
    click.echo(f"  Switches          {box.console_url}/switches    (planet down, slow, …)\n")
    click.echo(qr.terminal(phone))


async def main() -> None:
    """Run until Ctrl-C."""
    logs.set_up("warning")
    told = told_to_stop()
    box = world()
    box.start()
    config = settings_beside(box)
    fresh_rows(config)
    made = {"monotonic": reality.monotonic, "new_code": reality.new_code}
    server = Server(build_context(config, clock=WorldClock(box), **made))
    links = await furnish(server.ctx, box)
    await server.start(listen(config))
    tell(box, links)
    await told.wait()
    await server.stop()
    await box.stop()


if __name__ == "__main__":
    asyncio.run(main())
