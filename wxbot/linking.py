"""The commands about links and the memberships that hang on them."""

import click

from services import extension, link_desk
from services.context import Context
from wxbot.purchases import Run


def said(_ctx: click.Context, _param: click.Parameter, words: str) -> str:
    """A reason that says something."""
    if not words.strip():
        raise click.BadParameter("say why, in words for the audit log")
    return words.strip()


REASON = click.option("--reason", required=True, callback=said, help="why; goes into the audit log")


@click.group("link")
def link_group() -> None:
    """Links between people here and accounts at planets."""


@link_group.command("list")
@click.option("--person", metavar="p12", help="only this person's, by his pseudonym")
@click.pass_obj
def link_list(run: Run, person: str | None) -> None:
    """List links, newest first, each with the memberships that hang on it."""
    for line in run(lambda ctx: ctx.read(link_desk.listed, person=person)):
        ended = f"ended {line.unlinked_at:%Y-%m-%d %H:%M}Z by {line.unlinked_by}" if line.unlinked_at else "active"
        click.echo(f"{line.id}\t{line.person}\t{line.provider}\tsince {line.linked_at:%Y-%m-%d %H:%M}Z\t{ended}")
        for one in line.memberships:
            until = f"until {one.until:%Y-%m-%d %H:%M}Z"
            click.echo(f"  membership {one.id}\t{one.course} > {one.planet}\t{one.state}\t{until}")


@link_group.command("remove")
@click.argument("link", type=int)
@REASON
@click.pass_obj
def link_remove(run: Run, link: int, reason: str) -> None:
    """End LINK: the memberships that came through it end at the planet too, the waiver stays, the person is told."""
    run(lambda ctx: ctx.transact(link_desk.remove, link_id=link, reason=reason))
    click.echo(f"removed link {link}")


@link_group.command("allow")
@click.argument("link", type=int)
@REASON
@click.pass_obj
def link_allow(run: Run, link: int, reason: str) -> None:
    """Allow the purchases of the ended LINK, which have used up their re-links, one more."""
    courses = run(lambda ctx: ctx.transact(link_desk.allow, link_id=link, reason=reason))
    click.echo(f"one more link is allowed for {', '.join(courses)}")


@click.group("membership")
def membership_group() -> None:
    """Memberships at planets that purchases have given."""


@membership_group.command("extend")
@click.argument("membership", type=int)
@click.option("--days", required=True, type=click.IntRange(1, extension.MOST_DAYS), help="how many more")
@REASON
@click.pass_obj
def membership_extend(run: Run, membership: int, days: int, reason: str) -> None:
    """Let MEMBERSHIP (see `link list`) end later; the planet and the person are told."""

    async def work(ctx: Context) -> str:
        row = await ctx.transact(extension.extend, membership_id=membership, days=days, reason=reason)
        return f"{row.ends_at:%Y-%m-%d %H:%M}Z"

    click.echo(f"membership {membership} ends {run(work)}")
