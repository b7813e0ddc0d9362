"""Refunds at the sandbox's WeChat Pay: accepted, done later, told, and refused in WeChat's words."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tornado.ioloop import IOLoop

from tests.sandbox_pay_kit import NUMBER, Shop, running

REFUNDS = "/v3/refund/domestic/refunds"


@pytest.fixture
def shop(io_loop: IOLoop) -> Iterator[Shop]:
    """A merchant and his WeChat Pay."""
    with running(io_loop) as shop:
        yield shop


async def refund(shop: Shop, number: str = "R1", fen: int = 19900, **changes: Any) -> tuple[int, Any]:
    """Ask for money back, of anna's order unless told."""
    asked = {"out_trade_no": NUMBER, "out_refund_no": number, "reason": "不想学了", "notify_url": shop.url}
    asked |= {"amount": {"refund": fen, "total": 19900, "currency": "CNY"}} | changes
    return await shop.call("POST", REFUNDS, {name: value for name, value in asked.items() if value is not None})


@pytest.mark.gen_test
async def test_a_refund_is_accepted_then_done_and_told(shop: Shop) -> None:
    await shop.paid()
    code, told = await refund(shop)
    assert (code, told["status"], told["channel"]) == (200, "PROCESSING", "ORIGINAL")
    assert told["create_time"] == "2027-01-15T16:00:00+08:00" and "success_time" not in told
    sums = {"total": 19900, "refund": 19900, "payer_total": 19900, "payer_refund": 19900}
    more = {"settlement_refund": 19900, "settlement_total": 19900, "discount_refund": 0, "currency": "CNY"}
    assert told["amount"] == sums | more
    assert (await shop.query())[1]["trade_state"] == "REFUND", "also while it is under way"
    shop.world.forward(5)
    _, done = await shop.call("GET", f"{REFUNDS}/R1")
    assert (done["status"], done["success_time"]) == ("SUCCESS", "2027-01-15T16:00:05+08:00")


@pytest.mark.gen_test
async def test_the_merchant_hears_of_a_refund_that_is_done(shop: Shop) -> None:
    order = await shop.paid()
    _, told = await refund(shop)
    shop.pay.settle_refunds()
    await shop.pay.notices.deliver_due()
    notice = shop.heard[-1]
    assert (notice["event_type"], notice["resource"]["original_type"]) == ("REFUND.SUCCESS", "refund")
    assert json.loads(shop.unsealed(notice["resource"])) == {
        "mchid": shop.own.mch_id,
        "out_trade_no": NUMBER,
        "transaction_id": order.transaction_id,
        "out_refund_no": "R1",
        "refund_id": told["refund_id"],
        "refund_status": "SUCCESS",
        "success_time": "2027-01-15T16:00:00+08:00",
        "amount": {"total": 19900, "refund": 19900, "payer_total": 19900, "payer_refund": 19900},
        "user_received_account": "支付用户零钱",
    }


@pytest.mark.parametrize("outcome", ["ABNORMAL", "CLOSED"])
@pytest.mark.gen_test
async def test_a_refund_can_fail_after_it_was_accepted(shop: Shop, outcome) -> None:
    await shop.paid()
    await refund(shop)
    shop.pay.refund_outcome, shop.pay.refund_seconds = outcome, None
    shop.world.forward(86400)
    assert (await shop.call("GET", f"{REFUNDS}/R1"))[1]["status"] == "PROCESSING", "nobody has ended it"
    assert [one.status for one in shop.pay.settle_refunds()] == [outcome]
    told = (await shop.call("GET", f"{REFUNDS}/R1"))[1]
    assert told["status"] == outcome and "success_time" not in told
    assert [one.kind for one in shop.pay.notices.waiting] == ["TRANSACTION.SUCCESS", f"REFUND.{outcome}"]
    assert shop.pay.balance_fen == (19781 if outcome == "CLOSED" else 0), "closed: the money is with the merchant again"


@pytest.mark.gen_test
async def test_after_a_closed_refund_only_another_number_gives_the_money_back(shop: Shop) -> None:
    await shop.paid()
    await refund(shop)
    shop.pay.refund_outcome = "CLOSED"
    shop.pay.settle_refunds()
    assert (await refund(shop))[1]["status"] == "CLOSED"
    shop.world.forward(60)
    assert (await refund(shop, "R2"))[1]["status"] == "PROCESSING"


@pytest.mark.gen_test
async def test_one_number_is_one_refund(shop: Shop) -> None:
    await shop.paid()
    first, again = await refund(shop), await refund(shop)
    assert first == again and len(shop.pay.orders[NUMBER].refunds) == 1
    code, told = await refund(shop, fen=1)
    assert (code, told["code"]) == (400, "INVALID_REQUEST") and "与之前请求不一致" in told["message"]


@pytest.mark.gen_test
async def test_parts_go_back_a_minute_apart_and_never_more_than_was_paid(shop: Shop) -> None:
    await shop.paid()
    assert (await refund(shop, "R1", 10000))[0] == 200
    assert (await refund(shop, "R2", 5000))[1]["code"] == "FREQUENCY_LIMITED"
    shop.world.forward(60)
    code, told = await refund(shop, "R2", 9901)
    assert (code, told["code"]) == (400, "INVALID_REQUEST")
    assert (await refund(shop, "R2", 9900))[0] == 200
    shop.world.forward(60)
    assert (await refund(shop, "R3", 1))[1] == {"code": "INVALID_REQUEST", "message": "订单已全额退款"}
    refunds = shop.pay.orders[NUMBER].refunds
    assert sum(one.fee_fen for one in refunds) == 119, "all parts together give the whole fee back"
    assert shop.pay.balance_fen == 0


@pytest.mark.gen_test
async def test_fifty_parts_are_the_most(shop: Shop) -> None:
    await shop.paid()
    amount = {"refund": 1, "total": 19900, "currency": "CNY"}
    for count in range(50):
        shop.pay.refund({"out_trade_no": NUMBER, "out_refund_no": f"R{count}", "amount": amount})
        shop.world.forward(60)
    code, told = await refund(shop, "R50", 1)
    assert (code, told["code"]) == (403, "RULE_LIMIT") and len(shop.pay.orders[NUMBER].refunds) == 50


@pytest.mark.gen_test
async def test_money_that_was_taken_out_cannot_go_back_until_there_is_some_again(shop: Shop) -> None:
    await shop.paid()
    assert shop.pay.withdraw() == 19781
    code, told = await refund(shop)
    assert (code, told["code"], told["message"]) == (403, "NOT_ENOUGH", "基本账户余额不足，请充值后重新发起")
    assert (await shop.call("GET", f"{REFUNDS}/R1"))[0] == 404, "it was not accepted"
    assert (await shop.query())[1]["trade_state"] == "SUCCESS"
    shop.pay.balance_fen = 19781
    assert (await refund(shop))[0] == 200, "the same call again"


@pytest.mark.parametrize(("days", "code"), [(365, 200), (366, 400)])
@pytest.mark.gen_test
async def test_a_year_is_the_longest(shop: Shop, days, code) -> None:
    await shop.paid()
    shop.world.forward(days * 86400)
    assert (await refund(shop))[0] == code


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"out_trade_no": "C20270115000009"}, 404, "RESOURCE_NOT_EXISTS"),
        ({"out_trade_no": None, "transaction_id": "4200000000202701150000000001"}, 404, "RESOURCE_NOT_EXISTS"),
        ({"out_trade_no": None}, 400, "PARAM_ERROR"),
        ({"transaction_id": "4200000000202701150000000001"}, 400, "INVALID_REQUEST"),
        ({"out_refund_no": "R 1"}, 400, "PARAM_ERROR"),
        ({"out_refund_no": "R" * 65}, 400, "PARAM_ERROR"),
        ({"reason": "原" * 27}, 400, "PARAM_ERROR"),
        ({"notify_url": "http://h5.example.com/"}, 400, "PARAM_ERROR"),
        ({"amount": {"refund": 0, "total": 19900, "currency": "CNY"}}, 400, "PARAM_ERROR"),
        ({"amount": {"refund": 1, "total": 19900}}, 400, "PARAM_ERROR"),
        ({"amount": {"refund": 1, "total": 100, "currency": "CNY"}}, 400, "INVALID_REQUEST"),
        ({"attach": "o=17"}, 400, "PARAM_ERROR"),
    ],
)
@pytest.mark.gen_test
async def test_what_is_not_as_it_should_be_is_refused(shop: Shop, change, status, code) -> None:
    await shop.paid()
    got, told = await refund(shop, **change)
    assert (got, told["code"]) == (status, code)
    assert shop.pay.orders[NUMBER].refunds == []


@pytest.mark.gen_test
async def test_an_unpaid_order_has_nothing_to_give_back(shop: Shop) -> None:
    await shop.order()
    assert (await refund(shop))[1]["code"] == "RESOURCE_NOT_EXISTS"


@pytest.mark.gen_test
async def test_wechats_own_number_names_the_order_too(shop: Shop) -> None:
    order = await shop.paid()
    code, told = await refund(shop, out_trade_no=None, transaction_id=order.transaction_id)
    assert (code, told["out_trade_no"]) == (200, NUMBER)


@pytest.mark.gen_test
async def test_without_an_address_nobody_is_told(shop: Shop) -> None:
    await shop.paid()
    await refund(shop, notify_url=None)
    shop.pay.settle_refunds()
    assert shop.pay.notices.history[-1].kind == "REFUND.SUCCESS" and len(shop.pay.notices.waiting) == 1
