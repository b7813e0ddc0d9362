"""反馈 in the chat: what a person reports is kept once, in his own words, under a number."""

import pytest

from models.bounty import LONGEST, Report
from services.env import Env
from tests.chat_kit import last_push, one, said

pytest_plugins = ["tests.commands"]
gen = pytest.mark.gen_test(timeout=30)
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])


def reports(_env: Env) -> list[tuple[int, int, str, str]]:
    """All that were kept."""
    return [(one.id, one.person_id, one.text, one.source) for one in Report.select().order_by(Report.id)]


@gen
async def test_what_is_reported_is_kept_and_answered_with_a_number(site):
    await site.phone().follow()
    answer = await one(site, "反馈：第 3 课的视频打不开 😢\n手机是 iPhone")
    ((number, person_id, text, source),) = await site.ctx.read(reports)
    assert (person_id, source) == (await site.person_id(), "chat")
    assert text == "第 3 课的视频打不开 😢\n手机是 iPhone"
    assert answer.startswith("谢谢您的反馈") and f"编号 {number}。" in answer


@gen
@SQLITE
async def test_it_is_heard_however_it_begins(site):
    await site.phone().follow()
    texts = {
        "反馈视频打不开": "视频打不开",
        " 【反馈】 视频打不开": "视频打不开",
        "返馈，视频打不开": "视频打不开",
        "Feedback: no sound": "no sound",
        "建议加上字幕": "建议加上字幕",
        "投诉：讲师三天没有回答": "投诉：讲师三天没有回答",
        "报错 500": "报错 500",
        "Bug 页面是空白的": "Bug 页面是空白的",
    }
    for text in texts:
        assert "已经记下，编号" in await one(site, text), text
    assert [text for _, _, text, _ in await site.ctx.read(reports)] == list(texts.values())


@gen
@SQLITE
async def test_the_word_alone_says_how_to_write_and_keeps_nothing(site):
    await site.phone().follow()
    before = await site.every_row()
    for text in ("反馈", "反馈！！！", "我要反馈", "建议", "怎么投诉", "报错。", "视频里说到反馈"):
        assert "已经记下" not in await one(site, text), text
    assert await site.every_row() == before


@gen
async def test_the_same_push_twice_is_one_report_and_one_number(site):
    await site.phone().follow()
    first = await one(site, "反馈 视频打不开")
    again = await site.box.wechat.pushes.send_again(last_push(site))
    assert said(again) == first
    assert len(await site.ctx.read(reports)) == 1


@gen
@SQLITE
async def test_a_long_report_is_cut_and_he_is_told(site):
    await site.phone().follow()
    assert "只记下了前 2000 个字" in await one(site, "反馈" + "长" * (LONGEST + 1))
    assert "只记下了" not in await one(site, "反馈" + "长" * LONGEST)
    assert [text for _, _, text, _ in await site.ctx.read(reports)] == ["长" * LONGEST] * 2


@gen
async def test_the_operator_reads_them_newest_first_by_pseudonym(site, wxbot_beside):
    for name, text in (("anna", "反馈 视频打不开\n第 3 课"), ("bob", "建议加上\x9b字幕")):
        await site.phone(name).follow()
        await one(site, text, name)
    done = await wxbot_beside("report", "list", **site.settings())
    lines = [line.split("\t") for line in done.out.splitlines()]
    anna, bob = [f"p{await site.person_id(name)}" for name in ("anna", "bob")]
    assert [line[2:] for line in lines] == [[bob, "chat", "建议加上字幕"], [anna, "chat", "视频打不开\\n第 3 课"]]
    assert [line[1] for line in lines] == ["2026-11-22 09:30Z"] * 2
    assert site.phone("anna").openid not in done.out
