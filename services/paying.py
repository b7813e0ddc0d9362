"""Paying an order at WeChat: made ready by a tap, looked at again and again until it is paid or closed (B1)."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from clients.errors import RemoteError
from clients.pay import OrderPaid
from models.errors import RemoteAway
from models.order_errors import AlreadyEnrolled, NotForSale, OrderOver
from models.orders import JSAPI, OPEN, Order, Payment
from services import access, money_in, orders, people, refund_money
from services.context import Context
from services.env import Env

LOOKS = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 60, 180, 300, 600, 1800))
PERSON_WAITS_SECONDS = 4.0
AT_ONCE = 50
log = structlog.get_logger()


async def order(
    ctx: Context, *, person_id: int, course_slug: str, click: str, seen_fen: int, trade_type: str, voucher: str = ""
) -> str:  # fmt: skip
    """Order a course and have WeChat ready for its payment; the order's number. Raises as `orders.begin` does.

    Where WeChat is away the order stands, and its page offers to try again.
    """
    asked = {"course_slug": course_slug, "click": click, "seen_fen": seen_fen, "voucher": voucher}
    no = await ctx.transact(orders.begin, person_id=person_id, **asked)
    with suppress(OrderOver, RemoteAway, NotForSale, AlreadyEnrolled):
        await start(ctx, person_id=person_id, no=no, trade_type=trade_type)
    return no


@dataclass(frozen=True, slots=True)
class Asked:
    """What WeChat is asked to make ready."""

    payment_id: int
    out_trade_no: str
    description: str
    amount_fen: int
    expires_at: datetime
    openid: str | None
    is_ready: bool


def open_payment(env: Env, *, person_id: int, no: str, trade_type: str) -> Asked:
    """The one open payment of a kind for his order, made if it is the first; raises NotFound, OrderOver."""
    order = orders.of_person(person_id, no)
    if not (order.is_payable(now=env.now) and orders.hold_unpaid(order)):
        raise OrderOver
    if access.may_open(env, person_id=person_id, course_id=order.course_id):
        raise AlreadyEnrolled
    payment = Payment.get_or_none(order=order, active_type=trade_type)
    if payment is None:
        payment = Payment.create(
            order=order, out_trade_no=free_number(env, order), trade_type=trade_type, active_type=trade_type,
            openid=people.openid_of(person_id) if trade_type == JSAPI else None, amount_fen=order.price_fen,
            created_at=env.now, look_at=env.now + LOOKS[0],
        )  # fmt: skip
    return Asked(
        payment_id=payment.id, out_trade_no=payment.out_trade_no, description=order.title,
        amount_fen=payment.amount_fen, expires_at=order.expires_at, openid=payment.openid,
        is_ready=bool(payment.prepay_id or payment.code_url),
    )  # fmt: skip


def free_number(env: Env, order: Order) -> str:
    """The order's own number for its first payment, by which the buyer finds it in WeChat; later ones have others."""
    is_taken = Payment.select().where(Payment.out_trade_no == order.no).exists()
    return orders.new_number(env) if is_taken else order.no


async def start(ctx: Context, *, person_id: int, no: str, trade_type: str) -> None:
    """Have WeChat ready to take the money; twice is once. Raises NotFound, OrderOver, RemoteAway, NotForSale.

    JSAPI pays inside WeChat, by him alone; NATIVE by a QR, by whoever scans it.
    """
    if ctx.pay is None:
        raise NotForSale
    asked = await ctx.transact(open_payment, person_id=person_id, no=no, trade_type=trade_type)
    if asked.is_ready:
        return
    try:
        found = await prepaid(ctx, asked)
    except RemoteError as problem:
        log.warning("payment not made ready", payment=asked.payment_id, why=problem.code)
        raise RemoteAway(who="微信支付") from problem
    if found:
        await ctx.transact(note_ready, payment_id=asked.payment_id, **found)


async def prepaid(ctx: Context, asked: Asked) -> dict[str, str]:
    """The same; nothing where the money has come already, which is heard instead."""
    try:
        return await prepay(ctx, asked)
    except OrderPaid:
        await money_in.look(ctx, asked.payment_id)
        return {}


async def prepay(ctx: Context, asked: Asked) -> dict[str, str]:
    """Ask WeChat for what the page needs to let him pay."""
    what = {
        "out_trade_no": asked.out_trade_no, "description": asked.description, "amount_fen": asked.amount_fen,
        "expires_at": asked.expires_at, "within": PERSON_WAITS_SECONDS,
    }  # fmt: skip
    if asked.openid:
        return {"prepay_id": await ctx.pay.prepay_jsapi(openid=asked.openid, **what)}
    return {"code_url": await ctx.pay.prepay_native(**what)}


def note_ready(env: Env, *, payment_id: int, **found: str) -> None:
    """Keep what the page needs."""
    Payment.change_if(Payment.id == payment_id, Payment.state == OPEN, **found)


async def check(ctx: Context, *, person_id: int, no: str) -> None:
    """He says that he has paid: ask WeChat, who alone is believed. Quiet while it is away: it tells us by itself."""
    for payment_id in await ctx.read(open_ids, person_id=person_id, no=no):
        try:
            await money_in.look(ctx, payment_id, within=PERSON_WAITS_SECONDS)
        except RemoteError as problem:
            log.warning("payment not looked at", payment=payment_id, why=problem.code)


def open_ids(env: Env, *, person_id: int, no: str) -> list[int]:
    """The open payments of his order; raises NotFound."""
    return [one.id for one in orders.open_payments(orders.of_person(person_id, no))]


def due(env: Env) -> list[int]:
    """Open payments of which WeChat is to be asked; each is due again after a while, as long as it may be paid."""
    rows = Payment.select().where(Payment.state == OPEN, Payment.look_at <= env.now)
    found = list(rows.order_by(Payment.look_at).limit(AT_ONCE))
    for row in found:
        looks = row.looks + 1
        look_at = row.created_at + LOOKS[looks] if looks < len(LOOKS) else None
        Payment.update(looks=looks, look_at=look_at).where(Payment.id == row.id).execute()
    return [row.id for row in found]


async def look_due(ctx: Context) -> None:
    """The job: find money and refunds whose notices never came, and close what was not paid in time."""
    if ctx.pay is None:
        return
    for payment_id in await ctx.transact(due):
        try:
            await money_in.look(ctx, payment_id)
        except RemoteError as problem:
            log.warning("payment not looked at", payment=payment_id, why=problem.code)
    await ctx.transact(orders.close_due)
    await refund_money.look_due(ctx)
