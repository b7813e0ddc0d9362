"""Money that has come, as WeChat tells of it by a notice, a query or a bill: each once, none passed over (B1)."""

from clients.errors import RemoteDown
from clients.pay import OrderPaid, Transaction
from models.catalogue import Course, Lecturer
from models.errors import TooBusy
from models.orders import CLOSED, CLOSING, HELD, JSAPI, PAID, SURPLUS, Order, Payment
from models.people import Person
from models.prepared import Prepared, given
from services import access, journal, notices, orders, outbox, pay_differences, people, redemptions, refunds
from services.context import Context
from services.env import Env

GONE_AGAIN = "REFUND"
CAME = {"SUCCESS", GONE_AGAIN}
CURRENCY = "CNY"
GIVEN_UP = (CLOSING, CLOSED)
BY_NUMBER = Prepared(
    lambda: (
        Payment.select(Payment, Order, Course, Lecturer, Person)
        .join(Order)
        .join(Course)
        .switch(Order)
        .join(Lecturer)
        .switch(Order)
        .join(Person)
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
    """A payment with its order, and course, lecturer and buyer of that, in one read."""
    found = BY_NUMBER.first(out_trade_no=out_trade_no)
    if found is None:
        return None
    payment, order, course, lecturer, person = found
    order.course, order.lecturer, order.person = course, lecturer, person
    payment.order = order
    return payment


def take(env: Env, payment: Payment, told: Transaction) -> None:
    """What this money is for: its order, a person's decision, or the way back. The order's row is changed first.

    Whoever brings the same money in the same moment waits there, and then finds it brought: he changes nothing.
    """
    wrong = fault(payment, told)
    if wrong:
        orders.hold(payment.order)
    is_paid = not wrong and pays(env, payment.order)
    payment.transaction_id, payment.arrived_fen = told.transaction_id, told.total_fen
    came = {"transaction_id": told.transaction_id, "arrived_fen": told.total_fen, "arrived_at": env.now}
    state = PAID if is_paid else HELD if wrong else SURPLUS
    if payment.arrive(state, **came, paid_at=told.paid_at or env.now):
        book(env, payment, state, wrong, told)
    elif is_paid:
        raise BroughtTwice  # another sum under the same number in the same moment: WeChat will tell of it again
    elif Payment.get_by_id(payment.id).transaction_id != told.transaction_id:
        differ(env, "twice", told, payment)


def book(env: Env, payment: Payment, state: str, wrong: str, told: Transaction) -> None:
    """Into the journal, and on its way."""
    if told.state == GONE_AGAIN:
        differ(env, "unknown_refund", told, payment)  # made at WeChat's own console
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
    """In what this money differs from what was asked for; the payer counts for JSAPI only (a spouse may pay a QR).

    Money for somebody who has left WeChat meanwhile waits for a person too.
    """
    if told.total_fen != payment.amount_fen or told.currency != CURRENCY:
        return "amount"
    if payment.order.person.erased_at:
        return "payer"
    if payment.trade_type == JSAPI and told.payer_openid != payment.openid:
        return "payer"
    return ""


def pays(env: Env, order: Order) -> bool:
    """Whether the order takes the money: one that waits does, one that was given up where it can be what it was.

    Of several that were given up each waits for the person's row, and then sees what the others have given him.
    """
    if orders.fulfil(env, order):
        return True
    people.hold(order.person_id)
    order = Order.get_by_id(order.id)
    if order.state not in GIVEN_UP or not orders.price_holds(env, order):
        return False
    for other in orders.others_of(order):
        orders.close(env, other)
    if access.may_open(env, person_id=order.person_id, course_id=order.course_id):
        return False
    if order.state == CLOSED and not redemptions.take_again(env, order):
        return False
    return orders.fulfil(env, order, only_from=GIVEN_UP)


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
        await ctx.transact(end_order, payment_id=payment_id)
        return
    try:
        await ctx.pay.close(await ctx.read(number_of, payment_id=payment_id), within=within)
    except OrderPaid as quicker:  # between our question and this
        raise RemoteDown(quicker.peer, quicker.code) from None
    await ctx.transact(note_closed, payment_id=payment_id)


def end_order(env: Env, *, payment_id: int) -> None:
    """Its money has come, and maybe not for the order: that is closed when nothing else can pay it."""
    orders.end_if_closed(env, Payment.find(id=payment_id).order)


def note_closed(env: Env, *, payment_id: int) -> None:
    """WeChat has confirmed it."""
    payment = Payment.find(id=payment_id)
    orders.hold(payment.order)
    if payment.move(CLOSED, closed_at=env.now, active_type=None, look_at=None):
        orders.end_if_closed(env, payment.order)
