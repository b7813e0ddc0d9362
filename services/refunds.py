"""Refunds: asked for by the buyer or the operator, and decided (B2); for their money see services/refund_money.py."""

from datetime import datetime, timedelta

from models import audit
from models.access import Grant
from models.base import shanghai_day, shanghai_words
from models.errors import Waived, WrongInput
from models.links import RefundWaiver
from models.order_errors import NotRefundable, RefundOpen, RefundWindowOver
from models.orders import (
    AGREED,
    ASKED,
    BY_LEARNER,
    BY_OPERATOR,
    FAILED,
    KEPT,
    LATE_MONEY,
    PAID,
    REFUSED,
    SUSPENDED,
    Order,
    Payment,
    Refund,
)
from models.voucher_errors import EarnedVoucherWorth
from services import earned, notices, orders
from services.env import Env
from services.refund_money import finish, give_back, send

BY_RULE = "rule"


def window_end(env: Env, order: Order) -> datetime:
    """Until when the buyer may ask; this moment itself is too late."""
    return order.paid_at + timedelta(days=env.config.refund_days)


def ask(env: Env, *, person_id: int, no: str, reason: str) -> str:
    """The buyer wants his money back; the refund's number. It is agreed to at once, or waits for the operator's yes.

    Raises NotFound, NotRefundable, RefundOpen, Waived, RefundWindowOver: then nothing was changed.
    """
    order = orders.of_person(person_id, no)
    refund = put(env, order, cause=BY_LEARNER, who=f"person:{person_id}", reason=reason)
    if env.now >= (end := window_end(env, order)):
        raise RefundWindowOver(until=shanghai_words(end))
    if not env.config.refund_by_hand:
        agree(env, refund, who=BY_RULE, decision="in time, no waiver")
    return refund.no


def open_by_operator(
    env: Env, *, no: str, fen: int | None, reason: str, override: str | None, who: str = "command"
) -> str:  # fmt: skip
    """The operator gives money back, all that is left or `fen`, at any time; the refund's number.

    Raises as `ask` does; Waived unless `override` says why (it is kept).
    """
    order = Order.find(no=no)
    refund = put(env, order, cause=BY_OPERATOR, who=who, reason=reason, fen=fen, override=override)
    agree(env, refund, who=who, decision=override or reason)
    return refund.no


def put(
    env: Env, order: Order, *, cause: str, who: str, reason: str, fen: int | None = None, override: str | None = None
) -> Refund:
    """A refund to be decided. One of all that is left lets the course rest meanwhile; one of a part does not.

    Locks the right before the waiver is looked for, as completing a link locks it before it looks for a refund.
    """
    orders.hold(order)
    if Order.get_by_id(order.id).state != PAID:
        raise NotRefundable
    payment = order.payments.where(Payment.state == PAID).first()
    left_fen = payment.arrived_fen - payment.refunded_fen if payment else 0
    is_whole = fen is None or fen == left_fen
    grant = suspend(env, order) if is_whole else None
    check_waiver(order, override)
    worth_fen = earned.rest(grant)
    if fen is None:
        left_fen = without_earned(left_fen, worth_fen)
    if fen and not payment:
        raise NotRefundable  # nothing was paid for it
    if payment and not set_aside(payment, left_fen if fen is None else fen):
        raise RefundOpen if Refund.get_or_none(active_order=order.id) else NotRefundable
    no = orders.new_number(env)
    is_only = Refund.add_once(
        no=no, order=order, payment=payment, grant=grant, cause=cause, amount_fen=left_fen if fen is None else fen,
        reason=reason[:255], override=override, state=ASKED, rights=SUSPENDED if is_whole else KEPT,
        asked_at=env.now, asked_by=who, active_order=order.id,
    )  # fmt: skip
    if not is_only:
        raise RefundOpen
    audit.record(at=env.now, who=who, action="refund asked", subject=f"refund:{no}", new=order.no)
    return Refund.get(no=no)


def without_earned(left_fen: int, worth_fen: int) -> int:
    """What goes back when a voucher that this purchase earned was spent; raises where nothing is left of it (V1)."""
    if left_fen and worth_fen >= left_fen:
        raise EarnedVoucherWorth(worth=f"¥{worth_fen / 100:.2f}")
    return left_fen - worth_fen if left_fen else 0


def set_aside(payment: Payment, fen: int) -> bool:
    """Keep so much of a payment for a refund; False when there is not as much left, or nothing to be refunded."""
    return fen > 0 and payment.reserve(fen)


def suspend(env: Env, order: Order) -> Grant | None:
    """Let the order's right rest; raises RefundOpen when it rests already."""
    grant = orders.grant_of(order)
    free = (Grant.id == grant, Grant.suspended_at.is_null(), Grant.revoked_at.is_null())
    if grant and not Grant.change_if(*free, suspended_at=env.now):
        raise RefundOpen
    return grant


def check_waiver(order: Order, override: str | None) -> None:
    """Raise Waived when the refund of this course was given up, unless the operator overrides that."""
    waiver = waiver_of(order)
    if waiver and not override:
        raise Waived(waived_at=shanghai_day(waiver.effective_at))


def waiver_of(order: Order) -> RefundWaiver | None:
    """By what he gave up the refund of this course, if he did."""
    grant = orders.grant_of(order)
    return RefundWaiver.select().where(RefundWaiver.grant == grant).order_by(RefundWaiver.id).first() if grant else None


def agree(env: Env, refund: Refund, *, who: str, decision: str) -> None:
    """Yes: the money goes back, through the outbox. An order of price 0 has none, so its course ends at once."""
    decided = {"decided_at": env.now, "decided_by": who, "decision": decision[:255]}
    if not refund.move(AGREED, only_from=(ASKED,), **decided):
        raise WrongInput(what=f"refund {refund.no} is decided already")
    audit.record(at=env.now, who=who, action="refund agreed", subject=f"refund:{refund.no}", reason=decision[:255])
    if refund.payment_id is None:
        finish(env, Refund.get_by_id(refund.id), refund_id="")
    else:
        send(env, refund)


def decide(env: Env, *, no: str, yes: bool, reason: str, who: str = "command") -> None:
    """The operator's answer to a refund that waits for one."""
    refund = Refund.find(no=no)
    if yes:
        agree(env, refund, who=who, decision=reason)
    else:
        refuse(env, refund, who=who, decision=reason)


def refuse(env: Env, refund: Refund, *, who: str, decision: str) -> None:
    """No: the course is his again, to exactly the former end."""
    decided = {"decided_at": env.now, "decided_by": who, "decision": decision[:255]}
    has_failed = refund.state == FAILED  # then the course is his already
    if not refund.move(REFUSED, only_from=(refund.state,), active_order=None, **decided):
        raise WrongInput(what=f"refund {refund.no} is decided already")
    if not has_failed:
        give_back(env, refund)
    audit.record(at=env.now, who=who, action="refund refused", subject=f"refund:{refund.no}", reason=decision[:255])
    text = f"「{refund.order.title}」的退款申请没有通过：{decision}。课程已经恢复，可以继续看。"
    notices.tell(env, person_id=refund.order.person_id, text=text)


def send_back(env: Env, payment: Payment, *, who: str = BY_RULE) -> None:
    """Money that pays for nothing goes back, all of it; the order and its course are not touched."""
    if not set_aside(payment, payment.arrived_fen):
        raise NotRefundable
    no, when = orders.new_number(env), {"asked_at": env.now, "decided_at": env.now}
    Refund.create(
        no=no, order=payment.order, payment=payment, cause=LATE_MONEY, amount_fen=payment.arrived_fen, state=AGREED,
        rights=KEPT, asked_by=who, decided_by=who, decision="pays for nothing", **when,
    )  # fmt: skip
    send(env, Refund.get(no=no))
    text = f"订单（尾号 {payment.order.tail}）不需要再付款，您付的 ¥{payment.arrived_fen / 100:.2f} 会原路退回。"
    notices.tell(env, person_id=payment.order.person_id, text=text)


def check_may_refund(env: Env, refund: Refund) -> None:
    """Raise unless a failed refund may be tried again now: paid, no other open, and still not waived meanwhile."""
    order = refund.order
    if order.state != PAID:
        raise NotRefundable
    if Refund.get_or_none(active_order=order.id):
        raise RefundOpen
    if refund.grant_id and suspend(env, order):
        Refund.update(rights=SUSPENDED).where(Refund.id == refund.id).execute()
        if earned.rest(refund.grant) and refund.amount_fen == refund.payment.arrived_fen:
            raise NotRefundable  # a voucher that it earned was spent since: what goes back is to be counted anew
    check_waiver(order, refund.override)


def retry(env: Env, *, no: str, reason: str, who: str = "command") -> None:
    """Ask WeChat once more for a refund that has failed, under a new number; raises as `put` does."""
    refund = Refund.find(no=no)
    is_late = refund.cause == LATE_MONEY
    if not is_late:
        check_may_refund(env, refund)
    if not set_aside(refund.payment, refund.amount_fen):
        raise NotRefundable
    place = {"active_order": None if is_late else refund.order_id}
    decided = {"tries": refund.tries + 1, "decided_at": env.now, "decided_by": who, "decision": reason[:255]}
    if not refund.move(AGREED, only_from=(FAILED,), **place, **decided):
        raise WrongInput(what=f"refund {no} has not failed")
    audit.record(at=env.now, who=who, action="refund tried again", subject=f"refund:{no}", reason=reason[:255])
    send(env, refund)
