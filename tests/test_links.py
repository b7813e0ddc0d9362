"""Linking, rule by rule: who may, who may not, and that a no changes nothing (L1, L5, L6, L7, R2, R3, B2)."""

import pytest

from models.access import Grant
from models.audit import AuditEntry
from models.catalogue import Course
from models.links import WAIVER_TEXT, Link, LinkAttempt, Membership, RefundWaiver, text_digest
from services import purchases
from tests.site import COURSE, START

gen = pytest.mark.gen_test(timeout=40)
PLANET_PAGE = f"/courses/{COURSE}/planet"


def no_of(page) -> tuple[int, str]:
    """Status and code of a refusal."""
    return page.status, page.find("error-code").text


async def count(site, row) -> int:
    """How many rows of a kind there are."""
    return await site.ctx.read(lambda _env: row.select().count())


async def only(site, row):
    """The one row of a kind."""
    return await site.ctx.read(lambda _env: row.select().get())


@gen
async def test_the_waiver_says_who_what_when_by_which_words_and_through_which_link(site):
    await site.buys("anna")
    await site.links("anna")
    waiver = await only(site, RefundWaiver)
    link = await only(site, Link)
    assert waiver.text == WAIVER_TEXT
    assert waiver.text_hash == text_digest(WAIVER_TEXT)
    assert (waiver.link_id, waiver.person_id) == (link.id, link.person_id)
    assert (waiver.agreed_at, waiver.effective_at) == (START, START)
    assert waiver.openid == site.phone("anna").openid
    assert waiver.ip == "127.0.0.1"
    assert "MicroMessenger" in waiver.user_agent
    assert await site.ctx.read(lambda _env: AuditEntry.select().where(AuditEntry.action == "link").count()) == 1


@gen
async def test_without_the_tick_nothing_begins(site):
    await site.buys("anna")
    await site.signs_in("anna", PLANET_PAGE)
    before = await site.rows()
    page = await site.phone("anna").submit("confirm", waiver=None)
    assert no_of(page) == (422, "waiver_not_agreed")
    assert await site.rows() == before


@gen
async def test_an_old_text_of_the_waiver_cannot_be_agreed_to(site):
    await site.buys("anna")
    await site.signs_in("anna", PLANET_PAGE)
    page = await site.phone("anna").submit("confirm", waiver="2018-01")
    assert no_of(page) == (422, "waiver_not_agreed")


@gen
async def test_cancelling_at_the_planet_costs_nothing(site):
    await site.buys("anna")
    await site.at_planet("anna")
    page = await site.phone("anna").tap("planet-deny")
    assert page.find("error-code").text == "declined"
    assert await count(site, RefundWaiver) == await count(site, Link) == await count(site, Membership) == 0
    page = await site.links("anna")
    assert page.find("link-state").attrs["data-state"] == "linked", "he may change his mind"


@gen
async def test_a_second_persons_course_cannot_take_the_same_planet_account(site):
    for name in ("anna", "bob"):
        await site.buys(name)
    await site.links("anna")
    annas = site.box.planet.account_of(site.phone("anna").person)
    site.box.planet.accounts.lend(annas, site.phone("bob").person)
    await site.at_planet("bob")
    page = await site.phone("bob").tap("planet-agree")
    assert no_of(page) == (409, "link_taken")
    assert await count(site, Link) == await count(site, RefundWaiver) == 1
    assert await site.broken() == []


@gen
async def test_a_second_planet_account_cannot_join_the_same_purchase(site):
    await site.buys("anna")
    await site.links("anna")
    page = await site.phone("anna").open(f"{site.base_url}{PLANET_PAGE}")
    assert page.status == 200
    assert page.find("link-state").attrs["data-state"] == "linked"
    page = await site.posts("anna", PLANET_PAGE, waiver=site.waiver)
    assert no_of(page) == (409, "already_linked")


@gen
async def test_a_snapshot_page_never_links(site):
    await site.buys("anna")
    site.phone("anna").person.snapshot = True
    before = await site.rows()
    page = await site.signs_in("anna", PLANET_PAGE)
    assert no_of(page) == (403, "snapshot_user")
    assert "使用完整服务" in page.text
    assert await site.rows() == before


@gen
async def test_a_right_that_came_from_the_planet_gives_no_membership_there(site):
    await site.signs_in("anna")
    person_id = await site.person_id("anna")
    await site.ctx.transact(give_from_planet, person_id=person_id)
    page = await site.phone("anna").open(f"{site.base_url}{PLANET_PAGE}")
    assert no_of(page) == (409, "already_member"), "he is a member there already"
    page = await site.posts("anna", PLANET_PAGE, waiver=site.waiver)
    assert no_of(page) == (409, "already_member")
    course = await site.phone("anna").open(f"{site.base_url}/courses/{COURSE}")
    assert course.find("link-state").attrs["data-state"] == "paid_there"
    assert course.find("link-planet") is None


def give_from_planet(env, *, person_id):
    """A right to the course by a payment at the planet."""
    from_planet = {"source": "planet", "source_ref": "o1", "starts_at": env.now}
    Grant.create(person=person_id, course=Course.get(slug=COURSE), **from_planet)


@gen
async def test_the_planet_down_while_granting_is_said_and_healed_by_itself(site):
    await site.buys("anna")
    await site.at_planet("anna")
    site.world.faults.set("planet", "down", operation="planet.grant")
    page = await site.phone("anna").tap("planet-agree")
    assert page.find("link-state").attrs["data-state"] == "pending"
    assert "处理" in page.text or "开通中" in page.text
    assert page.headers["Refresh"], "the page goes on by itself"
    assert await site.delivers() == 0
    site.world.faults.clear()
    site.clock.forward(seconds=60)
    assert await site.delivers() >= 1
    page = await site.phone("anna").open(page.url)
    assert page.find("link-state").attrs["data-state"] == "linked"
    assert len(site.box.planet.memberships("g1")) == 1
    assert await site.broken() == []


@gen
async def test_a_grant_that_was_done_but_not_answered_is_done_once(site):
    await site.buys("anna")
    await site.at_planet("anna")
    site.world.faults.set("planet", "timeout_after_commit", operation="planet.grant", times=1)
    page = await site.phone("anna").tap("planet-agree")
    assert page.find("link-state").attrs["data-state"] == "pending"
    assert len(site.box.planet.memberships("g1")) == 1, "the planet has it already"
    site.clock.forward(seconds=60)
    await site.delivers()
    page = await site.phone("anna").open(page.url)
    assert page.find("link-state").attrs["data-state"] == "linked"
    assert len(site.box.planet.memberships("g1")) == 1


@pytest.mark.parametrize("kind", ["error", "junk", "half", "busy"])
@gen
async def test_a_planet_that_answers_nonsense_is_asked_again(site, kind):
    await site.buys("anna")
    await site.at_planet("anna")
    site.world.faults.set("planet", kind, operation="planet.grant", times=1)
    page = await site.phone("anna").tap("planet-agree")
    assert page.find("link-state").attrs["data-state"] == "pending"
    site.clock.forward(seconds=120)
    await site.delivers()
    page = await site.phone("anna").open(page.url)
    assert page.find("link-state").attrs["data-state"] == "linked"


@pytest.mark.parametrize("kind", ["down", "error", "junk", "half"])
@gen
async def test_a_planet_that_cannot_say_who_he_is_leaves_no_link(site, kind):
    await site.buys("anna")
    await site.at_planet("anna")
    site.world.faults.set("planet", kind, operation="planet.token", times=1)
    page = await site.phone("anna").tap("planet-agree")
    assert no_of(page) == (503, "remote_away")
    assert await count(site, Link) == 0
    page = await site.links("anna")
    assert page.find("link-state").attrs["data-state"] == "linked", "he only has to start again"


@gen
async def test_the_same_callback_again_shows_the_same_page_and_does_the_work_once(site):
    await site.buys("anna")
    site.phone("anna").person.callback_twice = True
    await site.at_planet("anna")
    page = await site.phone("anna").tap("planet-agree")
    callback = next(hop for hop in page.hops if "/links/callback/" in str(hop))
    again = await site.phone("anna").open(callback_url(callback))
    assert again.url == page.url
    assert again.find("link-state").attrs["data-state"] == "linked"
    assert await count(site, Link) == await count(site, Membership) == 1


def callback_url(hop) -> str:
    """The address of one hop."""
    return hop if isinstance(hop, str) else hop.url


@gen
async def test_a_callback_in_another_browser_is_worthless(site):
    await site.buys("anna")
    await site.at_planet("anna")
    page = await site.phone("anna").tap("planet-agree")
    callback = callback_url(next(hop for hop in page.hops if "/links/callback/" in str(hop)))
    before, calls = await site.rows(), len(site.world.journal.entries(operation="planet.token"))
    assert no_of(await site.phone("bob").open(callback)) == (403, "start_from_your_course")
    assert (await site.phone("bob").open(page.url)).status == 404, "nor is the page of the outcome"
    assert len(site.world.journal.entries(operation="planet.token")) == calls, "no call out"
    assert await site.rows() == before


@gen
async def test_an_answer_of_another_issuer_is_refused_before_any_call(site):
    await site.buys("anna")
    await site.at_planet("anna")
    site.box.planet.lies_about_iss = "https://evil.example"
    page = await site.phone("anna").tap("planet-agree")
    assert no_of(page) == (400, "state_invalid")
    assert site.world.journal.entries(operation="planet.token") == []
    assert await count(site, Link) == 0


@pytest.mark.parametrize("state", ["", "x", "A" * 32, "0" * 32, "0" * 10_000])
@gen
async def test_a_state_that_nobody_made_is_refused(site, state):
    await site.signs_in("anna")
    before = await site.rows()
    iss = site.box.planet_url
    page = await site.phone("anna").open(f"{site.base_url}/links/callback/partner?code=c&state={state}&iss={iss}")
    assert no_of(page) == (400, "state_invalid")
    assert await site.rows() == before


@gen
async def test_a_state_is_good_for_ten_minutes(site):
    await site.buys("anna")
    await site.at_planet("anna")
    site.clock.forward(seconds=600)
    page = await site.phone("anna").tap("planet-agree")
    assert page.status in {400, 410}
    assert await count(site, Link) == 0
    assert (await only(site, LinkAttempt)).used_at is None


@gen
async def test_a_refund_while_he_is_at_the_planet_keeps_the_link_away(site):
    order_no = await site.buys("anna")
    await site.at_planet("anna")
    await site.ctx.transact(purchases.refund, platform="yiling", order_no=order_no, override="")
    page = await site.phone("anna").tap("planet-agree")
    assert no_of(page) == (403, "not_enrolled")
    assert await count(site, Link) == await count(site, RefundWaiver) == 0
    assert await site.broken() == []


@gen
async def test_unfollowing_changes_no_right(site):
    await site.buys("anna")
    await site.links("anna")
    await site.phone("anna").follow()
    await site.phone("anna").unfollow()
    page = await site.phone("anna").open(f"{site.base_url}/me/links")
    assert "信息安全星球" in page.text
    assert await site.broken() == []


@gen
async def test_two_callbacks_while_the_planet_is_still_asked_show_the_same_page(site):
    await site.buys("anna")
    await site.at_planet("anna")
    site.phone("anna").person.callback_twice = True
    site.world.faults.set("planet", "slow", operation="planet.token", seconds=0.3, times=1)
    page = await site.phone("anna").tap("planet-agree")
    assert page.url.startswith(f"{site.base_url}/links/attempts/")
    page = await site.phone("anna").open(page.url)
    assert page.find("link-state").attrs["data-state"] == "linked"
    assert (await site.phone("anna").open(f"{site.base_url}/me")).status == 200, "and he is still signed in"
    assert await count(site, Link) == 1


@gen
async def test_words_that_changed_since_he_read_them_bind_nobody(site):
    await site.buys("anna")
    await site.at_planet("anna")
    await site.ctx.transact(lambda _env: LinkAttempt.update(text_hash="0" * 64).execute())
    page = await site.phone("anna").tap("planet-agree")
    assert no_of(page) == (422, "waiver_not_agreed")
    assert await count(site, RefundWaiver) == await count(site, Link) == 0


@gen
async def test_a_planet_that_is_not_set_up_is_said_before_anything_is_kept(make_away):
    site = make_away
    await site.buys("anna")
    await site.signs_in("anna", PLANET_PAGE)
    before = await site.rows()
    page = await site.phone("anna").submit("confirm", waiver=site.waiver)
    assert no_of(page) == (503, "remote_away")
    assert await site.rows() == before


@pytest.fixture
def make_away(make_site):
    """A site whose catalogue names a planet that the settings do not."""
    return make_site(planet_url="")


@gen
async def test_a_phone_that_went_to_another_hand_links_nobody(site):
    await site.buys("anna")
    await site.at_planet("anna")
    anna, bob = site.phone("anna"), site.phone("bob")
    await site.signs_in("bob")
    anna.jar.store(site.base_url, f"session={bob.jar.get(site.base_url, 'session')}; Path=/")
    assert no_of(await anna.tap("planet-agree")) == (403, "start_from_your_course")
    assert await count(site, Link) == 0
