"""Lecturers (C4): a one-time invitation, their own yes to a pairing, a pause, and nobody else's hand in it."""

import asyncio

import pytest

from models.audit import AuditEntry
from models.catalogue import Course, CoursePlanet, Lecturer
from models.errors import BusinessError
from models.links import Membership
from services import lecturers
from tests.site import COURSE, OTHER_COURSE, START

gen = pytest.mark.gen_test(timeout=30)


async def invitation(site, slug: str = "linlan") -> str:
    """The link that `wxbot lecturer invite` prints."""
    return await site.ctx.transact(lecturers.invite, slug=slug)


async def becomes_lecturer(site, name: str, slug: str = "linlan"):
    """Somebody opens an invitation in WeChat and accepts; the lecturer's page."""
    await site.signs_in(name, (await invitation(site, slug)).removeprefix(site.base_url))
    return await site.phone(name).tap("accept-invite")


async def pairing(site, course: str = OTHER_COURSE) -> CoursePlanet:
    """The pairing of a course."""
    return await site.ctx.read(lambda _env: CoursePlanet.find(course=Course.get(slug=course)))


async def lecturer_of(site, slug: str = "linlan") -> int | None:
    """Who is this lecturer."""
    return await site.ctx.read(lambda _env: Lecturer.get(slug=slug).person_id)


async def audited(site, action: str) -> list[AuditEntry]:
    """Lines of the audit log."""
    return await site.ctx.read(lambda _env: list(AuditEntry.select().where(AuditEntry.action == action)))


async def refused(site, work, **asked) -> str:
    """The code of a refusal; nothing has changed."""
    before = await site.rows()
    with pytest.raises(BusinessError) as no:
        await site.ctx.transact(work, **asked)
    assert await site.rows() == before
    return no.value.code


@gen
async def test_who_opens_the_invitation_in_wechat_becomes_the_lecturer(site):
    page = await becomes_lecturer(site, "lin")
    assert page.url == f"{site.base_url}/lecturer"
    assert "林岚" in page.text and "Python 零基础入门" in page.text
    assert await lecturer_of(site) == await site.person_id("lin")
    (entry,) = await audited(site, "became lecturer")
    assert (entry.subject, entry.new) == ("lecturer:linlan", f"person:{await site.person_id('lin')}")


@gen
async def test_opening_an_invitation_changes_nothing_before_the_tap(site):
    link = await invitation(site)
    before = await site.rows()
    page = await site.signs_in("lin", link.removeprefix(site.base_url))
    assert "林岚" in page.text
    assert await lecturer_of(site) is None
    assert {name for name, rows in (await site.rows()).items() if rows != before[name]} == {"person", "identity"}


@gen
async def test_an_invitation_outside_wechat_asks_to_open_it_there(site):
    phone = site.phone("lin")
    phone.kind = "safari"
    page = await phone.open(await invitation(site))
    assert (page.status, page.find("open-in-wechat") is not None) == (403, True)


@gen
async def test_an_invitation_is_good_for_one_person_once(site):
    link = await invitation(site)
    for name in ("lin", "bob"):
        await site.signs_in(name, link.removeprefix(site.base_url))
    await site.phone("lin").tap("accept-invite")
    before = await site.rows()
    page = await site.phone("bob").tap("accept-invite")
    assert (page.status, page.find("error-code").text) == (410, "invite_over")
    again = await site.phone("lin").open(link)
    assert (again.status, again.find("error-code").text) == (410, "invite_over")
    assert await site.rows() == before
    assert await lecturer_of(site) == await site.person_id("lin")


@gen
async def test_two_who_tap_at_once_do_not_both_become_the_lecturer(site):
    code = (await invitation(site)).rpartition("/")[2]
    people = [await site.person_id(name) for name in ("lin", "bob", "anna")]
    taps = [site.ctx.transact(lecturers.accept, code=code, person_id=person) for person in people]
    outcomes = await asyncio.gather(*taps, return_exceptions=True)
    assert sorted(type(one).__name__ for one in outcomes) == ["InviteOver", "InviteOver", "NoneType"]
    assert await lecturer_of(site) == people[outcomes.index(None)]


@gen
async def test_an_invitation_ends_after_seven_days(site, clock):
    code = (await invitation(site)).rpartition("/")[2]
    lin = await site.person_id("lin")
    clock.forward(days=7)
    assert await refused(site, lecturers.accept, code=code, person_id=lin) == "invite_over"
    clock.forward(seconds=-1)
    await site.ctx.transact(lecturers.accept, code=code, person_id=lin)
    assert await lecturer_of(site) == lin


@gen
async def test_an_unknown_invitation_gets_the_same_answer_as_a_used_one(site):
    page = await site.signs_in("bob", f"/lecturer/invites/{'0' * 32}")
    assert (page.status, page.find("error-code").text) == (410, "invite_over")


@gen
async def test_nobody_is_invited_as_a_lecturer_who_is_not_in_the_catalogue(site):
    assert await refused(site, lecturers.invite, slug="nobody") == "not_found"


@gen
async def test_a_second_invitation_hands_the_lecturer_over_and_says_so(site):
    await becomes_lecturer(site, "lin")
    await becomes_lecturer(site, "bob")
    assert await lecturer_of(site) == await site.person_id("bob")
    assert (await audited(site, "became lecturer"))[-1].old == f"person:{await site.person_id('lin')}"
    page = await site.phone("lin").open(f"{site.base_url}/lecturer")
    assert (page.status, page.find("error-code").text) == (403, "not_allowed")


@gen
async def test_his_yes_opens_the_pairing_with_time_and_text(site, clock):
    await site.buys("anna", course=OTHER_COURSE)
    await becomes_lecturer(site, "lin")
    clock.forward(hours=1)
    page = await site.phone("lin").tap("authorise")
    assert page.find("pause") is not None
    row = await pairing(site)
    assert row.is_live
    assert (row.opted_in_at, row.opted_in_text) == (clock.now(), lecturers.CONSENT_VERSION)
    (entry,) = (one for one in await audited(site, "pairing authorised") if one.who != "command")
    assert (entry.at, entry.who) == (clock.now(), f"person:{await site.person_id('lin')}")
    assert (entry.subject, entry.old, entry.new) == (f"pairing:{OTHER_COURSE}", "waiting", "live, text 2026-11")
    page = await site.signs_in("anna", f"/courses/{OTHER_COURSE}/planet")
    assert page.status == 200 and page.find("confirm") is not None, "new links may start at once"


@gen
async def test_a_yes_to_what_is_open_already_changes_nothing(site, clock):
    await becomes_lecturer(site, "lin")
    await site.phone("lin").tap("authorise")
    before = await site.rows()
    clock.forward(days=1)
    person_id = await site.person_id("lin")
    await site.ctx.transact(lecturers.authorise, pairing_id=(await pairing(site)).id, person_id=person_id)
    assert await site.rows() == before


@gen
async def test_his_pause_stops_new_links_and_keeps_memberships(site, clock):
    await site.buys("anna")
    await site.links("anna")
    await becomes_lecturer(site, "cao", "caoz")
    clock.forward(days=1)
    page = await site.phone("cao").tap("pause")
    assert page.find("authorise") is not None
    await site.buys("bob")
    page = await site.signs_in("bob", f"/courses/{COURSE}/planet")
    assert (page.status, page.find("error-code").text) == (409, "pairing_not_live")
    await site.delivers()
    (membership,) = await site.ctx.read(lambda _env: list(Membership.select()))
    assert membership.revoked_at is None
    assert [one.status for one in site.box.planet.memberships("g1")] == ["active"]
    (entry,) = await audited(site, "pairing paused")
    assert (entry.old, entry.new) == ("live", "paused")


@gen
async def test_a_yes_after_a_pause_is_a_new_agreement(site, clock):
    await becomes_lecturer(site, "cao", "caoz")
    await site.phone("cao").tap("pause")
    clock.forward(days=3)
    await site.phone("cao").tap("authorise")
    row = await pairing(site, COURSE)
    assert row.is_live and (row.opted_in_at, row.opted_in_text) == (START.replace(day=25), "2026-11")
    assert (await audited(site, "pairing authorised"))[-1].old == "paused"


@gen
async def test_he_sees_how_many_learners_it_concerns(site):
    for name in ("anna", "bob"):
        await site.buys(name, course=OTHER_COURSE)
    await site.buys("anna", course=OTHER_COURSE)
    await site.buys("cara")
    await becomes_lecturer(site, "lin")
    _, (view,) = await site.ctx.read(lecturers.pairings_of, person_id=await site.person_id("lin"))
    assert (view.affected, view.state) == (2, "waiting"), "each person once, of this course only"
    assert "2 人" in (await site.phone("lin").open(f"{site.base_url}/lecturer")).text


@pytest.mark.parametrize("work", [lecturers.authorise, lecturers.pause])
@gen
async def test_nobody_else_opens_or_pauses_a_pairing(site, work):
    await becomes_lecturer(site, "cao", "caoz")
    pairing_id = (await pairing(site)).id
    for name in ("cao", "anna"):
        person_id = await site.person_id(name)
        assert await refused(site, work, pairing_id=pairing_id, person_id=person_id) == "not_found", name
    assert await refused(site, work, pairing_id=10**17, person_id=await site.person_id("cao")) == "not_found"


@gen
async def test_the_pages_of_a_lecturer_are_his_alone(site):
    await becomes_lecturer(site, "cao", "caoz")
    assert "Python" not in (await site.phone("cao").open(f"{site.base_url}/lecturer")).text
    pairing_id, xsrf = (await pairing(site)).id, site.phone("cao").page.forms[0].filled({})
    before = await site.rows()
    fields = dict(xsrf) | {"action": "authorise"}
    page = await site.phone("cao").post(f"{site.base_url}/lecturer/pairings/{pairing_id}", fields)
    assert (page.status, page.find("error-code").text) == (404, "not_found")
    page = await site.signs_in("anna", "/lecturer")
    assert (page.status, page.find("error-code").text) == (403, "not_allowed")
    assert {name for name, rows in (await site.rows()).items() if rows != before[name]} <= {"person", "identity"}


@gen
async def test_an_unknown_action_is_refused(site):
    page = await becomes_lecturer(site, "cao", "caoz")
    before = await site.rows()
    fields = dict(page.forms[0].filled({})) | {"action": "delete"}
    page = await site.phone("cao").post(f"{site.base_url}/lecturer/pairings/{(await pairing(site, COURSE)).id}", fields)
    assert (page.status, page.find("error-code").text) == (422, "wrong_input")
    assert await site.rows() == before


@gen
async def test_he_downloads_the_qr_of_his_own_planet_for_the_pinned_post(site):
    page = await becomes_lecturer(site, "cao", "caoz")
    there = f"{site.base_url}/lecturer/planets/infosec/qr"
    for role, kind, head in (("poster-png", "image/png", b"\x89PNG"), ("poster-svg", "image/svg+xml", b"<svg ")):
        assert page.find(role).attrs["href"] == f"{there.removeprefix(site.base_url)}.{role[-3:]}"
        got = await site.phone("cao").open(f"{there}.{role[-3:]}")
        assert (got.status, got.headers["Content-Type"]) == (200, kind) and got.raw.startswith(head)
        assert got.headers["Content-Disposition"] == f'attachment; filename="planet-infosec.{role[-3:]}"'
    assert "信息安全星球" in got.body and "请用微信扫码" in got.body


@gen
async def test_the_qr_of_another_lecturers_planet_is_not_his(site):
    await becomes_lecturer(site, "cao", "caoz")
    await site.signs_in("bob")
    for name, slug in (("cao", "python"), ("cao", "nowhere"), ("bob", "infosec")):
        page = await site.phone(name).open(f"{site.base_url}/lecturer/planets/{slug}/qr.png")
        assert (page.status, page.find("error-code").text) == (404, "not_found")
    nobody = await site.phone("cara").open(f"{site.base_url}/lecturer/planets/infosec/qr.svg")
    assert nobody.status == 401
