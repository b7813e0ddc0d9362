"""The commands about the chat: what it answers to an operator's own words, and what was reported there."""

import click

from services import feedback, keywords, vocabulary
from wxbot.purchases import Run


@click.group("keyword")
def keyword_group() -> None:
    """What the account answers to words of your own."""


@keyword_group.command("set")
@click.argument("word")
@click.argument("text")
@click.pass_obj
def keyword_set(run: Run, word: str, text: str) -> None:
    """Answer WORD by TEXT from now on, in place of what was answered before.

    Blanks, punctuation, width and case of WORD do not count. TEXT may have links (<a href="…">…</a>) and line breaks.
    """
    old = run(lambda ctx: ctx.transact(keywords.put, word=word, text=text))
    done = "nothing to change for" if old == text else "changed" if old else "added"
    click.echo(f"{done} {vocabulary.plain(word)}")


@keyword_group.command("list")
@click.pass_obj
def keyword_list(run: Run) -> None:
    """List the words with their answers: since when, by whom."""
    for row in run(lambda ctx: ctx.read(keywords.listed)):
        click.echo(f"{row.word}\tsince {row.added_at:%Y-%m-%d %H:%M}Z\tby {row.added_by}\t{in_one_line(row.text)}")


@keyword_group.command("remove")
@click.argument("word")
@click.pass_obj
def keyword_remove(run: Run, word: str) -> None:
    """Answer WORD no more."""
    run(lambda ctx: ctx.transact(keywords.remove, word=word))
    click.echo(f"removed {vocabulary.plain(word)}")


@click.group("report")
def report_group() -> None:
    """What followers have reported by 反馈."""


@report_group.command("list")
@click.pass_obj
def report_list(run: Run) -> None:
    """List the latest 200 reports, newest first: number, when, who (by pseudonym), by which door, his words."""
    for one in run(lambda ctx: ctx.read(feedback.listed)):
        when = f"{one.created_at:%Y-%m-%d %H:%M}Z"
        click.echo(f"{one.number}\t{when}\t{one.person}\t{one.source}\t{in_one_line(one.text)}")


def in_one_line(text: str) -> str:
    """A text of several lines as a list shows it."""
    return text.replace("\n", "\\n").replace("\t", " ")
