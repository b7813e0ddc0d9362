"""Money that has come, as WeChat tells of it by a notice, a query or a bill: each once, none passed over (B1)."""

from clients.errors import RemoteDown
from clients.pay import OrderPaid, Transaction
from models.catalogue import Course, Lecturer
from models.errors import TooBusy
from models.orders import CLOSED, HELD, JSAPI, PAID, SURPLUS, Order, Payment
from models.prepared import Prepared, given
from services import journal, notices, orders, outbox, pay_differences, refunds
from services.context import Context
from services.env import Env

CAME = {"SUCCESS", "REFUND"}
CURRENCY = "CNY"
BY_NUMBER = Prepared(
    lambda: (
        Payment.select(Payment, Order, Course, Lecturer)
        .join(Order)
        .join(Course)
        .switch(Order)
        .join(Lecturer)
        .where(Payment.out_trade_no == given("out_trade_no"))
    )
)


class BroughtTwice(TooBusy):
    """Two sums of money for one payment at once; the second has changed nothing."""


def hear(env: Env, *, told: Transaction) -> None:
    """Give money its effect; the same again, from wherever, has none. What is not as asked for waits for a person."""
    if told.state not in CAME:
        return
    payment = by_number(told.out_trade_no)
    if payment is None:
        differ(env, "unknown_order", told, None)
    elif payment.transaction_id is None:
        take(env, payment, told)
    elif payment.transaction_id != told.transaction_id:
        differ(env, "twice", told, payment)


def by_number(out_trade_no: str) -> Payment | None:
    """A payment with its order, the course and the lecturer of that, in one read."""
    found = BY_NUMBER.first(out_trade_no=out_trade_no)
    if found is None:
        return None
    payment, payment.order, payment.order.course, payment.order.lecturer = found
    return payment


def take(env: Env, payment: Payment, told: Transaction) -> None:
    """What this money is for: its order, a person's decision, or the way back. The order's row is changed first.

    Whoever brings the same money in the same moment waits there, and then finds it brought: he changes nothing.
    """
    wrong = fault(payment, told)
    is_paid = not wrong and pays(env, payment.order)
    payment.transaction_id, payment.arrived_fen = told.transaction_id, told.total_fen
    came = {"transaction_id": told.transaction_id, "arrived_fen": told.total_fen, "arrived_at": env.now}
    state = PAID if is_paid else HELD if wrong else SURPLUS
    if payment.arrive(state, **came, paid_at=told.paid_at or env.now):
        book(env, payment, state, wrong, told)
    elif is_paid:
        raise BroughtTwice  # another sum under the same number in the same moment: WeChat will tell of it again


def book(env: Env, payment: Payment, state: str, wrong: str, told: Transaction) -> None:
    """Into the journal, and on its way."""
    if state == PAID:
        journal.book_sale(env, payment.order, payment)
        orders.tell_to_close(env, payment.order)
        return
    journal.book_late_money(env, payment)
    if wrong:
        differ(env, wrong, told, payment)
    else:
        refunds.send_back(env, payment)
    orders.end_if_closed(env, payment.order)


def fault(payment: Payment, told: Transaction) -> str:
    """In what this money differs from what was asked for; the payer counts for JSAPI only (a spouse may pay a QR)."""
    if told.total_fen != payment.amount_fen or told.currency != CURRENCY:
        return "amount"
    if payment.trade_type == JSAPI and told.payer_openid != payment.openid:
        return "payer"
    return ""


def pays(env: Env, order: Order) -> bool:
    """Whether the order takes the money: one that waits does, a closed one where it still can be what it was."""
    if orders.fulfil(env, order):
        return True
    if Order.get_by_id(order.id).state != CLOSED or not orders.re_opens(env, order):
        return False
    for other in orders.others_of(order):
        orders.close(env, other)
    return orders.fulfil(env, order, only_from=(CLOSED,))


def differ(env: Env, kind: str, told: Transaction, payment: Payment | None) -> None:
    """Keep it for a person, and raise an alarm."""
    detail = f"{told.out_trade_no}: {told.total_fen} fen"
    pay_differences.note(env, kind=kind, key=told.transaction_id, detail=detail, payment=payment)
    if payment and kind in {"amount", "payer"}:
        text = f"我们收到一笔与订单（尾号 {payment.order.tail}）不符的付款，正在人工核对，请不要重复支付。"
        notices.tell(env, person_id=payment.order.person_id, text=text)


async def look(ctx: Context, payment_id: int, *, within: float | None = None) -> bool:
    """Ask WeChat how a payment stands; True when money had come. Raises RemoteDown, RemoteRefused."""
    number = await ctx.read(number_of, payment_id=payment_id)
    found = await ctx.pay.query(number, within=within)
    if found is None or found.state not in CAME:
        return False
    await ctx.transact(hear, told=found)
    return True


def number_of(env: Env, *, payment_id: int) -> str:
    """Under which number WeChat knows it."""
    return Payment.find(id=payment_id).out_trade_no


@outbox.delivers(outbox.CLOSE)
async def close(ctx: Context, payment_id: int, within: float) -> None:
    """Have WeChat take no more money for it, unless some has come: that is heard first."""
    if await look(ctx, payment_id, within=within):
        return
    try:
        await ctx.pay.close(await ctx.read(number_of, payment_id=payment_id), within=within)
    except OrderPaid as quicker:  # between our question and this
        raise RemoteDown(quicker.peer, quicker.code) from None
    await ctx.transact(note_closed, payment_id=payment_id)


def note_closed(env: Env, *, payment_id: int) -> None:
    """WeChat has confirmed it."""
    payment = Payment.find(id=payment_id)
    orders.hold(payment.order)
    if payment.move(CLOSED, closed_at=env.now, active_type=None, look_at=None):
        orders.end_if_closed(env, payment.order)
