"""The money of a refund at WeChat: sent, heard of, done or failed; and what that does to the course (B3)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from clients.errors import RemoteError, RemoteRefused
from clients.pay import RemoteRefund
from models.access import Grant
from models.orders import (
    ABNORMAL,
    AGREED,
    DONE,
    FAILED,
    GIVEN_BACK,
    PROCESSING,
    REFUNDED,
    REFUSED,
    REVOKED,
    SUSPENDED,
    Refund,
)
from services import access, earned, journal, letters, notices, orders, outbox, pay_differences, redemptions
from services.context import Context
from services.env import Env

REVOKE_REASON = "refund"
FIRST_LOOK, LAST_LOOKS = timedelta(minutes=1), timedelta(hours=6)
STATE = {"PROCESSING": PROCESSING, "SUCCESS": DONE, "ABNORMAL": ABNORMAL, "CLOSED": FAILED}
AT_ONCE = 100
log = structlog.get_logger()


def send(env: Env, refund: Refund) -> None:
    """WeChat is to give the money back; one refund of an order after the other."""
    outbox.enqueue(env, kind=outbox.REFUND, subject=refund.id, lane=f"order:{refund.order_id}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What WeChat is asked for."""

    out_refund_no: str
    transaction_id: str
    refund_fen: int
    total_fen: int
    reason: str


def wanted(env: Env, *, refund_id: int) -> Wanted | None:
    """The refund as WeChat is to hear of it; None when it is not to be asked for any more."""
    refund = Refund.find(id=refund_id)
    if refund.state != AGREED:
        return None
    payment = refund.payment
    return Wanted(
        out_refund_no=refund.out_refund_no, transaction_id=payment.transaction_id, refund_fen=refund.amount_fen,
        total_fen=payment.arrived_fen, reason=refund.order.title,
    )  # fmt: skip


@outbox.delivers(outbox.REFUND)
async def deliver(ctx: Context, refund_id: int, within: float) -> None:
    """Ask under the same number however often; a "no" about this refund fails it, one about us is tried again."""
    want = await ctx.read(wanted, refund_id=refund_id)
    if want is None:
        return
    asked = {name: getattr(want, name) for name in want.__slots__}
    try:
        told = await ctx.pay.refund(**asked, within=within)
    except RemoteRefused as no:
        if outbox.is_ours(no):
            raise
        await ctx.transact(refused, out_refund_no=want.out_refund_no, code=no.code)
    else:
        await ctx.transact(hear, told=told)


def refused(env: Env, *, out_refund_no: str, code: str) -> None:
    """WeChat has said no to it."""
    if refund := Refund.by_out_no(out_refund_no):
        orders.hold(refund.order)
        fail(env, refund, why=code)


def hear(env: Env, *, told: RemoteRefund) -> None:
    """How WeChat says that a refund stands; the same again, or older news, has no effect."""
    refund = Refund.by_out_no(told.out_refund_no)
    if refund is None:
        differ(env, "unknown_refund", told, None)
    elif told.refund_fen != refund.amount_fen:
        differ(env, "refund_amount", told, refund)
    elif refund.state in {FAILED, REFUSED} and told.status == "SUCCESS":
        differ(env, "refund_late", told, refund)  # the course was given back, and now the money is gone
    else:
        settle(env, refund, state=STATE.get(told.status, PROCESSING), refund_id=told.refund_id)


def differ(env: Env, kind: str, told: RemoteRefund, refund: Refund | None) -> None:
    """Keep it for a person, and raise an alarm."""
    detail = f"{told.out_trade_no}: {told.refund_fen} fen, {told.status}"
    payment = refund.payment if refund else None
    pay_differences.note(env, kind=kind, key=told.out_refund_no, detail=detail, payment=payment)


def settle(env: Env, refund: Refund, *, state: str, refund_id: str) -> None:
    """Bring a refund to what WeChat says; whoever else refunds this order waits meanwhile."""
    orders.hold(refund.order)
    if state == DONE:
        finish(env, refund, refund_id=refund_id)
    elif state == FAILED:
        fail(env, refund, why="closed")
    else:
        refund.move(state, refund_id=refund_id, look_at=next_look(env, refund))


def next_look(env: Env, refund: Refund) -> datetime:
    """When to ask WeChat again: soon at first, then less and less often."""
    return env.now + min(max(FIRST_LOOK, (env.now - refund.decided_at) / 2), LAST_LOOKS)


def finish(env: Env, refund: Refund, *, refund_id: str) -> None:
    """The money is back: the books say so, and what it paid for ends."""
    if not refund.move(DONE, done_at=env.now, refund_id=refund_id or None, active_order=None, look_at=None):
        return
    journal.book_refund(env, refund)
    if refund.rights == SUSPENDED:
        revoke(env, refund)
    letter = {"purpose": letters.REFUNDED, "fields": (refund.order.title, letters.yuan(refund.amount_fen))}
    notices.tell(
        env, person_id=refund.order.person_id, text=words(refund), page=f"/orders/{refund.order.no}", **letter
    )  # fmt: skip


def words(refund: Refund) -> str:
    """What he reads in the chat."""
    money = f"¥{refund.amount_fen / 100:.2f} 已经原路退回。" if refund.amount_fen else "已经退订。"
    ends = "课程随之结束，别的来源给您的权益不受影响。" if refund.rights == SUSPENDED else ""
    return f"退款完成：「{refund.order.title}」（订单尾号 {refund.order.tail}）{money}{ends}"


def revoke(env: Env, refund: Refund) -> None:
    """The right that the order gave ends, with the membership that came with it; what another gives stays."""
    if refund.order.move(REFUNDED):
        redemptions.give_back(env, refund.order)
    earned.end(refund.grant)
    if refund.grant_id:
        access.take_back(env, refund.grant, reason=REVOKE_REASON)
    Refund.update(rights=REVOKED).where(Refund.id == refund.id).execute()


def fail(env: Env, refund: Refund, *, why: str) -> None:
    """WeChat will not do it: the course is his again meanwhile, and a person has to act (`wxbot refund list`)."""
    if refund.move(FAILED, active_order=None, look_at=None, decision=why[:255]):
        log.error("refund failed", refund=refund.id, why=why)
        give_back(env, refund)


def give_back(env: Env, refund: Refund) -> None:
    """The refund came to nothing: what was set aside for it is free, and what rested holds, to its former end."""
    if refund.payment_id:
        refund.payment.let_go(refund.amount_fen)
    if refund.rights == SUSPENDED:
        Grant.update(suspended_at=None).where(Grant.id == refund.grant_id).execute()
        earned.wake(refund.grant)
        Refund.update(rights=GIVEN_BACK).where(Refund.id == refund.id).execute()


def due(env: Env) -> list[tuple[int, str]]:
    """Refunds under way of which WeChat is to be asked; each is due again after a while, whatever comes of it."""
    rows = Refund.select().where(Refund.look_at <= env.now).order_by(Refund.look_at).limit(AT_ONCE)
    found = [(row, row.out_refund_no) for row in rows]
    for row, _ in found:
        Refund.update(look_at=next_look(env, row)).where(Refund.id == row.id).execute()
    return [(row.id, number) for row, number in found]


async def look_due(ctx: Context) -> int:
    """Ask WeChat of them, for notices that never come; of how many it told."""
    heard = 0
    for refund_id, number in await ctx.transact(due):
        try:
            told = await ctx.pay.query_refund(number)
        except RemoteError as problem:
            log.warning("refund not looked at", refund=refund_id, why=problem.code)
            continue
        if told:
            await ctx.transact(hear, told=told)
            heard += 1
    return heard
