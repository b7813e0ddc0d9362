"""代金券 in the chat: the same codes on every ask, or why there are none; a campaign's own word; the reminder (V4)."""

import asyncio
from datetime import timedelta

import pytest

from models.people import Identity
from models.vouchers import Voucher
from services import campaigns, notices, voucher_reminders
from tests.buy_kit import buys, passes, reprice, rows
from tests.chat_kit import one
from tests.site import COURSE, OTHER_COURSE, START
from tests.voucher_kit import begins, campaign, has_code, mine, rises

gen = pytest.mark.gen_test(timeout=60)
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])


async def learner(site, name="anna"):
    """Somebody follows the account and has paid for the course elsewhere."""
    await site.phone(name).follow()
    await site.buys(name)


@gen
async def test_the_same_code_on_every_ask_in_the_chat_and_on_the_page(site):
    await campaign(site, title="两周报名礼")
    await learner(site)
    said = {await one(site, text) for text in ("代金券", "券", "领券", "代金劵", "Voucher", "我要领代金券")}
    assert len(said) == 1
    (voucher,) = await mine(site)
    assert said.pop().splitlines() == [
        "您的代金券：",
        f"· ¥30 两周报名礼：{voucher.code}（2027年1月21日前有效）",
        f'下单时选用即可，能买哪些课程见<a href="{site.base_url}/me/vouchers">我的代金券</a>。',
    ]
    assert voucher.code in (await site.signs_in("anna", "/me/vouchers")).text
    assert await site.broken() == []


@gen
async def test_chat_and_page_at_the_same_moment_give_one(site):
    await campaign(site)
    await learner(site)
    await site.signs_in("anna", "/me/vouchers")
    said, page = await asyncio.gather(one(site, "代金券"), site.posts("anna", "/me/vouchers"))
    (voucher,) = await mine(site)
    assert voucher.code in said and page.status == 200
    assert voucher.code in (await site.phone().open(f"{site.base_url}/me/vouchers")).text


@SQLITE
@gen
async def test_who_is_not_entitled_is_told_why_and_what_it_takes(site):
    await rises(site, fen=19900, before_days=10)
    await campaign(site, slug="rise", kind="price_rise", course=COURSE, title="调价礼", enrol_days=14)
    await site.phone().follow()
    before = await site.rows()
    said = await one(site, "代金券")
    assert "· 调价礼 ¥30：没有查到您付款报名「信息安全职场培训」的记录" in said
    assert "2027年1月21日前付款报名「信息安全职场培训」即可领取" in said and "领取链接" in said
    assert await site.rows() == before


@SQLITE
@gen
async def test_only_what_he_can_still_do_is_said_to_entitle_him(site):
    await rises(site, fen=19900, before_days=10)
    await campaign(site, slug="rise", kind="price_rise", course=COURSE, title="调价礼", enrol_days=14)
    await site.phone().follow()
    await reprice(site, COURSE, 16900)
    assert "2026年12月5日前付款报名「信息安全职场培训」即可领取" in await one(site, "代金券"), "at the old price"
    site.clock.forward(days=15)
    assert "没有查到您付款报名「信息安全职场培训」的记录。" in await one(site, "代金券")
    await buys(site)
    assert "即可领取" not in await one(site, "代金券"), "he has the course, and cannot enrol again"


@SQLITE
@gen
async def test_without_a_campaign_he_is_told_what_to_do(site):
    await site.phone().follow()
    assert (await one(site, "代金券")).startswith("现在还没有可以领取的代金券")


@SQLITE
@gen
async def test_a_campaigns_own_word_is_heard_within_a_look_and_so_is_another(site):
    await campaign(site, word="开学礼")
    await learner(site)
    await site.server.look_round()
    (code,) = {(await one(site, text)) for text in ("开学礼", " 开学礼！", "代金券")}
    assert "· ¥30 " in code
    await site.ctx.transact(campaigns.change, slug="thanks", word="年终礼")
    await site.server.look_round()
    assert await one(site, "年终礼") == code and await one(site, "开学礼") != code


@SQLITE
@gen
async def test_each_state_is_told_and_what_is_over_is_not(site):
    await site.phone().follow()
    held, spent = await has_code(site), await has_code(site, fen=19900)
    await begins(site, voucher=held)
    await begins(site, voucher=spent, course=COURSE)
    said = await one(site, "代金券")
    assert f"{held}（正用在待付款的订单上，" in said and spent not in said
    await passes(site, days=61)
    assert held not in await one(site, "代金券")


@SQLITE
@gen
async def test_what_was_bought_here_earns_at_once(site):
    await campaign(site, course=OTHER_COURSE)
    await site.phone().follow()
    await buys(site, course=OTHER_COURSE)
    assert "· ¥30 " in await one(site, "代金券")
    assert len(await rows(site, Voucher)) == 1


@gen
async def test_a_week_before_its_end_he_is_reminded_once(site):
    code = await has_code(site, ends=START + timedelta(days=30))
    site.clock.forward(days=23, seconds=-1)
    assert await voucher_reminders.remind(site.ctx) == 0
    site.clock.forward(seconds=1)
    assert [await voucher_reminders.remind(site.ctx) for _ in range(2)] == [1, 0]
    await site.delivers()
    assert any(code in text and "2026年12月22日到期" in text for text in await told(site))
    assert await voucher_reminders.remind(site.ctx) == 0


@gen
async def test_two_processes_that_found_the_same_one_remind_of_it_once(site):
    await has_code(site, ends=START + timedelta(days=5))
    found = await site.ctx.read(voucher_reminders.ending)
    assert [await site.ctx.transact(voucher_reminders.remind_some, ids=found) for _ in range(2)] == [1, 0]
    assert len(await told(site)) == 1


@SQLITE
@gen
async def test_a_person_with_two_accounts_has_one_voucher(site):
    await campaign(site)
    await learner(site)
    await site.phone("anna2").follow()
    person_id = await site.person_id()
    other = Identity.uid == site.phone("anna2").openid
    await site.ctx.transact(lambda _env: Identity.update(person=person_id).where(other).execute())
    assert await one(site, "代金券") == await one(site, "代金券", name="anna2")
    assert len(await rows(site, Voucher)) == 1


async def told(site):
    """Everything that was written into chats."""
    return [one.text for one in await rows(site, notices.ChatNotice)]


@SQLITE
@gen
async def test_nobody_is_reminded_of_what_he_has_spent_or_what_is_over(site):
    code = await has_code(site, fen=9900, ends=START + timedelta(days=5))
    await begins(site, voucher=code)
    await has_code(site, "bert", ends=START + timedelta(days=5))
    site.clock.forward(days=5)
    assert await voucher_reminders.remind(site.ctx) == 0 and await told(site) != [code]
