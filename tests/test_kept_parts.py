"""Pieces of pages that are drawn once: they follow the catalogue, and never show one visitor what is another's."""

from dataclasses import replace

import pytest

from h5.pages import part
from models.catalogue import Course, Lesson
from services import catalogue
from tests.attack_kit import ask, session
from tests.site import COURSE

gen = pytest.mark.gen_test(timeout=60)
PAGE = f"/courses/{COURSE}"


def rename(_env):
    """An operator gives the first lesson another title."""
    Lesson.update(title="新的第一课").where(Lesson.course == Course.get(slug=COURSE), Lesson.position == 1).execute()
    catalogue.changed()


@gen
async def test_a_changed_outline_shows_although_the_page_was_drawn_before(site):
    before = (await ask(site, PAGE)).body.decode()
    await site.ctx.transact(rename)
    await site.ctx.catalogue.refresh(site.ctx.read)
    after = (await ask(site, PAGE)).body.decode()

    assert "新的第一课" not in before and "新的第一课" in after


@gen
async def test_who_has_no_right_sees_locked_lessons_also_after_somebody_who_has(site):
    await site.buys()
    link = f'href="{PAGE}/lessons/2"'
    for _ in range(2):
        assert link in (await ask(site, PAGE, cookies=await session(site))).body.decode()
        assert link not in (await ask(site, PAGE, cookies=await session(site, "bob"))).body.decode()
        assert link not in (await ask(site, PAGE)).body.decode()


@gen
async def test_a_kept_piece_still_escapes_what_the_catalogue_says(site):
    course = replace(site.ctx.catalogue.course(COURSE), not_for="<script>alert(1)</script>")
    drawn = part("course_outline.html", course=course, is_mine=False)
    assert "<script>" not in drawn and "&lt;script&gt;" in drawn
    assert part("course_outline.html", course=course, is_mine=False) is drawn, "drawn once"
