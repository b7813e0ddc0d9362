"""排队: when too many ask for vouchers at once, the rest is told so at once; the code comes later, in order, once."""

import asyncio

import pytest

from models.delivery import ChatAsk, ChatNotice
from models.errors import TooBusy
from models.vouchers import Voucher
from services import jobs, leaving, line
from services.together import Together
from tests.buy_kit import rows
from tests.chat_kit import Away, one, said, second_door
from tests.site import COURSE
from tests.voucher_kit import campaign, mine

gen = pytest.mark.gen_test(timeout=60)
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])
COMES = "您已经排上队了"
NAMES = [f"asker{number:02}" for number in range(12)]


@pytest.fixture
def crowded(monkeypatch):
    """From the fourth who asks at the same moment on, people stand in line."""
    monkeypatch.setattr("wxbot.replies.MOST_CLAIMING", 3)


async def learners(site, names=NAMES):
    """People who follow the account and have paid for the course elsewhere."""
    await campaign(site)
    for name in names:
        await site.phone(name).follow()
        await site.buys(name)


async def ask_at_once(site, names=NAMES, text="代金券"):
    """All of them write at the same moment; what each was answered."""
    sent = await asyncio.gather(*(site.box.wechat.say(site.phone(name).person, text) for name in names))
    return dict(zip(names, map(said, sent), strict=True))


async def messages(site):
    """Who was written to, and what, in order."""
    found = await site.ctx.read(
        lambda _env: [(row.identity.uid, row.text) for row in ChatNotice.select().order_by(ChatNotice.id)]
    )
    by_openid = {site.phone(name).openid: name for name in NAMES}
    return [(by_openid[uid], text) for uid, text in found]


@gen
async def test_who_must_wait_is_told_at_once_and_gets_his_code_later_once_in_order(site, crowded):
    await learners(site)
    answers = await ask_at_once(site)
    waits = [name for name in NAMES if COMES in answers[name]]
    assert waits and len(waits) + len(await rows(site, Voucher)) == len(NAMES)
    in_line = [row.openid for row in await rows(site, ChatAsk)]
    assert sorted(in_line) == sorted(site.phone(name).openid for name in waits)
    for _ in range(2):
        await once_round(site)
    told = await messages(site)
    assert [site.phone(name).openid for name, _ in told] == in_line, "in the order in which they came"
    for name in NAMES:
        (voucher,) = await mine(site, name)
        assert voucher.code in (dict(told).get(name) or answers[name])
    assert {row.openid for row in await rows(site, ChatAsk)} == {""}
    await site.delivers()
    assert await site.broken() == []


@gen
async def test_a_copy_of_a_message_in_line_gets_no_second_answer(site, crowded):
    await learners(site)
    sent = await asyncio.gather(*(site.box.wechat.say(site.phone(name).person, "代金券") for name in NAMES))
    waiting = [one for one in sent if COMES in said(one)]
    early, late = waiting[0], waiting[1]
    code = said(await site.box.wechat.pushes.send_again(early))
    assert "· ¥30 " in code, "calm again: the copy itself is answered"
    await jobs.answer_line(site.ctx)
    assert len(await messages(site)) == len(waiting) - 1
    again = said(await site.box.wechat.pushes.send_again(late))
    assert "· ¥30 " in again and len(await messages(site)) == len(waiting) - 1
    assert len(await rows(site, Voucher)) == len(NAMES)


@gen
async def test_one_that_cannot_be_answered_keeps_no_other_waiting(site, crowded, monkeypatch):
    await learners(site)
    await ask_at_once(site)
    bad = (await rows(site, ChatAsk))[0].openid
    right = line.answers[0]

    def answer(env, openid, text):
        if openid == bad:
            raise ValueError("a fault of ours")
        return right(env, openid, text)

    monkeypatch.setattr(line, "answers", [answer])
    await asyncio.wait_for(once_round(site), 30)
    left = [row for row in await rows(site, ChatAsk) if row.answered_at is None]
    assert [row.openid for row in left] == [bad] and left[0].tries >= 1
    monkeypatch.setattr(line, "answers", [right])
    await once_round(site)
    assert len(await rows(site, Voucher)) == len(NAMES) and await site.broken() == []


async def once_round(site):
    """The job's round, however often it is due."""
    site.clock.forward(seconds=2)
    await jobs.answer_line(site.ctx)


@SQLITE
@gen
async def test_without_rows_nobody_is_told_that_he_stands_in_line(site, monkeypatch):
    monkeypatch.setattr("wxbot.replies.MOST_CLAIMING", 0)
    await learners(site, NAMES[:1])
    rows_away = Away(site)
    async with second_door(site, rows_away):
        assert "暂时无法提供服务" in await one(site, "代金券", NAMES[0])
        assert await site.ctx.read(lambda _env: ChatAsk.select().count()) == 0
        rows_away.is_away = False
        assert COMES in await one(site, "代金券", NAMES[0])


@SQLITE
@gen
async def test_who_leaves_wechat_while_he_stands_in_line_is_forgotten(site, monkeypatch):
    monkeypatch.setattr("wxbot.replies.MOST_CLAIMING", 0)
    await learners(site, NAMES[:1])
    await one(site, "代金券", NAMES[0])
    await site.ctx.transact(leaving.erase, openid=site.phone(NAMES[0]).openid)
    assert [row.openid for row in await rows(site, ChatAsk)] == [""]
    await jobs.answer_line(site.ctx)
    assert await rows(site, Voucher) == []


@SQLITE
@gen
async def test_other_words_are_answered_as_ever_meanwhile(site, monkeypatch):
    monkeypatch.setattr("wxbot.replies.MOST_CLAIMING", 0)
    await learners(site, NAMES[:1])
    assert COMES in await one(site, "代金券", NAMES[0])
    assert "信息安全职场培训" in await one(site, "课程", NAMES[0])
    assert (await site.signs_in(NAMES[0], f"/courses/{COURSE}")).status == 200


@pytest.mark.gen_test
async def test_what_comes_meanwhile_goes_together_and_in_order():
    runs, gate = [], asyncio.Event()

    async def run(items):
        runs.append(items)
        await gate.wait()

    together = Together(run)
    calls = [asyncio.create_task(together.add(number)) for number in range(5)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*calls)
    assert [item for items in runs for item in items] == [0, 1, 2, 3, 4] and len(runs) <= 2
    await together.add(5)
    assert runs[-1] == [5]


@pytest.mark.gen_test
async def test_a_failure_is_told_to_all_of_it_and_to_nobody_else():
    async def run(items):
        if "bad" in items:
            raise ValueError("no")

    together = Together(run)
    results = await asyncio.gather(together.add("bad"), return_exceptions=True)
    assert isinstance(results[0], ValueError)
    await together.add("good")


@pytest.mark.gen_test
async def test_who_goes_away_keeps_no_other_waiting_and_too_many_are_refused(monkeypatch):
    gate = asyncio.Event()

    async def run(_items):
        await gate.wait()

    together = Together(run)
    first, second = (asyncio.create_task(together.add(number)) for number in range(2))
    await asyncio.sleep(0)
    monkeypatch.setattr("services.together.MOST_WAITING", 0)
    with pytest.raises(TooBusy):
        await together.add(2)
    first.cancel()
    gate.set()
    await second
    assert first.cancelled() or first.done()
