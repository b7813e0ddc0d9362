"""Notices of the sandbox's WeChat Pay, checked as a merchant would: by computations of our own."""

import json
from collections.abc import Iterator
from itertools import pairwise

import pytest
from cryptography.exceptions import InvalidTag
from tornado.ioloop import IOLoop

from sandbox.pay_notices import RETRY_SECONDS
from tests.sandbox_pay_kit import NUMBER, Shop, running


@pytest.fixture
def shop(io_loop: IOLoop) -> Iterator[Shop]:
    """A merchant and his WeChat Pay."""
    with running(io_loop) as shop:
        yield shop


@pytest.mark.gen_test
async def test_a_payment_is_told_signed_and_sealed(shop: Shop) -> None:
    await shop.paid()
    assert await shop.pay.notices.deliver_due() == 1
    (request,), (told,) = shop.door.requests, shop.heard
    assert shop.proves(request.headers, request.body) and request.headers["Content-Type"] == "application/json"
    sealed = told.pop("resource")
    assert told == {
        "id": shop.pay.notices.history[0].id,
        "create_time": "2027-01-15T16:00:00+08:00",
        "event_type": "TRANSACTION.SUCCESS",
        "resource_type": "encrypt-resource",
        "summary": "支付成功",
    }
    assert {name: sealed[name] for name in ("original_type", "algorithm", "associated_data")} == {
        "original_type": "transaction",
        "algorithm": "AEAD_AES_256_GCM",
        "associated_data": "transaction",
    }
    assert len(sealed["nonce"]) == 12
    assert json.loads(shop.unsealed(sealed)) == (await shop.query())[1]


@pytest.mark.gen_test
async def test_the_mode_says_which_key_signs(shop: Shop) -> None:
    shop.own.mode = "certificate"
    await shop.paid()
    await shop.pay.notices.deliver_due()
    request = shop.door.requests[0]
    assert request.headers["Wechatpay-Serial"] == shop.own.platform_serial
    assert shop.proves(request.headers, request.body)


def test_fifteen_retries_take_a_day_and_four_minutes() -> None:
    assert len(RETRY_SECONDS) == 1 + 15 and sum(RETRY_SECONDS) == 24 * 3600 + 4 * 60


@pytest.mark.gen_test
async def test_what_is_not_taken_comes_again_by_the_table_until_it_is_given_up(shop: Shop) -> None:
    shop.door.status = 500
    await shop.paid()
    times = []
    while shop.pay.notices.waiting:
        before = len(shop.door.requests)
        await shop.pay.notices.deliver_due()
        if len(shop.door.requests) > before:
            times.append(shop.world.now())
        shop.world.forward(15)
    assert [later - earlier for earlier, later in pairwise(times)] == list(RETRY_SECONDS[1:])
    assert shop.pay.notices.history[0].state == "given_up"
    assert len({one["id"] for one in shop.heard}) == 1
    for name in ("Wechatpay-Nonce", "Wechatpay-Signature"):
        assert len({one.headers[name] for one in shop.door.requests}) == 16, "signed anew each time"


@pytest.mark.parametrize(("status", "state"), [(200, "delivered"), (204, "delivered"), (202, "waiting")])
@pytest.mark.gen_test
async def test_only_200_and_204_mean_that_it_was_taken(shop: Shop, status, state) -> None:
    shop.door.status = status
    await shop.paid()
    await shop.pay.notices.deliver_due()
    notice = shop.pay.notices.history[0]
    assert (notice.state, notice.last_status) == (state, status)


@pytest.mark.gen_test
async def test_a_door_that_is_closed_is_no_answer(shop: Shop) -> None:
    await shop.order(notify_url="http://127.0.0.1:1/notify")
    shop.pay.pays(NUMBER, shop.anna.person)
    assert await shop.pay.notices.deliver_due() == 0
    assert shop.pay.notices.history[0].last_status == 0


@pytest.mark.gen_test
async def test_no_other_machine_is_ever_called(shop: Shop) -> None:
    await shop.order(notify_url="https://h5.example.com/pay/notify")
    shop.pay.pays(NUMBER, shop.anna.person)
    assert await shop.pay.notices.deliver_due() == 0
    assert shop.pay.notices.history[0].last_status == 0


@pytest.mark.gen_test
async def test_time_can_be_pressed_together(shop: Shop) -> None:
    shop.door.status, shop.pay.notices.time_factor = 500, 0.01
    await shop.paid()
    await shop.pay.notices.deliver_due()
    assert shop.pay.notices.waiting[0].due_at == shop.world.now() + 0.15


@pytest.mark.gen_test
async def test_a_notice_can_be_sent_again_under_its_id(shop: Shop) -> None:
    await shop.paid()
    await shop.pay.notices.deliver_due()
    shop.pay.notices.send_again(shop.pay.notices.history[0])
    await shop.pay.notices.deliver_due()
    assert len(shop.heard) == 2 and len({one["id"] for one in shop.heard}) == 1


@pytest.mark.gen_test
async def test_every_attempt_stands_in_the_journal(shop: Shop) -> None:
    await shop.paid()
    await shop.pay.notices.deliver_due()
    (entry,) = shop.world.journal.entries("pay", direction="out")
    assert (entry.operation, entry.status, entry.more["type"]) == ("pay.notice", 204, "TRANSACTION.SUCCESS")
    assert entry.more["about"] == NUMBER and entry.more["content"]["trade_state"] == "SUCCESS"


@pytest.mark.gen_test
async def test_a_running_sandbox_tells_by_itself_when_it_may(shop: Shop) -> None:
    await shop.paid()
    await shop.query()
    assert shop.heard == []
    shop.own.is_delivering = True
    while not shop.heard:
        await shop.query()
    assert len(shop.pay.notices.history) == 1


@pytest.mark.gen_test
async def test_a_notice_can_come_doubled(shop: Shop) -> None:
    shop.world.faults.set("pay", "doubled", operation="pay.notice", times=1)
    await shop.paid()
    await shop.pay.notices.deliver_due()
    assert len(shop.heard) == 2 and len({one["id"] for one in shop.heard}) == 1


@pytest.mark.gen_test
async def test_notices_can_come_in_another_order(shop: Shop) -> None:
    shop.world.faults.set("pay", "reordered", operation="pay.notice", times=1)
    await shop.paid()
    assert await shop.pay.notices.deliver_due() == 0, "held until a later one has gone"
    await shop.paid("C20270115000002")
    await shop.pay.notices.deliver_due()
    told = [json.loads(shop.unsealed(one["resource"]))["out_trade_no"] for one in shop.heard]
    assert told == ["C20270115000002", NUMBER]


@pytest.mark.gen_test
async def test_a_notice_can_be_lost_for_ever(shop: Shop) -> None:
    shop.world.faults.set("pay", "lost", operation="pay.notice")
    await shop.paid()
    shop.world.forward(86400)
    assert await shop.pay.notices.deliver_due() == 0
    assert shop.heard == [] and shop.pay.notices.waiting == []
    assert shop.pay.notices.history[0].state == "lost"


@pytest.mark.parametrize("kind", ["wrong_signature", "old_timestamp", "signtest", "unknown_serial"])
@pytest.mark.gen_test
async def test_a_notice_can_fail_to_prove_itself_and_is_good_when_it_comes_again(shop: Shop, kind) -> None:
    shop.world.faults.set("pay", kind, operation="pay.notice", times=1)
    shop.door.status = 401
    await shop.paid()
    await shop.pay.notices.deliver_due()
    shop.world.forward(15)
    await shop.pay.notices.deliver_due()
    assert [shop.proves(one.headers, one.body) for one in shop.door.requests] == [False, True]
    signature = shop.door.requests[0].headers["Wechatpay-Signature"]
    assert signature.startswith("WECHATPAY/SIGNTEST/") == (kind == "signtest")


@pytest.mark.gen_test
async def test_a_notice_can_name_another_amount(shop: Shop) -> None:
    shop.world.faults.set("pay", "wrong_amount", operation="pay.notice", times=1)
    await shop.paid()
    await shop.pay.notices.deliver_due()
    assert json.loads(shop.unsealed(shop.heard[0]["resource"]))["amount"]["total"] == 19901
    assert shop.proves(shop.door.requests[0].headers, shop.door.requests[0].body)
    assert (await shop.query())[1]["amount"]["total"] == 19900


@pytest.mark.gen_test
async def test_a_notice_can_be_sealed_under_another_key(shop: Shop) -> None:
    shop.world.faults.set("pay", "wrong_cipher", operation="pay.notice", times=1)
    await shop.paid()
    await shop.pay.notices.deliver_due()
    assert shop.proves(shop.door.requests[0].headers, shop.door.requests[0].body)
    with pytest.raises(InvalidTag):
        shop.unsealed(shop.heard[0]["resource"])
