"""The commands about purchases of other platforms: their keys, and files of what was bought there."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from services import purchases, purchases_file
from services.context import Context

CLAIMS_HELP = "write the claim links of those lines whose course nobody has claimed yet, new or not"
Run = Callable[..., Any]  # `with_context` of wxbot/__main__.py: what every command gets


@click.group("platform")
def platform_group() -> None:
    """Course platforms that keep their own shop."""


@platform_group.command("add")
@click.argument("name")
@click.pass_obj
def platform_add(run: Run, name: str) -> None:
    """Print a key of the purchases API for platform NAME, once; an older key of that name ends."""
    click.echo(run(lambda ctx: ctx.transact(purchases.add_platform, name=name)))


@click.group("purchases")
def purchases_group() -> None:
    """Purchases of other platforms."""


@purchases_group.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="check every line, and change nothing")
@click.option("--claims", type=click.Path(dir_okay=False, path_type=Path), metavar="OUT.csv", help=CLAIMS_HELP)
@click.pass_obj
def purchases_import(run: Run, file: Path, dry_run: bool, claims: Path | None) -> None:
    """Bring in the purchases of a CSV file; bad lines are reported and left out, exit 1 when there are any."""
    if claims and dry_run:
        raise click.UsageError("--dry-run makes no claim links: leave out one of --dry-run and --claims")
    if claims and claims.exists() and claims.samefile(file):
        raise click.UsageError("--claims would overwrite the file that is read")
    lines = purchases_file.read_lines(file)
    with purchases_file.claims_file(claims) if claims else nullcontext() as out:
        reports = run(lambda ctx: bring_in(ctx, lines, dry_run))
        written = purchases_file.write_claims(out, lines, reports) if out else 0
    report_import(reports)
    if claims:
        click.echo(f"claim links in {claims}: {written}")
    if any(purchases_file.bad_lines(reports)):
        raise SystemExit(1)


async def bring_in(ctx: Context, lines: list[purchases_file.Line], dry_run: bool) -> list[purchases_file.LineReport]:
    """Every line, with progress on a terminal."""
    with click.progressbar(lines, label="purchases", file=click.get_text_stream("stderr")) as shown:
        return [await purchases_file.bring_in(ctx, line, dry_run=dry_run) for line in shown]


def report_import(reports: list[purchases_file.LineReport]) -> None:
    """Say what became of the lines; each bad one by its number."""
    for problem in purchases_file.bad_lines(reports):
        click.echo(problem, err=True)
    counts = {name: sum(r.outcome == name for r in reports) for name in ("new", "same", "checked", "bad")}
    click.echo(", ".join(f"{number} {name}" for name, number in counts.items() if number) or "no lines")
