"""The `wxbot sandbox` command, loaded only when it is typed: a server needs nothing of it."""

import asyncio

import click

from sandbox.options import LiveSettings, SandboxOptions
from sandbox.server import run as run_sandbox
from services import config as settings
from services.config import BadSettings


@click.command()
@click.option("--console-port", default=8100, show_default=True)
@click.option("--wechat-port", default=8101, show_default=True)
@click.option("--planet-port", default=8102, show_default=True)
@click.option("--pay-port", default=8103, show_default=True)
@click.option("--callback-url", default="", help="where pushes of the pretend WeChat go: your bot, on this machine")
def sandbox(console_port: int, wechat_port: int, planet_port: int, pay_port: int, callback_url: str) -> None:
    """Play the outside world on this machine: WeChat with people's phones, its Pay, and a planet. Needs no settings."""
    ports = {"console_port": console_port, "wechat_port": wechat_port, "planet_port": planet_port, "pay_port": pay_port}
    options = SandboxOptions(**ports, live_urls=live_urls())
    options.account.callback_url = callback_url
    try:
        asyncio.run(run_sandbox(options, started=lambda box: click.echo(f"open {box.console_url}")))
    except LiveSettings as problem:
        raise click.ClickException(str(problem)) from None


def live_urls() -> list[str]:
    """Outside addresses of the settings beside it; settings that could not even start are no danger."""
    try:
        config = settings.load()
    except BadSettings:
        return []
    return [config.wechat_api_url, config.pay_api_url, config.planet_url] if config.live_urls() else []
