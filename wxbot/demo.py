"""`make run`: the product with embedded defaults beside the sandbox, with something to look at."""

import asyncio
import base64
import logging
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
EXAMPLE = ROOT / "deploy" / "catalogue.example.yaml"
PLANETS = [("g1", "信息安全星球", 19900, "caoz"), ("g2", "Python 学习星球", 9900, "linlan")]
PEOPLE = {
    "anna": "小安（已报名）", "bob": "阿宝（还没报名）", "chen": "小陈（在星球付了费）",
    "caoz": "讲师甲", "linlan": "林岚",
}  # fmt: skip

WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"the sandbox signs with this alone").decode()


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
    path = Path(config.database_url.removeprefix("sqlite:///"))
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    database.migrate(database.connect(config.database_url))


def world(base_url: str, port: int) -> Sandbox:
    """The outside world, knowing where we are."""
    account = AccountSettings(callback_url=f"{base_url}/wx/push")
    back, events = f"{base_url}/links/callback/partner", f"{base_url}/planets/partner/events"
    planet = PlanetSettings(redirect_uris=[back], webhook_url=events, webhook_secret=WEBHOOK_SECRET)
    ports = {"console_port": port + 100, "wechat_port": port + 101, "planet_port": port + 102, "pay_port": port + 103}
    around = {"account": account, "planet": planet, "people": PEOPLE, "groups": PLANETS}
    return build(SandboxOptions(**ports, **around, site_url=base_url))


def merchant_of(box: Sandbox, folder: Path) -> dict[str, str]:
    """Our settings as the sandbox's merchant; its keys are written into files there."""
    pay, keys = box.pay.settings, {"apiclient_key.pem": "merchant_private_key_pem", "pub_key.pem": "public_key_pem"}
    folder.mkdir(parents=True, exist_ok=True)
    for name, pem in keys.items():
        (folder / name).write_bytes(getattr(pay, pem))
    return {
        "pay_mch_id": pay.mch_id,
        "pay_cert_serial": pay.merchant_serial,
        "pay_private_key_file": str(folder / "apiclient_key.pem"),
        "pay_apiv3_key": pay.api_v3_key,
        "pay_public_key_id": pay.public_key_id,
        "pay_public_key_file": str(folder / "pub_key.pem"),
        "pay_api_url": box.pay_url,
    }


def settings_beside(box: Sandbox, base_url: str, port: int) -> Config:
    """Our settings, every outside address being the sandbox; whatever the surroundings say."""
    account, planet = box.account.settings, PlanetSettings()
    return settings.load(
        _env_file=None,
        base_url=base_url,
        listen=f"127.0.0.1:{port}",
        database_url=f"sqlite:///{ROOT}/var/demo-{port}.db",
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
        **merchant_of(box, ROOT / "var" / f"demo-{port}-keys"),
    )


async def furnish(ctx: Context, box: Sandbox) -> dict[str, str]:
    """Something to look at: the example catalogue, a purchase of 小安, one to claim, an invitation for the lecturer.

    And 小陈 pays at the planet, which tells us by an event; he has not linked yet.
    """
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
    box.planet.member_buys(box.phone("chen").person, "g1")
    await ctx.wechat.push_menu(menu(ctx.config.base_url))
    return {"claim": claimable.claim_url or "", "invite": await ctx.transact(lecturers.invite, slug="linlan")}


def tell(box: Sandbox, base_url: str, links: dict[str, str]) -> None:
    """Where to look first, and what to click."""
    phone = f"{box.console_url}/phones/anna"
    click.secho("\nwxbot runs beside a pretend WeChat and a pretend planet. Ctrl-C stops all of it.\n", bold=True)
    click.echo(f"  Look here first   {phone}")
    click.echo("                    小安 has bought 信息安全职场培训. Write 星球 in her chat and tap 点此进入, or tap")
    click.echo("                    打开网站, the course, 我已报名，进入星球. Then sign in, read, tick, 确认, 同意.\n")
    click.echo(f"  Everybody's phone {box.console_url}")
    click.echo(f"  The site on a PC  {base_url}    (a course, 用手机微信扫码关联: scan its QR with a phone)")
    click.echo(f"  Buying            {box.console_url}/phones/bob")
    click.echo("                    阿宝 has nothing yet: 打开网站, a course, 立即购买, sign in, and pay.")
    click.echo("  The pinned post, in 小陈's phone (扫一扫), who has paid at the planet")
    click.echo(f"                    {base_url}/planets/infosec")
    click.echo(f"  A purchase to claim, in 阿宝's phone (扫一扫: paste it)\n                    {links['claim']}")
    click.echo(f"  An invitation for the lecturer, in 林岚's phone (扫一扫)\n                    {links['invite']}")
    click.echo(f"  Switches          {box.console_url}/switches    (planet down, slow, doubled …)\n")
    click.echo("  The first address as a QR, for a browser on this machine:\n")
    click.echo(qr.terminal(phone))


async def run(port: int) -> None:
    """Run until Ctrl-C."""
    base_url = f"http://127.0.0.1:{port}"
    told = told_to_stop()
    box = world(base_url, port)
    box.start()
    config = settings_beside(box, base_url, port)
    fresh_rows(config)
    made = {"monotonic": reality.monotonic, "new_code": reality.new_code}
    server = Server(build_context(config, clock=WorldClock(box), **made))
    links = await furnish(server.ctx, box)
    await server.start(listen(config))
    await box.phone("anna").follow()
    tell(box, base_url, links)
    await told.wait()
    await server.stop()
    await box.stop()


@click.command()
@click.option("--port", default=8000, show_default=True, help="of the site; the sandbox takes PORT+100 to PORT+103")
def main(port: int) -> None:
    """Run the product beside the sandbox, with something to look at."""
    logs.set_up("warning")
    logging.getLogger("tornado.access").setLevel(logging.ERROR)  # the sandbox's refusals are its daily work
    try:
        asyncio.run(run(port))
    except OSError as problem:
        raise click.ClickException(str(problem)) from None


if __name__ == "__main__":
    main()
