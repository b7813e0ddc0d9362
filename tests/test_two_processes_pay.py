"""One payment of which WeChat Pay tells two serving processes fifteen times at once: one effect, answered alike."""

import asyncio

import pytest

from models.access import Grant
from models.delivery import InboxItem
from models.journal import JournalEntry
from models.orders import PAID, Order
from tests import test_two_processes
from tests.attack_kit import Answer, ask
from tests.pay_load import transaction, unpaid
from tests.site import Site
from tests.test_two_processes import count, either

pytestmark = pytest.mark.gen_test(timeout=120)
COPIES = 15
doors = test_two_processes.doors


async def told_at_once(doors: list[Site]) -> list[Answer]:
    """Fifteen copies of one notice, each signed anew, by turns to either process."""
    site, notices = doors[0], doors[0].box.pay.notices
    ((number, openid),) = await site.ctx.transact(unpaid, times=1)
    who = {"number": number, "openid": openid}
    told = transaction(site.world, notices.settings, site.box.account.settings.app_id, **who)
    letter = notices.tell("TRANSACTION.SUCCESS", "", told, about=number)
    copies = [notices.wire(letter) for _ in range(COPIES)]
    return await asyncio.gather(
        *(
            ask(doors[one % 2], "/wechatpay/notify", "POST", body=body, **headers)
            for one, (headers, body) in enumerate(copies)
        )
    )


@either
async def test_a_notice_that_comes_to_both_fifteen_times_at_once_pays_once(doors):
    answers = await told_at_once(doors)
    assert {(one.status, one.body) for one in answers} == {(204, b"")}
    site = doors[0]
    assert await count(site, InboxItem, JournalEntry, Grant) == [1, 1, 1]
    assert await site.ctx.read(lambda _env: Order.get().state) == PAID
    assert await site.broken() == []
