"""The journal: double entry in whole fen, append-only; the database refuses every change of it (M1)."""

from collections.abc import Mapping, Sequence

from peewee import BigAutoField, BigIntegerField, CharField, ForeignKeyField

from models.base import Row, UtcField
from models.orders import BY_PLATFORM, Order

CLEARING = "clearing:wechat"
REVENUE = "revenue:platform"
FEES = "fees:channel"
PAYABLE_REFUND = "payable:refund"
DISCOUNT = "discount:platform"


class JournalEntry(Row):
    """分录: one movement of money, booked once for its `source`. `split` names the shares that were agreed then."""

    id = BigAutoField()
    at = UtcField(index=True)
    kind = CharField(max_length=16)
    source = CharField(max_length=96, unique=True)
    order = ForeignKeyField(Order, null=True, backref="entries")
    split = CharField(max_length=96, default="")
    reverses = ForeignKeyField("self", null=True, backref="reversals")


class JournalLine(Row):
    """One account's part of an entry: what comes to us or is spent is above 0, what we owe or earn is below."""

    id = BigAutoField()
    entry = ForeignKeyField(JournalEntry, backref="lines")
    account = CharField(max_length=96, index=True)
    amount_fen = BigIntegerField()


def payable(lecturer_slug: str) -> str:
    """The account of what a lecturer is owed."""
    return f"payable:lecturer:{lecturer_slug}"


def discount(bearer: str, lecturer_slug: str) -> str:
    """The account of what vouchers cost whoever bears them."""
    return DISCOUNT if bearer == BY_PLATFORM else f"discount:lecturer:{lecturer_slug}"


def split(amount_fen: int, shares: Sequence[int]) -> list[int]:
    """Divide by shares, exactly: each part is rounded down, what is left goes out fen by fen from the first.

    Who has no share gets no such fen. Raises ValueError for shares below 0, or none above it.
    """
    whole = sum(shares)
    if whole <= 0 or min(shares) < 0:
        raise ValueError("shares must be 0 or above, and not all 0")
    parts = [amount_fen * share // whole for share in shares]
    sharing = [place for place, share in enumerate(shares) if share]
    for place in sharing[: amount_fen - sum(parts)]:
        parts[place] += 1
    return parts


def sale_lines(
    price_fen: int, *, lecturer_slug: str, percent: int, voucher_fen: int = 0, bearer: str = ""
) -> dict[str, int]:
    """What a sale does to the accounts; `price_fen` is what was paid beside the voucher (M1).

    Where the platform bears the voucher the lecturer's share is of the price before it, else of the cash. His part of
    a voucher that he bears himself stands on both his accounts, so that its cost can be seen.
    """
    by_platform = voucher_fen if bearer == BY_PLATFORM else 0
    lecturer_fen, platform_fen = split(price_fen + by_platform, [percent, 100 - percent])
    lecturer_fen += voucher_fen - by_platform
    lines = {CLEARING: price_fen, payable(lecturer_slug): -lecturer_fen, REVENUE: -platform_fen}
    return lines | ({discount(bearer, lecturer_slug): voucher_fen} if voucher_fen else {})


def reversed_lines(lines: Mapping[str, int], *, before_fen: int, refund_fen: int) -> dict[str, int]:
    """What a refund takes back of a sale, pro rata, of which `before_fen` have been taken back already.

    However it is cut into parts, together they take back exactly what the sale gave.
    """
    whole = lines[CLEARING]
    if not 0 < refund_fen <= whole - before_fen:
        raise ValueError("more than is left of it")
    before, after = (taken_back(lines, fen) for fen in (before_fen, before_fen + refund_fen))
    return {CLEARING: -refund_fen, **{account: after[account] - before[account] for account in after}}


def taken_back(lines: Mapping[str, int], fen: int) -> dict[str, int]:
    """What the other accounts have given back when so much of the cash went back, of `lines[CLEARING]` in all.

    What was earned is more than the cash where a voucher paid a part; each fen up, so that neither side turns round.
    """
    earned = {account: -amount for account, amount in lines.items() if amount < 0}
    borne = {account: amount for account, amount in lines.items() if amount > 0 and account != CLEARING}
    earned_fen = -(-fen * sum(earned.values()) // lines[CLEARING])
    parts = split(earned_fen, list(earned.values()))
    costs = split(earned_fen - fen, list(borne.values())) if borne else []
    return dict(zip(earned, parts, strict=True)) | {
        account: -cost for account, cost in zip(borne, costs, strict=True)
    }  # fmt: skip
