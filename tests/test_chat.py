"""The chat: every word, how people really write it, and everything that is no word."""

from datetime import timedelta

import pytest

from models.links import Membership
from services import access
from services.env import Env
from tests.chat_kit import one, said, signed_in_follower
from tests.site import COURSE, OTHER_COURSE

gen = pytest.mark.gen_test(timeout=30)
ASKS_FOR_HELP = "您可以直接回复"


@gen
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_help_is_heard_however_it_is_written(site):
    await site.phone().follow()
    for text in (
        "帮助",
        " 帮 助 ",
        "帮助！",
        "【帮助】",
        "帮助？",
        "ＨＥＬＰ",
        "Help",
        "你好",
        "在吗？",
        "怎么用",
        "？",
        "。。。",
    ):
        assert (await one(site, text)).startswith(ASKS_FOR_HELP), text


@gen
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_each_word_is_heard_however_it_is_written(site):
    await site.buys()
    await site.phone().follow()
    words = {
        "您的课程：": "课程 我的课程 ［课程］ 课程列表 COURSE 课\u200b程 课程呢 请问我的课程在哪里？ 查看课程 課程",
        "您的课程和星球：": "星球 我的星球 知识星球！ “星球” 我要进星球 星球怎么进? 星球在哪里 PLANET",
        "您在这里还没有订单": "订单 我的订单 订单列表！ 我要退款 怎么付款 申请退款 ORDER 訂單",
        "您现在没有关联星球账号": "解绑 解绑。 我要解绑 怎么解绑？ 解除关联 取消绑定 解绑吧 UNLINK 解綁 确认解绑",
    }
    for head, texts in words.items():
        for text in texts.split(" "):
            assert (await one(site, text)).startswith(head), text


@gen
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_what_nobody_understands_still_gets_a_helpful_answer(site):
    await site.phone().follow()
    texts = (
        "今天天气怎么样",
        "😀👍",
        "[微笑]",
        "<a href='x'>",
        "]]>",
        "{{7*7}}",
        "7",
        "12",
        "123456",
        "课" * 600,
        "不要解绑",
        "'; DROP",
    )
    for text in texts:
        answer = await one(site, text)
        assert answer.startswith("没太明白") and ASKS_FOR_HELP in answer, text
    assert not site.phone().chat_links()[-1].startswith("x")


@gen
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_an_empty_text_gets_help(site):
    await site.phone().follow()
    assert (await one(site, "")).startswith(ASKS_FOR_HELP)
    assert (await one(site, " 　\n")).startswith(ASKS_FOR_HELP)


@gen
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_picture_or_a_place_is_answered_and_a_spoken_word_is_heard(site):
    anna, wechat = site.phone(), site.box.wechat
    await anna.follow()
    place = {"Location_X": "31.2", "Location_Y": "121.5", "Scale": "15", "Label": "上海"}
    for kind, fields in (
        ("image", {"PicUrl": "http://mmbiz.example/p", "MediaId": "m1"}),
        ("voice", {"MediaId": "m2", "Format": "amr"}),
        ("voice", {"MediaId": "m2", "Format": "amr", "Recognition": ""}),
        ("video", {"MediaId": "m3", "ThumbMediaId": "t"}),
        ("shortvideo", {"MediaId": "m3", "ThumbMediaId": "t"}),
        ("location", place),
        ("link", {"Title": "t", "Description": "d", "Url": "http://x.example/"}),
        ("hologram", {}),
    ):
        sent = await wechat.message(anna.person, kind, fields, shown=kind)
        assert "只看得懂文字" in said(sent), kind
    for spoken, answer in (("帮助。", ASKS_FOR_HELP), ("星球。", "还没有报名课程"), ("1。", "还没有报名课程")):
        sent = await wechat.message(anna.person, "voice", {"MediaId": "m2", "Recognition": spoken}, shown="语音")
        assert answer in said(sent), spoken


@gen
async def test_who_has_no_course_reads_how_to_get_one(site):
    await site.phone().follow()
    for text in ("课程", "星球"):
        answer = await one(site, text)
        assert "还没有报名课程" in answer and "领取" in answer
    assert (await site.phone().open(site.phone().chat_links()[-1])).status == 200


@gen
async def test_courses_and_planets_are_listed_with_a_link_that_works(site):
    await site.buys()
    await site.buys(course=OTHER_COURSE)
    anna = await signed_in_follower(site)
    await one(site, "课程")
    assert anna.chat_links()[-2:] == [f"{site.base_url}/courses/{slug}" for slug in (COURSE, OTHER_COURSE)]
    answer = await one(site, "星球")
    assert "信息安全职场培训：还没有关联星球。" in answer
    assert "Python 零基础入门：星球还没有开放。" in answer, "its lecturer has not authorised it"
    for link in anna.chat_links()[-2:]:
        assert (await anna.open(link)).status == 200, link


@gen
async def test_the_list_of_planets_tells_how_each_stands(site, clock):
    await site.buys()
    anna = await signed_in_follower(site)
    site.world.faults.set("planet", "down", operation="planet.grant")
    await site.links()
    assert "：正在开通。" in await one(site, "星球")
    site.world.faults.clear()
    clock.forward(minutes=1)
    await site.delivers()
    assert "：已开通，有效期至 2027年11月22日。" in await one(site, "星球")
    assert (await anna.open(anna.chat_links()[-1])).status == 200

    await site.ctx.transact(lambda _: Membership.update(delivered_version=0, refused_code="group_closed").execute())
    assert "我们正在处理" in await one(site, "星球")
    clock.forward(days=366)
    assert "：一年答疑期已于 2027年11月22日 结束。" in await one(site, "星球")
    await site.signs_in()
    assert (await anna.open(anna.chat_links()[-1])).status == 200


@gen
@pytest.mark.parametrize("database_kind", ["sqlite"])
async def test_a_long_list_is_cut_between_courses_and_says_where_the_rest_is(site):
    mine = [
        access.CourseState(f"c{n}", f"第 {n} 门课程，" + "很长的名字" * 20, "unlinked", None, None) for n in range(20)
    ]
    answer = site.server.conversation.listings.planets_of(mine)
    assert len(answer.encode()) <= 2048
    assert answer.count("\n· ") < 8 and f'共 20 门，其余请看<a href="{site.base_url}/me">我的主页</a>。' in answer


@gen
async def test_the_state_of_a_membership_is_told_by_its_own_year(site, clock):
    """The day people read is Shanghai's: half past nine in the evening of the 22nd in London is the 23rd there."""
    clock.forward(hours=12)
    await site.buys()
    await signed_in_follower(site)
    await site.links()
    assert "有效期至 2027年11月23日" in await one(site, "星球")

    def ends(_env: Env) -> list[timedelta]:
        return [m.ends_at - clock.now() for m in Membership.select()]

    assert await site.ctx.read(ends) == [timedelta(days=365)]
