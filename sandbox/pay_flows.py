"""The money of one merchant at the pretend WeChat Pay: every movement, and what is left."""

from dataclasses import dataclass


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
