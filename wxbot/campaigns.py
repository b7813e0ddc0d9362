"""The commands about campaigns: what each has given, its limits, and vouchers for a list of people."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from services import campaigns, voucher_list
from wxbot.purchases import Run
from wxbot.selling import yuan

MOST_FEN = 10_000_000_000
MOST_WORD = 16


def check_word(_click: click.Context, _option: click.Parameter, word: str | None) -> str | None:
    """A word that a catalogue file could have, too."""
    if word is not None and not 0 < len(word.strip()) <= MOST_WORD:
        raise click.BadParameter(f"1 to {MOST_WORD} letters")
    return word


@click.group("campaign")
def campaign_group() -> None:
    """Campaigns of vouchers; they are made by `wxbot catalogue load`."""


@campaign_group.command("list")
@click.pass_obj
def campaign_list(run: Run) -> None:
    """List campaigns: kind, worth, until when, given of quota, yuan of budget, spent."""
    for one in run(lambda ctx: ctx.read(campaigns.lines)):
        ends = f"until {one.ends_at:%Y-%m-%d %H:%M}Z" if one.ends_at else "without end"
        worth = yuan(one.amount_fen) if one.amount_fen else "what was paid"
        given = f"{one.issued} of {'any' if one.quota is None else one.quota} given"
        spent = f"{yuan(one.issued_fen)} of {'any' if one.budget_fen is None else yuan(one.budget_fen)} yuan"
        click.echo(f"{one.slug}\t{one.kind}\t{worth}\t{ends}\t{given}\t{spent}\t{one.used} used")


@campaign_group.command("set")
@click.argument("slug")
@click.option("--quota", type=click.IntRange(0, 100_000_000), help="how many vouchers it may give in all")
@click.option("--budget-fen", type=click.IntRange(0, MOST_FEN), help="how many fen they may be worth in all")
@click.option("--ends", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="2026-12-31T00:00:00+08:00")
@click.option("--word", callback=check_word, help="what people write to ask for it, beside 代金券")
@click.pass_obj
def campaign_set(run: Run, slug: str, ends: datetime | None, **limits: Any) -> None:
    """Change a campaign's limits, end or word; a limit below what was given is refused."""
    asked = {name: value for name, value in limits.items() if value is not None}
    if ends:
        asked["ends_at"] = ends.astimezone(UTC)
    if not asked:
        raise click.UsageError("nothing to set")
    for line in run(lambda ctx: ctx.transact(campaigns.change, slug=slug, **asked)) or ["nothing to change"]:
        click.echo(line)


@campaign_group.command("give")
@click.argument("slug")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="say how many would get one, and give none")
@click.pass_obj
def campaign_give(run: Run, slug: str, file: Path, dry_run: bool) -> None:
    """Give a voucher of a `manual` campaign to each line of FILE: `openid` or `openid,reference`; all or none.

    The same line again gives nothing; another reference for the same openid gives him another one.
    """
    lines = voucher_list.read(file)
    given = run(lambda ctx: voucher_list.give(ctx, slug=slug, lines=lines, is_rehearsal=dry_run))
    click.echo(f"{given} {'would be ' * dry_run}given, {len(lines) - given} had theirs already")
