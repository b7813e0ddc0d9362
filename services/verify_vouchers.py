"""What must be true of vouchers, as queries (I3, I19)."""

from collections.abc import Iterable

from peewee import JOIN, fn

from models.orders import CLOSING, PAID, REFUNDED, UNPAID, Order
from models.vouchers import ASKED_FOR, HELD, USED, Campaign, Redemption, Voucher
from services.env import Env
from services.invariants import invariant


@invariant("I3", "a voucher is held or used exactly while one order has it")
def held_by_one(env: Env) -> Iterable[str]:
    its = (Redemption.voucher == Voucher.id) & (Redemption.active_voucher == Voucher.id)
    rows = Voucher.select(Voucher.id, Voucher.state, fn.COUNT(Redemption.id).alias("number"))
    for row in rows.join(Redemption, JOIN.LEFT_OUTER, on=its).group_by(Voucher.id, Voucher.state).objects():
        if row.number != (row.state in (HELD, USED)):
            yield f"voucher {row.id}"


@invariant("I3", "a voucher is used when its order is paid, held while that waits, and else free")
def as_its_order(env: Env) -> Iterable[str]:
    rows = Redemption.select(Redemption, Voucher, Order).join(Voucher).switch(Redemption).join(Order)
    for row in rows:
        state, is_active = row.order.state, row.active_voucher is not None
        due = {UNPAID: HELD, CLOSING: HELD, PAID: USED}.get(state)
        is_right = row.voucher.state == due if is_active else due is None
        if not is_right or (row.used_at is not None) != (state in (PAID, REFUNDED)):
            yield f"redemption {row.id}"


@invariant("I3", "what a voucher takes off an order is kept with it, and never more than it is worth")
def takes_off(env: Env) -> Iterable[str]:
    rows = Order.select(Order, Redemption, Voucher).join(Redemption, JOIN.LEFT_OUTER).join(Voucher, JOIN.LEFT_OUTER)
    for order in rows.where(Order.voucher_fen.is_null(False) | Redemption.id.is_null(False)):
        its = getattr(order, "redemption", None)
        off_fen = order.voucher_fen or 0
        is_whole = order.price_fen >= 0 and order.price_fen + off_fen == order.list_fen
        if its is None or its.amount_fen != off_fen or off_fen > its.voucher.amount_fen or not is_whole:
            yield f"order {order.id}"


@invariant("I19", "a campaign has given what it has counted, within its quota and its budget")
def within_limits(env: Env) -> Iterable[str]:
    own = (Voucher.campaign == Campaign.id) & Voucher.left_of.is_null()
    given, fen = fn.COUNT(Voucher.id).alias("given"), fn.COALESCE(fn.SUM(Voucher.amount_fen), 0).alias("given_fen")
    rows = Campaign.select(Campaign, given, fen).join(Voucher, JOIN.LEFT_OUTER, on=own).group_by(Campaign.id)
    for row in rows.objects():
        is_counted = (row.issued, row.issued_fen) == (row.given, int(row.given_fen))
        is_over = (row.quota is not None and row.issued > row.quota) or (
            row.budget_fen is not None and row.issued_fen > row.budget_fen
        )
        if not is_counted or is_over:
            yield f"campaign {row.id}"


@invariant("I19", "one voucher for each person and campaign where that is the rule")
def one_for_each(env: Env) -> Iterable[str]:
    rows = Voucher.select(fn.MIN(Voucher.id).alias("id")).join(Campaign)
    mine = (Campaign.kind.in_(ASKED_FOR), Voucher.left_of.is_null())
    for row in rows.where(*mine).group_by(Voucher.campaign, Voucher.person).having(fn.COUNT(Voucher.id) > 1):
        yield f"voucher {row.id}"
