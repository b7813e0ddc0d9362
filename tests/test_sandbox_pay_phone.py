"""People pay on the sandbox's phones: what the cashier lets through, and what it says when it does not."""

import json
from collections.abc import Iterator

import pytest
from tornado.ioloop import IOLoop

from sandbox.pay_orders import PayNo
from tests.sandbox_pay_kit import NUMBER, Shop, running

OK, CANCEL, FAIL = (f"get_brand_wcpay_request:{how}" for how in ("ok", "cancel", "fail"))


@pytest.fixture
def shop(io_loop: IOLoop) -> Iterator[Shop]:
    """A merchant and his WeChat Pay."""
    with running(io_loop) as shop:
        yield shop


def why(shop: Shop) -> str:
    """The reason of the last fail."""
    entry = shop.world.journal.entries("pay", "pay.cashier")[-1]
    return json.loads(entry.response).get("err_desc", "")


async def page_of(shop: Shop, **changes: object) -> None:
    """Anna stands before the pay button of a fresh order."""
    _, made = await shop.order()
    await shop.opens(shop.bridge(made["prepay_id"], **changes))


@pytest.mark.gen_test
async def test_a_tap_pays_and_the_merchant_is_told(shop: Shop) -> None:
    await page_of(shop)
    assert await shop.anna.pay() == OK
    order = shop.pay.orders[NUMBER]
    assert (order.state, order.openid, order.paid_fen, order.paid_at) == ("SUCCESS", shop.anna.openid, 19900, 1.8e9)
    assert [one.kind for one in shop.pay.notices.waiting] == ["TRANSACTION.SUCCESS"]
    assert shop.pay.balance_fen == 19900 - 119, "0.6 % of 199 yuan is 119.4 fen"


@pytest.mark.gen_test
async def test_a_tap_on_the_cross_pays_nothing(shop: Shop) -> None:
    await page_of(shop)
    assert await shop.anna.pay("cancel") == CANCEL
    assert shop.pay.orders[NUMBER].state == "NOTPAY" and shop.pay.notices.waiting == []
    assert await shop.anna.pay() == OK, "the same page can be tapped again"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nonceStr": ""}, "缺少参数：nonceStr"),
        ({"timeStamp": 1800000000}, "缺少参数：timeStamp"),
        ({"signType": "MD5"}, "支付验证签名失败"),
        ({"package": "prepay=wx1"}, "支付验证签名失败"),
        ({"package": "prepay_id=wx1"}, "商家参数格式有误"),
        ({"appId": "wx0000000000000000"}, "商家参数格式有误"),
    ],
)
@pytest.mark.gen_test
async def test_a_page_with_wrong_fields_opens_nothing(shop: Shop, change, words) -> None:
    await page_of(shop, **change)
    assert await shop.anna.pay() == FAIL
    assert words in why(shop) and shop.pay.orders[NUMBER].state == "NOTPAY"


@pytest.mark.parametrize("name", ["appId", "timeStamp", "nonceStr", "package", "paySign"])
@pytest.mark.gen_test
async def test_each_signed_field_is_covered_by_the_signature(shop: Shop, name) -> None:
    _, made = await shop.order()
    fields = shop.bridge(made["prepay_id"])
    await shop.opens(fields | {name: fields[name] + "0"})
    assert await shop.anna.pay() == FAIL
    assert why(shop) == "支付验证签名失败"


@pytest.mark.gen_test
async def test_only_the_person_of_the_order_pays_it_inside_wechat(shop: Shop) -> None:
    _, made = await shop.order()
    bob = await shop.opens(shop.bridge(made["prepay_id"]), shop.box.phone("bob"))
    assert await bob.pay() == FAIL
    assert "下单账号与支付账号不一致" in why(shop) and shop.pay.orders[NUMBER].state == "NOTPAY"


@pytest.mark.gen_test
async def test_a_page_pays_once(shop: Shop) -> None:
    await page_of(shop)
    assert [await shop.anna.pay(), await shop.anna.pay()] == [OK, FAIL]
    assert why(shop) == "该订单已支付" and len(shop.pay.notices.history) == 1


@pytest.mark.parametrize(("seconds", "words"), [(7199, ""), (7200, "支付请求已失效")])
@pytest.mark.gen_test
async def test_a_prepay_is_good_for_two_hours(shop: Shop, seconds, words) -> None:
    await page_of(shop)
    shop.world.forward(seconds)
    assert (await shop.anna.pay() == FAIL) == bool(words)
    assert why(shop).startswith(words)


@pytest.mark.gen_test
async def test_an_order_that_is_closed_or_over_is_not_paid(shop: Shop) -> None:
    _, made = await shop.order(time_expire="2027-01-15T16:30:00+08:00")
    await shop.opens(shop.bridge(made["prepay_id"]))
    shop.world.forward(30 * 60)
    assert await shop.anna.pay() == FAIL and why(shop) == "该订单已过期，请重新下单"
    await shop.close()
    assert await shop.anna.pay() == FAIL and why(shop) == "该订单已关闭"


@pytest.mark.gen_test
async def test_pages_outside_the_registered_folders_open_nothing(shop: Shop) -> None:
    shop.own.page_folders = ["http://127.0.0.1:1/"]
    await page_of(shop)
    assert await shop.anna.pay() == FAIL and why(shop).startswith("当前页面的URL未注册")


@pytest.mark.gen_test
async def test_outside_wechat_and_without_a_button_there_is_no_cashier(shop: Shop) -> None:
    await page_of(shop)
    shop.anna.kind = "safari"
    with pytest.raises(LookupError, match="safari"):
        await shop.anna.pay()
    shop.anna.kind, shop.page = "wechat", "<button data-role='pay'>微信支付</button>"
    await shop.anna.open(shop.url)
    with pytest.raises(LookupError, match="nothing on"):
        await shop.anna.pay()


@pytest.mark.gen_test
async def test_whoever_scans_a_payment_qr_sees_the_price_and_pays(shop: Shop) -> None:
    _, made = await shop.order("native")
    bob = shop.box.phone("bob")
    page = await bob.scan(made["code_url"])
    assert page.find("cashier-amount").text == "¥199.00"
    assert page.find("cashier-description").text == "信息安全职场培训"
    assert shop.pay.orders[NUMBER].state == "NOTPAY", "looking changes nothing"
    page = await bob.tap("sandbox-pay")
    order = shop.pay.orders[NUMBER]
    assert "支付成功" in page.text and (order.state, order.openid) == ("SUCCESS", bob.openid)
    page = await shop.anna.scan(made["code_url"])
    assert page.find("cashier-why").text == "该订单已支付"


@pytest.mark.gen_test
async def test_a_scanned_payment_can_be_cancelled_and_an_old_code_says_so(shop: Shop) -> None:
    _, made = await shop.order("native")
    await shop.anna.scan(made["code_url"])
    assert "已取消" in (await shop.anna.tap("sandbox-cancel")).text
    page = await shop.anna.scan(made["code_url"])
    assert page.find("sandbox-pay"), "cancelling closes nothing"
    shop.world.forward(7200)
    page = await shop.anna.tap("sandbox-pay")
    assert "支付请求已失效" in page.find("cashier-why").text and shop.pay.orders[NUMBER].state == "NOTPAY"
    assert "商家参数格式有误" in (await shop.anna.scan("weixin://wxpay/bizpayurl?pr=nothing")).text


@pytest.mark.gen_test
async def test_only_the_form_that_a_phone_was_shown_pays(shop: Shop) -> None:
    _, made = await shop.order("native")
    page = await shop.anna.scan(made["code_url"])
    page = await shop.anna.post(page.url, {"act": "pay", "token": "0" * 64})
    assert "请重新扫码" in page.text
    page = await shop.box.phone("bob").open(page.url)
    shop.box.phone("bob").kind = "safari"
    assert "手机扫码" in (await shop.box.phone("bob").open(page.url)).text
    assert shop.pay.orders[NUMBER].state == "NOTPAY"


@pytest.mark.gen_test
async def test_tests_pay_by_a_plain_call_also_a_wrong_amount(shop: Shop) -> None:
    await shop.order()
    order = shop.pay.pays(NUMBER, shop.box.phone("bob").person, amount_fen=1)
    assert (order.paid_fen, order.openid) == (1, shop.box.phone("bob").openid)
    assert (await shop.query())[1]["amount"]["total"] == 1
    with pytest.raises(PayNo, match="ORDERPAID"):
        shop.pay.pays(NUMBER, shop.anna.person)
    with pytest.raises(PayNo, match="ORDER_NOT_EXIST"):
        shop.pay.pays("nothing", shop.anna.person)


@pytest.mark.parametrize(("percent", "fee"), [(0.6, 1), (1, 1), (0.38, 0), (0, 0)])
def test_the_fee_is_rounded_half_up(shop: Shop, percent, fee) -> None:
    shop.pay.fee_percent = percent
    assert shop.pay.fee_of(84) == fee
    assert shop.pay.fee_of(0) == 0
