"""The journal's rows: one cause is booked once, and what is booked stays as it is, by the database's own word."""

import pytest
from peewee import DatabaseError, IntegrityError

from models.journal import JournalEntry, JournalLine
from services import journal
from tests.buy_kit import comes, opens

gen = pytest.mark.gen_test(timeout=60)


@gen
async def test_one_cause_is_booked_once(site):
    what = {"kind": "fees", "source": "fees:1", "lines": {"a": 1, "b": -1}}
    await site.ctx.transact(journal.book, **what)
    with pytest.raises(IntegrityError):
        await site.ctx.transact(journal.book, **what)
    assert await site.broken() == []


@pytest.mark.parametrize(
    "tamper",
    [
        lambda: JournalEntry.update(kind="another").execute(),
        lambda: JournalEntry.delete().execute(),
        lambda: JournalLine.update(amount_fen=JournalLine.amount_fen + 1).execute(),
        lambda: JournalLine.update(account="revenue:somebody").execute(),
        lambda: JournalLine.delete().execute(),
    ],
)
@gen
async def test_the_database_itself_refuses_every_change_of_the_journal(site, tamper):
    await comes(site, await opens(site))
    before = await site.rows()
    with pytest.raises(DatabaseError, match="cannot be changed"):
        await site.ctx.transact(lambda _env: tamper())
    assert await site.rows() == before


@gen
async def test_days_fees_are_booked_once_for_each_day(site):
    for day in ("2026-11-22", "2026-11-22", "2026-11-23"):
        await site.ctx.transact(journal.book_fees, day=day, fees_fen=119)
    await site.ctx.transact(journal.book_fees, day="2026-11-24", fees_fen=0)
    rows = await site.ctx.read(lambda _env: [one.source for one in JournalEntry.select().order_by(JournalEntry.id)])
    assert rows == ["fees:2026-11-22", "fees:2026-11-23"] and await site.broken() == []
