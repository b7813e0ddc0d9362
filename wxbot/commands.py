"""The commands that look at or change rows: each ends non-zero with one clear line on error."""

import sys
from pathlib import Path
from typing import Any

import click

from models.catalogue import Planet
from services import catalogue_file, catalogue_load, check, lecturers, outbox, qr, unserved, verify
from services.config import BadSettings
from services.context import Context
from wxbot import menu as menus
from wxbot.campaigns import campaign_group
from wxbot.chatting import keyword_group, report_group
from wxbot.linking import link_group, membership_group
from wxbot.purchases import Run, platform_group, purchases_group
from wxbot.reconciling import mismatch_group, reconcile_command
from wxbot.selling import order_group, pay_group, refund_group


@click.command("check")
@click.pass_obj
def check_command(run: Run) -> None:
    """Say of each part whether it works: settings, database, Redis, WeChat, planets."""
    lines = run(check.run, needs_tables=False)
    for line in lines:
        click.secho(f"{line.state:8}", fg={"ok": "green", "wrong": "red"}.get(line.state), nl=False)
        click.echo(f"{line.part}: {line.words}")
    if any(line.state == "wrong" for line in lines):
        raise SystemExit(1)


@click.command("verify")
@click.pass_obj
def verify_command(run: Run) -> None:
    """Run every invariant over the rows; exit 1 when one is broken."""
    findings = run(lambda ctx: ctx.read(verify.run))
    for found in findings:
        click.secho("ok     " if not found.breaks else "BROKEN ", fg="red" if found.breaks else "green", nl=False)
        click.echo(f"{found.name} {found.promise}" + "".join(f"\n         {row}" for row in found.breaks))
    if any(found.breaks for found in findings):
        raise SystemExit(1)


@click.group("catalogue")
def catalogue_group() -> None:
    """Courses, planets and their pairings."""


@catalogue_group.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="say what would change, and change nothing")
@click.pass_obj
def catalogue_load_command(run: Run, file: Path, dry_run: bool) -> None:
    """Bring the catalogue to what FILE says; again changes nothing."""
    content, lines = catalogue_file.read(file)

    async def load(ctx: Context) -> list[str]:
        try:
            work = catalogue_load.rehearse if dry_run else catalogue_load.load
            return await ctx.transact(work, file=content, lines=lines)
        except catalogue_load.DryRun as rehearsal:
            return rehearsal.changes

    changes = run(load)
    for line in changes or ["nothing to change"]:
        click.echo(line)


@click.group("lecturer")
def lecturer_group() -> None:
    """Lecturers."""


@lecturer_group.command("invite")
@click.argument("slug")
@click.pass_obj
def lecturer_invite(run: Run, slug: str) -> None:
    """Print a one-time link that makes who opens it in WeChat the lecturer SLUG."""
    click.echo(run(lambda ctx: ctx.transact(lecturers.invite, slug=slug)))


@click.group("outbox")
def outbox_group() -> None:
    """What the outside has not heard yet."""


@outbox_group.command("list")
@click.pass_obj
def outbox_list(run: Run) -> None:
    """List what waits or was given up: whom it concerns (by pseudonym), for how long, and why."""
    for line in run(lambda ctx: ctx.read(unserved.lines)):
        w, who = line.item, line.about
        state = "gave up" if w.gave_up else "waiting"
        whom = f": {who.person} {who.course} > {who.planet}, {who.state}" if who else ""
        since = f"{who.since if who else w.since:%Y-%m-%d %H:%M:%S}Z"
        what = f"{w.kind} {w.subject}{whom}\tfor {line.age}, since {since}"
        click.echo(f"{w.id}\t{state}\t{what}\t{w.attempts} tries\t{w.error or 'not tried yet'}")


@outbox_group.command("retry")
@click.argument("item", type=int, required=False)
@click.pass_obj
def outbox_retry(run: Run, item: int | None) -> None:
    """Make ITEM, or everything that waits or was given up, due now."""
    number = run(lambda ctx: ctx.transact(outbox.retry, item_id=item))
    if item is not None and not number:
        raise click.ClickException(f"item {item} is not one that waits or was given up")
    click.echo(f"{number} due now")


@click.group("menu")
def menu_group() -> None:
    """The account's menu."""


def account(ctx: Context) -> Any:
    """The client of the account; raises BadSettings when none is set up."""
    if not ctx.config.wechat_app_id:
        raise BadSettings("WXBOT_WECHAT_APP_ID is empty: no account is set up")
    return ctx.wechat


async def changes_of_menu(ctx: Context) -> list[str]:
    """What WeChat has now beside what we have here."""
    return menus.changes(await account(ctx).current_menu(), ctx.config.base_url)


@menu_group.command("show")
@click.pass_obj
def menu_show(run: Run) -> None:
    """Show how the menu that WeChat has differs from ours."""
    click.echo("\n".join(run(changes_of_menu)) or "the menu at WeChat is ours")


@menu_group.command("push")
@click.option("--yes", is_flag=True, help="do not ask")
@click.pass_obj
def menu_push(run: Run, yes: bool) -> None:
    """Make our menu the account's: shows what changes, and asks first where somebody sits at a terminal."""
    changes = run(changes_of_menu)
    if not changes:
        click.echo("the menu at WeChat is ours: nothing to push")
        return
    click.echo("\n".join(changes))
    if not yes and sys.stdin.isatty():
        click.confirm("Every follower sees this menu soon. Push it?", abort=True)
    run(lambda ctx: account(ctx).push_menu(menus.menu(ctx.config.base_url)))
    click.echo("pushed")


@click.group("qr")
def qr_group() -> None:
    """Posters with a QR."""


@qr_group.command("planet")
@click.argument("slug")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="FILE.png or FILE.svg")
@click.pass_obj
def qr_planet(run: Run, slug: str, out: Path) -> None:
    """Draw the poster for the pinned post of planet SLUG."""
    if out.suffix not in {".png", ".svg"}:
        raise click.ClickException("--out must end in .png or .svg")

    async def facts(ctx: Context) -> tuple[str, str]:
        planet = await ctx.read(lambda _env: Planet.get_or_none(slug=slug))
        if planet is None:
            raise click.ClickException(f"unknown planet {slug}")
        return f"{ctx.config.base_url}/planets/{slug}", planet.title

    draw = qr.poster_svg if out.suffix == ".svg" else qr.poster_png
    out.write_bytes(draw(*run(facts)))
    click.echo(f"wrote {out}")


COMMANDS = [
    check_command, verify_command, catalogue_group, lecturer_group, platform_group, purchases_group, outbox_group,
    menu_group, qr_group, reconcile_command, mismatch_group, link_group, membership_group,
    order_group, refund_group, pay_group, campaign_group, keyword_group, report_group,
]  # fmt: skip
