"""What the busiest pages ask of the database: few reads, in few turns on its threads."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.attack_kit import ask, post, session
from tests.site import COURSE, Site

gen = pytest.mark.gen_test(timeout=60)
PAGE, LINK = f"/courses/{COURSE}", f"/courses/{COURSE}/planet"


class Turns:
    """The database threads, counted; stands before the site's own."""

    def __init__(self, threads: Any) -> None:
        self.threads, self.taken = threads, 0

    async def read(self, call: Any) -> Any:
        self.taken += 1
        return await self.threads.read(call)

    async def write(self, call: Any) -> Any:
        self.taken += 1
        return await self.threads.write(call)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.threads, name)


class Statements(logging.Handler):
    """What peewee says that it sends."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.sent: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.sent.append(record.msg[0].split()[0])


@contextmanager
def counted(site: Site) -> Iterator[tuple[Turns, list[str]]]:
    """Turns on the database threads, and statements, of what happens meanwhile; the server's own rounds wait."""
    for task in site.server.tasks:
        task.cancel()
    log, heard, kept = logging.getLogger("peewee"), Statements(), site.ctx.threads
    turns, level = Turns(kept), log.level
    site.ctx.threads = turns
    log.addHandler(heard)
    log.setLevel(logging.DEBUG)
    try:
        yield turns, heard.sent
    finally:
        site.ctx.threads = kept
        log.removeHandler(heard)
        log.setLevel(level)


@gen
async def test_a_course_page_of_its_learner_costs_two_reads_in_one_turn(site):
    await site.buys()
    await site.links()
    jar = await session(site)
    with counted(site) as (turns, statements):
        answer = await ask(site, PAGE, cookies=jar)

    assert "已开通" in answer.body.decode(), "the page does show where he stands"
    assert (turns.taken, statements) == (1, ["SELECT", "SELECT"])


@gen
async def test_starting_a_link_costs_four_reads_and_one_row(site):
    await site.buys()
    jar = await session(site)
    with counted(site) as (turns, statements):
        answer = await post(site, LINK, jar, {"waiver": site.waiver})

    assert answer.status == 303 and "/oauth/authorize" in answer.headers["Location"]
    assert turns.taken == 2
    assert [one for one in statements if one in {"SELECT", "INSERT", "UPDATE"}] == [*["SELECT"] * 4, "INSERT"]


@gen
async def test_an_ordinary_page_has_no_mark_to_be_known_again_by(site):
    answer = await site.fetch(PAGE)
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Etag" not in answer.headers
