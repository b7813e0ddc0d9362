"""Buying a course: the check-out, the order, its end; and what happens in the moment it is paid (B1, C2)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from models import audit
from models.access import ORDER, Grant
from models.base import shanghai_day
from models.catalogue import Course, Price, price_at
from models.errors import NotFound
from models.order_errors import AlreadyEnrolled, NotForSale, OrderClosing, OrderOver, PriceChanged
from models.orders import CLOSED, CLOSING, OPEN, PAID, UNPAID, Order, Payment
from models.people import digest
from models.prepared import Prepared, add_once, given
from models.vouchers import Voucher
from services import access, journal, notices, outbox, redemptions, vouchers
from services.env import Env

AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Checkout:
    """What a buyer reads before he orders."""

    course_slug: str
    course_title: str
    lecturer: str
    price_fen: int
    refund_days: int
    live_order: str | None


def checkout(env: Env, *, person_id: int, course_slug: str) -> Checkout:
    """What he would order; raises NotFound, NotForSale, AlreadyEnrolled."""
    course = Course.find(slug=course_slug)
    price_fen = price_of(env, course)
    if access.may_open(env, person_id=person_id, course_id=course.id):
        raise AlreadyEnrolled
    live = Order.get_or_none(course=course, active_person=person_id)
    return Checkout(
        course_slug=course.slug, course_title=course.title, lecturer=course.lecturer.name, price_fen=price_fen,
        refund_days=env.config.refund_days, live_order=live.no if live else None,
    )  # fmt: skip


def price_of(env: Env, course: Course) -> int:
    """The list price of this moment in fen; raises NotForSale where there is none, or nobody to take the money."""
    prices = [(row.from_at, row.amount_fen) for row in Price.select().where(Price.course == course)]
    price_fen = price_at(prices, env.now)
    if price_fen is None or (price_fen and not env.config.pay_mch_id):
        raise NotForSale
    return price_fen


def begin(env: Env, *, person_id: int, course_slug: str, click: str, seen_fen: int, voucher: str = "") -> str:
    """Order a course; the order's number. The same click is the same order, and a live one goes on being the one.

    Raises NotFound, NotForSale, AlreadyEnrolled, PriceChanged when the list price is not `seen_fen`, OrderClosing, and
    for a `voucher` that is not his or does not pay for this what models/voucher_errors.py has.
    """
    click_hash = digest(f"{person_id} {click}")
    if known := Order.get_or_none(click_hash=click_hash):
        return known.no
    offer = checkout(env, person_id=person_id, course_slug=course_slug)
    if offer.live_order and (no := still_live(env, offer.live_order)):
        return no
    if offer.price_fen != seen_fen:
        raise PriceChanged(price=f"¥{offer.price_fen / 100:.2f}")
    asked = {"person_id": person_id, "course": Course.get(slug=course_slug), "click_hash": click_hash}
    return create(env, list_fen=offer.price_fen, voucher=usable(env, voucher, offer, **asked), **asked)


def usable(env: Env, code: str, offer: Checkout, *, person_id: int, course: Course, **_: str) -> Voucher | None:
    """The voucher behind the code that he chose or typed, if it may pay for this; None without a code."""
    if not code or not offer.price_fen:
        return None
    voucher = vouchers.own(person_id=person_id, code=code)
    voucher.check_pays_for(course, offer.price_fen, now=env.now)
    return voucher


def still_live(env: Env, no: str) -> str | None:
    """The number of a live order; None when it was over and is closed now. Raises OrderClosing while it closes."""
    order = Order.get(no=no)
    if order.is_payable(now=env.now):
        return no
    if open_payments(order) or not close(env, order):
        raise OrderClosing  # WeChat has to be told first, by the job or already by the outbox
    return None


def create(env: Env, *, person_id: int, course: Course, click_hash: str, list_fen: int, voucher: Voucher | None) -> str:
    """Two UNIQUE columns decide who of several clicks makes the order; the others get that one."""
    no = new_number(env)
    frozen = {"title": course.title, "lecturer": course.lecturer, "split_percent": course.lecturer.split_percent}
    expires_at = env.now + timedelta(minutes=env.config.order_minutes)
    is_first = Order.add_once(
        no=no, click_hash=click_hash, person=person_id, course=course, active_person=person_id, created_at=env.now,
        expires_at=expires_at, **prices(list_fen, voucher), **frozen,
    )  # fmt: skip
    if not is_first:
        quicker = Order.get_or_none(click_hash=click_hash) or Order.get(course=course, active_person=person_id)
        return quicker.no
    order = Order.get(no=no)
    if voucher:
        redemptions.hold(env, voucher, order)
    audit.record(at=env.now, who=f"person:{person_id}", action="order", subject=f"order:{no}", new=str(order.price_fen))
    if order.price_fen == 0:
        if access.may_open(env, person_id=person_id, course_id=course.id):
            raise AlreadyEnrolled  # by another click in the same moment, which this one has waited for
        fulfil(env, order)
        journal.book_free_sale(env, order)
    return no


def prices(list_fen: int, voucher: Voucher | None) -> dict[str, int | str]:
    """What is to be paid, never below 0, and what a voucher takes off at whose cost."""
    if voucher is None:
        return {"list_fen": list_fen, "price_fen": list_fen}
    off_fen = min(voucher.amount_fen, list_fen)
    bearer = voucher.campaign.bearer
    return {"list_fen": list_fen, "price_fen": list_fen - off_fen, "voucher_fen": off_fen, "voucher_bearer": bearer}


def new_number(env: Env) -> str:
    """A number for WeChat and for people: the day, and 96 bits of chance; 32 letters are the most that WeChat takes."""
    return f"{shanghai_day(env.now):%Y%m%d}{env.new_code(96)}"


def fulfil(env: Env, order: Order, *, only_from: tuple[str, ...] = (UNPAID,)) -> bool:
    """An order is paid: the course opens; True for the one who did it. For who pays, see services/money_in.py."""
    if not order.move(PAID, only_from=only_from, paid_at=env.now, active_person=None):
        return False
    redemption = redemptions.spend(env, order)
    right = {"person": order.person_id, "course": order.course_id, "source": ORDER, "source_ref": order.no}
    right["from_planet"] = redemption is not None and redemptions.is_of_its_planet(redemption)
    add_once(Grant, **right, starts_at=order.created_at)  # a clock that was ahead must not keep him out
    text = f"课程「{order.title}」已经是您的了，现在就可以看。订单尾号 {order.tail}。"
    notices.tell(env, person_id=order.person_id, text=text)
    return True


def grant_of(order: Order) -> Grant | None:
    """The right that came from it."""
    return Grant.get_or_none(source=ORDER, source_ref=order.no, course=order.course_id)


def hold_unpaid(order: Order) -> bool:
    """Lock an unpaid order until the end of the transaction, so that it is not closed meanwhile; False if it is not."""
    return Order.change_if(Order.id == order.id, Order.state == UNPAID, expires_at=Order.expires_at)


def hold(order: Order) -> None:
    """Let nobody else change it before this transaction ends; to be called before its payments are changed."""
    Order.update(expires_at=Order.expires_at).where(Order.id == order.id).execute()


OPEN_PAYMENTS = Prepared(
    lambda: (
        Payment.select()
        .where(Payment.order == given("order_id"), Payment.state == OPEN, Payment.transaction_id.is_null())
        .order_by(Payment.id)
    )
)


def open_payments(order: Order) -> list[Payment]:
    """The ways to pay it that are open at WeChat, and have brought no money."""
    return [payment for (payment,) in OPEN_PAYMENTS.rows(order_id=order.id)]


def tell_to_close(env: Env, order: Order) -> None:
    """WeChat is to take no more money for it."""
    for payment in open_payments(order):
        outbox.enqueue(env, kind=outbox.CLOSE, subject=payment.id, lane=f"payment:{payment.id}")


def cancel(env: Env, *, person_id: int, no: str) -> None:
    """The buyer wants it no more; raises OrderOver when it is paid or closed already."""
    order = Order.find(no=no, person=person_id)
    if not close(env, order) and Order.get_by_id(order.id).state != CLOSING:
        raise OrderOver


def close(env: Env, order: Order) -> bool:
    """Begin to close an unpaid order; it is closed when WeChat has confirmed that for each of its payments."""
    if not order.move(CLOSING):
        return False
    tell_to_close(env, order)
    end_if_closed(env, order)
    return True


def end_if_closed(env: Env, order: Order) -> None:
    """Nothing can be paid for it any more: it is closed, and he may order anew."""
    if not open_payments(order) and order.move(CLOSED, closed_at=env.now, active_person=None):
        redemptions.free(env, order)


def close_due(env: Env) -> int:
    """Begin to close what was not paid in time; how many."""
    over = Order.select().where(Order.state == UNPAID, Order.expires_at <= env.now).limit(AT_ONCE)
    return sum([close(env, order) for order in over])


def price_holds(env: Env, order: Order) -> bool:
    """Whether an order that was given up may be what it was: until its close is confirmed, or at the same price."""
    if order.state != CLOSED:
        return True
    try:
        return price_of(env, order.course) == order.list_fen
    except NotForSale:
        return False


def others_of(order: Order) -> Iterable[Order]:
    """A live order for the same course, made after this one was closed."""
    same = (Order.course == order.course_id, Order.active_person == order.person_id, Order.id != order.id)
    return list(Order.select().where(*same))


def of_person(person_id: int, no: str) -> Order:
    """His order; raises NotFound, the same for another's and for none."""
    if not no.isascii():
        raise NotFound
    return Order.find(no=no, person=person_id)
