"""Spending a voucher: held by an unpaid order, used with it, free again with its close or its refund (V5)."""

from models.catalogue import CoursePlanet
from models.mismatches import VOUCHER_SPENT
from models.orders import Order
from models.voucher_errors import VoucherHeld
from models.vouchers import DEAD, HELD, OPEN, SHARED_PLANET, USED, Redemption, Voucher
from services import mismatches, vouchers
from services.env import Env


def hold(env: Env, voucher: Voucher, order: Order) -> None:
    """Keep a voucher for an order that is not paid yet; raises VoucherHeld when another one was quicker."""
    if not voucher.move(HELD, only_from=(OPEN,)):
        raise VoucherHeld
    Redemption.create(
        voucher=voucher, order=order, amount_fen=order.voucher_fen, held_at=env.now, active_voucher=voucher.id
    )


def of(order: Order) -> Redemption | None:
    """Its voucher's part in it, if it has one."""
    return Redemption.get_or_none(order=order) if order.voucher_fen else None


def spend(env: Env, order: Order) -> Redemption | None:
    """Its order is paid: the voucher is used up, what is left of what was paid at a planet is a new one (V3)."""
    redemption = of(order)
    if redemption is None:
        return None
    if not redemption.voucher.move(USED, only_from=(HELD,)):
        raise RuntimeError(f"order {order.id} is paid without its voucher")
    voucher = Voucher.get_by_id(redemption.voucher_id)  # as it is since we hold it
    Redemption.update(used_at=env.now).where(Redemption.id == redemption.id).execute()
    if voucher.killed_at:
        put_before_operator(env, voucher)
    elif (left_fen := voucher.amount_fen - redemption.amount_fen) and voucher.campaign.kind == SHARED_PLANET:
        again(env, voucher, cause=f"left:{redemption.id}", amount_fen=left_fen)
    return redemption


def is_of_its_planet(redemption: Redemption) -> bool:
    """Whether what was bought could open the planet at which its voucher was earned (L5, no loops)."""
    payment = redemption.voucher.payment
    pairing = CoursePlanet.get_or_none(course=redemption.order.course_id) if payment else None
    return pairing is not None and (pairing.planet.provider, pairing.planet.group_id) == (
        payment.provider, payment.group_id
    )  # fmt: skip


def again(env: Env, voucher: Voucher, *, cause: str, amount_fen: int) -> None:
    """Another voucher with the same end, worth what has not been used of this one."""
    vouchers.add(
        env, campaign=voucher.campaign_id, person=voucher.person_id, cause=cause, amount_fen=amount_fen,
        starts_at=voucher.starts_at, expires_at=voucher.expires_at, earned_by=voucher.earned_by_id,
        payment=voucher.payment_id, left_of=voucher.id,
    )  # fmt: skip


def free(env: Env, order: Order) -> None:
    """Its order is closed, and WeChat has confirmed that: the voucher may be spent elsewhere."""
    if redemption := of(order):
        let_go(env, redemption)
        open_again(redemption.voucher, HELD)


def let_go(env: Env, redemption: Redemption) -> None:
    """It holds no more."""
    Redemption.update(active_voucher=None, freed_at=env.now).where(Redemption.id == redemption.id).execute()


def open_again(voucher: Voucher, before: str) -> None:
    """It may be spent again, unless what earned it was refunded meanwhile."""
    if voucher.move(OPEN, only_from=(before,)) and Voucher.get_by_id(voucher.id).killed_at:
        voucher.move(DEAD, only_from=(OPEN,))


def take_again(env: Env, order: Order) -> bool:
    """Money has come for a closed order: True when its voucher is still there for it, which holds it again."""
    redemption = of(order)
    if redemption is None:
        return True
    voucher = redemption.voucher
    if env.now >= voucher.expires_at or not voucher.move(HELD, only_from=(OPEN,)):
        return False
    Redemption.update(active_voucher=voucher.id, freed_at=None).where(Redemption.id == redemption.id).execute()
    return True


def give_back(env: Env, order: Order) -> None:
    """Its order is refunded: the same code is good again until its old end.

    Where a rest of it was spent meanwhile, only what this order took comes back, as a new one.
    """
    redemption = of(order)
    if redemption is None:
        return
    voucher = redemption.voucher
    let_go(env, redemption)
    rest = Voucher.get_or_none(campaign=voucher.campaign_id, cause=f"left:{redemption.id}")
    if rest is None or rest.move(DEAD, only_from=(OPEN,)):
        open_again(voucher, USED)
    else:
        again(env, voucher, cause=f"back:{redemption.id}", amount_fen=redemption.amount_fen)


def put_before_operator(env: Env, voucher: Voucher) -> None:
    """What earned it was refunded elsewhere after it was spent: a person decides about the order bought with it."""
    payment, grant = voucher.payment, voucher.earned_by
    if payment:
        its = {name: getattr(payment, name) for name in ("provider", "group_id", "member_uid")}
        mismatches.note(env, kind=VOUCHER_SPENT, key=payment.order_ref, payment=payment, **its)
    else:
        its = {"provider": grant.source, "group_id": grant.course.slug, "member_uid": ""}
        mismatches.note(env, kind=VOUCHER_SPENT, key=grant.source_ref, **its)
