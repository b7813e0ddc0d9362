"""For races about buying: somebody who has ordered, stands before the cashier, or has paid, as far as rows go."""

from collections.abc import Callable
from functools import partial

from clients.pay import PayNotice
from models.orders import JSAPI, Order, Payment
from services import money_in, orders, pay_notices, paying, people
from services.env import Env
from tests.buy_kit import PRICES, told
from tests.race_kit import RACERS, Racer, Round
from tests.site import COURSE, Site

TRIPLES = RACERS // 3


def buyer(env: Env, who: str) -> int:
    """Somebody's id here."""
    return people.person_with_openid(env, f"oRACER_{who}").id


def clicks(env: Env, *, person_id: int, click: str, fen: int = PRICES[COURSE]) -> str:
    """A tap on 提交订单; the order's number."""
    return orders.begin(env, person_id=person_id, course_slug=COURSE, click=click, seen_fen=fen)


def ordered(env: Env, who: str) -> Order:
    """Somebody has ordered."""
    return Order.get(no=clicks(env, person_id=buyer(env, who), click=who))


def opens(env: Env, order: Order, kind: str = JSAPI) -> Payment:
    """He stands before the cashier."""
    asked = paying.open_payment(env, person_id=order.person_id, no=order.no, trade_type=kind)
    return Payment.get_by_id(asked.payment_id)


def comes(payment: Payment) -> Racer:
    """WeChat tells of its money."""
    return partial(money_in.hear, told=told(payment))


def bought(env: Env, who: str) -> Order:
    """Somebody has ordered and paid."""
    order = ordered(env, who)
    money_in.hear(env, told=told(opens(env, order)))
    return Order.get_by_id(order.id)


def alone(one: Callable[[Env, str], list[Racer]]) -> Round:
    """A round of one person."""

    async def prepare(site: Site, number: int) -> list[Racer]:
        return await site.ctx.transact(lambda env: one(env, f"p{number}"))

    return prepare


def in_threes(three: Callable[[Env, str], list[Racer]]) -> Round:
    """A round of five people; the three things of each happen together."""

    async def prepare(site: Site, number: int) -> list[Racer]:
        def make(env: Env) -> list[Racer]:
            return [racer for one in range(TRIPLES) for racer in three(env, f"p{number}-{one}")]

        return await site.ctx.transact(make)

    return prepare


def tells(env: Env, *, notice: PayNotice) -> None:
    """A notice has come."""
    pay_notices.keep(env, notice=notice)
