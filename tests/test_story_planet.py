"""The story of the pinned post: a member of the planet, a tap, and the course; and a refund there takes it away."""

import pytest

from tests.arrival_kit import PLANET, arrives, hears
from tests.site import COURSE

gen = pytest.mark.gen_test(timeout=40)


@gen
async def test_who_paid_at_the_planet_has_its_course_at_once_until_the_planet_refunds_it(site):
    anna, planet = site.phone("anna"), site.box.planet
    order_ref = planet.member_buys(anna.person, "g1")
    page = await anna.open(f"{site.base_url}{PLANET}")
    assert page.status == 200 and page.find("confirm") is None, "nobody is signed in"
    page = await anna.tap("sign-in")
    assert page.url == f"{site.base_url}{PLANET}", "back on a clean address"
    assert "放弃" in page.find("waiver-text").text
    assert "checked" not in page.find("waiver-agree").attrs
    assert "信息安全职场培训" in page.text

    page = await anna.submit("confirm", waiver=site.waiver)
    assert page.url.startswith(site.box.planet_url)
    page = await anna.tap("planet-agree")
    assert page.url.startswith(f"{site.base_url}/links/attempts/")
    assert page.find("link-state").attrs["data-state"] == "course"
    assert f"{site.base_url}/courses/{COURSE}" in page.links
    lesson = await anna.open(f"{site.base_url}/courses/{COURSE}/lessons/2")
    assert lesson.status == 200
    assert planet.memberships("g1")[0].source == "paid" and len(planet.memberships("g1")) == 1, "no loop"
    assert await site.broken() == []

    planet.refund(order_ref)
    await hears(site)
    lesson = await anna.open(f"{site.base_url}/courses/{COURSE}/lessons/2")
    assert (lesson.status, lesson.find("error-code").text) == (403, "not_enrolled")
    why = await anna.open(f"{site.base_url}/me/access")
    assert "星球付款" in why.text and "星球的付款已退款" in why.text
    assert await site.broken() == []


@gen
async def test_who_has_not_paid_there_gets_nothing_and_nothing_changes(site):
    before = await site.rows()
    page = await arrives(site, "bob")
    assert (page.status, page.find("error-code").text) == (403, "not_a_member")
    after = await site.rows()
    changed = {name for name, rows in after.items() if rows != before[name]}
    assert changed == {"link_attempt", "person", "identity"}, "only that he was here, and his attempt"
    assert await site.broken() == []
