"""The door for notices of WeChat Pay: proved or refused, decided once, answered alike; forged ones change nothing."""

import asyncio
import json

import pytest

from models.delivery import InboxItem
from models.orders import Refund
from services import outbox, refunds
from tests.attack_kit import watched
from tests.buy_kit import buys, differences, entries, hears, order_of, orders, pays, rows, states
from tests.site import COURSE

gen = pytest.mark.gen_test(timeout=60)
NOTIFY = "/wechatpay/notify"
SOLD = {"orders": ["paid"], "payments": ["paid"], "refunds": [], "rights": ["lives"]}


async def unheard(site):
    """Somebody has ordered and paid, and WeChat has not told of it yet."""
    await orders(site)
    assert await pays(site) == "get_brand_wcpay_request:ok"


@gen
@pytest.mark.parametrize("fault", ["wrong_signature", "old_timestamp", "signtest", "unknown_serial", "wrong_cipher"])
async def test_a_notice_that_proves_nothing_is_refused_and_changes_nothing(site, fault):
    site.world.faults.set("pay", fault, operation="pay.notice", times=1)
    await unheard(site)
    before = await site.every_row()
    with watched():
        await hears(site)
    (notice,) = site.box.pay.notices.waiting
    assert notice.last_status == 401 and await site.every_row() == before
    site.clock.forward(seconds=15)
    await hears(site)
    assert await states(site) == SOLD, "the true one, sent again, is heard"


@gen
@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b"\xff", b'{"id": 1}', b"{" * 1000, b'{"id":"a","id":"b"}']
)
async def test_what_is_no_notice_at_all_is_refused(site, body):
    before = await site.every_row()
    for headers in ({}, {"Wechatpay-Timestamp": "1", "Wechatpay-Nonce": "n", "Wechatpay-Serial": "s"}):
        answer = await site.fetch(NOTIFY, method="POST", body=body, headers=headers)
        assert answer.code == 401 and json.loads(answer.body)["code"] == "FAIL"
    assert await site.every_row() == before


@gen
async def test_a_body_of_many_bytes_is_refused_before_it_is_looked_at(site):
    before = await site.every_row()
    answer = await site.fetch(NOTIFY, method="POST", body=b"x" * 70_000)
    assert answer.code == 413 and await site.every_row() == before


@gen
async def test_fifteen_notices_at_once_and_one_after_the_other_have_one_effect(site):
    site.world.faults.set("pay", "doubled", operation="pay.notice")
    await unheard(site)
    await hears(site)
    (notice,) = site.box.pay.notices.history
    for _ in range(13):
        site.box.pay.notices.send_again(notice)
        await hears(site)
    assert await states(site) == SOLD and await entries(site) == ["sale"]
    assert len([one for one in await rows(site, InboxItem) if one.source == "pay"]) == 1
    assert await site.broken() == []


@gen
async def test_notices_of_many_orders_in_any_order_are_each_heard(site):
    site.world.faults.set("pay", "reordered", operation="pay.notice")
    for name in ("anna", "bob", "cara", "dora"):
        await orders(site, name)
        await pays(site, name)
    site.world.faults.clear("pay")
    site.clock.forward(seconds=20)
    await hears(site)
    await hears(site)
    assert (await states(site))["orders"] == ["paid"] * 4 and await site.broken() == []


@gen
async def test_a_notice_of_another_amount_is_answered_and_never_fulfilled(site):
    await orders(site)
    order = await order_of(site)
    site.box.pay.pays(order.no, site.phone("anna").person, amount_fen=1)
    await hears(site)
    assert site.box.pay.notices.waiting == [], "answered: sending it again would change nothing"
    assert (await states(site))["payments"] == ["held"] and (await states(site))["rights"] == []
    assert await differences(site) == ["amount"] and await site.broken() == []


@gen
async def test_a_refund_notice_that_comes_before_our_own_answer_is_not_undone_by_it(site):
    order = await buys(site)
    number = await site.ctx.transact(refunds.ask, person_id=await site.person_id(), no=order.no, reason="")
    site.world.faults.set("pay", "timeout_after_commit", operation="pay.refund", times=1, seconds=0.1)
    await site.delivers()
    site.box.pay.settle_refunds()
    await hears(site)
    assert (await states(site))["refunds"] == ["done"]
    site.clock.forward(minutes=5)
    await outbox.deliver_due(site.ctx)
    assert (await states(site))["refunds"] == ["done"] and await entries(site) == ["sale", "refund"]
    (refund,) = await rows(site, Refund)
    assert refund.no == number and await site.broken() == []


@gen
async def test_a_refund_made_at_wechats_own_console_is_listed(site):
    order = await buys(site)
    amount = {"refund": 100, "total": 19900, "currency": "CNY"}
    asked = {"out_trade_no": order.no, "out_refund_no": "BY-HAND-1", "amount": amount}
    site.box.pay.refund(asked | {"notify_url": f"{site.base_url}/wechatpay/refund-notify"})
    site.box.pay.settle_refunds()
    await hears(site)
    assert await differences(site) == ["unknown_refund"] and await states(site) == SOLD


@gen
async def test_the_database_being_away_is_no_word_to_wechat_and_nothing_is_lost(site):
    await unheard(site)
    threads, site.ctx.threads.queue = site.ctx.threads.queue, 0
    await hears(site)
    (notice,) = site.box.pay.notices.waiting
    assert notice.last_status == 503
    site.ctx.threads.queue = threads
    site.clock.forward(seconds=15)
    await hears(site)
    assert await states(site) == SOLD


@gen
async def test_notices_stay_within_their_five_seconds_beside_slow_pages(site):
    await unheard(site)
    page = asyncio.ensure_future(site.fetch(f"/courses/{COURSE}"))
    await hears(site)
    assert (await page).code == 200 and await states(site) == SOLD
