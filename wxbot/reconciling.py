"""The commands about planets' lists: compare now, and decide what is open."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import click

from models.errors import AtWork, WrongInput
from services import jobs, memberships, mismatches, reconcile, unserved
from services.context import Context
from services.env import Env
from services.reconcile import Report
from services.reconcile_list import Here
from wxbot.linking import REASON
from wxbot.purchases import Run

WHY = {
    "empty": "the planet's list is empty",
    "partial": "the planet's list is not whole",
    "smaller": "the planet's list is over 20 % smaller than the last one",
    "stale": "the planet's list is of another time",
    "doubled": "the planet's list names members twice",
    "braked": "over 20 % of its memberships would be removed",
    "down": "the planet's list cannot be read to its end",
}


@click.command("reconcile")
@click.option("--planet", "slug", metavar="SLUG", help="only this planet")
@click.option("--confirm", default="", metavar="REASON", help="you have looked: take a smaller list, or many removals")
@click.pass_obj
def reconcile_command(run: Run, slug: str | None, confirm: str) -> None:
    """Compare planets' lists of members with our rows now, repair what is ours, list what is theirs.

    Exits 1 when a list was not acted upon.
    """
    if confirm and not slug:
        raise click.UsageError("--confirm is for one planet: name it by --planet")
    held = []
    for report, lines in run(lambda ctx: compare(ctx, slug, confirm)):
        click.echo(
            f"{report.planet}: {report.outcome}, {report.members} members compared, {report.repaired} repaired, "
            f"{report.listed} listed, {report.held_back} held back"
        )
        for line in lines:
            click.echo(f"  {line}")
        held += [f"{report.planet}: {WHY[report.outcome]}"] if report.outcome in WHY else []
    if held:
        raise click.ClickException("nothing was changed for " + "; ".join(held))


async def compare(ctx: Context, slug: str | None, confirm: str) -> list[tuple[Report, list[str]]]:
    """Each planet that shows its members, unless another process is at it; and what is open there."""
    chosen = [here for here in await ctx.read(reconcile.planets, slug=slug) if reconcile.can_read(ctx, here)]
    if not chosen:
        raise WrongInput(what=f"{slug or 'no planet'}: its provider shows no members here, or is not set up")
    reports: list[Report] = []

    async def work(ctx: Context) -> None:
        for here in chosen:
            with progress(here) as shown:
                reports.append(await reconcile.run(ctx, here, progress=shown, confirmed=confirm))

    if not await jobs.run_leased(ctx, replace(jobs.RECONCILE, run=work), by_hand=True):
        raise AtWork(what="another process compares at this moment: wait for its end, then run this again")
    if len(reports) < len(chosen):
        raise WrongInput(what="it was cut off by a fault; see the lines above")
    return [(report, await ctx.read(open_lines, slug=report.planet)) for report in reports]


@contextmanager
def progress(here: Here) -> Iterator[reconcile.Progress | None]:
    """How far the list is read, on a terminal."""
    terminal = click.get_text_stream("stderr")
    if not terminal.isatty():
        yield None
        return
    with click.progressbar(length=1, label=here.slug, file=terminal) as bar:

        def moved(members: int, total: int) -> None:
            bar.length = max(total, members, 1)
            bar.update(members - bar.pos)

        yield moved


@click.group("mismatch")
def mismatch_group() -> None:
    """What a planet's list and our rows disagree about; see docs/reconciliation.md."""


@mismatch_group.command("list")
@click.pass_obj
def mismatch_list(run: Run) -> None:
    """List what is open: number, kind, planet, whom it concerns (by pseudonym), for how long."""
    for line in run(lambda ctx: ctx.read(open_lines)):
        click.echo(line)


def open_lines(env: Env, *, slug: str | None = None) -> list[str]:
    """What is open, as lines for a person."""
    return [
        f"{one.id}\t{one.kind}\t{one.planet}\t{one.person}\t{one.key}\t"
        f"for {unserved.age(env.now - one.since)}, since {one.since:%Y-%m-%d %H:%M}Z"
        for one in mismatches.open_lines(env, slug=slug)
    ]


@mismatch_group.command("close")
@click.argument("number", type=int)
@REASON
@click.pass_obj
def mismatch_close(run: Run, number: int, reason: str) -> None:
    """Leave mismatch NUMBER as it is: it is not listed again while the planet goes on to show it."""
    run(lambda ctx: ctx.transact(mismatches.close, mismatch_id=number, reason=reason))
    click.echo(f"closed mismatch {number}")


@mismatch_group.command("grant-again")
@click.argument("number", type=int)
@REASON
@click.pass_obj
def mismatch_grant_again(run: Run, number: int, reason: str) -> None:
    """Tell the planet once more of the removed member of mismatch NUMBER; its owner has to let him in first."""
    run(lambda ctx: ctx.transact(memberships.grant_again, mismatch_id=number, reason=reason))
    click.echo("the planet is told again")
