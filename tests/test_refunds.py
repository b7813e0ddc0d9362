"""Refunds: who may have his money back and until when; the money and the course, each right by itself (B2, B3)."""

from datetime import timedelta

import pytest

from models.access import Grant
from models.audit import AuditEntry
from models.delivery import ChatNotice, OutboxItem
from models.errors import Waived, WrongInput
from models.links import Membership
from models.order_errors import NotRefundable, RefundOpen
from models.orders import Payment, Refund
from services import order_views, refund_money, refunds
from tests.buy_kit import (
    buys,
    comes,
    differences,
    entries,
    hears,
    journal,
    opens,
    orders,
    passes,
    refused,
    reprice,
    rows,
    states,
    told_refund,
)
from tests.site import COURSE, OTHER_COURSE, START

gen = pytest.mark.gen_test(timeout=60)
WHOLE = {"orders": ["refunded"], "payments": ["paid"], "refunds": ["done"], "rights": ["over"]}


async def paid(site, name="anna"):
    """Somebody has ordered and paid, as far as rows go; his order's number."""
    payment = await opens(site, name)
    await comes(site, payment)
    return payment.order.no


async def ask(site, no, name="anna", reason=""):
    """He asks for his money back."""
    return await site.ctx.transact(refunds.ask, person_id=await site.person_id(name), no=no, reason=reason)


async def answers(site, status="SUCCESS", **changes):
    """WeChat tells how the latest refund stands."""
    news = await site.ctx.read(
        lambda _env: told_refund(Refund.select().order_by(Refund.id.desc()).get(), status, **changes)
    )
    await site.ctx.transact(refund_money.hear, told=news)


async def by_operator(site, no, fen=None, override=None):
    """The operator gives money back."""
    return await site.ctx.transact(refunds.open_by_operator, no=no, fen=fen, reason="goodwill", override=override)


@gen
async def test_the_last_moment_of_the_seventh_day_is_in_time_and_the_next_is_not(site):
    no = await paid(site)
    site.clock.forward(days=7)
    await site.signs_in("anna")
    before = await site.rows()
    page = await site.posts("anna", f"/orders/{no}/refund")
    assert page.status == 409 and page.find("error-code").text == "refund_window_over"
    assert await site.rows() == before
    site.clock.forward(seconds=-1)
    await ask(site, no)
    assert (await states(site))["refunds"] == ["agreed"]


@gen
@pytest.mark.parametrize(
    "start", ["2026-11-27T15:59:00+00:00", "2026-12-31T10:00:00+00:00", "2027-02-26T01:00:00+00:00"]
)
async def test_week_ends_and_new_year_move_no_window(site, start):
    site.clock.moment = START.fromisoformat(start)
    no = await paid(site)
    site.clock.forward(days=6, hours=23, minutes=59)
    assert (await ask(site, no)) and (await states(site))["rights"] == ["rests"]


@gen
async def test_a_second_request_while_one_is_open_makes_none(site):
    no = await paid(site)
    await ask(site, no)
    await refused(site, ask(site, no), RefundOpen)
    await refused(site, by_operator(site, no), RefundOpen)
    await answers(site)
    await refused(site, ask(site, no), NotRefundable)
    assert await states(site) == WHOLE and await site.broken() == []


@gen
async def test_nobody_has_the_money_of_another_back_or_sees_his_order(site):
    no = await paid(site)
    await site.signs_in("bob")
    before = await site.rows()
    for path in (f"/orders/{no}", f"/orders/{no}/refund"):
        assert (await site.phone("bob").open(f"{site.base_url}{path}")).status == 404
    for path in ("refund", "pay", "check", "cancel"):
        assert (await site.posts("bob", f"/orders/{no}/{path}")).status == 404
    assert await site.rows() == before


@gen
async def test_an_unpaid_order_has_nothing_to_give_back(site):
    payment = await opens(site)
    await refused(site, ask(site, payment.order.no), NotRefundable)


@pytest.fixture
def by_hand(make_site):
    """A site where an operator looks at each refund."""
    return make_site(refund_by_hand=True)


@gen
async def test_where_the_operator_looks_at_each_a_refund_waits_and_the_course_rests(by_hand):
    site = by_hand
    no = await paid(site)
    number = await ask(site, no, reason="不合适")
    assert (await states(site))["refunds"] == ["asked"] and (await states(site))["rights"] == ["rests"]
    assert "refund" not in [one.kind for one in await rows(site, OutboxItem)], "WeChat hears nothing before the yes"
    await site.ctx.transact(refunds.decide, no=number, yes=True, reason="ok")
    await refused(site, site.ctx.transact(refunds.decide, no=number, yes=False, reason="no"), WrongInput)
    await refused(site, site.ctx.transact(refunds.decide, no=number, yes=True, reason="again"), WrongInput)
    await answers(site)
    assert await states(site) == WHOLE and await journal(site) == {}


@gen
async def test_a_refused_refund_gives_the_course_back_to_exactly_its_former_end_and_may_be_asked_again(by_hand):
    site = by_hand
    await site.phone("anna").follow()
    no = await paid(site)
    end = START + timedelta(days=99)
    await site.ctx.transact(lambda _env: Grant.update(ends_at=end).execute())
    before = (await rows(site, Grant))[0].__data__
    number = await ask(site, no)
    site.clock.forward(days=1)
    await site.ctx.transact(refunds.decide, no=number, yes=False, reason="已经学完")
    assert (await rows(site, Grant))[0].__data__ == before
    assert (await states(site))["refunds"] == ["refused"] and await entries(site) == ["sale"]
    assert "已经学完" in (await rows(site, ChatNotice))[-1].text
    await ask(site, no)
    assert (await states(site))["refunds"] == ["refused", "asked"] and await site.broken() == []


@gen
async def test_processing_is_not_refunded_and_a_refund_that_wechat_closes_gives_the_course_back(site):
    no = await paid(site)
    await ask(site, no)
    await answers(site, "PROCESSING")
    assert (await states(site))["rights"] == ["rests"] and await entries(site) == ["sale"]
    await answers(site, "CLOSED")
    assert (await states(site))["refunds"] == ["failed"] and (await states(site))["rights"] == ["lives"]
    assert (await rows(site, Payment))[0].refunded_fen == 0 and await site.broken() == []


@gen
async def test_a_failed_refund_is_tried_again_under_a_new_number_and_old_news_of_the_first_has_no_effect(site):
    no = await paid(site)
    number = await ask(site, no)
    old = (await rows(site, Refund))[0]
    first = old.out_refund_no
    await answers(site, "CLOSED")
    await refused(site, site.ctx.transact(refunds.decide, no=number, yes=True, reason="x"), WrongInput)
    await site.ctx.transact(refunds.retry, no=number, reason="account checked")
    assert (await states(site))["rights"] == ["rests"]
    await refused(site, site.ctx.transact(refunds.retry, no=number, reason="twice"), Exception)
    await answers(site, out_refund_no=first)
    assert (await states(site))["refunds"] == ["agreed"], "not the present number"
    await answers(site)
    assert await states(site) == WHOLE and await entries(site) == ["sale", "refund"]


@gen
async def test_money_that_went_though_the_refund_had_failed_is_listed(site):
    no = await paid(site)
    number = await ask(site, no)
    await answers(site, "CLOSED")
    await answers(site, "SUCCESS")
    assert (await states(site))["refunds"] == ["failed"] and await differences(site) == ["refund_late"]
    await site.ctx.transact(refunds.decide, no=number, yes=False, reason="已经线下处理")
    assert (await states(site))["refunds"] == ["refused"] and (await states(site))["rights"] == ["lives"]
    assert (await rows(site, Payment))[0].refunded_fen == 0 and await site.broken() == []


@gen
async def test_a_refund_that_wechat_refuses_leaves_the_course_and_is_seen(site):
    order = await buys(site)
    site.clock.forward(days=366)  # WeChat gives nothing back after a year
    number = await by_operator(site, order.no)
    assert (await states(site))["rights"] == ["rests"]
    await site.delivers()
    assert (await states(site))["refunds"] == ["failed"] and (await states(site))["rights"] == ["lives"]
    (refund,) = await rows(site, Refund)
    assert refund.decision and refund.rights == "given_back" and await entries(site) == ["sale"]
    site.clock.moment = START
    await site.ctx.transact(refunds.retry, no=number, reason="asked WeChat")
    await site.delivers()
    site.box.pay.settle_refunds()
    await hears(site)
    assert await states(site) == WHOLE and await site.broken() == []


@gen
async def test_what_was_waived_after_a_refund_failed_is_not_refunded_by_trying_again(site):
    order = await buys(site)
    number = await ask(site, order.no)
    await answers(site, "CLOSED")
    await site.links()
    await refused(site, site.ctx.transact(refunds.retry, no=number, reason="again"), Waived)
    await by_operator(site, order.no, fen=100, override="agreed")
    await refused(site, site.ctx.transact(refunds.retry, no=number, reason="again"), RefundOpen)
    assert await site.broken() == []


@gen
async def test_what_cannot_go_back_to_its_account_rests_until_it_is_settled(site):
    no = await paid(site)
    await ask(site, no)
    await answers(site, "ABNORMAL")
    assert (await states(site))["refunds"] == ["abnormal"] and (await states(site))["rights"] == ["rests"]
    await answers(site, "PROCESSING")
    assert (await states(site))["refunds"] == ["abnormal"], "older news"
    await answers(site)
    await answers(site, "ABNORMAL")
    assert await states(site) == WHOLE and await site.broken() == []


@gen
async def test_the_operator_gives_a_part_back_and_the_course_stays(site):
    no = await paid(site)
    await by_operator(site, no, fen=5000)
    assert (await states(site))["rights"] == ["lives"]
    await answers(site)
    assert await states(site) == {"orders": ["paid"], "payments": ["paid"], "refunds": ["done"], "rights": ["lives"]}
    assert await journal(site) == {"clearing:wechat": 14900, "payable:lecturer:caoz": -10430, "revenue:platform": -4470}
    await refused(site, by_operator(site, no, fen=14901), NotRefundable)
    await by_operator(site, no)
    await answers(site)
    assert (await states(site))["orders"] == ["refunded"] and await journal(site) == {}
    assert await site.broken() == []


@gen
async def test_two_parts_are_given_back_one_after_the_other(site):
    no = await paid(site)
    await by_operator(site, no, fen=100)
    await refused(site, by_operator(site, no, fen=100), RefundOpen)
    await answers(site)
    await by_operator(site, no, fen=100)
    await answers(site)
    assert (await rows(site, Payment))[0].refunded_fen == 200 and await site.broken() == []


@gen
async def test_a_refund_of_another_amount_is_listed_and_not_believed(site):
    no = await paid(site)
    await ask(site, no)
    await answers(site, refund_fen=100)
    assert (await states(site))["refunds"] == ["agreed"] and await differences(site) == ["refund_amount"]
    await answers(site)
    assert await states(site) == WHOLE


@gen
async def test_what_was_waived_goes_back_only_with_the_operators_reason_and_takes_the_membership_along(site):
    order = await buys(site)
    await site.links()
    await site.delivers()
    await refused(site, ask(site, order.no), Waived)
    await refused(site, by_operator(site, order.no), Waived)
    await by_operator(site, order.no, override="the lecturer left")
    await answers(site)
    assert await states(site) == WHOLE
    (membership,) = await rows(site, Membership)
    assert membership.revoked_at and membership.revoked_reason == "refund"
    await site.delivers()
    assert site.box.planet.memberships_of("anna") == [] if hasattr(site.box.planet, "memberships_of") else True
    assert [one.reason for one in await rows(site, AuditEntry) if one.action == "refund agreed"] == [
        "the lecturer left"
    ]
    assert await site.broken() == []


@gen
async def test_while_a_refund_is_open_nothing_links_and_while_one_hands_over_a_refund_wins(site):
    order = await buys(site)
    await site.at_planet()
    await ask(site, order.no)
    page = await site.phone("anna").tap("planet-agree")
    assert page.find("error-code").text == "not_enrolled"
    assert (await site.posts("anna", f"/courses/{COURSE}/planet", waiver=site.waiver)).status == 403
    await answers(site)
    assert await states(site) == WHOLE and await rows(site, Membership) == [] and await site.broken() == []


@gen
async def test_the_refund_of_one_right_leaves_exactly_the_other(site):
    order = await buys(site)
    await site.buys("anna")
    bought, given = await rows(site, Grant)
    await ask(site, order.no)
    assert (await site.phone("anna").open(f"{site.base_url}/courses/{COURSE}/lessons/2")).status == 200
    await answers(site)
    assert (await states(site))["rights"] == ["over", "lives"]
    assert (await rows(site, Grant))[1].__data__ == given.__data__ and bought.source == "order"
    page = await site.phone("anna").open(f"{site.base_url}/me/access")
    assert "已退款" in page.text and await site.broken() == []


@gen
async def test_of_two_years_at_one_planet_the_refund_of_the_first_moves_the_second_forward(site):
    order = await buys(site)
    await site.links()
    await site.buys("anna")
    await site.links()
    first, second = await rows(site, Membership)
    assert second.starts_at == first.ends_at
    site.clock.forward(days=10)
    await by_operator(site, order.no, override="agreed")
    await answers(site)
    first, second = await rows(site, Membership)
    assert first.revoked_at and second.revoked_at is None
    assert (second.starts_at, second.ends_at) == (site.clock.now(), site.clock.now() + timedelta(days=365))
    assert await site.broken() == []


@gen
async def test_a_course_for_nothing_is_given_back_too(site):
    await reprice(site, OTHER_COURSE, 0)
    await orders(site, course=OTHER_COURSE)
    (grant,) = await rows(site, Grant)
    await ask(site, grant.source_ref)
    assert await states(site) == {"orders": ["refunded"], "payments": [], "refunds": ["done"], "rights": ["over"]}
    assert await entries(site) == [] and await site.broken() == []


@gen
async def test_a_balance_that_does_not_cover_it_is_waited_for_and_seen(site):
    order = await buys(site)
    site.box.pay.balance_fen = 100
    await ask(site, order.no)
    await site.delivers()
    assert (await states(site))["refunds"] == ["agreed"] and (await states(site))["rights"] == ["rests"]
    site.box.pay.balance_fen = 100_000
    await passes(site, minutes=1)
    site.box.pay.settle_refunds()
    await hears(site)
    assert await states(site) == WHOLE and await entries(site) == ["sale", "refund"]


@gen
async def test_a_refund_whose_notice_never_comes_is_found_by_asking(site):
    order = await buys(site)
    site.world.faults.set("pay", "lost", operation="pay.refund_notice")
    await ask(site, order.no)
    await site.delivers()
    site.box.pay.settle_refunds()
    await hears(site)
    assert (await states(site))["refunds"] == ["processing"]
    await passes(site, minutes=2)
    assert await states(site) == WHOLE and await site.broken() == []


@gen
@pytest.mark.parametrize("fault", ["timeout_after_commit", "error", "half", "down", "wrong_signature"])
async def test_a_refund_that_goes_wrong_on_the_way_is_done_once(site, fault):
    order = await buys(site)
    site.world.faults.set("pay", fault, operation="pay.refund", times=2, seconds=0.1)
    await ask(site, order.no)
    for _ in range(4):
        await passes(site, minutes=3)
    site.box.pay.settle_refunds()
    await hears(site)
    assert await states(site) == WHOLE and len(site.box.pay.orders[order.no].refunds) == 1
    assert await entries(site) == ["sale", "refund"] and await site.broken() == []


@gen
async def test_the_money_is_back_though_the_planet_is_down_and_the_membership_follows_without_a_second_refund(site):
    order = await buys(site)
    await site.links()
    await site.delivers()
    site.world.faults.set("planet", "down")
    await by_operator(site, order.no, override="agreed")
    await answers(site)
    await site.delivers()
    membership = (await rows(site, Membership))[0]
    assert await states(site) == WHOLE and membership.delivered_version < membership.version
    site.world.faults.clear("planet")
    await passes(site, minutes=10)
    membership = (await rows(site, Membership))[0]
    assert membership.delivered_version == membership.version and await entries(site) == ["sale", "refund"]


@gen
async def test_the_page_says_how_a_refund_stands(site):
    no = await paid(site)
    await site.signs_in("anna")
    person_id = await site.person_id()
    view = await site.ctx.read(order_views.view, person_id=person_id, no=no)
    assert view.refund_until == START + timedelta(days=7) and view.open_refund is None
    await ask(site, no)
    marks = {view.mark}
    for status in ("PROCESSING", "SUCCESS"):
        await answers(site, status)
        marks.add((await site.ctx.read(order_views.view, person_id=person_id, no=no)).mark)
        page = await site.phone("anna").open(f"{site.base_url}/orders/{no}")
        assert page.find("refund-state").attrs["data-state"] in {"processing", "done"}
    assert len(marks) == 3, "the page is told whenever it would look different"
