"""The switches of the sandbox's WeChat Pay: what goes wrong does so as on a real network."""

import json
from collections.abc import Iterator

import pytest
from tornado.httpclient import HTTPResponse
from tornado.ioloop import IOLoop

from sandbox.pay import OPERATIONS
from tests.sandbox_pay_kit import NUMBER, Shop, running

JSAPI = "/v3/pay/transactions/jsapi"


@pytest.fixture
def shop(io_loop: IOLoop) -> Iterator[Shop]:
    """A merchant and his WeChat Pay."""
    with running(io_loop) as shop:
        yield shop


async def ordered(shop: Shop) -> HTTPResponse | None:
    """Order; None when there was no whole answer."""
    try:
        return await shop.send("POST", JSAPI, json.dumps(shop.asked()).encode())
    except OSError:
        return None
    except Exception as gone:  # noqa: BLE001  # each HTTP client has its own name for a cut connection
        assert type(gone).__name__ in {"HTTPStreamClosedError", "HTTPTimeoutError", "HTTPClientError"}
        return None


@pytest.mark.parametrize("kind", ["timeout_after_commit", "half"])
@pytest.mark.gen_test
async def test_an_answer_can_be_lost_after_the_order_was_made(shop: Shop, kind) -> None:
    shop.world.faults.set("pay", kind, operation="pay.jsapi", times=1)
    assert await ordered(shop) is None
    assert list(shop.pay.orders) == [NUMBER]
    assert (await ordered(shop)).code == 200, "asked again, it is made ready once more"


@pytest.mark.parametrize(
    ("kind", "status", "code"), [("error", 500, "SYSTEM_ERROR"), ("busy", 429, "FREQUENCY_LIMITED")]
)
@pytest.mark.gen_test
async def test_a_wechat_pay_in_trouble_does_no_work_and_says_so_signed(shop: Shop, kind, status, code) -> None:
    shop.world.faults.set("pay", kind, operation="pay.jsapi", times=1)
    answer = await ordered(shop)
    assert (answer.code, json.loads(answer.body)["code"]) == (status, code)
    assert shop.proves(answer.headers, answer.body) and shop.pay.orders == {}


@pytest.mark.gen_test
async def test_it_can_be_gone_slow_or_talk_nonsense(shop: Shop) -> None:
    shop.world.faults.set("pay", "down", operation="pay.jsapi", times=1)
    assert await ordered(shop) is None
    shop.world.faults.set("pay", "junk", operation="pay.jsapi", times=1)
    answer = await ordered(shop)
    assert answer.code == 200 and not shop.proves(answer.headers, answer.body)
    assert shop.pay.orders == {}
    shop.world.faults.set("pay", "slow", operation="pay.jsapi", times=1, seconds=0.01)
    assert (await ordered(shop)).code == 200


@pytest.mark.parametrize("kind", ["signtest", "wrong_signature", "old_timestamp", "unknown_serial"])
@pytest.mark.gen_test
async def test_an_answer_can_fail_to_prove_itself_though_the_work_is_done(shop: Shop, kind) -> None:
    shop.world.faults.set("pay", kind, operation="pay.jsapi", times=1)
    answer = await ordered(shop)
    assert answer.code == 200 and not shop.proves(answer.headers, answer.body)
    assert answer.headers["Wechatpay-Signature"].startswith("WECHATPAY/SIGNTEST/") == (kind == "signtest")
    assert list(shop.pay.orders) == [NUMBER]
    answer = await ordered(shop)
    assert shop.proves(answer.headers, answer.body)


@pytest.mark.gen_test
async def test_only_wechat_pay_has_answers_to_sign(shop: Shop) -> None:
    for side in ("wechat", "planet", "pay"):
        shop.world.faults.set(side, "wrong_signature")
        assert bool(shop.world.faults.take(side, "x")) == (side == "pay")
        assert shop.world.faults.take(side, "x", outgoing=True)


@pytest.mark.gen_test
async def test_each_call_has_a_switch_of_its_own(shop: Shop) -> None:
    calls = {
        "pay.jsapi": ("POST", JSAPI),
        "pay.native": ("POST", "/v3/pay/transactions/native"),
        "pay.query": ("GET", f"/v3/pay/transactions/out-trade-no/{NUMBER}?mchid=1900009999"),
        "pay.close": ("POST", f"/v3/pay/transactions/out-trade-no/{NUMBER}/close"),
        "pay.refund": ("POST", "/v3/refund/domestic/refunds"),
        "pay.refund_query": ("GET", "/v3/refund/domestic/refunds/R1"),
        "pay.certificates": ("GET", "/v3/certificates"),
        "pay.bill": ("GET", "/v3/bill/tradebill?bill_date=2027-01-14"),
        "pay.bill_download": ("GET", "/v3/billdownload/file?token=x"),
        "pay.cashier": ("GET", "/cashier?pr=x"),
    }
    for operation, (method, path) in calls.items():
        shop.world.faults.set("pay", "busy", operation=operation, times=1)
        assert (await shop.send(method, path)).code == 429, operation
    assert [one.operation for one in shop.world.journal.entries("pay")] == list(calls)
    assert [*calls, "pay.notice", "pay.refund_notice"] == list(OPERATIONS)
