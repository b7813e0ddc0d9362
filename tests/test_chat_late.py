"""Answers that take too long, news that comes by itself, and what WeChat does not let through."""

import asyncio

import pytest

from clients.wechat_heard import Heard
from models.delivery import ChatNotice
from sandbox.wechat_chat import TWO_DAYS
from services import notices
from tests.chat_kit import (
    Away,
    Gated,
    active_links,
    customer_messages,
    last_push,
    link_more,
    one,
    said,
    second_door,
    signed_in_follower,
)

gen = pytest.mark.gen_test(timeout=30)
OPENED = "「信息安全星球」已开通"
ONLY_SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])


async def tell(site, *texts: str) -> None:
    """News for Anna, that WeChat does not let through; the chat has looked who has something to read."""
    site.box.account.chats.triggers["message"] = (0, TWO_DAYS)
    site.clock.forward(days=3)
    person_id = await site.person_id()
    for text in texts:
        await site.ctx.transact(notices.tell, person_id=person_id, text=text)
    await site.delivers()
    await site.server.conversation.renew_waiting()


async def says_slowly(site, text: str, rows: Gated | None = None) -> None:
    """Anna writes while the rows are slow: WeChat is told `success` in time, the work ends after that."""
    rows = rows or Gated(site)
    async with second_door(site, rows, answer_within=0.02):
        assert await site.phone().say(text) == []
        assert len(last_push(site).tries) == 1 and last_push(site).answered, "heard, and not sent again"
        rows.gate.set()


@gen
async def test_a_slow_answer_comes_later_as_a_message(site):
    await signed_in_follower(site)
    await link_more(site, account="夜行的灯塔")
    for text in ("解绑", "确认解绑", "星球"):
        await says_slowly(site, text)
        assert await site.delivers() == 1
    meaning, done, planets = customer_messages(site)
    assert "确认解绑" in meaning and "已解除" in done and "还没有报名课程" in planets
    assert await active_links(site) == []
    assert await site.delivers() == 0 and len(customer_messages(site)) == 3


@gen
@ONLY_SQLITE
async def test_a_slow_answer_also_reaches_whom_nobody_knows_yet(site):
    site.box.account.chats.fan(site.phone().person).follows = True  # before this account had a bot
    await says_slowly(site, "解绑")
    await site.delivers()
    assert ["不需要解绑" in text for text in customer_messages(site)] == [True]


@gen
@ONLY_SQLITE
async def test_a_regret_for_one_copy_does_not_hide_what_another_has_done(site):
    await signed_in_follower(site)
    heard = Heard("gh_1", site.phone().openid, 1, "text", "1", content="确认解绑")
    for text in ("刚才没有办成。", "已解除。", "刚才没有办成。", "已解除。"):
        await site.server.conversation.late(heard, text)
    await site.delivers()
    assert customer_messages(site) == ["刚才没有办成。", "已解除。"]


class SlowThenAway(Away, Gated):
    """Rows that keep everybody waiting and then are gone."""

    async def write(self, call):
        await self.waits()
        return await Away.write(self, call)


@gen
@ONLY_SQLITE
async def test_slow_work_that_fails_is_not_passed_over_in_silence(site):
    await signed_in_follower(site)
    await link_more(site, account="夜行的灯塔")
    rows = SlowThenAway(site)
    await says_slowly(site, "解绑", rows)
    assert customer_messages(site) == ["刚才没有办成，请再试一次。"]


@gen
async def test_the_news_of_a_link_comes_when_the_planet_has_confirmed(site, clock):
    await site.buys()
    await signed_in_follower(site)
    await one(site, "你好")
    site.world.faults.set("planet", "down", operation="planet.grant")
    await site.links()
    await site.delivers()
    assert customer_messages(site) == []
    site.world.faults.clear()
    clock.forward(minutes=1)
    await site.delivers()
    (news,) = customer_messages(site)
    assert news.startswith(OPENED) and "2027" in news
    clock.forward(hours=1)
    assert await site.delivers() == 0 and len(customer_messages(site)) == 1


@gen
@ONLY_SQLITE
async def test_news_waits_while_wechat_is_down(site, clock):
    await site.buys()
    await signed_in_follower(site)
    await one(site, "你好")
    site.world.faults.set("wechat", "down", operation="custom.send")
    await site.links()
    await site.delivers()
    site.world.faults.clear()
    clock.forward(minutes=1)
    await site.delivers()
    assert [text[: len(OPENED)] for text in customer_messages(site)] == [OPENED]


@gen
@pytest.mark.parametrize("code", [45015, 45047])
async def test_what_wechat_holds_back_is_read_once_with_the_next_word(site, clock, code):
    await site.buys()
    await signed_in_follower(site)
    if code == 45047:
        site.box.account.chats.triggers["message"] = (0, TWO_DAYS)
        await one(site, "你好")
    clock.forward(minutes=2)  # what following allowed is over
    await site.links()
    await site.delivers()
    assert customer_messages(site) == []
    assert str(code) in site.world.journal.entries(operation="custom.send")[-1].response

    await site.server.conversation.renew_waiting()
    answer = await one(site, "帮助")
    assert answer.startswith(OPENED) and "您可以直接回复" in answer
    shown = last_push(site)
    for text in ("帮助", "星球", "呵呵"):
        assert OPENED not in await one(site, text)
    await site.server.conversation.renew_waiting()
    assert OPENED not in await one(site, "帮助")
    assert said(await site.box.wechat.pushes.send_again(shown)) == answer, "the first answer may have been lost"
    clock.forward(minutes=5)
    await site.server.conversation.renew_waiting()
    assert site.server.conversation.waiting == set(), "back to the path that touches no store"


@gen
async def test_of_two_words_at_once_one_shows_the_news(site):
    await signed_in_follower(site)
    await tell(site, "退款已到账。")
    answers = await asyncio.gather(
        *(site.box.wechat.say(site.phone().person, text) for text in ("帮助", "课程", "解绑"))
    )
    assert sum(said(sent).count("退款已到账") for sent in answers) == 1
    assert all(said(sent) for sent in answers)


@gen
@ONLY_SQLITE
async def test_news_that_does_not_fit_waits_for_the_word_after(site):
    await signed_in_follower(site)
    news = [f"第 {number} 条消息：" + "很长" * 130 for number in range(1, 6)]
    await tell(site, *news)
    first = await one(site, "帮助")
    assert [text for text in news if text in first] == news[:2]
    assert "您可以直接回复" in first and len(first.encode()) <= 2048
    second, third = await one(site, "帮助"), await one(site, "帮助")
    assert [text for text in news if text in second] == news[2:4]
    assert [text for text in news if text in third] == news[4:]


@gen
@ONLY_SQLITE
async def test_news_too_long_for_any_answer_is_shown_shortened(site):
    await signed_in_follower(site)
    await tell(site, "\n".join(f"第 {number} 行：" + "很长" * 20 for number in range(15)))
    answer = await one(site, "帮助")
    assert answer.startswith("第 0 行") and "您可以直接回复" in answer and len(answer.encode()) <= 2048
    assert (await one(site, "帮助")).startswith("您可以直接回复")


@gen
@ONLY_SQLITE
async def test_without_rows_news_waits_on_and_help_is_answered(site):
    await signed_in_follower(site)
    await tell(site, "退款已到账。")
    rows = Away(site)
    async with second_door(site, rows) as second:
        second.conversation.waiting = {site.phone().openid}
        assert (await one(site, "帮助")).startswith("您可以直接回复")
        assert "正在维护" in await one(site, "星球")
        assert "暂时无法提供服务" in await one(site, "解绑")
        rows.is_away = False
        assert (await one(site, "帮助")).startswith("退款已到账。")


@gen
@ONLY_SQLITE
async def test_news_that_was_told_long_ago_is_forgotten(site, clock):
    await signed_in_follower(site)
    await tell(site, "退款已到账。", "代金券已发放。")
    await one(site, "帮助")
    await tell(site, "还没有读过。")
    clock.forward(days=29)
    assert await site.ctx.transact(notices.forget_old) == 2
    assert await site.ctx.read(lambda _: [notice.text for notice in ChatNotice.select()]) == ["还没有读过。"]
