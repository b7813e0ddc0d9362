"""Claim links: a purchase known by phone or e-mail goes to the first person who opens its link in WeChat."""

import asyncio
import re

import pytest

from models.errors import ClaimTaken
from services import purchases
from tests.shop import Shop
from tests.site import COURSE

gen = pytest.mark.gen_test(timeout=30)


@pytest.fixture
def shop(site):
    """The platform `yiling`."""
    return Shop(site)


@pytest.mark.parametrize("whom", [{"phone": "+8613800000000"}, {"email": "learner@example.com"}])
@gen
async def test_a_purchase_without_an_openid_gets_a_link_and_gives_nothing_yet(site, shop, whom):
    status, told = await shop.put("C1", openid=None, **whom)
    assert (status, told["status"]) == (201, "claimable")
    assert re.fullmatch(rf"{site.base_url}/claims/[a-z2-7]{{16}}", told["claim_url"])
    assert await shop.grants() == []


@gen
async def test_who_opens_the_link_in_wechat_gets_the_course(site, shop):
    link = await shop.claimable()
    page = await site.signs_in("bob", link.removeprefix(site.base_url))
    assert "信息安全职场培训" in page.text and "…C1" in page.text
    assert "13800000000" not in page.body
    assert await shop.grants() == [], "looking at it takes nothing"
    page = await site.phone("bob").tap("claim")
    assert page.url == f"{site.base_url}/courses/{COURSE}"
    assert [grant.person_id for grant in await shop.grants()] == [await site.person_id("bob")]
    assert (await shop.get("C1"))[1] | {"claim_url": None, "status": "granted"} == (await shop.get("C1"))[1]


@gen
async def test_the_same_person_may_open_his_link_again(site, shop):
    link = await shop.claimable()
    await site.signs_in("bob", link.removeprefix(site.base_url))
    fields = dict(site.phone("bob").page.forms[0].filled({}))
    await site.phone("bob").tap("claim")
    before = await site.rows()
    assert (await site.phone("bob").open(link)).url == f"{site.base_url}/courses/{COURSE}"
    assert (await site.phone("bob").post(link, fields)).url == f"{site.base_url}/courses/{COURSE}"
    assert await site.rows() == before


@gen
async def test_a_second_person_finds_the_link_used(site, shop):
    link = await shop.claimable()
    for name in ("bob", "anna"):
        await site.signs_in(name, link.removeprefix(site.base_url))
    await site.phone("bob").tap("claim")
    before = await site.rows()
    page = await site.phone("anna").tap("claim")
    assert (page.status, page.find("error-code").text) == (409, "claim_taken")
    page = await site.phone("anna").open(link)
    assert (page.status, page.find("error-code").text) == (409, "claim_taken")
    assert await site.rows() == before


@gen
async def test_of_eight_who_claim_at_once_one_gets_it(site, shop):
    code = (await shop.claimable()).rpartition("/")[2]
    people = [await site.person_id(f"racer{number}") for number in range(8)]
    taps = [site.ctx.transact(purchases.claim, code=code, person_id=person) for person in people]
    outcomes = await asyncio.gather(*taps, return_exceptions=True)
    assert [one for one in outcomes if not isinstance(one, ClaimTaken)] == [COURSE]
    assert [grant.person_id for grant in await shop.grants()] == [people[outcomes.index(COURSE)]]


@pytest.mark.parametrize("was_claimed", [False, True])
@gen
async def test_the_link_of_a_refunded_purchase_is_over(site, shop, was_claimed):
    link = await shop.claimable()
    await site.signs_in("bob", link.removeprefix(site.base_url))
    fields = dict(site.phone("bob").page.forms[0].filled({}))
    if was_claimed:
        await site.phone("bob").tap("claim")
    assert (await shop.delete("C1"))[1] | {"claim_url": None, "status": "refunded"} == (await shop.get("C1"))[1]
    before = await site.rows()
    for page in (await site.phone("bob").open(link), await site.phone("bob").post(link, fields)):
        assert (page.status, page.find("error-code").text) == (410, "claim_over")
    assert await site.rows() == before
    assert [grant.revoked_reason for grant in await shop.grants()] == ["refund"] * was_claimed


@gen
async def test_a_refund_and_a_claim_at_once_leave_no_right_behind(site, shop):
    bob = await site.person_id("bob")
    for number in range(6):
        order_no = f"C{number}"
        code = (await shop.claimable(order_no)).rpartition("/")[2]
        claim = site.ctx.transact(purchases.claim, code=code, person_id=bob)
        refund = site.ctx.transact(purchases.refund, platform="yiling", order_no=order_no, override="")
        await asyncio.gather(*((claim, refund) if number % 2 else (refund, claim)), return_exceptions=True)
        assert (await shop.get(order_no))[1]["status"] == "refunded"
    assert {grant.revoked_reason for grant in await shop.grants()} <= {"refund"}
    assert await site.broken() == []


@gen
async def test_an_unknown_link_is_not_found(site):
    page = await site.signs_in("bob", "/claims/aaaaaaaaaaaaaaaa")
    assert (page.status, page.find("error-code").text) == (404, "not_found")
    for path in ("/claims/a", "/claims/AAAAAAAAAAAAAAAA", "/claims/aaaaaaaaaaaaaaaa/x", "/claims/%00aaaaaaaaaaaaaaa"):
        assert (await site.phone("bob").open(f"{site.base_url}{path}")).status == 404


@gen
async def test_outside_wechat_the_link_asks_to_be_opened_there(site, shop):
    phone = site.phone("bob")
    phone.kind = "safari"
    page = await phone.open(await shop.claimable())
    assert (page.status, page.find("open-in-wechat") is not None) == (403, True)
