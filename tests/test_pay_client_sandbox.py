"""Our client and the sandbox's WeChat Pay, written apart from each other, understand one another."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from tornado.ioloop import IOLoop

from clients.errors import ConfigRefused
from clients.http import Peer
from clients.pay import BILL_LIMITS, LIMITS, NumberUsed, OrderClosed, OrderPaid, PayNotice, PlatformKeys, WeChatPay
from sandbox.world import World
from tests.sandbox_pay_kit import NOW, NUMBER, Shop, running

NOTICE = tuple(f"Wechatpay-{name}" for name in ("Timestamp", "Nonce", "Serial", "Signature", "Signature-Type"))
MODES = ["public_key", "certificate"]
SOON = datetime.fromtimestamp(NOW, UTC) + timedelta(minutes=30)
ORDER = {"out_trade_no": NUMBER, "description": "信息安全职场培训", "amount_fen": 19900, "expires_at": SOON}


@pytest.fixture
def shop(io_loop: IOLoop) -> Iterator[Shop]:
    """A merchant and his WeChat Pay."""
    with running(io_loop) as shop:
        yield shop


@asynccontextmanager
async def pay_of(shop: Shop, mode: str = "public_key", **changed: object) -> AsyncIterator[WeChatPay]:
    """Our client of that WeChat Pay, with what such a merchant has in its files."""
    own, world = shop.own, shop.world
    own.mode = mode
    api, bills = (
        Peer(name, shop.box.pay_url, monotonic=time.monotonic, **limits)
        for name, limits in (("wechatpay", LIMITS), ("wechatpay_bills", BILL_LIMITS))
    )
    is_key = mode == "public_key"
    settings = {
        "app_id": shop.box.account.app_id,
        "mch_id": own.mch_id,
        "serial": own.merchant_serial,
        "private_key": own.merchant_private_key_pem,
        "api_v3_key": own.api_v3_key,
        "platform_keys": PlatformKeys.of(own.public_key_id, own.public_key_pem)
        if is_key
        else PlatformKeys.of("", None),
        "notify_url": shop.url,
        "refund_notify_url": shop.url,
        "now": world.now,
        "new_nonce": nonce_of(world),
    }
    yield WeChatPay(api=api, bills=bills, **settings | changed)
    for peer in (api, bills):
        await peer.close()


def nonce_of(world: World):
    """32 letters and digits, others each time."""
    return lambda: world.new_id(bits=128)


def told(shop: Shop, pay: WeChatPay) -> PayNotice:
    """The last notice that came, read by our client."""
    request = shop.door.requests[-1]
    return pay.read_notice({name: request.headers.get_list(name) for name in NOTICE}, request.body)


@pytest.mark.gen_test
@pytest.mark.parametrize("mode", MODES)
async def test_an_order_is_made_paid_told_refunded_told_and_billed(shop: Shop, mode: str) -> None:
    async with pay_of(shop, mode) as pay:
        await pay.check()
        assert await pay.query(NUMBER) is None
        prepay_id = await pay.prepay_jsapi(openid=shop.anna.openid, **ORDER)
        assert await pay.prepay_jsapi(openid=shop.anna.openid, **ORDER), "again for the same order"
        assert (await pay.query(NUMBER)).state == "NOTPAY"
        await shop.opens(pay.bridge(prepay_id))
        assert await shop.anna.pay() == "get_brand_wcpay_request:ok"
        await shop.pay.notices.deliver_due()
        paid = told(shop, pay).transaction
        assert paid == await pay.query(NUMBER)
        assert (paid.state, paid.total_fen, paid.currency, paid.payer_openid) == (
            "SUCCESS",
            19900,
            "CNY",
            shop.anna.openid,
        )
        asked = {"out_refund_no": "R1", "transaction_id": paid.transaction_id, "refund_fen": 9900, "total_fen": 19900}
        assert (await pay.refund(reason="不想学了", **asked)).status == "PROCESSING"
        assert (await pay.query(NUMBER)).state == "REFUND"
        shop.pay.settle_refunds()
        await shop.pay.notices.deliver_due()
        done = told(shop, pay)
        assert done.kind == "REFUND.SUCCESS" and done.refund == await pay.query_refund("R1")
        assert await pay.refund(reason="不想学了", **asked) == done.refund, "again the same"
        assert await pay.query_refund("R2") is None


@pytest.mark.gen_test
async def test_an_order_is_closed_and_what_is_paid_is_not(shop: Shop) -> None:
    async with pay_of(shop) as pay:
        assert (await pay.prepay_native(**ORDER)).startswith("weixin://wxpay/")
        with pytest.raises(NumberUsed):
            await pay.prepay_native(**ORDER | {"amount_fen": 1})
        await pay.close(NUMBER)
        await pay.close(NUMBER)
        assert (await pay.query(NUMBER)).state == "CLOSED"
        with pytest.raises(OrderClosed):
            await pay.prepay_native(**ORDER)
        await shop.paid("C20270115000002")
        with pytest.raises(OrderPaid):
            await pay.close("C20270115000002")


@pytest.mark.gen_test
async def test_a_days_bills_are_had_and_agree(shop: Shop) -> None:
    await shop.paid()
    await shop.paid("C20270115000002", total=100)
    async with pay_of(shop) as pay:
        paid = await pay.query(NUMBER)
        asked = {"transaction_id": paid.transaction_id, "refund_fen": 9900, "total_fen": 19900, "reason": ""}
        await pay.refund(out_refund_no="R1", **asked)
        shop.pay.settle_refunds()
        shop.world.forward(24 * 3600)
        lines, flows = await pay.trade_bill(date(2027, 1, 15)), await pay.fund_flow_bill(date(2027, 1, 15))
        assert await pay.trade_bill(date(2027, 1, 14)) == [] == await pay.fund_flow_bill(date(2027, 1, 14))
    assert [(line.state, line.total_fen, line.refund_fen, line.out_refund_no) for line in lines] == [
        ("SUCCESS", 19900, 0, ""),
        ("SUCCESS", 100, 0, ""),
        ("REFUND", 0, 9900, "R1"),
    ]
    traded = sum(line.total_fen - line.refund_fen - line.fee_fen for line in lines)
    assert traded == sum(flow.amount_fen if flow.is_income else -flow.amount_fen for flow in flows)
    assert lines[0].transaction_id == paid.transaction_id and lines[0].at == paid.paid_at


@pytest.mark.gen_test
async def test_a_wrong_merchant_serial_is_a_matter_of_settings(shop: Shop) -> None:
    async with pay_of(shop, serial="0123456789ABCDEF") as pay:
        with pytest.raises(ConfigRefused) as caught:
            await pay.check()
    assert caught.value.status == 401
