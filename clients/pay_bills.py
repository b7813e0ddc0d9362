"""对账单: WeChat Pay's bills of a day, read by the names of their columns; yuan become whole fen or nothing."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from clients.pay_asks import SHANGHAI

Line = TypeVar("Line")
Row = Mapping[str, str]
YUAN = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,5})?")
COUNT = re.compile(r"([0-9]{1,9})(\.0+)?")
NOTHING = {"", "0"}  # how a payment's line says that there is no refund
WAY = {"收入": True, "支出": False}


@dataclass(frozen=True, slots=True)
class BillLine:
    """One payment or refund of the trade bill."""

    at: datetime
    transaction_id: str
    out_trade_no: str
    state: str  # SUCCESS, REFUND, REVOKED
    total_fen: int
    out_refund_no: str
    refund_id: str
    refund_fen: int
    refund_state: str
    fee_fen: int  # negative where it is given back


@dataclass(frozen=True, slots=True)
class FundLine:
    """One movement of the merchant's account."""

    at: datetime
    flow_id: str
    business_no: str  # WeChat's own: a transaction, a refund
    voucher_no: str  # mostly ours
    kind: str
    is_income: bool
    amount_fen: int
    balance_fen: int
    note: str


def read_trade_bill(body: bytes) -> list[BillLine]:
    """The lines of `bill_type=ALL`; ValueError when it is half, or anything else."""
    return _read(body, first="交易时间", summary="总交易单数", line=_bill_line)


def read_fund_bill(body: bytes) -> list[FundLine]:
    """The lines of one account's day; ValueError when it is half, or anything else."""
    return _read(body, first="记账时间", summary="资金流水总笔数", line=_fund_line)


def _read(body: bytes, *, first: str, summary: str, line: Callable[[Row], Line]) -> list[Line]:
    rows = [one.rstrip("\r") for one in body.decode("utf-8-sig").rstrip("\r\n").split("\n")]
    if len(rows) < 3 or not rows[0].startswith(first) or not rows[-2].startswith(summary):
        raise ValueError("not the bill that was asked for, or half of it")
    names = [name.strip().replace("（", "(").replace("）", ")") for name in rows[0].split(",")]
    counted = COUNT.fullmatch(_cells(rows[-1])[0])
    if not counted or int(counted[1]) != len(rows) - 3:
        raise ValueError("not as many lines as it says")
    try:
        return [line(dict(zip(names, _cells(row), strict=True))) for row in rows[1:-2]]
    except LookupError:
        raise ValueError("a column is missing, or a word is new") from None


def _cells(row: str) -> list[str]:
    """The values; a comma inside one of them is followed by no backtick."""
    return [cell.strip() for cell in row.removeprefix("`").split(",`")]


def _bill_line(row: Row) -> BillLine:
    return BillLine(
        at=_at(row["交易时间"]),
        transaction_id=row["微信订单号"],
        out_trade_no=row["商户订单号"],
        state=row["交易状态"],
        total_fen=_fen(_either(row, "订单金额", "总金额")),
        out_refund_no=_but_nothing(row["商户退款单号"]),
        refund_id=_but_nothing(row["微信退款单号"]),
        refund_fen=_fen(_either(row, "申请退款金额", "退款金额")),
        refund_state=row["退款状态"],
        fee_fen=_fen(row["手续费"]),
    )


def _fund_line(row: Row) -> FundLine:
    return FundLine(
        at=_at(row["记账时间"]),
        flow_id=row["资金流水单号"],
        business_no=row["微信支付业务单号"],
        voucher_no=row["业务凭证号"],
        kind=row["业务类型"],
        is_income=WAY[row["收支类型"]],
        amount_fen=_fen(row["收支金额(元)"]),
        balance_fen=_fen(row["账户结余(元)"]),
        note=row["备注"],
    )


def _either(row: Row, name: str, older: str) -> str:
    """By its name, or by that in the form that some old merchants still get."""
    return row[name if name in row else older]


def _but_nothing(value: str) -> str:
    return "" if value in NOTHING else value


def _at(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI).astimezone(UTC)


def _fen(text: str) -> int:
    """Whole fen of an amount in yuan; ValueError for what is none, or has a part of a fen."""
    if not YUAN.fullmatch(text):
        raise ValueError("no amount")
    fen = Decimal(text) * 100
    if fen != int(fen):
        raise ValueError("a part of a fen")
    return int(fen)
