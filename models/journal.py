"""The journal: double entry in whole fen, append-only; the database refuses every change of it (M1)."""

from collections.abc import Mapping, Sequence

from peewee import BigAutoField, BigIntegerField, CharField, ForeignKeyField

from models.base import Row, UtcField
from models.orders import Order

CLEARING = "clearing:wechat"
REVENUE = "revenue:platform"
FEES = "fees:channel"
PAYABLE_REFUND = "payable:refund"


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


def sale_lines(price_fen: int, *, lecturer_slug: str, percent: int) -> dict[str, int]:
    """What a sale does to the accounts."""
    lecturer_fen, platform_fen = split(price_fen, [percent, 100 - percent])
    return {CLEARING: price_fen, payable(lecturer_slug): -lecturer_fen, REVENUE: -platform_fen}


def reversed_lines(lines: Mapping[str, int], *, before_fen: int, refund_fen: int) -> dict[str, int]:
    """What a refund takes back of a sale, pro rata, of which `before_fen` have been taken back already.

    However it is cut into parts, together they take back exactly what the sale gave.
    """
    whole = lines[CLEARING]
    others = [account for account in lines if account != CLEARING]
    shares = [-lines[account] for account in others]
    before, after = (split(fen, shares) for fen in (before_fen, before_fen + refund_fen))
    if not 0 < refund_fen <= whole - before_fen:
        raise ValueError("more than is left of it")
    back = {account: then - now for account, then, now in zip(others, after, before, strict=True)}
    return {CLEARING: -refund_fen, **back}
