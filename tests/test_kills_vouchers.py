"""Killed while followers ask for vouchers and spend them: each has one, each is spent once, and nothing hangs."""

import asyncio

import pytest

from models.orders import Order
from models.vouchers import Redemption, Voucher
from services import orders
from tests.buy_kit import PRICES, rows
from tests.chat_kit import said
from tests.site import OTHER_COURSE
from tests.voucher_kit import campaign, mine

pytestmark = pytest.mark.soak
gen = pytest.mark.gen_test(timeout=3600)
servers = pytest.mark.parametrize("database_kind", ["postgresql", "mariadb"])


async def asks(site, name):
    """He writes 代金券; WeChat sends it again while nobody answers."""
    return said(await site.box.wechat.say(site.phone(name).person, "代金券"))


@servers
@gen
@pytest.mark.parametrize(("when", "stands"), [("before_commit", False), ("before_answer", True)])
async def test_killed_while_he_asks_he_has_one_code_and_is_told_it(mortal, rounds, when, stands):
    site = mortal.site
    await campaign(site)
    for number in range(rounds(1, soak=25)):
        name = f"asker{number}"
        await site.buys(name)
        await mortal.serves(when, "once")
        task = asyncio.create_task(asks(site, name))
        await mortal.has_died()
        assert len(await mine(site, name)) == stands
        await mortal.serves()
        answer = await task or await asks(site, name)
        (voucher,) = await mine(site, name)
        assert voucher.code in answer
        await mortal.is_killed()
    assert await site.broken() == []


@servers
@gen
@pytest.mark.parametrize(("when", "stands"), [("before_commit", False), ("after_commit", True)])
async def test_killed_while_he_orders_his_voucher_is_held_once_or_free(mortal, rounds, when, stands):
    site = mortal.site
    await campaign(site)
    for number in range(rounds(1, soak=25)):
        name = f"buyer{number}"
        await site.buys(name)
        await mortal.serves()
        await asks(site, name)
        (voucher,) = await mine(site, name)
        await site.signs_in(name, f"/courses/{OTHER_COURSE}/buy")
        await mortal.is_killed()
        await mortal.serves(when, "begin")
        with pytest.raises(Exception):  # noqa: B017 - however a browser takes a connection that ends
            await site.phone(name).submit("buy")
        await mortal.has_died()
        assert len([one for one in await rows(site, Order) if one.person_id == voucher.person_id]) == stands
        no = await site.ctx.transact(
            orders.begin, person_id=voucher.person_id, course_slug=OTHER_COURSE, click=f"{number:032x}",
            seen_fen=PRICES[OTHER_COURSE], voucher=voucher.code,
        )  # fmt: skip
        (order,) = [one for one in await rows(site, Order) if one.person_id == voucher.person_id]
        assert order.no == no and order.voucher_fen == 3000
    assert len(await rows(site, Redemption)) == len(await rows(site, Voucher)) == rounds(1, soak=25)
    assert await site.broken() == []
