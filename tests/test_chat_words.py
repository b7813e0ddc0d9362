"""What people write when they mean a word: other words, slips of the pen, and the number of a line of the help."""

import pytest

from services import vocabulary
from tests.chat_kit import active_links, one, signed_in_follower
from wxbot import words

gen = pytest.mark.gen_test(timeout=30)
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])
MEANT = {
    vocabulary.COURSES: "我的课成 课程有哪些 我想看看我的课程 在哪里上课 课陈表 cuorses 课程？谢谢",
    vocabulary.PLANETS: "知识星秋 怎么进群 我要加群 在哪里提问 进入星球吧 plenet 加入行星球",
    vocabulary.VOUCHERS: (
        "代金券 代金劵 代金卷 代券金 券 劵 领券 领劵 我要领券 怎么领代金券 有券吗？ 有没有优惠券 优惠劵 我的券 "
        "代金券怎么领 领代金卷 我的优惠卷 红包 Ｖｏｕｃｈｅｒ vocher coupon cuopon 「代金券」 领取优惠券 想要代金券"
    ),
    vocabulary.ORDERS: "我的定单 订单查寻 怎么退费 付款记录 oders 退款进度呢",
    vocabulary.FEEDBACK: "反馈 我要反馈 意见返馈 怎么投诉 打不开 提个建议 feedback",
    vocabulary.HELP: "在吗 使用帮助 联系客服 hlep 你好啊",
    vocabulary.THANKS: "谢谢老师！ 好的 OK 收到",
    vocabulary.UNLINK: "解绑 我要解绑 取消关联星球",
    vocabulary.OPT_OUT: "退订 我要退订 怎么退订？ 别再发了 不要再发了！ 取消提醒 ＴＤ",
    vocabulary.OPT_IN: "恢复通知 恢复提醒 重新订阅 打开通知 取消退订",
}
NOT_MEANT = (
    "今天天气怎么样 我的猫 不要解绑 不退订 绑星球 解邦星球 确认解邦 确认解除吧 怎么确认解绑 取消关注 取消提示 恢复通告 "
    "代 我的 课课课课"
)


@pytest.mark.parametrize(("topic", "texts"), MEANT.items(), ids=MEANT)
def test_what_people_write_is_understood(topic, texts):
    for text in texts.split():
        assert vocabulary.topic_of(text) == topic, text


def test_the_word_of_a_campaign_asks_for_vouchers_before_an_operators_own():
    for text in ("开学季", "我要开学季！", "开学季在哪里领"):
        assert vocabulary.topic_of(text, {"开学季"}, {"开学季"}) == vocabulary.VOUCHERS
    assert vocabulary.topic_of("开学季", {"开学季"}) == vocabulary.KEYWORD
    assert vocabulary.topic_of("课程", {"课程"}, {"课程"}) == vocabulary.COURSES


def test_what_undoes_something_and_what_is_near_to_two_is_not_guessed():
    for text in NOT_MEANT.split():
        assert vocabulary.topic_of(text) == vocabulary.UNKNOWN, text


def test_no_variant_is_that_of_two_topics_and_each_is_written_as_it_is_heard():
    written = [one for variants in vocabulary.VARIANTS.values() for one in variants.split()]
    assert len(written) == len(set(written)) and [vocabulary.plain(one) for one in written] == written


@gen
@SQLITE
async def test_a_slip_of_the_pen_ends_no_link(site):
    await site.buys()
    await signed_in_follower(site)
    await site.links()
    await one(site, "解绑")
    for text in ("确认解邦", "确认解榜", "确任解绑", "确认解绑吧", "确认 解 綁定"):
        assert (await one(site, text)).startswith("没太明白"), text
    assert await active_links(site) == ["anna@星球"]
    assert "已解除" in await one(site, "确 认 解 绑。")


@gen
async def test_the_number_of_a_line_of_the_help_is_heard_as_its_word(site):
    await site.buys()
    await site.phone().follow()
    shown = (await one(site, "帮助")).splitlines()[1:-2]
    assert shown == [f"{number}. {line}" for number, line in enumerate(words.HELP_LINES.values(), 1)]
    for number, line in enumerate(words.HELP_LINES.values(), 1):
        word = line.partition("：")[0]
        for text in (f"{number}", f"{number}。", f"0{number}"):
            assert await one(site, text) == await one(site, word), text
    for text in ("0", f"{len(shown) + 1}", "99"):
        assert (await one(site, text)).startswith("没太明白"), text


@gen
async def test_who_asks_for_vouchers_is_told_where_they_are_to_be(site):
    await site.phone().follow()
    for text in ("代金券", "领劵", "Coupon"):
        assert (await one(site, text)).startswith("现在还没有可以领取的代金券。")
    assert site.phone().chat_links()[-1] == f"{site.base_url}/me/vouchers"


@gen
@SQLITE
async def test_thanks_and_feedback_alone_are_answered_and_change_nothing(site):
    await site.phone().follow()
    before = await site.every_row()
    assert (await one(site, "谢谢！")).startswith("不客气")
    assert "以「反馈」开头" in await one(site, "反馈")
    assert await site.every_row() == before
