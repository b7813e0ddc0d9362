"""The `wxbot` command: the only place where the real clock, chance, settings and sockets come together."""

from wxbot import collector  # isort: skip - before all else, see there

import asyncio
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import click
from peewee import PeeweeException
from tornado.netutil import bind_sockets

from clients.errors import RemoteError
from models.errors import BusinessError
from services import config as settings
from services import database, jobs
from services.catalogue_file import BadCatalogue
from services.config import BadSettings, Config
from services.context import Context
from services.purchases_file import BadFile
from services.qr import NoFont
from wxbot import commands, logs, processes, reality
from wxbot.server import GIL_SECONDS, LAST_SECONDS, Server, build_context, close_context, wind_down

collector.settle()
MOST_SECONDS = 9.5
ONE_LINE = (BadSettings, BadFile, NoFont, RemoteError, PeeweeException, OSError)


class Group(click.Group):
    """Turns every expected failure into one line and a non-zero exit; loads a command of `later` when it is asked for.

    The latter as click's own documentation proposes it ("Lazily Loading Subcommands").
    """

    later = {"sandbox": "wxbot.playground"}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *self.later])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.later:
            return getattr(import_module(self.later[cmd_name]), cmd_name)
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BusinessError as no:
            raise click.ClickException(no.facts.get("what") or f"{no.code}: {no.message}") from None
        except BadCatalogue as mistakes:
            raise click.ClickException(str(mistakes)) from None  # one line for each mistake
        except ONE_LINE as problem:
            raise click.ClickException(" ".join(logs.clean(str(problem)).split())) from None


def with_context(work: Callable[[Context], Awaitable[Any]], *, needs_tables: bool = True) -> Any:
    """Run one piece of work with everything built, and give it all back."""
    config = settings.load()
    logs.set_up("error")  # a command tells its own troubles, in one line
    if needs_tables:
        check_tables(config)

    async def whole() -> Any:
        ctx = context_of(config)
        try:
            return await work(ctx)
        finally:
            await close_context(ctx)

    return asyncio.run(whole())


def context_of(config: Config) -> Context:
    """The context of this machine's clock and chance."""
    clock = reality.clock(config)
    return build_context(config, clock=clock, monotonic=reality.monotonic, new_code=reality.new_code)


@click.group(cls=Group)
@click.pass_context
def main(ctx: click.Context) -> None:
    """wxbot (星桥): binds course purchases to planet memberships, for people who live in WeChat.

    Settings are environment variables with the prefix WXBOT_ (or lines of a file .env); see deploy/env.example.
    """
    ctx.obj = with_context


@main.command()
def migrate() -> None:
    """Bring the tables of the database to this version."""
    done = database.migrate(database.connect(settings.load().database_url))
    click.echo("\n".join(f"applied {name}" for name in done) or "nothing to apply")


@main.command()
@click.option("--processes", default=1, type=click.IntRange(1, 64), help="how many; more than one needs a real Redis")
@click.option("--no-worker", is_flag=True, help="only serve; a `wxbot worker` runs elsewhere")
@click.option("--fd", multiple=True, type=int, help="serve on this inherited socket (systemd's first is 3)")
@click.option("--metrics-dir", default="", hidden=True)
def serve(processes: int, no_worker: bool, fd: tuple[int, ...], metrics_dir: str) -> None:
    """Serve pages and pushes, and do what happens by itself, until SIGTERM."""
    config = settings.load()
    check_tables(config)
    if processes > 1 and not config.redis_url:
        raise BadSettings("WXBOT_REDIS_URL is empty: the embedded Redis serves one process only")
    logs.set_up(config.log_level)
    sockets = inherited(fd) if fd else listen(config)
    if processes > 1:
        raise SystemExit(processes_of(sockets, processes, no_worker))
    asyncio.run(serve_until_told(config, sockets, metrics_dir, with_worker=not no_worker))


def inherited(fds: tuple[int, ...]) -> list[socket.socket]:
    """Sockets that somebody else listens on too: whoever finds nobody there any more must not wait for the next."""
    sockets = [socket.socket(fileno=number) for number in fds]
    for one in sockets:
        one.setblocking(False)
    return sockets


def listen(config: Config) -> list[socket.socket]:
    """Bind; raises OSError with the address in its text."""
    host, port = config.listen_address
    try:
        return bind_sockets(port, host)
    except OSError as problem:
        raise OSError(f"WXBOT_LISTEN {config.listen}: {problem.strerror}") from None


def processes_of(sockets: list[socket.socket], number: int, no_worker: bool) -> int:
    """Serve on the same sockets from several processes; the exit code."""
    return processes.supervise(sockets, number, [*(["--no-worker"] if no_worker else [])])


def check_tables(config: Config) -> None:
    """Raise BadSettings for a database that this version does not fit."""
    if lacks := database.missing_migrations(database.connect(config.database_url)):
        raise BadSettings(f"the database lacks {len(lacks)} migrations: run `wxbot migrate` first")


async def serve_until_told(
    config: Config, sockets: list[socket.socket], metrics_dir: str, *, with_worker: bool
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way."""
    told = told_to_stop()
    sys.setswitchinterval(GIL_SECONDS)
    server = Server(context_of(config), metrics_dir=metrics_dir, with_worker=with_worker)
    await server.start(sockets)
    collector.settle()
    click.echo(f"serving {config.base_url}", err=True)
    await told.wait()
    await server.stop()


def told_to_stop() -> asyncio.Event:
    """Set by SIGTERM or SIGINT; from then on the process has its ten seconds, whatever hangs."""
    told = asyncio.Event()

    def stop() -> None:
        if not told.is_set():
            told.set()
            processes.end_within(MOST_SECONDS)

    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop)
    return told


@main.command()
def worker() -> None:
    """Do what happens by itself (outbox, reminders, tidying), without serving, until SIGTERM."""
    config = settings.load()
    check_tables(config)
    logs.set_up(config.log_level)

    asyncio.run(work_until_told(config))


async def work_until_told(config: Config) -> None:
    """Work until SIGTERM or SIGINT, then finish what is under way."""
    told, ctx = told_to_stop(), context_of(config)
    working = asyncio.create_task(jobs.work(ctx, told))
    await told.wait()
    await wind_down(ctx, working.done)
    working.cancel()
    await asyncio.wait([working], timeout=LAST_SECONDS)
    await close_context(ctx)


for command in commands.COMMANDS:
    main.add_command(command)

if __name__ == "__main__":
    main()
