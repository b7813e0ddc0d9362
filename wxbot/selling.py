"""The commands about what is sold here: orders, refunds, differences with WeChat Pay, its bills."""

import datetime as dt
from typing import Any

import click

from services import order_desk, pay_bills, pay_differences, refunds
from services.config import BadSettings
from services.context import Context
from wxbot.linking import REASON
from wxbot.purchases import Run

MOST_FEN = 10_000_000


def yuan(fen: int) -> str:
    """16900 → 169.00"""
    return f"{fen / 100:.2f}"


@click.group("order")
def order_group() -> None:
    """Orders of courses."""


@order_group.command("list")
@click.option("--state", type=click.Choice(order_desk.STATES), help="only those in this state")
@click.option("--person", metavar="p12", help="only this person's, by his pseudonym")
@click.pass_obj
def order_list(run: Run, state: str | None, person: str | None) -> None:
    """List orders, newest first."""
    for line in run(lambda ctx: ctx.read(order_desk.listed, state=state, person=person)):
        made = f"{line.created_at:%Y-%m-%d %H:%M}Z"
        click.echo(f"{line.no}\t{line.state}\t{line.person}\t{line.course}\t{yuan(line.price_fen)}\t{made}")


@order_group.command("show")
@click.argument("number")
@click.pass_obj
def order_show(run: Run, number: str) -> None:
    """Tell all about the order with NUMBER: ours, the merchant's or WeChat's own."""
    for name, value in run(lambda ctx: ctx.read(order_desk.told, number=number)):
        click.echo(f"{name:16}{value}")


@click.group("refund")
def refund_group() -> None:
    """Refunds: those that wait for a yes, those that failed, and new ones."""


@refund_group.command("list")
@click.option("--all", "every", is_flag=True, help="also those that are done or refused")
@click.pass_obj
def refund_list(run: Run, every: bool) -> None:
    """List refunds that are not settled, oldest first."""
    for line in run(lambda ctx: ctx.read(order_desk.refunds_listed, every=every)):
        since = f"since {line.asked_at:%Y-%m-%d %H:%M}Z"
        click.echo(
            f"{line.no}\t{line.state}, course {line.rights}\torder {line.order_no}\t{line.person}\t"
            f"{yuan(line.amount_fen)}\t{since}\t{line.reason or '-'}\t{line.decision or '-'}"
        )


@refund_group.command("approve")
@click.argument("refund")
@REASON
@click.pass_obj
def refund_approve(run: Run, refund: str, reason: str) -> None:
    """Say yes to REFUND: the money goes back, and when it is there the course ends."""
    run(lambda ctx: ctx.transact(refunds.decide, no=refund, yes=True, reason=reason))
    click.echo(f"refund {refund} goes to WeChat")


@refund_group.command("refuse")
@click.argument("refund")
@REASON
@click.pass_obj
def refund_refuse(run: Run, refund: str, reason: str) -> None:
    """Say no to REFUND: the course is his again, to its former end; he is told the reason."""
    run(lambda ctx: ctx.transact(refunds.decide, no=refund, yes=False, reason=reason))
    click.echo(f"refused refund {refund}")


@refund_group.command("open")
@click.argument("order")
@click.option(
    "--yuan", "amount", metavar="1.50", help="a part of the price: the course stays; without it, all that is left"
)
@click.option("--override-waiver", is_flag=True, help="also when he gave up the refund of this course")
@REASON
@click.pass_obj
def refund_open(run: Run, order: str, amount: str | None, override_waiver: bool, reason: str) -> None:
    """Give money of ORDER back, whatever the window says."""
    asked = {"fen": None if amount is None else fen_of(amount), "override": reason if override_waiver else None}
    no = run(lambda ctx: ctx.transact(refunds.open_by_operator, no=order, reason=reason, **asked))
    click.echo(f"refund {no} goes to WeChat")


def fen_of(amount: str) -> int:
    """`1.50` → 150, exactly; click's own error for anything else."""
    whole, _, part = amount.partition(".")
    digits = whole + part.ljust(2, "0")
    if not (digits.isascii() and digits.isdigit() and whole and len(part) <= 2 and 0 < int(digits) <= MOST_FEN):
        raise click.BadParameter("is an amount in yuan, such as 1.50", param_hint="--yuan")
    return int(digits)


@refund_group.command("retry")
@click.argument("refund")
@REASON
@click.pass_obj
def refund_retry(run: Run, refund: str, reason: str) -> None:
    """Ask WeChat once more for a REFUND that has failed, under a new number."""
    run(lambda ctx: ctx.transact(refunds.retry, no=refund, reason=reason))
    click.echo(f"refund {refund} goes to WeChat again")


@click.group("pay")
def pay_group() -> None:
    """What WeChat Pay says and our rows do not."""


@pay_group.command("differences")
@click.pass_obj
def pay_list(run: Run) -> None:
    """List open differences, oldest first; each wants a person's decision."""
    for line in run(lambda ctx: ctx.read(pay_differences.listed)):
        since = f"since {line.since:%Y-%m-%d %H:%M}Z"
        click.echo(f"{line.id}\t{line.kind}\t{line.key}\t{line.detail}\torder {line.order}\t{since}")


@pay_group.command("resolve")
@click.argument("difference", type=int)
@click.option("--send-back", is_flag=True, help="give back the money that is held for this difference")
@REASON
@click.pass_obj
def pay_resolve(run: Run, difference: int, send_back: bool, reason: str) -> None:
    """Close DIFFERENCE: a person has looked at it and decided."""
    asked = {"difference_id": difference, "reason": reason, "send_back": send_back}
    run(lambda ctx: ctx.transact(order_desk.resolve, **asked))
    click.echo(f"closed difference {difference}" + (", its money goes back" if send_back else ""))


def a_day(_ctx: click.Context, _param: click.Parameter, text: str) -> dt.date:
    """YYYY-MM-DD."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter("is a day, YYYY-MM-DD") from None


@pay_group.command("bill")
@click.argument("day", callback=a_day)
@click.pass_obj
def pay_bill(run: Run, day: dt.date) -> None:
    """Compare WeChat's bills of DAY (in Shanghai) with orders, refunds and journal; exit 1 when anything is open."""
    report: Any = run(lambda ctx: bill_of(ctx, day))
    click.echo(
        f"{report.day}: {report.lines} lines, fees {yuan(report.fees_fen)}, {report.differences} open differences"
    )
    if report.differences:
        raise SystemExit(1)


async def bill_of(ctx: Context, day: dt.date) -> pay_bills.Report:
    """One day's comparison; raises BadSettings where no pay is set up."""
    if ctx.pay is None:
        raise BadSettings("WXBOT_PAY_MCH_ID is empty: nothing is sold here")
    return await pay_bills.run(ctx, day)
