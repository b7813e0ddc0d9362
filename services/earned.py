"""What a refund does to the vouchers that the purchase had earned (V1, V3)."""

from peewee import Expression

from models.access import Grant
from models.voucher_errors import EarnedVoucherHeld, EarnedVoucherWorth
from models.vouchers import DEAD, HELD, OPEN, RESTING, USED, Redemption, Voucher
from services.env import Env
from services.redemptions import put_before_operator


def of(grant: Grant | None) -> list[Voucher]:
    """The vouchers that this right has earned."""
    return list(Voucher.select().where(Voucher.earned_by == grant)) if grant else []


def worth_spent(grant: Grant | None) -> int:
    """What was spent of the vouchers that this right has earned, in fen."""
    return worth_of(of(grant))


def worth_of(mine: list[Voucher]) -> int:
    """What was spent of these."""
    used = [one.id for one in mine if one.state == USED]
    rows = Redemption.select().where(Redemption.active_voucher.in_(used)) if used else []
    return sum(row.amount_fen for row in rows)


def rest(grant: Grant | None) -> int:
    """Its vouchers rest while a refund is looked at; what was spent of them, in fen. Raises EarnedVoucherHeld."""
    if grant is None:
        return 0
    for voucher in Voucher.locked(Voucher.earned_by == grant):
        if voucher.state == HELD:
            raise EarnedVoucherHeld
        voucher.move(RESTING, only_from=(OPEN,))
    return worth_spent(grant)


def wake(grant: Grant | None) -> None:
    """The refund came to nothing: they are as good as before."""
    move_all(grant, RESTING, OPEN)


def end(grant: Grant | None) -> None:
    """The money is back: what was not spent is worth nothing."""
    move_all(grant, RESTING, DEAD)


def move_all(grant: Grant | None, before: str, state: str) -> None:
    """All that this right has earned and that are in one state."""
    for voucher in of(grant):
        voucher.move(state, only_from=(before,))


def end_elsewhere(env: Env, grant: Grant, *, is_overridden: bool) -> None:
    """The purchase was refunded at its platform, which can know of its vouchers by our answer alone.

    Raises EarnedVoucherHeld, or EarnedVoucherWorth for what was spent of them, unless the platform insists.
    """
    its = Voucher.earned_by == grant
    if not is_overridden:
        if any(one.state == HELD for one in Voucher.locked(its)):
            raise EarnedVoucherHeld
        if worth_fen := worth_spent(grant):
            raise EarnedVoucherWorth(worth=f"¥{worth_fen / 100:.2f}")
    kill(env, its)


def kill(env: Env, earned: Expression) -> None:
    """The money was given back elsewhere: what it earned ends; an order bought with it is for a person to decide.

    One that an unpaid order holds dies with that, or is put before the operator when it is paid.
    """
    for voucher in Voucher.locked(earned):
        Voucher.update(killed_at=env.now).where(Voucher.id == voucher.id).execute()
        if not voucher.move(DEAD, only_from=(OPEN, RESTING)) and voucher.state == USED:
            put_before_operator(env, voucher)
