"""Our clock is ten minutes off, or jumps: nothing is granted twice, nothing hangs, and it recovers when it is right."""

from datetime import timedelta

import pytest

from models.links import Link
from services import jobs, outbox
from tests.chat_kit import active_links, one, signed_in_follower
from tests.dying import live_refs
from tests.site import Clock, Site
from tests.test_kills import is_linked

gen = pytest.mark.gen_test(timeout=60)
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])
OFF = pytest.mark.parametrize("minutes", [-10, 10])


class Theirs:
    """The clock of WeChat and the planet, which is right while ours is off."""

    def __init__(self, site: Site, clock: Clock) -> None:
        self.off = timedelta()
        self.site, self.clock = site, clock

    def ours_is_off(self, **span: float) -> None:
        """Move our clock away from theirs; the time of the world stays."""
        jump = timedelta(**span) - self.off
        self.off += jump
        self.clock.moment += jump
        self.site.world.forward(seconds=-jump.total_seconds())


@pytest.fixture
def theirs(site: Site, clock: Clock) -> Theirs:
    """Their clock."""
    return Theirs(site, clock)


async def is_sound(site: Site) -> None:
    """The planet knows each membership once, and no rule is broken."""
    site.clock.forward(minutes=12)  # what was noted while it was ahead is due, too
    await site.delivers()
    there = [one.ref for one in site.box.planet.memberships("g1")]
    assert sorted(there) == await site.ctx.read(live_refs)
    assert await site.ctx.read(outbox.undelivered) == []
    assert await site.broken() == []


@OFF
@gen
async def test_a_link_is_made_with_our_clock_ten_minutes_off(site, theirs, minutes):
    theirs.ours_is_off(minutes=minutes)
    await site.buys()
    page = await site.links()
    assert page.find("link-state").attrs["data-state"] == "linked"
    theirs.ours_is_off(minutes=0)
    assert (await site.phone("anna").open(f"{site.base_url}/me")).status == 200
    await is_sound(site)


@pytest.mark.parametrize("seconds, is_taken", [(-600, True), (600, True), (-601, False), (601, False)])
@SQLITE
@gen
async def test_a_push_is_taken_up_to_ten_minutes_off_and_again_when_the_clock_is_right(site, theirs, seconds, is_taken):
    await signed_in_follower(site)
    before = await site.rows()
    theirs.ours_is_off(seconds=seconds)
    assert "暂时无法提供服务" not in (await site.phone("anna").say("帮助"))[0] if is_taken else True
    assert await site.rows() == before
    theirs.ours_is_off(seconds=0)
    assert "暂时无法提供服务" not in await one(site, "帮助")


@OFF
@gen
async def test_a_clock_that_jumps_between_going_and_coming_back_links_nothing_and_says_so(site, theirs, minutes):
    await site.buys()
    await site.at_planet()
    theirs.ours_is_off(minutes=minutes)
    page = await site.phone("anna").tap("planet-agree")
    theirs.ours_is_off(minutes=0)
    assert page.find("link-state") is None
    assert ("已经失效" if minutes > 0 else "还没有这门课程") in page.text, "ten minutes old; or not yet bought"
    assert await site.ctx.read(lambda _env: Link.select().count()) == 0
    page = await site.links()
    assert page.find("link-state").attrs["data-state"] == "linked"
    await is_sound(site)


@OFF
@gen
async def test_what_waits_is_told_once_while_the_clock_jumps_back_and_forth(site, theirs, minutes):
    for number in range(3):
        await is_linked(site, f"p{number}")
        theirs.ours_is_off(minutes=minutes)
        await jobs.run_due(site.ctx)
        theirs.ours_is_off(minutes=0)
        await jobs.run_due(site.ctx)
    await is_sound(site)


@OFF
@gen
async def test_a_lease_of_a_process_that_died_with_its_clock_off_holds_nothing_for_ever(site, theirs, minutes):
    await is_linked(site, "anna")
    theirs.ours_is_off(minutes=minutes)
    held = await site.ctx.transact(outbox.lease_due, holder="dead")
    assert len(held) == (1 if minutes > 0 else 0), "what is written in the future is not due"
    theirs.ours_is_off(minutes=0)
    await is_sound(site)


@OFF
@SQLITE
@gen
async def test_an_unlinking_is_done_once_while_the_clock_is_off(site, theirs, minutes):
    await site.buys()
    await signed_in_follower(site)
    await site.links()
    await one(site, "解绑")
    theirs.ours_is_off(minutes=minutes)
    await site.phone("anna").say("确认解绑")
    theirs.ours_is_off(minutes=0)
    await one(site, "解绑")
    await site.phone("anna").say("确认解绑")
    assert await active_links(site) == []
    site.clock.forward(minutes=12)
    await site.delivers()
    assert [one.status for one in site.box.planet.memberships("g1")] == ["revoked"]
    assert await site.broken() == []
