"""Who takes back an authorisation or leaves WeChat: what names him is gone everywhere, what he paid for is not."""

import pytest

from models.access import Grant
from models.links import LinkAttempt, Membership, RefundWaiver
from models.people import Identity, Person
from models.purchases import Purchase
from services import notices, purchases, refunds
from services.env import Env
from tests.buy_kit import comes, opens
from tests.chat_kit import active_links, everything, last_push, one, said, signed_in_follower
from tests.site import COURSE, OTHER_COURSE

gen = pytest.mark.gen_test(timeout=30)
PHONE, EMAIL, NICKNAME = "13800138000", "anna@mail.example", "小安安"


async def known_by_everything(site, name: str = "anna") -> list[str]:
    """Somebody of whom we hold all that we may ever hold; returns the words that name her."""
    order = {"course": COURSE, "openid": site.phone(name).openid, "phone": PHONE, "email": EMAIL, "paid_fen": 19900}
    body = purchases.PurchaseBody(**order, paid_at=site.clock.now())
    await site.ctx.transact(purchases.put, platform="yiling", order_no="A1", body=body)
    await signed_in_follower(site, name)
    await site.links(name)
    await one(site, f"反馈 视频打不开，请回信到 {EMAIL}", name)
    await one(site, "解绑", name)
    mine = Identity.uid == site.phone(name).openid
    await site.ctx.transact(lambda _: Identity.update(nickname=NICKNAME).where(mine).execute())
    person_id = await site.person_id(name)
    await site.ctx.transact(notices.tell, person_id=person_id, text=f"{NICKNAME}，您好")
    payment = await opens(site, name, course=OTHER_COURSE)
    await comes(site, payment)
    await site.ctx.transact(refunds.ask, person_id=person_id, no=payment.order.no, reason=f"{EMAIL} 不想要了")
    return [site.phone(name).openid, PHONE, EMAIL, NICKNAME, f"{name}@星球", "MicroMessenger"]


async def tables_with(site, words: list[str]) -> dict[str, set[str]]:
    """Which tables hold which of the words."""
    rows = await everything(site)
    found = {word: {name for name, lines in rows.items() if any(word in line for line in lines)} for word in words}
    return {word: tables for word, tables in found.items() if tables}


@gen
async def test_who_takes_back_his_nickname_loses_only_that(site):
    await known_by_everything(site)
    before = await site.rows()
    for info in ("201", "204", "207", "", "205205"):
        await site.box.wechat.revoke(site.phone().person, info)
    assert await site.rows() == before, "we hold no address, no place and no pictures"

    sent = await site.box.wechat.revoke(site.phone().person, "205")
    assert sent.answered and sent.reply is None
    after = await site.rows()
    assert {name for name in before if before[name] != after[name]} == {"identity"}
    assert "identity" not in (await tables_with(site, [NICKNAME])).get(NICKNAME, set())


@gen
async def test_who_leaves_wechat_is_named_nowhere_any_more(site):
    names = await known_by_everything(site)
    held = {"identity", "purchase", "link", "refund_waiver", "link_attempt", "inbox_item", "chat_notice", "payment"}
    found = {table for tables in (await tables_with(site, names)).values() for table in tables}
    assert held | {"refund", "report"} <= found, "the search finds what is there"
    sent = await site.box.wechat.revoke(site.phone().person, cancel=True)
    assert sent.answered
    assert await tables_with(site, names) == {}
    rows = await everything(site)
    assert rows["session"] == rows["chat_question"] == rows["chat_notice"] == []
    assert (await site.phone().open(f"{site.base_url}/me")).status == 401


@gen
async def test_what_he_paid_for_stays_under_a_pseudonym(site, clock):
    await known_by_everything(site)
    purchase, grant, membership = await site.ctx.read(paid_for)
    person_id = await site.person_id()
    await site.box.wechat.revoke(site.phone().person, cancel=True)
    assert await site.ctx.read(paid_for) == (purchase, grant, membership)

    def waiver(_env: Env) -> tuple[str, str, str]:
        one = RefundWaiver.get()
        return one.openid, one.ip, one.user_agent

    assert await site.ctx.read(waiver) == (f"p{person_id}", "erased", "erased")
    await site.delivers()
    clock.forward(days=1)
    await site.delivers()
    assert [m.status for m in site.box.planet.memberships("g1")] == ["active"], "it runs to its end"
    assert len(await active_links(site)) == 1
    assert await site.broken() == []


def paid_for(_env: Env) -> tuple[tuple, tuple, tuple]:
    """The purchase, the right and the membership, without what names somebody."""
    purchase, grant, membership = Purchase.get(), Grant.get(), Membership.get()
    return (
        (purchase.order_no, purchase.person_id, purchase.paid_fen, purchase.paid_at, purchase.refunded_at),
        (grant.person_id, grant.starts_at, grant.ends_at, grant.revoked_at),
        (membership.ref, membership.link_id, membership.ends_at, membership.revoked_at, membership.version),
    )


@gen
async def test_the_platform_may_still_refund_what_he_left_behind(site):
    await known_by_everything(site)
    await site.box.wechat.revoke(site.phone().person, cancel=True)
    refund = {"platform": "yiling", "order_no": "A1", "override": "left"}
    assert (await site.ctx.transact(purchases.refund, **refund)).status == "refunded"
    await site.delivers()
    assert [m.status for m in site.box.planet.memberships("g1")] == ["revoked"]
    assert await site.broken() == []


@gen
async def test_leaving_comes_twice_and_concerns_nobody_else(site):
    await known_by_everything(site)
    await site.buys("bob")
    await signed_in_follower(site, "bob")
    await site.links("bob")
    bob = site.phone("bob").openid
    his = await tables_with(site, [bob, "bob@星球"])
    site.world.faults.set("wechat", "doubled", operation="push.user_authorization_cancellation", times=1)
    await site.box.wechat.revoke(site.phone().person, cancel=True)
    assert [one.status for one in last_push(site).tries] == [200, 200]
    assert await tables_with(site, [bob, "bob@星球"]) == his
    before = await site.rows()
    site.clock.forward(seconds=1)
    await site.box.wechat.revoke(site.phone().person, cancel=True)
    await site.box.wechat.revoke(site.phone("carl").person, cancel=True)
    assert await site.rows() == before
    assert (await site.phone("bob").open(f"{site.base_url}/me")).status == 200


@gen
async def test_an_old_message_of_his_tells_nothing_and_brings_nothing_back(site):
    names = await known_by_everything(site)
    asked = last_push(site)
    assert "anna@星球" in said(asked)
    await site.box.wechat.revoke(site.phone().person, cancel=True)
    before = await site.rows()
    again = await site.box.wechat.pushes.send_again(asked)
    assert again.answered and said(again) == ""
    assert await site.rows() == before
    assert await tables_with(site, names) == {}


@gen
async def test_who_comes_back_with_the_same_openid_is_a_stranger(site, clock):
    await known_by_everything(site)
    await site.box.wechat.revoke(site.phone().person, cancel=True)
    clock.forward(days=1)
    (answer,) = await site.phone().follow()
    assert answer.startswith("欢迎！"), "not welcomed back"
    assert "还没有报名课程" in await one(site, "星球")
    people = await site.ctx.read(lambda _: [person.erased_at is None for person in Person.select().order_by(Person.id)])
    assert people == [False, True]
    assert await site.broken() == []


@gen
async def test_a_hand_over_under_way_comes_to_nothing(site):
    await site.buys()
    await signed_in_follower(site)
    await site.at_planet()
    await site.box.wechat.revoke(site.phone().person, cancel=True)
    page = await site.phone().tap("planet-agree")
    assert page.status >= 400 or page.find("error-code") is not None
    assert await active_links(site) == []
    assert site.box.planet.memberships("g1") == []
    assert await site.ctx.read(lambda _: [one.outcome for one in LinkAttempt.select()]) == ["state_invalid"]
    assert await tables_with(site, [site.phone().openid, "anna@星球"]) == {}
