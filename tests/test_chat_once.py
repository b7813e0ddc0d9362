"""A message with an effect is done once and answered alike; one without touches no store."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from services import inbox
from services.env import Env
from tests.chat_kit import (
    Away,
    Counted,
    Gated,
    active_links,
    everything,
    last_push,
    one,
    origin,
    pushes_to,
    said,
    second_door,
    signed_in_follower,
)
from tests.databases import create_database
from tests.server_process import Server, free_port
from tests.site import Site

gen = pytest.mark.gen_test(timeout=40)
pytest_plugins = ["tests.commands"]
SERVERS = pytest.mark.parametrize("database_kind", ["postgresql", "mariadb"])


async def asked_to_unlink(site):
    """Anna is linked and has been told what 解绑 means; returns WeChat's pushes."""
    await site.buys()
    await signed_in_follower(site)
    await site.links()
    await one(site, "解绑")
    return site.box.wechat.pushes


async def unlinked_once(site) -> None:
    """One unlinking and nothing else is on record."""
    rows = await everything(site)
    assert await active_links(site) == []
    assert len([row for row in rows["audit_entry"] if "'unlink'" in row]) == 1
    await site.delivers()
    assert [m.status for m in site.box.planet.memberships("g1")] == ["revoked"]
    assert await site.broken() == []


@gen
async def test_a_message_that_comes_twice_at_once_is_done_once_and_answered_alike(site):
    pushes = await asked_to_unlink(site)
    site.world.faults.set("wechat", "doubled", operation="push.text", times=1)
    (answer,) = await site.phone().say("确认解绑")
    assert answer.startswith("已解除")
    sent = last_push(site)
    assert [one.status for one in sent.tries] == [200, 200]
    copies = await asyncio.gather(*(pushes.send_again(sent) for _ in range(6)))
    assert {said(copy) for copy in copies} == {answer}
    await unlinked_once(site)


@gen
async def test_a_message_that_is_replayed_much_later_is_answered_as_before(site, clock):
    pushes = await asked_to_unlink(site)
    asked = last_push(site)
    meaning = said(asked)
    (answer,) = await site.phone().say("确认解绑")
    sent = last_push(site)
    clock.forward(days=29)
    assert said(await pushes.send_again(sent)) == answer
    assert said(await pushes.send_again(asked)) == meaning
    assert "什么都没有改变" in await one(site, "确认解绑") or "不需要解绑" in await one(site, "确认解绑")
    await unlinked_once(site)


@gen
async def test_two_messages_with_the_same_words_are_two_messages(site):
    await asked_to_unlink(site)
    assert "已解除" in await one(site, "确认解绑")
    assert "不需要解绑" in await one(site, "确认解绑"), "the same second, another message"
    await unlinked_once(site)


@gen
async def test_an_event_that_comes_again_is_decided_once(site, clock):
    anna = site.phone()
    site.world.faults.set("wechat", "doubled", operation="push.subscribe", times=1)
    await anna.follow()
    followed = last_push(site)
    assert [one.status for one in followed.tries] == [200, 200]
    clock.forward(minutes=1)
    await anna.unfollow()
    before = await everything(site)
    again = await site.box.wechat.pushes.send_again(followed)
    assert said(again) == said(followed)
    assert await everything(site) == before, "an old follow does not follow again"
    assert len(before["person"]) == len(before["identity"]) == 1


@gen
async def test_a_copy_that_comes_while_the_first_is_being_handled_waits_for_its_answer(site):
    pushes = await asked_to_unlink(site)
    rows = Gated(site)
    async with second_door(site, rows):
        first = asyncio.ensure_future(site.phone().say("确认解绑"))
        await rows.reached.wait()
        copies = [asyncio.ensure_future(pushes.send_again(last_push(site))) for _ in range(3)]
        await asyncio.sleep(0.01)
        assert not first.done() and len(await active_links(site)) == 1
        rows.gate.set()
        answer = (await first)[0]  # the copies show theirs on the same phone
        assert {said(copy) for copy in await asyncio.gather(*copies)} == {answer}
    await unlinked_once(site)


@pytest.fixture
def two(make_site, running, redis_url, clock) -> tuple[Site, Any, str]:
    """A site, a second process on the same rows and the same Redis, and the second one's address."""
    clock.moment = datetime.now(UTC)  # the second process runs on this machine's clock
    site, port = make_site(redis_url=redis_url), free_port()
    settings = site.settings() | {"redis_url": redis_url, "listen": f"127.0.0.1:{port}"}
    return site, running("serve", "--no-worker", **settings), origin(port)


@SERVERS
@gen
async def test_two_processes_do_one_message_once(two):
    site, process, there_url = two
    here = await asked_to_unlink(site)
    await process.until(lambda: "serving" in process.said())
    there = pushes_to(site, there_url)
    site.box.account.settings.callback_url = ""
    unheard = await site.box.wechat.message(site.phone().person, "text", {"Content": "确认解绑"}, shown="确认解绑")
    site.box.account.settings.callback_url = f"{site.base_url}/wx/push"

    copies = await asyncio.gather(*(pushes.send_again(unheard) for pushes in (there, here) * 4))
    assert len({said(copy) for copy in copies}) == 1
    assert said(copies[0]).startswith("已解除")
    site.clock.forward(minutes=1)  # the other process may have seen a later moment
    await unlinked_once(site)
    await there.stop()


@gen
async def test_a_message_without_an_effect_touches_no_store(site):
    anna = site.phone()
    await anna.follow()
    rows, before = Counted(site), await everything(site)
    async with second_door(site, rows):
        for text in ("帮助", "你好", "今天天气怎么样", "😀"):
            assert "您可以直接回复" in await one(site, text)
        for key in ("HELP", "OLD"):
            assert await anna.menu_click(key)
        assert await anna.follow("c:infosec"), "a scan"
        assert said(await site.box.wechat.message(anna.person, "image", {"MediaId": "m"}, shown="图"))
        await site.box.wechat.event(anna.person, "VIEW", EventKey=site.base_url)
    assert rows.calls == 0
    assert await everything(site) == before


@gen
async def test_without_rows_help_is_answered_and_an_effect_is_done_when_wechat_sends_again(site):
    pushes = await asked_to_unlink(site)
    rows = Away(site)
    async with second_door(site, rows):
        assert (await one(site, "帮助")).startswith("您可以直接回复")
        assert "正在维护" in await one(site, "星球")
        before = await everything(site)
        (shown,) = await site.phone().say("确认解绑")
        assert "暂时无法提供服务" in shown
        sent = last_push(site)
        assert [one.status for one in sent.tries] == [503, 503, 503]
        assert await everything(site) == before
        rows.is_away = False
        again = await pushes.send_again(sent)
        assert said(again).startswith("已解除")
    await unlinked_once(site)


@pytest.fixture
def killable(io_loop, database_kind, private_server, migrate, clock) -> Iterator[tuple[Site, Server]]:
    """A site on a database server of its own, which may be killed."""
    server = private_server(database_kind)
    url = create_database(server, "killable")
    migrate(url)
    site = Site(url, clock)
    io_loop.run_sync(site.start)
    yield site, server
    io_loop.run_sync(site.stop)


@SERVERS
@gen
async def test_a_killed_database_costs_no_message(killable):
    site, server = killable
    pushes = await asked_to_unlink(site)
    server.kill()
    assert (await one(site, "帮助")).startswith("您可以直接回复")
    assert "正在维护" in await one(site, "星球")
    await site.phone().say("确认解绑")
    sent = last_push(site)
    assert {one.status for one in sent.tries} == {503}
    server.start()
    assert said(await pushes.send_again(sent)).startswith("已解除")
    await unlinked_once(site)


@gen
async def test_what_was_answered_is_forgotten_after_thirty_days(site, clock):
    await asked_to_unlink(site)
    clock.forward(days=31)
    gone = await site.ctx.transact(inbox.forget_old)

    def left(_env: Env) -> int:
        return inbox.InboxItem.select().count()

    assert gone > 0 and await site.ctx.read(left) == 0
