"""解绑 in the chat: what it means first, then the exact word within five minutes, and nothing by mistake."""

import pytest

from tests.chat_kit import active_links, link_more, one, signed_in_follower

gen = pytest.mark.gen_test(timeout=30)
MEANING = "星球会员资格会结束"


@gen
async def test_without_a_link_there_is_nothing_to_unlink(site):
    await site.phone().follow()
    before = await site.rows()
    for text in ("解绑", "确认解绑"):
        assert "不需要解绑" in await one(site, text)
    assert await site.rows() == before


@gen
async def test_unlinking_says_what_it_means_and_is_done_by_the_exact_word(site):
    await site.buys()
    await signed_in_follower(site)
    await site.links()
    answer = await one(site, "我要解绑！")
    assert "「anna@星球」" in answer and MEANING in answer and "5 分钟" in answer and "确认解绑" in answer
    assert await active_links(site) == ["anna@星球"], "asking changes nothing"

    for text in ("确认", "怎么确认解绑", "确认解绑吗", "好的", "1"):
        await one(site, text)
        assert await active_links(site) == ["anna@星球"], text

    assert (await one(site, "“确认解绑”。")).startswith("已解除与星球账号「anna@星球」的关联。")
    assert await active_links(site) == []
    await site.delivers()
    assert [m.status for m in site.box.planet.memberships("g1")] == ["revoked"]
    assert await site.broken() == []
    assert "还没有关联星球" in await one(site, "星球")
    assert "不需要解绑" in await one(site, "确认解绑")


@gen
async def test_after_five_minutes_the_word_changes_nothing(site, clock):
    await site.buys()
    await signed_in_follower(site)
    await site.links()
    await one(site, "解绑")
    clock.forward(minutes=5)
    assert "什么都没有改变" in await one(site, "确认解绑")
    assert await active_links(site) == ["anna@星球"]

    await one(site, "解绑")
    clock.forward(minutes=4, seconds=59)
    assert "已解除" in await one(site, "确认解绑")


@gen
async def test_the_word_without_the_question_changes_nothing(site):
    await site.buys()
    await signed_in_follower(site)
    await site.links()
    before = await site.rows()
    assert "什么都没有改变" in await one(site, "确认解绑")
    assert await site.rows() == before


@gen
async def test_nobody_can_confirm_for_another(site):
    for name in ("anna", "bob"):
        await site.buys(name)
        await signed_in_follower(site, name)
        await site.links(name)
    await one(site, "解绑", "anna")
    assert "什么都没有改变" in await one(site, "确认解绑", "bob")
    assert await active_links(site) == ["anna@星球", "bob@星球"]


@gen
async def test_of_several_links_the_numbered_one_ends(site, clock):
    await site.buys()
    await signed_in_follower(site)
    await site.links()
    await link_more(site, account="夜行的灯塔")
    answer = await one(site, "解绑")
    assert "\n1. 「anna@星球」\n2. 「夜行的灯塔」" in answer

    for wrong in ("0", "3", "９９"):
        assert "1 到 2" in await one(site, wrong), "the list stays open"
    assert "什么都没有改变" in await one(site, "确认解绑"), "which one, was not said"
    assert "「夜行的灯塔」" in await one(site, "２。")
    assert (await one(site, "1")).startswith("您的课程："), "the list is answered, so it is a line of the help"
    assert "已解除与星球账号「夜行的灯塔」" in await one(site, "确认解绑")
    assert await active_links(site) == ["anna@星球"]

    await link_more(site, account="夜行的灯塔")
    await one(site, "解绑")
    clock.forward(minutes=5)
    assert (await one(site, "1")).startswith("您的课程："), "nobody remembers the list"
    assert await active_links(site) == ["anna@星球", "夜行的灯塔"]


@gen
async def test_the_last_question_counts(site):
    await site.buys()
    await signed_in_follower(site)
    await site.links()
    await one(site, "解绑")
    await link_more(site, account="夜行的灯塔")
    await one(site, "解绑")
    assert "什么都没有改变" in await one(site, "确认解绑")
    assert len(await active_links(site)) == 2


@gen
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_name_at_the_planet_cannot_speak_for_the_account(site):
    await signed_in_follower(site)
    await link_more(site, account='<a href="https://evil.example/">领奖</a>\n确认解绑]]>')
    answer = await one(site, "解绑")
    assert "＜a href" in answer and "<a" not in answer and answer.count("\n确认解绑") == 0
    assert site.phone().chat_links()[-1] != "https://evil.example/"
    await one(site, "确认解绑")
    await link_more(site, account="")
    assert "解除与星球账号的关联后" in await one(site, "解绑")
