"""The sandbox's bills: byte for byte in WeChat Pay's form, and wrong where a switch says so."""

import csv
import gzip
import hashlib
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from tornado.httpclient import HTTPResponse
from tornado.ioloop import IOLoop

from tests.sandbox_pay_kit import NUMBER, Shop, running

TRADE, FLOW = (f"/v3/bill/{kind}?bill_date=2027-01-15" for kind in ("tradebill", "fundflowbill"))
TO_NEXT_MORNING = 18 * 3600  # the shop's clock stands at 16:00


@pytest.fixture
def shop(io_loop: IOLoop) -> Iterator[Shop]:
    """A merchant and his WeChat Pay."""
    with running(io_loop) as shop:
        yield shop


async def traded(shop: Shop) -> None:
    """A day with two payments and a refund of a part; then it is the next morning."""
    await shop.order(attach="o=17", description="信息安全,\n职场培训")
    shop.pay.pays(NUMBER, shop.anna.person)
    shop.world.forward(60)
    await shop.paid("C20270115000002", 1)
    asked = {
        "out_trade_no": NUMBER,
        "out_refund_no": "R1",
        "amount": {"refund": 5000, "total": 19900, "currency": "CNY"},
    }
    assert (await shop.call("POST", "/v3/refund/domestic/refunds", asked))[0] == 200
    shop.world.forward(TO_NEXT_MORNING)


async def download(shop: Shop, path: str) -> HTTPResponse:
    """Ask for a bill and fetch it."""
    code, told = await shop.call("GET", path)
    assert code == 200, told
    parts = urlsplit(told["download_url"])
    answer = await shop.send("GET", f"{parts.path}?{parts.query}")
    raw = gzip.decompress(answer.body) if "GZIP" in path else answer.body
    assert (told["hash_type"], told["hash_value"]) == ("SHA1", hashlib.sha1(raw).hexdigest())
    return answer


async def table(shop: Shop, path: str) -> tuple[list[dict[str, str]], dict[str, str]]:
    """The lines of a bill by their columns, and its sums."""
    rows = list(csv.reader((await download(shop, path)).body.decode("utf-8-sig").splitlines()))
    values = [[value.removeprefix("`") for value in row] for row in rows]
    lines = [dict(zip(values[0], row, strict=True)) for row in values[1:-2]]
    return lines, dict(zip(values[-2], values[-1], strict=True))


@pytest.mark.gen_test
async def test_a_days_trade_bill_looks_as_wechats_own(shop: Shop) -> None:
    await traded(shop)
    raw = (await download(shop, f"{TRADE}&bill_type=ALL")).body
    first, second = shop.pay.orders[NUMBER], shop.pay.orders["C20270115000002"]
    head = f"`{shop.box.account.app_id},`1900009999,`0,`,`"
    back, who = first.refunds[0], f"`{shop.anna.openid},`JSAPI,"
    assert raw.startswith(b"\xef\xbb\xbf") and raw.decode("utf-8-sig").split("\r\n") == [
        "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
        "应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,"
        "费率,订单金额,申请退款金额,费率备注",
        f"`2027-01-15 16:00:00,{head}{first.transaction_id},`{NUMBER},{who}`SUCCESS,`OTHERS,`CNY,`199.00,`0.00,`0,`0,"
        "`0.00,`0.00,`,`,`信息安全\\ \\n职场培训,`o=17,`1.19000,`0.60%,`199.00,`0.00,`",
        f"`2027-01-15 16:01:00,{head}{second.transaction_id},`C20270115000002,{who}`SUCCESS,`OTHERS,`CNY,`0.01,`0.00,"
        "`0,`0,`0.00,`0.00,`,`,`信息安全职场培训,`,`0.00000,`0.60%,`0.01,`0.00,`",
        f"`2027-01-15 16:01:00,{head}{first.transaction_id},`{NUMBER},{who}`REFUND,`OTHERS,`CNY,`0.00,`0.00,"
        f"`{back.refund_id},`R1,`50.00,`0.00,`ORIGINAL,`SUCCESS,`信息安全\\ \\n职场培训,`o=17,`-0.30000,`0.60%,`0.00,"
        "`50.00,`",
        "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额",
        "`3,`199.01,`50.00,`0.00,`0.89000,`199.01,`50.00",
        "",
    ]


@pytest.mark.parametrize(("kind", "states"), [("SUCCESS", ["SUCCESS"] * 2), ("REFUND", ["REFUND"])])
@pytest.mark.gen_test
async def test_payments_and_refunds_have_bills_of_their_own(shop: Shop, kind, states) -> None:
    await traded(shop)
    lines, sums = await table(shop, f"{TRADE}&bill_type={kind}")
    assert [one["交易状态"] for one in lines] == states and sums["总交易单数"] == str(len(states))
    assert ("退款成功时间" in lines[0], "微信退款单号" in lines[0]) == (kind == "REFUND",) * 2


@pytest.mark.gen_test
async def test_a_days_fund_flow_tells_every_movement_and_what_is_left(shop: Shop) -> None:
    await traded(shop)
    lines, sums = await table(shop, FLOW)
    told = [
        (one["业务名称"], one["业务类型"], one["收支类型"], one["收支金额(元)"], one["账户结余(元)"]) for one in lines
    ]
    assert told == [
        ("交易", "交易", "收入", "199.00", "199.00"),
        ("交易", "扣除交易手续费", "支出", "1.19", "197.81"),
        ("交易", "交易", "收入", "0.01", "197.82"),
        ("退款", "退款", "支出", "49.70", "148.12"),
    ]
    assert lines[0]["备注"] == "结算总金额 199.00 元;含手续费 1.19 元" and lines[0]["业务凭证号"] == NUMBER
    assert lines[3]["备注"] == "退款总金额50.00元;含手续费0.30元" and lines[3]["业务凭证号"] == "R1"
    assert lines[3]["资金变更提交申请人"] == "1900009999API"
    assert list(sums.values()) == ["4", "2", "199.01", "2", "50.89"]


@pytest.mark.gen_test
async def test_a_bill_can_be_had_as_gzip(shop: Shop) -> None:
    await traded(shop)
    plain, packed = await download(shop, TRADE), await download(shop, f"{TRADE}&tar_type=GZIP")
    assert gzip.decompress(packed.body) == plain.body


@pytest.mark.gen_test
async def test_a_day_is_one_of_shanghai(shop: Shop) -> None:
    shop.world.forward(8 * 3600 - 1)  # 23:59:59
    await shop.paid()
    shop.world.forward(1)
    await shop.paid("C20270115000002")
    shop.world.forward(86400 + 12 * 3600)
    for day, number in (("2027-01-15", NUMBER), ("2027-01-16", "C20270115000002")):
        lines, _ = await table(shop, f"/v3/bill/tradebill?bill_date={day}")
        assert [one["商户订单号"] for one in lines] == [number]


@pytest.mark.parametrize("outcome", ["ABNORMAL", "CLOSED"])
@pytest.mark.gen_test
async def test_refunds_that_failed_are_called_otherwise_in_a_bill(shop: Shop, outcome) -> None:
    shop.pay.refund_outcome = outcome
    await traded(shop)
    lines, _ = await table(shop, f"{TRADE}&bill_type=REFUND")
    assert lines[0]["退款状态"] == {"ABNORMAL": "CHANGE", "CLOSED": "FAIL"}[outcome]


@pytest.mark.parametrize(
    ("path", "forward", "code"),
    [
        ("/v3/bill/tradebill?bill_date=2027-01-14", 0, "NO_STATEMENT_EXIST"),
        ("/v3/bill/fundflowbill?bill_date=2027-01-14", 0, "NO_STATEMENT_EXIST"),
        (f"{FLOW}&account_type=FEES", TO_NEXT_MORNING, "NO_STATEMENT_EXIST"),
        (TRADE, TO_NEXT_MORNING - 1, "STATEMENT_CREATING"),
        (TRADE, 0, "INVALID_REQUEST"),
        (TRADE, 100 * 86400, "INVALID_REQUEST"),
        ("/v3/bill/tradebill", 0, "PARAM_ERROR"),
        ("/v3/bill/tradebill?bill_date=20270114", 0, "PARAM_ERROR"),
        ("/v3/bill/tradebill?bill_date=2027-02-30", 0, "PARAM_ERROR"),
        (f"{TRADE}&bill_type=SOME", TO_NEXT_MORNING, "PARAM_ERROR"),
        (f"{TRADE}&tar_type=ZIP", TO_NEXT_MORNING, "PARAM_ERROR"),
    ],
)
@pytest.mark.gen_test
async def test_what_has_no_bill_is_said_so(shop: Shop, path, forward, code) -> None:
    await shop.paid()
    shop.world.forward(forward)
    status, told = await shop.call("GET", path)
    assert (status, told["code"]) == (400, code)


@pytest.mark.gen_test
async def test_a_download_wants_a_signed_call_within_five_minutes_and_proves_nothing_itself(shop: Shop) -> None:
    await traded(shop)
    url = urlsplit((await shop.call("GET", TRADE))[1]["download_url"])
    path = f"{url.path}?{url.query}"
    assert (await shop.send("GET", path, Authorization="")).code == 401
    assert "Wechatpay-Signature" not in (await shop.send("GET", path)).headers
    shop.world.forward(300)
    answer = await shop.send("GET", path)
    assert (answer.code, json.loads(answer.body)["code"]) == (400, "INVALID_REQUEST")


@pytest.mark.gen_test
async def test_bills_lie_where_a_switch_says_so(shop: Shop) -> None:
    await traded(shop)
    changes = shop.pay.bill_changes
    changes.left_out.add("C20270115000002")
    changes.amounts |= {NUMBER: 19800, "R1": 4900}
    changes.added["X20270115000009"] = 990
    lines, sums = await table(shop, TRADE)
    told = {one["商户退款单号"] if one["交易状态"] == "REFUND" else one["商户订单号"]: one for one in lines}
    assert set(told) == {NUMBER, "R1", "X20270115000009"}
    assert (told[NUMBER]["订单金额"], told["R1"]["退款金额"]) == ("198.00", "49.00")
    assert (told["X20270115000009"]["订单金额"], sums["订单总金额"]) == ("9.90", "207.90")
    flows, _ = await table(shop, FLOW)
    told = [(one["业务凭证号"], one["业务类型"], one["收支金额(元)"]) for one in flows]
    assert told == [
        (NUMBER, "交易", "198.00"),
        (NUMBER, "扣除交易手续费", "1.19"),
        ("R1", "退款", "48.70"),
        ("X20270115000009", "交易", "9.90"),
        ("X20270115000009", "扣除交易手续费", "0.06"),
    ]


@pytest.mark.gen_test
async def test_a_merchant_can_take_his_money_out(shop: Shop) -> None:
    await shop.paid()
    shop.pay.withdraw()
    shop.world.forward(TO_NEXT_MORNING)
    lines, sums = await table(shop, FLOW)
    assert (lines[-1]["业务类型"], lines[-1]["账户结余(元)"], sums["支出金额"]) == ("提现", "0.00", "199.00")
