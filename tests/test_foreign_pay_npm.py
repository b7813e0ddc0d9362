"""wechatpay-node-v3, an npm client of WeChat Pay, takes the sandbox for it, also where it refuses."""

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from tornado.ioloop import IOLoop

from tests.foreign_kit import PAY, Npm, Refused, need_npm
from tests.sandbox_pay_kit import NUMBER, Shop, running

DAY = 86400


@pytest.fixture
def shop(io_loop: IOLoop) -> Iterator[Shop]:
    """A merchant and his WeChat Pay at the real time, which the client reads; certificates are all it knows."""
    with running(io_loop) as shop:
        shop.world.freeze(time.time())
        shop.own.mode = "certificate"
        yield shop


@pytest.fixture
def npm(io_loop: IOLoop, shop: Shop) -> Iterator[Npm]:
    """The merchant's client."""
    need_npm("wechatpay-node-v3")
    own = shop.own
    told = {"port": urlsplit(shop.box.pay_url).port, "app_id": shop.box.account.app_id, "mch_id": own.mch_id}
    told |= {"certificate": own.merchant_certificate_pem.decode(), "api_v3_key": own.api_v3_key}
    told |= {"private_key": own.merchant_private_key_pem.decode()}
    npm = io_loop.run_sync(lambda: Npm.start("pay.cjs", **told))
    yield npm
    io_loop.run_sync(npm.stop)


async def call(npm: Npm, method: str, *args: Any) -> tuple[int, Any]:
    """Status and answer of one call."""
    told = await npm.call("pay", method, *args)
    return told["status"], told["data"] if "data" in told else json.loads(told["error"])


async def ordered(shop: Shop, npm: Npm, kind: str = "jsapi", **changes: Any) -> tuple[int, Any]:
    """An order, of anna where it needs somebody."""
    asked = {"description": "课程", "out_trade_no": NUMBER, "amount": {"total": 19900}, "notify_url": shop.url}
    payer = {"payer": {"openid": shop.anna.openid}} if kind == "jsapi" else {}
    return await call(npm, f"transactions_{kind}", asked | payer | changes)


async def verified(shop: Shop, npm: Npm) -> tuple[bool, Any]:
    """Whether the client believes the last notice, and what it finds in it."""
    await shop.pay.notices.deliver_due()
    request = shop.door.requests[-1]
    names = ("timestamp", "nonce", "serial", "signature")
    proof = {name: request.headers[f"wechatpay-{name}"] for name in names} | {"body": request.body.decode()}
    sealed = json.loads(request.body)["resource"]
    content = await npm.call(
        "pay", "decipher_gcm", *(sealed[name] for name in ("ciphertext", "associated_data", "nonce"))
    )
    return await npm.call("pay", "verifySign", proof), content


@pytest.mark.gen_test
async def test_its_page_pays_and_it_believes_and_reads_the_notice(shop: Shop, npm: Npm) -> None:
    code, fields = await ordered(shop, npm)
    assert code == 200 and set(fields) == {"appId", "timeStamp", "nonceStr", "package", "signType", "paySign"}
    assert (await call(npm, "query", {"out_trade_no": NUMBER}))[1]["trade_state"] == "NOTPAY"
    await shop.opens(fields)
    assert await shop.anna.pay() == "get_brand_wcpay_request:ok"
    is_true, paid = await verified(shop, npm)
    assert is_true and paid == (await call(npm, "query", {"out_trade_no": NUMBER}))[1]
    assert (await call(npm, "query", {"transaction_id": paid["transaction_id"]}))[1] == paid


@pytest.mark.gen_test
async def test_a_qr_is_paid_and_the_money_goes_back(shop: Shop, npm: Npm) -> None:
    _, made = await ordered(shop, npm, "native")
    await shop.anna.scan(made["code_url"])
    await shop.anna.tap("sandbox-pay")
    amount = {"refund": 1, "total": 19900, "currency": "CNY"}
    asked = {"out_trade_no": NUMBER, "out_refund_no": "R1", "amount": amount, "notify_url": shop.url}
    assert (await call(npm, "refunds", asked))[1]["status"] == "PROCESSING"
    shop.pay.settle_refunds()
    is_true, back = await verified(shop, npm)
    assert is_true and (back["refund_status"], back["out_refund_no"]) == ("SUCCESS", "R1")
    assert (await call(npm, "find_refunds", "R1"))[1]["status"] == "SUCCESS"


@pytest.mark.parametrize("kind", ["wrong_signature", "signtest"])
@pytest.mark.gen_test
async def test_it_believes_no_forged_notice(shop: Shop, npm: Npm, kind: str) -> None:
    await ordered(shop, npm)
    shop.world.faults.set("pay", kind, operation="pay.notice", times=1)
    shop.pay.pays(NUMBER, shop.anna.person)
    assert (await verified(shop, npm))[0] is False


@pytest.mark.gen_test
async def test_a_key_that_nobody_knows_is_looked_for_and_not_found(shop: Shop, npm: Npm) -> None:
    await ordered(shop, npm)
    shop.world.faults.set("pay", "unknown_serial", operation="pay.notice", times=1)
    shop.pay.pays(NUMBER, shop.anna.person)
    with pytest.raises(Refused, match="未找到平台序列号"):
        await verified(shop, npm)
    assert len(shop.world.journal.entries("pay", "pay.certificates")) == 1


@pytest.mark.gen_test
async def test_it_is_told_what_is_wrong_in_wechats_codes(shop: Shop, npm: Npm) -> None:
    assert (await call(npm, "query", {"out_trade_no": NUMBER}))[1]["code"] == "ORDER_NOT_EXIST"
    assert (await ordered(shop, npm, amount={"total": 0.5}))[1]["code"] == "PARAM_ERROR"
    await ordered(shop, npm)
    assert (await ordered(shop, npm, "native"))[1]["code"] == "OUT_TRADE_NO_USED"
    assert (await npm.call("pay", "close", NUMBER))["status"] == 204
    assert (await ordered(shop, npm))[1]["code"] == "ORDER_CLOSED"
    shop.own.merchant_serial = "0" * 40
    assert (await call(npm, "query", {"out_trade_no": NUMBER}))[1]["code"] == "SIGN_ERROR"


@pytest.mark.gen_test
async def test_it_downloads_a_bill(shop: Shop, npm: Npm) -> None:
    now = shop.world.now()
    shop.world.freeze(now - 2 * DAY)
    await shop.paid()
    day = time.strftime("%Y-%m-%d", time.gmtime(shop.world.now() + 8 * 3600))
    shop.world.freeze(now)
    code, where = await call(npm, "tradebill", {"bill_date": day, "bill_type": "ALL"})
    url = urlsplit(where["download_url"])._replace(scheme="https", netloc=PAY).geturl()
    code, text = await call(npm, "downloadBill", url)
    assert code == 200 and f"`{NUMBER}," in text and "总交易单数" in text
