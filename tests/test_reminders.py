"""The year's end: told 30, 7 and 1 days before, at most once each, by template, in the chat, and on the page (R2)."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from models.base import SHANGHAI, days_left
from models.delivery import OutboxItem
from models.links import MembershipReminder
from models.payments import PlanetPayment
from services import jobs, purchases, reminders
from tests.reconcile_kit import links_many, look, night, there
from tests.site import OTHER_COURSE, Site
from tests.test_years import unlink

gen = pytest.mark.gen_test(timeout=60)
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])
SOON = "「信息安全星球」的答疑还有 {} 天到期（2027年11月22日），想问的问题请抓紧提。"


@pytest.fixture
def templated(make_site: Callable[..., Site], request: pytest.FixtureRequest) -> Site:
    """A site with a template for it, as the setting says."""
    return make_site(wechat_templates={"membership_ending": getattr(request, "param", "TPL-1")})


async def passes(site: Site, **span: float) -> list[int]:
    """So much time passes, hour by hour of the worker; which reminders there are by now."""
    site.clock.forward(**span)
    for _ in range(2):
        await reminders.remind(site.ctx)
        await site.delivers()
    await site.server.look_round()
    rows = MembershipReminder.select(MembershipReminder.days).order_by(MembershipReminder.id)
    return [days for (days,) in await site.ctx.read(lambda _env: list(rows.tuples()))]


def heard(site: Site, name: str = "anna", via: str = "custom") -> list[str]:
    """What the account wrote to somebody about an end."""
    return [one.text for one in site.phone(name).inbox if "到期" in one.text and one.via == via]


@gen
async def test_the_end_is_told_thirty_seven_and_one_days_before_each_once(site):
    await links_many(site, "anna")
    await site.phone("anna").follow()
    assert await passes(site, days=334, hours=23) == []
    assert await passes(site, hours=1) == [30]
    await site.phone("anna").say("星球")
    for days, so_far in ((22, [30]), (1, [30, 7]), (5, [30, 7]), (1, [30, 7, 1])):
        assert await passes(site, days=days) == so_far
        await site.phone("anna").say("星球")
    assert await passes(site, days=1) == [30, 7, 1], "over"
    said = "\n".join(one.text for one in site.phone("anna").inbox)
    assert [said.count(SOON.format(days)) for days in (30, 7, 1)] == [1, 1, 1]
    assert await site.broken() == []


@gen
async def test_who_is_first_seen_five_days_before_gets_one_reminder_of_five_days(site):
    await links_many(site, "anna")
    await site.phone("anna").follow()
    assert await passes(site, days=360) == [7]
    await site.phone("anna").say("星球")
    said = "\n".join(one.text for one in site.phone("anna").inbox)
    assert said.count(SOON.format(5)) == 1 and said.count("到期（") == 1


@gen
async def test_with_a_template_it_goes_out_as_one_at_any_time(templated):
    site = templated
    await links_many(site, "anna")
    await site.phone("anna").follow()
    assert await passes(site, days=335) == [30]
    (bubble,) = [one for one in site.phone("anna").inbox if one.via == "template"]
    assert bubble.more["template_id"] == "TPL-1"
    assert bubble.more["url"] == f"{site.base_url}/me"
    values = {name: field["value"] for name, field in bubble.more["data"].items()}
    assert values == {"thing1": "信息安全星球", "time2": "2027年11月22日"}
    assert heard(site) == [], "not in the chat as well"


@pytest.mark.parametrize("templated", ["TPL-1 thing4 date7"], indirect=True)
@SQLITE
@gen
async def test_a_templates_own_fields_are_named_in_the_setting(templated):
    site = templated
    await links_many(site, "anna")
    await site.phone("anna").follow()
    await passes(site, days=335)
    (bubble,) = [one for one in site.phone("anna").inbox if one.via == "template"]
    assert sorted(bubble.more["data"]) == ["date7", "thing4"]


@SQLITE
@gen
async def test_a_template_that_wechat_refuses_is_written_in_the_chat_instead(templated):
    site = templated
    site.box.account.settings.templates = ["another"]
    await links_many(site, "anna")
    await site.phone("anna").follow()
    await passes(site, days=335)
    await passes(site, minutes=1)
    await site.phone("anna").say("星球")
    said = "\n".join(one.text for one in site.phone("anna").inbox)
    assert said.count(SOON.format(30)) == 1
    assert await site.broken() == []


@gen
async def test_a_year_that_a_next_one_follows_is_not_told_to_end(site):
    for order_no in ("A1", "A2"):
        await site.buys("anna", order_no=order_no)
        await site.links("anna")
    await site.delivers()
    assert await passes(site, days=360) == [], "it goes on"
    where = {"platform": "yiling", "order_no": "A2"}
    await site.ctx.transact(purchases.refund, override="goodwill", **where)
    assert await passes(site, minutes=1) == [7], "now it does not"
    assert await site.broken() == []


@gen
async def test_who_has_paid_the_planet_himself_for_longer_is_not_told_of_an_end(site):
    await links_many(site, "anna")
    site.clock.forward(days=300)
    site.box.planet.member_buys(site.phone("anna").person, "g1")
    await night(site)
    assert await site.ctx.read(lambda _env: PlanetPayment.select().count()) == 1
    assert await passes(site, days=50) == []


@gen
async def test_a_membership_that_was_taken_back_or_never_opened_is_not_told_to_end(site):
    await links_many(site, "anna")
    await site.buys("bob")
    site.world.faults.set("planet", "down", operation="planet.grant")
    await site.links("bob")
    await unlink(site, "anna")
    assert await passes(site, days=350) == []


@SQLITE
@gen
async def test_who_has_left_wechat_is_told_nothing(templated):
    site = templated
    await links_many(site, "anna")
    await site.phone("anna").follow()
    await site.box.wechat.revoke(site.phone("anna").person, cancel=True)
    assert await passes(site, days=335) == [30]
    assert [one for one in site.phone("anna").inbox if one.via == "template"] == []
    undone = OutboxItem.select().where(OutboxItem.kind == "reminder", OutboxItem.done < OutboxItem.wanted)
    assert await site.ctx.read(lambda _env: undone.count()) == 0


@gen
async def test_the_job_runs_by_itself_and_what_it_sent_is_tidied_away(templated):
    site = templated
    await links_many(site, "anna")
    await site.phone("anna").follow()
    site.clock.forward(days=335)
    assert "remind" in await jobs.run_due(site.ctx)
    await site.delivers()
    site.clock.forward(days=31)
    await jobs.tidy(site.ctx)
    kinds = await site.ctx.read(lambda _env: {one.kind for one in OutboxItem.select()})
    assert kinds == {"membership"}


@gen
async def test_the_pages_count_down_from_thirty_days_on(site):
    await links_many(site, "anna")
    site.clock.forward(days=334)
    for path in ("/me", "/courses/infosec-workplace/planet"):
        assert "天到期" not in (await site.signs_in("anna", path)).text
    for forward, words in ((1, "还有 30 天到期"), (28, "还有 2 天到期"), (1.9, "今天到期")):
        site.clock.forward(days=forward)
        for path in ("/me", "/courses/infosec-workplace/planet"):
            assert words in (await site.signs_in("anna", path)).text
    site.clock.forward(days=0.2)
    page = await site.signs_in("anna", "/me")
    assert page.find("link-state").attrs["data-state"] == "over" and "已到期" in page.text


@gen
async def test_the_pages_count_down_to_the_end_of_the_last_year_only(site):
    for course in ("infosec-workplace", OTHER_COURSE):
        await site.buys("anna", course=course)
    for order_no in ("A1", "A2"):
        await site.buys("anna", order_no=order_no)
        await site.links("anna")
    await site.delivers()
    site.clock.forward(days=350)
    page = await site.signs_in("anna", "/me")
    assert "天到期" not in page.text and "2028年11月" in page.text


@gen
async def test_when_the_year_is_over_both_sides_say_so_and_agree(site):
    await links_many(site, "anna")
    site.clock.forward(days=365)
    await night(site)
    found = await look(site)
    assert (found.outcome, found.repaired, found.listed) == ("ok", 0, 0)
    assert set(there(site).values()) == {"expired"}
    page = await site.signs_in("anna", "/me")
    assert page.find("link-state").attrs["data-state"] == "over"
    assert await site.broken() == []


@gen
async def test_two_processes_that_remind_at_once_remind_once(site):
    await links_many(site, "anna")
    site.clock.forward(days=335)
    ids = await site.ctx.read(reminders.ending, days=30, least=7, after=0)
    assert [await site.ctx.transact(reminders.remind_some, ids=ids, days=30) for _ in range(2)] == [1, 0]


def test_days_are_those_that_people_see():
    until = datetime(2027, 11, 22, 1, 0, tzinfo=SHANGHAI)
    for before, days in ((timedelta(hours=2), 1), (timedelta(minutes=30), 0), (timedelta(days=30), 30)):
        assert days_left(until, now=until - before) == days
    assert days_left(until, now=until) is None
    assert days_left(until, now=until - timedelta(days=30, seconds=1)) is None
