"""Orders: one live one for person and course, at the price of its moment, whatever comes twice, late or forged."""

from datetime import timedelta

import pytest

from models.access import Grant
from models.catalogue import Price
from models.orders import Order, Payment
from services import money_in, orders, paying
from tests.buy_kit import (
    closes,
    comes,
    hears,
    opens,
    order_of,
    pays,
    reprice,
    rows,
    signed_in_pc,
    stands_at_checkout,
    states,
)
from tests.buy_kit import orders as orders_in_wechat
from tests.site import COURSE, OTHER_COURSE, START

gen = pytest.mark.gen_test(timeout=60)
CLICK = "0123456789abcdef" * 2


async def begin(site, *, click=CLICK, seen_fen=19900, name="anna", course=COURSE):
    """Somebody orders."""
    asked = {"course_slug": course, "click": click, "seen_fen": seen_fen}
    return await site.ctx.transact(orders.begin, person_id=await site.person_id(name), **asked)


@gen
async def test_the_same_click_makes_one_order_and_another_click_finds_the_live_one(site):
    no = await begin(site)
    before = await site.rows()
    assert await begin(site) == no == await begin(site, click="f" * 32)
    assert await site.rows() == before
    payment = await opens(site)
    await closes(site, payment)
    assert await begin(site) == no, "a form that is sent again long after makes no second order"
    assert await begin(site, click="e" * 32) != no


@gen
async def test_an_order_freezes_title_price_and_split(site):
    await begin(site)
    site.clock.forward(minutes=5)
    await reprice(site, COURSE, 29900)
    (order,) = await rows(site, Order)
    assert (order.title, order.list_fen, order.price_fen, order.split_percent) == ("信息安全职场培训", 19900, 19900, 70)
    payment = await opens(site)
    await comes(site, payment)
    assert (await states(site))["orders"] == ["paid"], "the price of the order counts, not that of the day"


@gen
async def test_a_rise_counts_from_its_very_second(site):
    await reprice(site, COURSE, 29900, from_at=START + timedelta(seconds=1))
    await site.signs_in("anna")
    no = await begin(site)
    await site.ctx.transact(lambda _env: Order.update(active_person=None).execute())
    site.clock.forward(seconds=1)
    page = await site.posts("anna", f"/courses/{COURSE}/buy", click="a" * 32, price_fen="19900")
    assert page.status == 409 and page.find("error-code").text == "price_changed" and "¥299" in page.text
    assert [one.no for one in await rows(site, Order)] == [no]
    await begin(site, click="b" * 32, seen_fen=29900)
    assert [one.price_fen for one in await rows(site, Order)] == [19900, 29900]


@gen
@pytest.mark.parametrize(
    "price", ["", "0", "-1", "1", "19901", "1e18", "199.00", "NaN", "１９９００", "99999999999", "019900"]
)
async def test_a_price_of_ones_own_buys_nothing(site, price):
    await stands_at_checkout(site)
    before = await site.rows()
    page = await site.posts("anna", f"/courses/{COURSE}/buy", click=CLICK, price_fen=price)
    expected = {409} if price in {"0", "1", "19901"} else {422}
    assert page.status in expected and await site.rows() == before


@gen
@pytest.mark.parametrize("click", ["", "0" * 31, "0" * 33, "G" * 32, "０" * 32])
async def test_a_click_has_its_shape(site, click):
    await stands_at_checkout(site)
    before = await site.rows()
    page = await site.posts("anna", f"/courses/{COURSE}/buy", click=click, price_fen="19900")
    assert page.status == 422 and await site.rows() == before


@gen
async def test_who_has_the_course_is_not_sold_it_again(site):
    await site.buys("anna")
    await site.signs_in("anna")
    before = await site.rows()
    page = await site.posts("anna", f"/courses/{COURSE}/buy", click=CLICK, price_fen="19900")
    assert page.status == 409 and page.find("error-code").text == "already_enrolled"
    page = await site.phone("anna").open(f"{site.base_url}/courses/{COURSE}/buy")
    assert page.status == 409 and await site.rows() == before
    assert not (await site.phone("anna").open(f"{site.base_url}/courses/{COURSE}")).find("buy")


@pytest.fixture
def without_pay(make_site):
    """A site that takes no money."""
    return make_site(pay_mch_id="")


@gen
async def test_where_no_pay_is_set_up_nothing_is_sold(without_pay):
    site = without_pay
    await site.signs_in("anna")
    before = await site.rows()
    page = await site.posts("anna", f"/courses/{COURSE}/buy", click=CLICK, price_fen="19900")
    assert page.status == 409 and page.find("error-code").text == "not_for_sale"
    assert not (await site.phone("anna").open(f"{site.base_url}/courses/{COURSE}")).find("buy")
    assert (await site.fetch("/wechatpay/notify", method="POST", body="{}")).code == 404
    assert await site.rows() == before


@gen
async def test_a_course_without_a_price_yet_is_not_sold(site):
    await site.signs_in("anna")
    await site.ctx.transact(lambda _env: Price.delete().execute())
    before = await site.rows()
    page = await site.phone("anna").open(f"{site.base_url}/courses/{COURSE}/buy")
    assert page.status == 409 and page.find("error-code").text == "not_for_sale"
    page = await site.posts("anna", f"/courses/{COURSE}/buy", click=CLICK, price_fen="19900")
    assert page.status == 409 and await site.rows() == before


@gen
async def test_while_wechat_is_away_the_order_stands_and_a_tap_tries_again(site):
    site.world.faults.set("pay", "down", operation="pay.jsapi")
    page = await orders_in_wechat(site)
    assert page.status == 200 and page.find("order-state").attrs["data-state"] == "unpaid"
    assert "data-pay" not in page.find("pay").attrs
    page = await site.phone("anna").submit("pay")
    assert page.status == 503 and page.find("error-code").text == "remote_away"
    site.world.faults.clear("pay")
    await site.phone("anna").open(f"{site.base_url}/orders/{(await order_of(site)).no}")
    page = await site.phone("anna").submit("pay")
    assert page.find("pay").attrs["data-pay"] and len(await rows(site, Payment)) == 1
    assert await pays(site) == "get_brand_wcpay_request:ok"
    await hears(site)
    assert (await states(site))["rights"] == ["lives"]


@gen
@pytest.mark.parametrize("fault", ["timeout_after_commit", "half", "wrong_signature", "signtest", "junk", "error"])
async def test_an_answer_that_is_lost_on_the_way_is_asked_for_again_under_the_same_number(site, fault):
    site.world.faults.set("pay", fault, operation="pay.jsapi", times=1, seconds=0.1)
    await orders_in_wechat(site)
    await site.phone("anna").submit("pay")
    assert await pays(site) == "get_brand_wcpay_request:ok"
    await hears(site)
    assert (await states(site))["payments"] == ["paid"] and len(site.box.pay.orders) == 1


@gen
async def test_a_tap_twice_opens_one_payment(site):
    await orders_in_wechat(site)
    no = (await order_of(site)).no
    for _ in range(3):
        assert (await site.posts("anna", f"/orders/{no}/pay")).status == 200
    assert len(await rows(site, Payment)) == 1


@gen
async def test_the_buyer_cancels_and_wechat_takes_no_money_for_it_any_more(site):
    page = await orders_in_wechat(site)
    await site.phone("anna").submit("cancel-order")
    assert (await states(site))["orders"] == ["closing"]
    await site.delivers()
    assert await states(site) == {"orders": ["closed"], "payments": ["closed"], "refunds": [], "rights": []}
    order = await order_of(site)
    assert site.box.pay.orders[order.no].state == "CLOSED"
    site.phone("anna").page = page
    assert (await pays(site)) == "get_brand_wcpay_request:fail"
    before = await site.rows()
    assert (await site.posts("anna", f"/orders/{order.no}/pay")).status == 409
    assert (await site.posts("anna", f"/orders/{order.no}/cancel")).status == 409
    assert await site.rows() == before


@gen
async def test_what_was_paid_just_before_the_close_is_heard_by_it(site):
    await orders_in_wechat(site)
    await pays(site)
    order = await order_of(site)
    await site.ctx.transact(lambda env: orders.close(env, Order.get_by_id(order.id)))
    await site.delivers()
    assert await states(site) == {"orders": ["paid"], "payments": ["paid"], "refunds": [], "rights": ["lives"]}
    await hears(site)
    assert await site.broken() == []


@gen
@pytest.mark.parametrize("operation", ["pay.query", "pay.close"])
async def test_while_wechat_is_away_an_order_goes_on_closing(site, operation):
    await orders_in_wechat(site)
    site.world.faults.set("pay", "down", operation=operation)
    for _ in range(3):
        site.clock.forward(minutes=31)
        await paying.look_due(site.ctx)
        await site.delivers()
    assert (await states(site))["orders"] == ["closing"]
    site.world.faults.clear("pay")
    site.clock.forward(hours=2)
    await site.delivers()
    assert (await states(site))["orders"] == ["closed"] and await site.broken() == []


@gen
async def test_money_whose_notice_never_comes_is_found_by_asking(site):
    site.world.faults.set("pay", "lost", operation="pay.notice")
    await orders_in_wechat(site)
    await pays(site)
    await hears(site)
    assert (await states(site))["orders"] == ["unpaid"]
    site.clock.forward(seconds=5)
    await paying.look_due(site.ctx)
    assert (await states(site))["orders"] == ["paid"] and await site.broken() == []


@gen
async def test_wechat_is_asked_less_and_less_often(site):
    payment = await opens(site)
    asked = []
    for second in range(0, 1801):
        site.clock.moment = START + timedelta(seconds=second)
        asked += [second] if await site.ctx.transact(paying.due) else []
    assert asked == [5, 30, 60, 180, 300, 600, 1800] and payment.look_at == START + timedelta(seconds=5)


@gen
async def test_a_client_that_says_paid_is_not_believed(site):
    await orders_in_wechat(site)
    before = await site.rows()
    no = (await order_of(site)).no
    for path in ("/order/paid", f"/orders/{no}/paid"):
        assert (await site.posts("anna", path)).status == 404
    page = await site.posts("anna", f"/orders/{no}/check", state="SUCCESS", paid="1")
    assert page.find("order-state").attrs["data-state"] == "unpaid" and await site.rows() == before


@gen
async def test_the_list_of_orders_is_the_persons_own(site):
    await orders_in_wechat(site)
    page = await site.phone("anna").open(f"{site.base_url}/me/orders")
    assert page.find("order-state").attrs["data-state"] == "unpaid"
    await site.signs_in("bob")
    assert "还没有订单" in (await site.phone("bob").open(f"{site.base_url}/me/orders")).text


@gen
async def test_a_pc_and_a_phone_may_both_offer_to_pay_one_order(site):
    await orders_in_wechat(site)
    order = await order_of(site)
    pc = await signed_in_pc(site)
    await pc.open(f"{site.base_url}/orders/{order.no}")
    page = await pc.submit("pay")
    assert page.find("pay").tag == "img"
    kinds = sorted((one.trade_type, one.out_trade_no == order.no) for one in await rows(site, Payment))
    assert kinds == [("JSAPI", True), ("NATIVE", False)]
    picture = await pc.fetch("GET", f"{site.base_url}/orders/{order.no}/qr.svg")
    assert picture.code == 200 and picture.headers["Content-Type"] == "image/svg+xml"
    await pays(site)
    await hears(site)
    await site.delivers()
    assert sorted((await states(site))["payments"]) == ["closed", "paid"], "the other way is closed"
    assert (await pc.fetch("GET", f"{site.base_url}/orders/{order.no}/qr.svg")).code == 404


@gen
async def test_nothing_is_paid_in_the_last_minute_of_an_order(site):
    await orders_in_wechat(site)
    site.clock.forward(minutes=29)
    no = (await order_of(site)).no
    page = await site.phone("anna").open(f"{site.base_url}/orders/{no}")
    assert not page.find("pay")
    assert (await site.posts("anna", f"/orders/{no}/pay")).status == 409


@gen
async def test_no_row_moves_against_its_table(site):
    payment = await opens(site)
    await comes(site, payment)
    order = (await rows(site, Order))[0]
    before = await site.rows()
    for state in ("unpaid", "closing", "closed", "paid"):
        assert not await site.ctx.transact(lambda _env, to=state: Order.get_by_id(order.id).move(to))
    await site.ctx.transact(money_in.note_closed, payment_id=payment.id)
    assert await site.rows() == before and len(await rows(site, Grant)) == 1


@gen
async def test_another_course_is_another_order(site):
    first, second = await begin(site), await begin(site, click="d" * 32, seen_fen=9900, course=OTHER_COURSE)
    assert first != second and len(await rows(site, Order)) == 2


@gen
async def test_an_order_with_money_that_is_held_says_so_wherever_it_is_shown(site):
    payment = await opens(site)
    await comes(site, payment, total_fen=1)
    await site.signs_in("anna")
    page = await site.phone("anna").open(f"{site.base_url}/me/orders")
    assert page.find("order-state").attrs["data-state"] == "held"
    assert "人工核对" in (await site.phone("anna").open(f"{site.base_url}/orders/{payment.order.no}")).text
