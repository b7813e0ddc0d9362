"""对账单: each day WeChat's bills beside orders, refunds and the journal; every difference is listed, none smoothed."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import structlog
from peewee import chunked

from clients.errors import RemoteError
from clients.pay import BillLine, FundLine
from models.base import SHANGHAI, shanghai_day
from models.journal import CLEARING, JournalEntry, JournalLine
from models.orders import DONE, PayBill, Payment, Refund
from services import journal, money_in, pay_differences, refund_money
from services.context import Context
from services.env import Env

READY_AT = time(10)  # in Shanghai; WeChat makes the bills of a day the morning after
DAYS_BACK = 7
AGAIN_AFTER = timedelta(minutes=30)
PAID, BACK, DONE_THERE = "SUCCESS", "REFUND", "SUCCESS"
CHUNK = 500
OK, DIFFERS = "ok", "differs"
FLOWS = ("交易", "退款", "手续费")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Report:
    """What one day came to."""

    day: str
    lines: int
    differences: int
    fees_fen: int


async def run_due(ctx: Context) -> list[Report]:
    """The job: each of the last days once, when its bill is ready, and again until WeChat gives it."""
    if ctx.pay is None:
        return []
    done = []
    for day in await ctx.transact(due):
        try:
            done.append(await run(ctx, date.fromisoformat(day)))
        except RemoteError as problem:
            log.warning("bill not had", day=day, why=problem.code)
    return done


def due(env: Env) -> list[str]:
    """The days, oldest first; each is not tried again for half an hour."""
    today, ready = shanghai_day(env.now), env.now.astimezone(SHANGHAI).time() >= READY_AT
    days = [(today - timedelta(days=back)).isoformat() for back in range(DAYS_BACK, 0 if ready else 1, -1)]
    first = Payment.select().order_by(Payment.id).first()
    began = shanghai_day(first.created_at).isoformat() if first else today.isoformat()
    return [day for day in days if day >= began and take(env, day)]


def take(env: Env, day: str) -> bool:
    """True when this day's bill is to be had now."""
    if PayBill.add_once(day=day, tried_at=env.now):
        return True
    waits = (PayBill.day == day, PayBill.outcome.is_null(), PayBill.tried_at <= env.now - AGAIN_AFTER)
    return PayBill.change_if(*waits, tried_at=env.now)


async def run(ctx: Context, day: date) -> Report:
    """Compare one day; money that the bill knows and we do not is asked about first.

    Raises RemoteDown, RemoteRefused.
    """
    lines, flows = await ctx.pay.trade_bill(day), await ctx.pay.fund_flow_bill(day)
    await hear_unheard(ctx, lines)
    for some in chunked(lines, CHUNK):
        await ctx.transact(compare, day=day.isoformat(), lines=list(some))
    return await ctx.transact(finish, day=day, lines=lines, flows=flows)


async def hear_unheard(ctx: Context, lines: Sequence[BillLine]) -> None:
    """Ask about money that came or went by the bill, and not yet here; what nobody answers stays a difference."""
    for payment_id in await ctx.read(unheard, numbers=[one.out_trade_no for one in lines if one.state == PAID]):
        with suppress(RemoteError):
            await money_in.look(ctx, payment_id)
    gone = [one.out_refund_no for one in lines if one.state == BACK and one.refund_state == DONE_THERE]
    for number in await ctx.read(undone, numbers=gone):
        with suppress(RemoteError):
            if told := await ctx.pay.query_refund(number):
                await ctx.transact(refund_money.hear, told=told)


def undone(env: Env, *, numbers: Sequence[str]) -> list[str]:
    """Refunds that are done by the bill, and not here."""
    found = [(number, Refund.by_out_no(number)) for number in numbers]
    return [number for number, refund in found if refund and refund.state != DONE]


def unheard(env: Env, *, numbers: Sequence[str]) -> list[int]:
    """Our payments of which the bill says that they are paid, and we have not heard."""
    found: list[int] = []
    for some in chunked(numbers, CHUNK):
        rows = Payment.select(Payment.id).where(Payment.out_trade_no.in_(list(some)), Payment.transaction_id.is_null())
        found += [row.id for row in rows]
    return found


def compare(env: Env, *, day: str, lines: Sequence[BillLine]) -> None:
    """Each line beside its payment or refund and its journal entry."""
    booked = clearing_of([source_of(one) for one in lines])
    for line in lines:
        if line.state == PAID:
            compare_payment(env, day, line, booked)
        elif line.state == BACK:
            compare_refund(env, day, line, booked)


def source_of(line: BillLine) -> str:
    """What its journal entry is booked for."""
    return f"refund:{line.out_refund_no}" if line.state == BACK else f"pay:{line.transaction_id}"


def clearing_of(sources: Sequence[str]) -> dict[str, int]:
    """What the journal has booked on the clearing account, by source."""
    rows = JournalLine.select(JournalEntry.source, JournalLine.amount_fen).join(JournalEntry)
    return dict(rows.where(JournalEntry.source.in_(list(sources)), JournalLine.account == CLEARING).tuples())


def compare_payment(env: Env, day: str, line: BillLine, booked: dict[str, int]) -> None:
    """Money that came, by the bill."""
    payment = Payment.get_or_none(out_trade_no=line.out_trade_no)
    if payment is None or payment.transaction_id != line.transaction_id:
        return note(env, "only_there", line.transaction_id, f"{line.out_trade_no}: {line.total_fen} fen", payment)
    Payment.update(billed_on=day).where(Payment.id == payment.id).execute()
    pay_differences.resolve_gone(env, kind="only_here", key=line.transaction_id)
    here = {payment.arrived_fen, booked.get(source_of(line))}
    if here != {line.total_fen}:
        note(env, "bill_amount", line.transaction_id, f"{line.total_fen} fen there, {words(here)} here", payment)
    return None


def compare_refund(env: Env, day: str, line: BillLine, booked: dict[str, int]) -> None:
    """Money that went back, by the bill; one that is still under way there is not booked here yet."""
    refund = Refund.by_out_no(line.out_refund_no)
    if refund is None:
        return note(env, "only_there", line.out_refund_no, f"{line.out_trade_no}: {line.refund_fen} fen back", None)
    Refund.update(billed_on=day).where(Refund.id == refund.id).execute()
    pay_differences.resolve_gone(env, kind="only_here", key=line.out_refund_no)
    is_done = refund.state == DONE or line.refund_state == DONE_THERE
    here = {refund.amount_fen} | ({-booked.get(source_of(line), 0)} if is_done else set())
    if here != {line.refund_fen}:
        detail = f"{line.refund_fen} fen back there, {words(here)} here"
        note(env, "bill_amount", line.out_refund_no, detail, refund.payment)
    return None


def words(amounts: Iterable[int | None]) -> str:
    """Amounts as the operator reads them."""
    return " and ".join("nothing" if one is None else str(one) for one in sorted(amounts, key=lambda one: one or 0))


def note(env: Env, kind: str, key: str, detail: str, payment: Payment | None) -> None:
    """Keep a difference for a person."""
    pay_differences.note(env, kind=kind, key=key, detail=detail, payment=payment)


def finish(env: Env, *, day: date, lines: Sequence[BillLine], flows: Sequence[FundLine]) -> Report:
    """What no line can show: what we have and the bill has not, the day's sum, and its fees; the report is kept."""
    only_here(env, day)
    fees_fen = sum(one.fee_fen for one in lines)
    compare_flows(env, day, lines, flows, fees_fen)
    journal.book_fees(env, day=day.isoformat(), fees_fen=fees_fen)
    number = len(pay_differences.listed(env))
    came = {"lines": len(lines), "differences": number, "fees_fen": fees_fen, "finished_at": env.now}
    PayBill.add_once(day=day.isoformat(), tried_at=env.now)
    PayBill.update(outcome=DIFFERS if number else OK, **came).where(PayBill.day == day.isoformat()).execute()
    return Report(day=day.isoformat(), lines=len(lines), differences=number, fees_fen=fees_fen)


def only_here(env: Env, day: date) -> None:
    """Money that we have, of that day or before, and that no bill has shown."""
    end = datetime.combine(day + timedelta(days=1), time(), SHANGHAI)
    since = end - timedelta(days=DAYS_BACK)
    came = Payment.select().where(Payment.billed_on.is_null(), Payment.paid_at >= since, Payment.paid_at < end)
    for row in came:
        note(env, "only_here", row.transaction_id, f"{row.arrived_fen} fen came", row)
    gone = Refund.select().where(Refund.billed_on.is_null(), Refund.payment.is_null(False), Refund.state == DONE)
    for row in gone.where(Refund.done_at >= since, Refund.done_at < end):
        note(env, "only_here", row.out_refund_no, f"{row.amount_fen} fen went back", row.payment)


def compare_flows(
    env: Env, day: date, lines: Sequence[BillLine], flows: Sequence[FundLine], fees_fen: int
) -> None:  # fmt: skip
    """The account's own flow of that day must be what its trade bill says."""
    traded = sum(one.total_fen for one in lines if one.state == PAID)
    traded -= sum(one.refund_fen for one in lines if one.state == BACK)
    ours = [one for one in flows if any(word in one.kind for word in FLOWS)]
    flowed = sum(one.amount_fen if one.is_income else -one.amount_fen for one in ours)
    if flowed != traded - fees_fen:
        detail = f"{flowed} fen flowed, {traded - fees_fen} by the trade bill"
        note(env, "balance", day.isoformat(), detail, None)
    else:
        pay_differences.resolve_gone(env, kind="balance", key=day.isoformat())
