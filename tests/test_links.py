"""Linking, rule by rule: who may, who may not, and that a no changes nothing (L1, L5, L6, L7, R2, R3, B2)."""

from datetime import timedelta

import pytest

from models.access import Grant
from models.audit import AuditEntry
from models.catalogue import Course
from models.links import WAIVER_TEXT, Link, LinkAttempt, Membership, RefundWaiver, text_digest
from services import links, outbox, purchases
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
async def test_two_purchases_of_one_course_attach_their_own_year_to_one_link(site):
    for order_no in ("A1", "A2"):
        await site.buys("anna", order_no=order_no)
        await site.links("anna")
    first, second = await site.ctx.read(lambda _env: list(Membership.select().order_by(Membership.id)))
    assert first.link_id == second.link_id
    assert second.starts_at == first.ends_at, "the second year starts where the first one ends"
    assert second.ends_at - second.starts_at == timedelta(days=365)
    assert await count(site, RefundWaiver) == 2
    assert await site.broken() == []


@gen
async def test_a_second_account_with_a_second_purchase_is_refused(site):
    for order_no in ("A1", "A2"):
        await site.buys("anna", order_no=order_no)
    await site.links("anna")
    site.box.planet.accounts.new(site.phone("anna").person)
    await site.at_planet("anna")
    page = await site.phone("anna").tap("planet-agree")
    assert no_of(page) == (409, "already_linked")
    assert await count(site, Link) == 1


@gen
async def test_when_the_earlier_purchase_is_refunded_the_later_year_moves_forward(site):
    for order_no in ("A1", "A2"):
        await site.buys("anna", order_no=order_no)
        await site.links("anna")
    site.clock.forward(days=100)
    where = {"platform": "yiling", "order_no": "A1"}
    await site.ctx.transact(purchases.refund, override="goodwill", **where)
    await site.delivers()
    first, second = await site.ctx.read(lambda _env: list(Membership.select().order_by(Membership.id)))
    assert first.revoked_reason == "refund"
    assert (second.starts_at, second.ends_at) == (site.clock.now(), site.clock.now() + timedelta(days=365))
    there = {m.ref: m for m in site.box.planet.memberships("g1")}
    assert there[first.ref].status == "revoked"
    assert there[second.ref].ends_at == second.ends_at
    assert await site.broken() == []


@gen
async def test_unlinking_ends_the_membership_and_keeps_the_waiver(site):
    await site.buys("anna")
    await site.links("anna")
    anna = site.phone("anna")
    await anna.open(f"{site.base_url}/me/links")
    page = await anna.tap("unlink")
    assert "放弃" in page.text, "it says what unlinking means"
    before = await count(site, RefundWaiver)
    page = await anna.tap("unlink")
    assert page.url == f"{site.base_url}/me/links"
    await site.delivers()
    (there,) = site.box.planet.memberships("g1")
    assert there.status == "revoked"
    assert await count(site, RefundWaiver) == before
    assert await site.broken() == []


@gen
async def test_linking_again_gets_the_rest_of_the_same_year(site):
    await site.buys("anna")
    await site.links("anna")
    await unlink(site, "anna")
    site.clock.forward(days=30)
    await site.links("anna")
    old, new = await site.ctx.read(lambda _env: list(Membership.select().order_by(Membership.id)))
    assert new.ends_at == old.ends_at == START + timedelta(days=365)
    assert await site.broken() == []


@gen
async def test_when_the_year_is_over_linking_again_is_refused(site):
    await site.buys("anna")
    await site.links("anna")
    await unlink(site, "anna")
    site.clock.forward(days=365)
    await site.at_planet("anna")
    page = await site.phone("anna").tap("planet-agree")
    assert no_of(page) == (409, "membership_over")
    assert await count(site, Membership) == 1


@gen
async def test_changing_the_planet_account_waits_seven_days_and_ends_after_two_times(site):
    await site.buys("anna")
    await site.links("anna")
    await unlink(site, "anna")
    site.box.planet.accounts.new(site.phone("anna").person)
    await site.at_planet("anna")
    page = await site.phone("anna").tap("planet-agree")
    assert no_of(page) == (403, "relink_limit")
    site.clock.forward(days=7)
    for _ in range(2):
        page = await site.links("anna")
        assert page.find("link-state").attrs["data-state"] == "linked"
        await unlink(site, "anna")
    page = await site.at_planet("anna")
    assert no_of(page) == (403, "relink_limit"), "two re-links are enough, then the operator"


async def unlink(site, name: str) -> None:
    """Unlink somebody's one active link, and tell the planet."""
    person_id = await site.person_id(name)
    (link,) = await site.ctx.read(lambda _env: links.active_links(person_id))
    await site.ctx.transact(links.unlink, link_id=link.id, person_id=person_id, who="test", reason="test")
    await site.delivers()


@gen
async def test_nobody_unlinks_for_another(site):
    await site.buys("anna")
    await site.links("anna")
    link = await only(site, Link)
    await site.signs_in("bob")
    await site.buys("bob")
    await site.phone("bob").open(f"{site.base_url}{PLANET_PAGE}")
    before = await site.rows()
    path = f"/me/links/{link.id}/unlink"
    assert no_of(await site.phone("bob").open(f"{site.base_url}{path}")) == (404, "not_found")
    assert no_of(await site.posts("bob", path)) == (404, "not_found")
    assert await site.rows() == before


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
    assert no_of(page) == (403, "not_enrolled")


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
async def test_a_grant_that_the_planet_refuses_for_good_stands_in_the_operators_list(site):
    await site.buys("anna")
    await site.links("anna")
    site.box.planet.remove(site.phone("anna").person, "g1")
    await unlink(site, "anna")
    page = await site.links("anna")
    assert page.find("link-state").attrs["data-state"] == "refused"
    (waiting,) = await site.ctx.read(outbox.undelivered)
    assert waiting.gave_up
    assert "removed_by_owner" in waiting.error


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
