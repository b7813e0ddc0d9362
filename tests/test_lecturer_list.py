"""What a lecturer's page lists: the pairings that are in his hand, and no other."""

import pytest

from models.catalogue import Lecturer, Planet
from services import lecturers
from tests.site import COURSE
from tests.test_lecturer import becomes_lecturer, pairing, refused

gen = pytest.mark.gen_test(timeout=30)


@gen
async def test_a_course_on_another_lecturers_planet_is_in_nobodys_hand_alone(site):
    def hand_over(_env):
        infosec = Planet.get(slug="infosec")
        Planet.update(owner=Lecturer.get(slug="linlan")).where(Planet.id == infosec.id).execute()

    await becomes_lecturer(site, "cao", "caoz")
    await site.ctx.transact(hand_over)
    page = await site.phone("cao").open(f"{site.base_url}/lecturer")
    assert (page.status, page.find("authorise"), page.find("pause")) == (200, None, None)
    who = {"pairing_id": (await pairing(site, COURSE)).id, "person_id": await site.person_id("cao")}
    assert await refused(site, lecturers.pause, **who) == "not_found", "what is listed is what he may do"


@gen
async def test_who_is_two_lecturers_sees_both_names_and_all_his_pairings(site):
    await becomes_lecturer(site, "lin")
    page = await becomes_lecturer(site, "lin", "caoz")
    names = await site.ctx.read(lambda _env: [one.name for one in Lecturer.select().order_by(Lecturer.id)])
    assert "、".join(names) in page.text
    _, views = await site.ctx.read(lecturers.pairings_of, person_id=await site.person_id("lin"))
    assert [view.planet_title for view in views] == ["信息安全星球", "Python 学习星球"]
