"""What we ask WeChat Pay for: paths and bodies, checked before they are signed; ValueError for what cannot be meant."""

import re
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

ORDERS = "/v3/pay/transactions"
REFUNDS = "/v3/refund/domestic/refunds"
CURRENCY = "CNY"
SHANGHAI = timezone(timedelta(hours=8))
DESCRIPTION_MOST_BYTES = 127  # WeChat's page says 127 without a unit; fewer letters are never refused
REASON_MOST_BYTES = 80
OUT_TRADE_NO = re.compile(r"[0-9A-Za-z_|*-]{6,32}")
OUT_REFUND_NO = re.compile(r"[0-9A-Za-z_|*@-]{1,64}")


def order_path(out_trade_no: str) -> str:
    """The order of this number."""
    return f"{ORDERS}/out-trade-no/{_segment(OUT_TRADE_NO, out_trade_no)}"


def refund_path(out_refund_no: str) -> str:
    """The refund of this number."""
    return f"{REFUNDS}/{_segment(OUT_REFUND_NO, out_refund_no)}"


def order(*, out_trade_no: str, description: str, amount_fen: int, expires_at: datetime) -> dict[str, object]:
    """The body of an order, but for who pays whom."""
    _segment(OUT_TRADE_NO, out_trade_no)
    if amount_fen < 1:
        raise ValueError("nothing to pay")
    if expires_at.tzinfo is None:
        raise ValueError("a time without its zone")
    return {
        "out_trade_no": out_trade_no,
        "description": _cut(description, DESCRIPTION_MOST_BYTES),
        "time_expire": expires_at.astimezone(SHANGHAI).isoformat(timespec="seconds"),
        "amount": {"total": amount_fen, "currency": CURRENCY},
    }


def refund(
    *, out_refund_no: str, transaction_id: str, refund_fen: int, total_fen: int, reason: str
) -> dict[str, object]:
    """The body of a refund; the person reads the reason."""
    _segment(OUT_REFUND_NO, out_refund_no)
    if not 1 <= refund_fen <= total_fen:
        raise ValueError("nothing to give back, or more than came")
    amount = {"refund": refund_fen, "total": total_fen, "currency": CURRENCY}
    body = {"transaction_id": transaction_id, "out_refund_no": out_refund_no, "amount": amount}
    words = _cut(reason, REASON_MOST_BYTES)
    return body | ({"reason": words} if words else {})


def _cut(words: str, most_bytes: int) -> str:
    """As much as fits, to the end of a character."""
    return words.encode("utf-8", "replace")[:most_bytes].decode("utf-8", "ignore")


def _segment(shape: re.Pattern[str], number: str) -> str:
    """A number of ours as it stands in a path."""
    if not shape.fullmatch(number):
        raise ValueError("not a number that WeChat Pay takes")
    return quote(number, safe="")
