"""Every call of the WeChat Pay client with an answer that is good, and what must never be told of one that failed."""

import json
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from clients.errors import RemoteError
from clients.pay import WeChatPay
from tests.pay_kit import (
    API_V3_KEY,
    KEYS,
    NONCE,
    REFUND,
    TRANSACTION,
    reply,
)

NO, REFUND_NO, WECHAT_NO = "C20260101000001", "R20260102000001", "4200001234202601010000000001"
OPENID = "oPLATFORMuser00000000000001"
EXPIRES = datetime(2026, 1, 1, 0, 30, 0, 999, tzinfo=UTC)
ORDER = {"out_trade_no": NO, "description": "课程+星球一年", "amount_fen": 19900, "expires_at": EXPIRES}
BACK = {"out_refund_no": REFUND_NO, "transaction_id": WECHAT_NO, "refund_fen": 19900, "total_fen": 19900}
Call = Callable[..., Awaitable[Any]]


def jsapi(pay: WeChatPay, **more: Any) -> Awaitable[str]:
    return pay.prepay_jsapi(**ORDER | {"openid": OPENID} | more)


def native(pay: WeChatPay, **more: Any) -> Awaitable[str]:
    return pay.prepay_native(**ORDER | more)


def refund(pay: WeChatPay, **more: Any) -> Awaitable[Any]:
    return pay.refund(**BACK | {"reason": "不合适"} | more)


CALLS: dict[str, tuple[Call, object]] = {  # and a good answer
    "jsapi": (jsapi, {"prepay_id": "wx01abc"}),
    "native": (native, {"code_url": "weixin://wxpay/bizpayurl?pr=p4lpSuKzz"}),
    "query": (lambda pay, **more: pay.query(NO, **more), TRANSACTION),
    "close": (lambda pay, **more: pay.close(NO, **more), b""),
    "refund": (refund, REFUND),
    "query_refund": (lambda pay, **more: pay.query_refund(REFUND_NO, **more), REFUND),
}


def good(name: str, **signing: Any) -> bytes:
    """What WeChat answers when all is well."""
    return reply(CALLS[name][1], status=204 if name == "close" else 200, **signing)


def raw_of(name: str) -> bytes:
    body = CALLS[name][1]
    return body if isinstance(body, bytes) else json.dumps(body).encode()


async def failure(pay: WeChatPay, call: Call) -> RemoteError:
    """What a call came to."""
    with pytest.raises(RemoteError) as caught:
        await call(pay)
    return caught.value


def check_silent(failure: RemoteError, log: str) -> None:
    """No secret is in the exception, in what led to it, or in the log."""
    told = "".join(traceback.format_exception(failure)) + repr(failure.__context__) + repr(failure.__dict__) + log
    told = told.replace(__file__, "")
    key = KEYS["merchant_private_key_pem"].split("\n")[1]
    for secret in ("canary", "wxcanary", API_V3_KEY, NONCE, OPENID, "WECHATPAY2", key):
        assert secret not in told
