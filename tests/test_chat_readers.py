"""Who has something to read at his next word: known to every process, cheap to know, and not for ever."""

import pytest

from models.base import database as bound
from models.delivery import ChatNotice
from services import notices
from services.env import Env
from tests.chat_kit import one, signed_in_follower
from tests.test_chat_late import tell

gen = pytest.mark.gen_test(timeout=40)
ONLY_SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])


async def sees(site, readers: notices.Readers) -> set[str]:
    """What a process that looks now knows."""
    await readers.refresh(site.ctx.read)
    return readers.openids


@gen
async def test_every_process_learns_who_has_news_and_who_has_read_them(site, clock):
    await signed_in_follower(site)
    elsewhere, openid = notices.Readers(), site.phone().openid
    assert await sees(site, elsewhere) == set()
    await tell(site, "退款已到账。")
    assert await sees(site, elsewhere) == {openid}
    assert await sees(site, notices.Readers()) == {openid}, "one that has just started"
    await one(site, "帮助")
    assert await sees(site, elsewhere) == {openid}, "his message may come again, and there"
    clock.forward(seconds=61)
    assert await sees(site, elsewhere) == set()
    assert await sees(site, notices.Readers()) == set()


@gen
async def test_who_has_read_only_some_of_his_news_still_waits(site, clock):
    await signed_in_follower(site)
    await tell(site, *["很长" * 130 + str(number) for number in range(3)])
    await one(site, "帮助")
    readers = notices.Readers()
    for _ in range(2):
        assert await sees(site, readers) == {site.phone().openid}
        clock.forward(minutes=5)


@gen
async def test_news_that_nobody_came_for_ends_after_thirty_days(site, clock):
    await signed_in_follower(site)
    await tell(site, "退款已到账。")
    readers = notices.Readers()
    assert await sees(site, readers) == {site.phone().openid}
    clock.forward(days=31)
    await sees(site, readers)
    assert await sees(site, readers) == set(), "looked through once an hour"
    assert await site.ctx.transact(notices.forget_old) == 1
    assert await site.ctx.read(lambda _env: ChatNotice.select().count()) == 0


@gen
@ONLY_SQLITE
async def test_a_look_reads_what_is_new_by_its_indexes(site, clock):
    await signed_in_follower(site)
    await tell(site, "退款已到账。")
    readers = notices.Readers()
    await sees(site, readers)
    clock.forward(minutes=2)
    _, found = await site.ctx.read(notices.held_since, since=clock.now() - notices.OVERLAP)
    assert found == [] and await sees(site, readers) == {site.phone().openid}
    plan = await site.ctx.read(plan_of_a_look)
    assert "(held_at>?)" in plan and "(shown_at>?)" in plan


def plan_of_a_look(_env: Env) -> str:
    """How SQLite finds what is new."""
    asked = "SELECT identity_id FROM chat_notice WHERE held_at > '2' OR shown_at > '2'"
    return str(bound.execute_sql(f"EXPLAIN QUERY PLAN {asked}").fetchall())
