"""The story: a bought course, a tap on 星球, an agreement, and a year in the planet."""

from datetime import timedelta

import pytest

from tests.site import COURSE, OTHER_COURSE, START

gen = pytest.mark.gen_test(timeout=30)


@gen
async def test_who_bought_the_course_enters_its_planet_for_a_year(site):
    await site.buys("anna")
    anna = site.phone("anna")
    page = await anna.open(f"{site.base_url}/courses/{COURSE}/planet")
    assert page.status == 401, "nobody is signed in"
    page = await anna.tap("sign-in")
    assert page.url == f"{site.base_url}/courses/{COURSE}/planet", "back on a clean address"
    assert "放弃" in page.find("waiver-text").text
    page = await anna.submit("confirm", waiver=site.waiver)
    assert page.url.startswith(site.box.planet_url)
    page = await anna.tap("planet-agree")
    assert page.url.startswith(f"{site.base_url}/links/attempts/")
    assert page.find("link-state").attrs["data-state"] == "linked"
    assert "2027年11月22日" in page.text

    (membership,) = site.box.planet.memberships("g1")
    assert membership.source == "partner"
    assert membership.ends_at == START + timedelta(days=365)
    assert await site.broken() == []


@gen
async def test_who_has_not_bought_is_refused_and_nothing_changes(site):
    await site.signs_in("bob")
    before = await site.rows()
    page = await site.phone("bob").open(f"{site.base_url}/courses/{COURSE}/planet")
    assert page.status == 403
    assert page.find("error-code").text == "not_enrolled"
    assert await site.rows() == before


@gen
async def test_a_pairing_that_nobody_authorised_opens_nothing(site):
    await site.buys("anna", course=OTHER_COURSE)
    page = await site.signs_in("anna", f"/courses/{OTHER_COURSE}/planet")
    assert (page.status, page.find("error-code").text) == (409, "pairing_not_live")
