"""wechatpayv3, a stock client of WeChat Pay, takes the sandbox for it: also where it refuses, and where it lies."""

import asyncio
import csv
import gzip
import hashlib
import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import wechatpayv3.core
from tornado.httputil import HTTPServerRequest
from tornado.ioloop import IOLoop
from wechatpayv3 import WeChatPay, WeChatPayType

from sandbox.pay_keys import throw_away
from tests.foreign_kit import PAY, lead
from tests.sandbox_pay_kit import NUMBER, Shop, running

DAY = 86400


@pytest.fixture
def shop(io_loop: IOLoop) -> Iterator[Shop]:
    """A merchant and his WeChat Pay at the real time, which the client reads."""
    with running(io_loop) as shop:
        shop.world.freeze(time.time())
        yield shop


@pytest.fixture
def make_client(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., WeChatPay]]:
    """`make_client("certificate", apiv3_key=…)`: the client of a mode; its requests end at the sandbox."""
    session = requests.Session()
    lead(session, shop.box)
    monkeypatch.setattr(wechatpayv3.core, "requests", session)

    def make(mode: str = "public_key", **changes: Any) -> WeChatPay:
        own = shop.own
        told = {
            "mchid": own.mch_id,
            "private_key": own.merchant_private_key_pem.decode(),
            "appid": shop.box.account.app_id,
        }
        told |= {"cert_serial_no": own.merchant_serial, "apiv3_key": own.api_v3_key, "notify_url": shop.url}
        if mode == "public_key":
            told |= {"public_key": own.public_key_pem.decode(), "public_key_id": own.public_key_id}
        shop.own.mode = mode
        return WeChatPay(WeChatPayType.JSAPI, **told | changes)

    yield make
    session.close()


async def call(method: Callable[..., Any], *args: Any, **asked: Any) -> tuple[int, Any]:
    """Status and answer of one call; the client has verified the answer, or raises."""
    code, answer = await asyncio.to_thread(method, *args, **asked)
    return code, json.loads(answer) if isinstance(answer, str) and answer else answer


async def ordered(shop: Shop, client: WeChatPay, **changes: Any) -> tuple[int, Any]:
    """An order of anna."""
    asked = {"description": "课程", "out_trade_no": NUMBER, "amount": {"total": 19900, "currency": "CNY"}}
    return await call(client.pay, **asked | {"payer": {"openid": shop.anna.openid}} | changes)


async def told(shop: Shop) -> HTTPServerRequest:
    """The last notice, once everything due has gone out."""
    await shop.pay.notices.deliver_due()
    return shop.door.requests[-1]


def heard(client: WeChatPay, request: HTTPServerRequest) -> Any:
    """The notice as the client gives it to its user; None when it does not believe it."""
    return client.callback(dict(request.headers.get_all()), request.body)


@pytest.mark.parametrize("mode", ["public_key", "certificate"])
@pytest.mark.gen_test
async def test_it_orders_looks_and_closes_and_believes_every_answer(shop: Shop, make_client, mode: str) -> None:
    client = await asyncio.to_thread(make_client, mode)
    code, made = await ordered(shop, client)
    assert code == 200 and made["prepay_id"] == shop.pay.orders[NUMBER].prepay_id
    assert (await call(client.query, out_trade_no=NUMBER))[1]["trade_state"] == "NOTPAY"
    assert await call(client.close, NUMBER) == (204, b"")
    assert (await call(client.query, out_trade_no=NUMBER))[1]["trade_state"] == "CLOSED"
    code, made = await call(
        client.pay,
        description="课程",
        out_trade_no="C20270115000002",
        amount={"total": 1},
        pay_type=WeChatPayType.NATIVE,
    )
    assert code == 200 and made["code_url"].startswith("weixin://wxpay/bizpayurl?pr=")


@pytest.mark.parametrize("mode", ["public_key", "certificate"])
@pytest.mark.gen_test
async def test_what_it_signs_for_the_page_pays_and_it_reads_the_notices(shop: Shop, make_client, mode: str) -> None:
    client = await asyncio.to_thread(make_client, mode)
    _, made = await ordered(shop, client, attach="o=17")
    fields = {
        "appId": shop.box.account.app_id,
        "timeStamp": "1",
        "nonceStr": "n",
        "package": f"prepay_id={made['prepay_id']}",
    }
    await shop.opens(fields | {"signType": "RSA", "paySign": client.sign(list(fields.values()))})
    assert await shop.anna.pay() == "get_brand_wcpay_request:ok"
    paid = heard(client, await told(shop))
    _, queried = await call(client.query, out_trade_no=NUMBER)
    assert (paid["event_type"], paid["resource"]) == ("TRANSACTION.SUCCESS", queried)
    assert await call(client.query, transaction_id=queried["transaction_id"]) == (200, queried)

    amount = {"refund": 100, "total": 19900, "currency": "CNY"}
    assert (await call(client.refund, "R1", amount, out_trade_no=NUMBER))[1]["status"] == "PROCESSING"
    shop.pay.settle_refunds()
    back = heard(client, await told(shop))
    assert (back["event_type"], back["resource"]["refund_status"]) == ("REFUND.SUCCESS", "SUCCESS")
    assert (await call(client.query_refund, "R1"))[1]["status"] == "SUCCESS"


@pytest.mark.parametrize("kind", ["wrong_signature", "signtest", "wrong_cipher"])
@pytest.mark.gen_test
async def test_it_believes_no_forged_notice(shop: Shop, make_client, kind: str) -> None:
    client = make_client()
    await ordered(shop, client)
    shop.world.faults.set("pay", kind, operation="pay.notice", times=1)
    shop.door.status = 401
    shop.pay.pays(NUMBER, shop.anna.person)
    assert heard(client, await told(shop)) is None
    shop.world.forward(15)
    assert heard(client, await told(shop))["resource"]["out_trade_no"] == NUMBER, "it comes again, and is good"


@pytest.mark.parametrize("kind", ["wrong_signature", "signtest"])
@pytest.mark.gen_test
async def test_it_believes_no_forged_answer(shop: Shop, make_client, kind: str) -> None:
    client = make_client()
    shop.world.faults.set("pay", kind, operation="pay.jsapi", times=1)
    with pytest.raises(Exception, match="failed to verify the signature"):
        await ordered(shop, client)
    assert (await ordered(shop, client))[0] == 200


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"private_key": throw_away("somebody").private_pem.decode()}, "错误的签名，验签失败"),
        ({"cert_serial_no": "0" * 40}, "商户证书序列号有误。请使用签名私钥匹配的证书序列号"),
        ({"mchid": "1900000000"}, "签名错误"),
    ],
)
@pytest.mark.gen_test
async def test_a_wrong_merchant_is_refused(shop: Shop, make_client, change: dict, words: str) -> None:
    code, answer = await ordered(shop, make_client(**change))
    assert (code, answer["code"], answer["message"]) == (401, "SIGN_ERROR", words)
    assert shop.pay.orders == {}


@pytest.mark.gen_test
async def test_it_is_told_what_is_wrong_in_wechats_codes(shop: Shop, make_client) -> None:
    client = make_client()
    assert (await ordered(shop, client, amount={"total": 0}))[1]["code"] == "PARAM_ERROR"
    assert (await call(client.query, out_trade_no="nothing"))[1]["code"] == "ORDER_NOT_EXIST"
    await ordered(shop, client)
    assert (await ordered(shop, client, amount={"total": 1}))[1]["code"] == "INVALID_REQUEST"
    amount = {"refund": 1, "total": 19900, "currency": "CNY"}
    assert (await call(client.refund, "R1", amount, out_trade_no=NUMBER))[1]["code"] == "RESOURCE_NOT_EXISTS"
    shop.pay.pays(NUMBER, shop.anna.person)
    assert (await call(client.close, NUMBER))[1]["code"] == "ORDERPAID"
    assert (await call(client.trade_bill, "2020-01-01"))[1]["code"] == "INVALID_REQUEST"


@pytest.mark.gen_test
async def test_a_merchant_without_platform_certificates_cannot_start_in_that_mode(shop: Shop, make_client) -> None:
    shop.own.is_certificates_open = False
    with pytest.raises(Exception, match="No wechatpay platform certificate"):
        await asyncio.to_thread(make_client, "certificate")
    with pytest.raises(Exception, match="No wechatpay platform certificate"):
        shop.own.is_certificates_open = True
        await asyncio.to_thread(make_client, "certificate", apiv3_key="k" * 32)


@pytest.mark.gen_test
async def test_it_downloads_a_bill_with_the_right_hash(shop: Shop, make_client) -> None:
    client, now = make_client(), shop.world.now()
    shop.world.freeze(now - 2 * DAY)
    await shop.paid()
    day = time.strftime("%Y-%m-%d", time.gmtime(shop.world.now() + 8 * 3600))
    shop.world.freeze(now)
    for method, first in ((client.trade_bill, "交易时间"), (client.fundflow_bill, "记账时间")):
        code, where = await call(method, day)
        url = urlsplit(where["download_url"])._replace(scheme="https", netloc=PAY).geturl()
        code, packed = await call(client.download_bill, url)
        raw = gzip.decompress(packed)
        assert (code, hashlib.sha1(raw).hexdigest()) == (200, where["hash_value"])
        assert next(csv.reader(raw.decode("utf-8-sig").splitlines()))[0] == first
