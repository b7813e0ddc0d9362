"""The catalogue in pages: a catalogue of thousands is no heavier to open than one of ten."""

import re

import pytest

from models.catalogue import Course, Lecturer
from services import catalogue

gen = pytest.mark.gen_test(timeout=60)


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


def add_courses(_env, *, number: int) -> None:
    """So many courses more."""
    lecturer = Lecturer.select().first()
    names = [{"slug": f"more-{one:05d}", "title": f"课程 {one}", "lecturer": lecturer} for one in range(number)]
    Course.insert_many(names).execute()
    catalogue.changed()


async def filled(site, number: int) -> int:
    """Add courses, and how many pages there are then."""
    await site.ctx.transact(add_courses, number=number)
    await site.ctx.catalogue.refresh(site.ctx.read)
    return len(site.ctx.catalogue.shelves)


@gen
async def test_each_course_stands_on_one_page_and_the_pages_lead_to_each_other(site):
    pages = await filled(site, 2 * catalogue.SHELF)
    assert pages == 3
    seen: list[str] = []
    path = "/"
    while path:
        page = (await site.fetch(path)).body.decode()
        seen += re.findall(r'href="/courses/([^"]+)"', page)
        path = next(iter(re.findall(r'rel="next" href="([^"]+)"', page)), "")
    assert sorted(seen) == sorted(site.ctx.catalogue.courses)
    assert re.findall(r'rel="prev" href="([^"]+)"', page) == ["/?page=2"]


@gen
async def test_few_courses_are_one_page_without_a_way_to_another(site):
    page = await site.fetch("/")
    assert b'rel="next"' not in page.body and b'rel="prev"' not in page.body


@gen
@pytest.mark.parametrize("number", ["0", "2", "-1", "1.5", "x", "99999999", "%D9%A1", "1%00", "01"])
async def test_a_page_that_is_not_there_is_unknown(site, number):
    assert (await site.fetch(f"/?page={number}")).code == 404


@gen
async def test_an_empty_catalogue_is_a_page_too(site):
    site.ctx.catalogue.shelves = type(site.ctx.catalogue)().shelves
    assert "课程正在准备" in (await site.fetch("/")).body.decode()
