"""The money of one merchant at the pretend WeChat Pay: every movement, what is left, and how bills lie about it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Flow:
    """One movement, as a line of the fund flow bill; out is negative."""

    at: float
    number: str
    business_number: str
    name: str
    kind: str
    fen: int
    left_fen: int
    who: str
    note: str
    voucher: str


class Purse:
    """The basic account; `balance_fen` may be set to play a merchant who has taken his money out."""

    def __init__(self) -> None:
        self.balance_fen = 0
        self.flows: list[Flow] = []

    def move(self, at: float, number: str, kind: str, fen: int, *, voucher: str, **more: str) -> None:
        """Book one movement; nothing is booked for nothing."""
        if not fen:
            return
        self.balance_fen += fen
        known = {"name": kind, "business_number": number, "who": "system", "note": ""} | more
        self.flows.append(
            Flow(at=at, number=number, kind=kind, fen=fen, left_fen=self.balance_fen, voucher=voucher, **known)
        )


@dataclass
class BillChanges:
    """Lies in both bills for reconciliation to find, by the merchant's own numbers of payments and refunds."""

    left_out: set[str] = field(default_factory=set)
    amounts: dict[str, int] = field(default_factory=dict)
    """Another amount than the true one, in fen."""
    added: dict[str, int] = field(default_factory=dict)
    """Payments that nobody made, in fen; each day has them."""


@dataclass(frozen=True)
class BillFile:
    """A bill that was asked for, and can be downloaded for five minutes."""

    raw: bytes
    is_zipped: bool
    ends_at: float
