"""订单 in the chat: what he has bought here, how it stands, and where to go."""

import pytest

from tests.buy_kit import buys, opens
from tests.chat_kit import one
from tests.site import COURSE, OTHER_COURSE

gen = pytest.mark.gen_test(timeout=30)
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])


@SQLITE
@gen
async def test_each_order_is_named_with_its_state_and_its_page(site):
    await site.phone().follow()
    paid = await buys(site)
    unpaid = (await opens(site, course=OTHER_COURSE)).order
    said = await one(site, "订单")
    assert said.splitlines() == [
        "您的订单：",
        f'· Python 零基础入门：待付款。<a href="{site.base_url}/orders/{unpaid.no}">去付款</a>',
        f'· 信息安全职场培训：已支付。<a href="{site.base_url}/orders/{paid.no}">查看</a>',
    ]
    await site.posts("anna", f"/orders/{paid.no}/refund")
    assert "信息安全职场培训：退款处理中" in await one(site, "退款")
    page = await site.phone().open(site.phone().chat_links()[-1])
    assert page.status == 200 and page.url.endswith(paid.no)


@SQLITE
@gen
async def test_another_persons_orders_are_not_told(site):
    await site.phone("bob").follow()
    await buys(site, "anna", course=COURSE)
    assert (await one(site, "订单", "bob")).startswith("您在这里还没有订单")
