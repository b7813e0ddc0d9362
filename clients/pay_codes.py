"""WeChat Pay's error codes: what each means for us. The HTTP status decides first; the table is the rest."""

import re
from contextlib import suppress

from clients.answer import Answer
from clients.errors import ConfigRefused, RemoteDown, RemoteError, RemoteRefused


class TooOften(RemoteDown):
    """Asked too often; surely not done."""


class Unsettled(RemoteDown):
    """WeChat does not know itself yet: ask again, with the same number."""

    def __init__(self, peer: str, code: str, *, status: int | None = None) -> None:
        super().__init__(peer, code, status=status, unknown=True)


class NotReady(RemoteDown):
    """The bill of that day is not made yet."""


class NotEnough(RemoteDown):
    """The merchant's balance does not cover it: a person fills it up, then the same works."""


class OrderPaid(RemoteRefused):
    """The order is paid already."""


class OrderClosed(RemoteRefused):
    """The order is closed: it takes a new number."""


class NumberUsed(RemoteRefused):
    """Another order has this number, or it is to be changed after it was made."""


class NotKnown(RemoteRefused):
    """WeChat knows no such order or refund."""


class CallRefused(RemoteRefused):
    """The call is wrong or against a rule of theirs, or the code is not in the table."""


class NoBill(RemoteRefused):
    """Nothing was paid or refunded on that day."""


CODES: dict[type[RemoteError], dict[str, str]] = {
    TooOften: dict.fromkeys(("FREQUENCY_LIMITED", "RATELIMIT_EXCEEDED", "RATELIMIT_EXCEED"), "asked too often"),
    Unsettled: {
        "SYSTEM_ERROR": "a fault of theirs",
        "BANK_ERROR": "a fault of the bank",
        "USERPAYING": "being paid just now",
        "USER_PAYING": "being paid just now",
    },
    NotReady: {"STATEMENT_CREATING": "the bill is being made"},
    NotEnough: {"NOT_ENOUGH": "fill up the merchant's balance"},
    OrderPaid: dict.fromkeys(("ORDERPAID", "ORDER_PAID"), "paid already"),
    OrderClosed: dict.fromkeys(("ORDER_CLOSED", "ORDERCLOSED"), "closed"),
    NumberUsed: {"OUT_TRADE_NO_USED": "the number is another order's"},
    NotKnown: dict.fromkeys(
        ("ORDER_NOT_EXIST", "ORDER_NOT_EXISTS", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS", "REFUND_NOT_EXISTS"),
        "not known there",
    ),
    NoBill: {"NO_STATEMENT_EXIST": "nothing happened that day"},
    ConfigRefused: {
        "SIGN_ERROR": "look at merchant id, certificate serial, private key and this machine's clock",
        "NO_AUTH": "the merchant has no permission for this call",
        "APPID_MCHID_NOT_MATCH": "bind the app id to the merchant",
        "MCH_NOT_EXISTS": "no such merchant",
        "ACCOUNT_ERROR": "the merchant's account is limited",
    },
    CallRefused: {
        "PARAM_ERROR": "a parameter is wrong",
        "INVALID_REQUEST": "against a rule",
        "RULE_LIMIT": "against a rule of risk",
        "TRADE_ERROR": "the trade cannot be done",
        "USER_ACCOUNT_ABNORMAL": "the payer's account takes no money",
        "OPENID_MISMATCH": "the payer is another account's",
        "INVALID_TRANSACTIONID": "no such transaction",
    },
}
Meanings = dict[str, tuple[type[RemoteError], str]]
KIND_OF: Meanings = {code: (kind, says) for kind, codes in CODES.items() for code, says in codes.items()}
ON_PREPAY = KIND_OF | {"INVALID_REQUEST": (NumberUsed, "the order was made with other values")}
CODE = re.compile(r"[A-Z][A-Z0-9_]{1,39}")


def failure(answer: Answer, meanings: Meanings = KIND_OF) -> RemoteError:
    """The exception of an answer that is no success; of its text nothing is kept but the code."""
    code = code_of(answer)
    kind, says = meanings.get(code, (CallRefused, "not in our table"))
    if answer.status == 401:
        kind = ConfigRefused
    elif not 400 <= answer.status < 500:  # accepted, sent elsewhere: no word on the matter
        kind = Unsettled
    error = kind(answer.peer, code, status=answer.status)
    error.args = (f"{error.args[0]} ({says})",)
    return error


def code_of(answer: Answer) -> str:
    """Their code where it looks like one, else the bare status."""
    found = None
    with suppress(RemoteDown):
        found = answer.json()
    code = found.get("code") if isinstance(found, dict) else None
    return code if isinstance(code, str) and CODE.fullmatch(code) else f"http_{answer.status}"
