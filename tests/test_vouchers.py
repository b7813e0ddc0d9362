"""Who earns a voucher, once, with the same code on every ask; and what a refund does to it (V1–V4)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from models.errors import WrongInput
from models.mismatches import Mismatch
from models.order_errors import NotRefundable
from models.orders import Order
from models.purchases import Purchase
from models.voucher_errors import EarnedVoucherHeld, EarnedVoucherWorth
from models.vouchers import Campaign, Voucher, code_of, typed_code
from services import campaigns, orders, purchases, refund_money, refunds, vouchers
from services.catalogue_file import BadCatalogue
from services.purchase_body import PurchaseBody
from tests.buy_kit import buys, closes, comes, opens, passes, reprice, rows, states, told_refund
from tests.site import COURSE, OTHER_COURSE, START
from tests.voucher_kit import begins, campaign, claims, has_code, mine, opened, rises, state_of, wallet

gen = pytest.mark.gen_test(timeout=60)
RISE = {"kind": "price_rise", "course": COURSE, "slug": "price-rise"}


async def paid(site, name="anna", **more):
    """Somebody has bought a course here, as far as rows go; his order."""
    payment = await opens(site, name, **more)
    await comes(site, payment)
    return payment.order


async def paid_elsewhere(site, name="anna", *, fen=19900, days_ago=0.0, course=COURSE):
    """Somebody has paid so much for a course at the platform, so many days ago."""
    number = await site.buys(name, course=course)
    moment = site.clock.now() - timedelta(days=days_ago)
    change = Purchase.update(paid_fen=fen, paid_at=moment).where(Purchase.order_no == number)
    await site.ctx.transact(lambda _env: change.execute())
    return number


async def refund_of(site, order, status="SUCCESS"):
    """WeChat tells that the latest refund of an order is done."""
    latest = order.refunds.order_by(-order.refunds.model.id)
    news = await site.ctx.read(lambda _env: told_refund(latest.get(), status))
    await site.ctx.transact(refund_money.hear, told=news)


async def asks_back(site, order):
    """Its buyer wants his money back."""
    return await site.ctx.transact(refunds.ask, person_id=order.person_id, no=order.no, reason="")


@gen
async def test_who_enrols_in_the_first_days_gets_one_code_however_often_he_asks(site):
    await campaign(site)
    await paid(site)
    for _ in range(3):
        assert await claims(site) == []
    (voucher,) = await mine(site)
    assert (voucher.amount_fen, voucher.state, voucher.starts_at) == (3000, "open", START)
    assert voucher.expires_at == START + timedelta(days=60) and typed_code(voucher.code) == voucher.code
    assert await site.broken() == []


@pytest.mark.parametrize(
    ("days", "why"), [(-0.01, "too_early"), (0, None), (13.999, None), (14, "too_late"), (20, "too_late")]
)
@gen
async def test_the_days_of_enrolling_include_their_start_and_exclude_their_end(site, days, why):
    await campaign(site, starts=START, ends=START + timedelta(days=60))
    site.clock.forward(days=30)
    await paid_elsewhere(site, days_ago=30 - days)
    assert await claims(site) == ([why] if why else [])
    assert len(await mine(site)) == (why is None)


@pytest.mark.parametrize(
    ("fen", "days_ago", "why"),
    [
        (19900, 1, None), (19900, 10, None), (19900, 10.01, "before_rise"), (16900, 1, "before_rise"),
        (25000, 1, None), (0, 1, "not_paid"),
    ],
)  # fmt: skip
@gen
async def test_after_the_rise_means_at_the_raised_price(site, fen, days_ago, why):
    await rises(site, fen=19900, before_days=10)
    await campaign(site, **RISE)
    await paid_elsewhere(site, fen=fen, days_ago=days_ago)
    assert await claims(site) == ([why] if why else [])
    assert len(await mine(site)) == (why is None)


@pytest.mark.parametrize("starts_before_days", [5, 20])
@gen
async def test_a_later_rise_takes_nothing_from_who_paid_after_the_one_it_is_about(site, starts_before_days):
    await rises(site, fen=19900, before_days=10)
    await reprice(site, COURSE, 22900)
    await campaign(site, **RISE, starts=START - timedelta(days=starts_before_days))
    for name, fen in (("anna", 19900), ("bert", 16900)):
        await paid_elsewhere(site, name, fen=fen, days_ago=3)
    assert await claims(site) == [] and await claims(site, "bert") == ["before_rise"]


@gen
async def test_both_groups_of_the_announcement_fit_into_one_campaign(site):
    await rises(site, fen=19900, before_days=10)
    await campaign(site, **RISE, enrol_days=14)
    await paid_elsewhere(site, "anna", days_ago=5)
    await paid_elsewhere(site, "bert", fen=16900, days_ago=0.5)
    await paid_elsewhere(site, "carl", fen=16900, days_ago=5)
    assert [await claims(site, name) for name in ("anna", "bert", "carl")] == [[], [], ["too_early"]]
    assert [len(await mine(site, name)) for name in ("anna", "bert", "carl")] == [1, 1, 0]


@gen
async def test_only_money_earns_no_gift_no_free_course_and_nothing_paid_with_a_voucher(site):
    code = await has_code(site)
    order = await begins(site, voucher=code)
    await comes(site, await opened(site, order))
    await paid_elsewhere(site, "bert", fen=0)
    await reprice(site, COURSE, 0)
    await begins(site, "carl", voucher="", course=COURSE, seen_fen=0)
    await campaign(site)
    assert [await claims(site, name) for name in ("anna", "bert", "carl")] == [["not_paid"]] * 3
    assert await claims(site, "stranger") == ["not_paid"]
    assert len(await rows(site, Voucher)) == 1


@gen
async def test_what_is_given_back_or_looked_at_earns_nothing(by_hand):
    site = by_hand
    order = await paid(site)
    await asks_back(site, order)
    await campaign(site, starts=START - timedelta(days=1))
    assert await claims(site) == ["not_paid"]
    number = await paid_elsewhere(site, "bert")
    await refunded_there(site, number)
    assert await claims(site, "bert") == ["not_paid"] and await rows(site, Voucher) == []


@gen
async def test_a_campaign_of_one_course_asks_for_that_one(site):
    await campaign(site, course=OTHER_COURSE)
    await paid(site)
    assert await claims(site) == ["not_paid"]
    await paid(site, course=OTHER_COURSE)
    assert await claims(site) == []


@gen
async def test_before_its_start_and_from_its_end_on_a_campaign_gives_nothing(site):
    await campaign(site, starts=START + timedelta(days=1), ends=START + timedelta(days=2))
    site.clock.forward(days=1, seconds=-1)
    order = await paid(site)
    assert await claims(site) == [] and await mine(site) == []
    site.clock.forward(seconds=1)
    assert await claims(site) == ["too_early"]
    await paid(site, "bert")
    assert await claims(site, "bert") == []
    site.clock.forward(days=1)
    await paid(site, "carl")
    assert await claims(site, "carl") == [] and await mine(site, "carl") == []
    assert order.price_fen and len(await rows(site, Voucher)) == 1


@pytest.mark.parametrize("limit", [{"quota": 1}, {"budget_fen": 5999}])
@gen
async def test_the_last_voucher_is_the_last(site, limit):
    await campaign(site, **limit)
    for name in ("anna", "bert"):
        await paid(site, name)
    assert await claims(site) == []
    assert await claims(site, "bert") == ["exhausted"] and await mine(site, "bert") == []
    assert await claims(site) == [] and len(await mine(site)) == 1
    assert await site.broken() == []


@gen
async def test_a_limit_below_what_was_given_is_refused_and_one_above_is_taken(site):
    await campaign(site, quota=5, budget_fen=20000)
    for name in ("anna", "bert"):
        await paid(site, name)
        await claims(site, name)
    before = await site.rows()
    for limit in ({"quota": 1}, {"budget_fen": 5999}):
        with pytest.raises(BadCatalogue, match="below"):
            await campaign(site, **limit)
        with pytest.raises(WrongInput):
            await site.ctx.transact(campaigns.change, slug="thanks", **limit)
    assert await site.rows() == before
    with pytest.raises(WrongInput):
        await site.ctx.transact(campaigns.change, slug="thanks", ends_at=START - timedelta(days=1))
    assert await site.ctx.transact(campaigns.change, slug="thanks", quota=2) == ["quota 5 → 2"]
    await paid(site, "carl")
    assert await claims(site, "carl") == ["exhausted"]


@gen
async def test_a_campaign_that_has_given_keeps_its_kind_and_its_bearer(site):
    await campaign(site)
    await paid(site)
    await claims(site)
    for changes in ({"bearer": "lecturer"}, {"kind": "manual"}):
        with pytest.raises(BadCatalogue, match="kind and bearer stay"):
            await campaign(site, **changes)
    assert not [line for line in await campaign(site) if not line.startswith("=")]


@gen
async def test_the_wallet_page_gives_the_same_code_and_a_look_gives_nothing(site):
    await campaign(site)
    await paid(site)
    page = await site.signs_in("anna", "/me/vouchers")
    assert page.find("voucher-code") is None and page.find("claim") and await mine(site) == []
    page = await site.phone().tap("claim")
    (voucher,) = await mine(site)
    assert page.find("voucher-code").text == voucher.code and not page.find("claim")
    assert f"{site.base_url}/courses/{OTHER_COURSE}/buy" in page.links
    assert (await wallet(site)).vouchers[0].days_left is None


@gen
async def test_the_wallet_says_why_not_and_what_it_takes(site):
    await campaign(site)
    page = await site.signs_in("anna", "/me/vouchers")
    assert (
        page.find("claim") is None
        and "没有查到您付款报名的记录" in page.text
        and "付款报名任何课程即可领取" in page.text
    )


@gen
async def test_a_refund_of_what_earned_it_ends_an_unspent_one(site):
    await campaign(site)
    order = await paid(site)
    await claims(site)
    (voucher,) = await mine(site)
    page = await site.signs_in("anna", f"/orders/{order.no}/refund")
    assert "会随之失效" in page.text and voucher.code in page.text
    await asks_back(site, order)
    assert await state_of(site, voucher.code) == "resting"
    await refund_of(site, order)
    assert await state_of(site, voucher.code) == "dead"
    assert await claims(site) == [] and (await wallet(site)).vouchers[0].state == "dead"
    assert await site.broken() == []


@gen
async def test_whatever_an_operator_gives_back_of_all_ends_an_unspent_one(site):
    await campaign(site)
    order = await paid(site)
    await claims(site)
    asked = {"no": order.no, "fen": 19900, "reason": "goodwill", "override": None}
    await site.ctx.transact(refunds.open_by_operator, **asked)
    await refund_of(site, order)
    assert [one.state for one in await mine(site)] == ["dead"]


@gen
async def test_a_part_that_is_given_back_leaves_it(site):
    await campaign(site)
    order = await paid(site)
    await claims(site)
    await site.ctx.transact(refunds.open_by_operator, no=order.no, fen=100, reason="goodwill", override=None)
    await refund_of(site, order)
    assert [one.state for one in await mine(site)] == ["open"]


async def refunded_there(site, number, override=""):
    """The platform tells that it has given the money of a purchase back."""
    return await site.ctx.transact(purchases.refund, platform="yiling", order_no=number, override=override)


@gen
async def test_a_refund_at_the_platform_ends_what_the_purchase_there_had_earned(site):
    by_list = await has_code(site)
    await campaign(site)
    number = await paid_elsewhere(site)
    await claims(site)
    for _ in range(2):
        await refunded_there(site, number)
    assert [one.state for one in await mine(site)] == ["open", "dead"] and await state_of(site, by_list) == "open"
    assert await claims(site) == [] and await site.broken() == []


@gen
async def test_a_refund_of_a_purchase_that_nobody_claimed_ends_no_voucher(site):
    code, body = await has_code(site), {"course": COURSE, "phone": "13800000000", "paid_fen": 19900}
    body = PurchaseBody(**body, paid_at=site.clock.now())
    await site.ctx.transact(purchases.put, platform="yiling", order_no="N1", body=body)
    await refunded_there(site, "N1")
    assert await state_of(site, code) == "open"


@pytest.mark.parametrize("then", ["spent", "held and paid", "held and closed"])
@gen
async def test_one_that_was_spent_before_a_refund_at_the_platform_is_for_a_person(site, then):
    await campaign(site)
    number = await paid_elsewhere(site)
    await claims(site)
    (voucher,) = await mine(site)
    payment = await opened(site, await begins(site, voucher=voucher.code))
    if then == "spent":
        await comes(site, payment)
    await refunded_there(site, number, "goodwill")
    if then == "held and paid":
        await comes(site, payment)
    if then == "held and closed":
        await closes(site, payment)
    assert await state_of(site, voucher.code) == ("dead" if then == "held and closed" else "used")
    found = [(one.kind, one.provider, one.group_id, one.key) for one in await rows(site, Mismatch)]
    expected = [("voucher_spent", "purchase", COURSE, f"yiling:{number}")]
    assert found == (expected if then != "held and closed" else []) and await site.broken() == []


@pytest.fixture
def by_hand(make_site):
    """A site where a person decides about every refund."""
    return make_site(refund_by_hand=True)


@gen
async def test_a_refund_that_is_refused_leaves_it_as_it_was(by_hand):
    site = by_hand
    await campaign(site)
    order = await paid(site)
    await claims(site)
    no = await asks_back(site, order)
    await site.ctx.transact(refunds.decide, no=no, yes=False, reason="used")
    (voucher,) = await mine(site)
    assert voucher.state == "open"


@gen
async def test_a_spent_one_is_taken_off_the_refund_and_said_before(site):
    await campaign(site)
    order = await paid(site)
    await claims(site)
    (voucher,) = await mine(site)
    await comes(site, await opened(site, await begins(site, voucher=voucher.code)))
    page = await site.signs_in("anna", f"/orders/{order.no}/refund")
    assert page.find("deducted").text == "已扣除这次报名带来、已经用掉的代金券 ¥30" and "¥169" in page.text
    await asks_back(site, order)
    (refund,) = await site.ctx.read(lambda _env: list(order.refunds))
    assert refund.amount_fen == 16900
    await refund_of(site, order)
    assert (await states(site))["orders"] == ["refunded", "paid"] and await state_of(site, voucher.code) == "used"
    assert await site.broken() == []


@gen
async def test_a_refund_that_failed_is_counted_anew_when_a_voucher_was_spent_since(site):
    await campaign(site)
    order = await paid(site)
    await claims(site)
    (voucher,) = await mine(site)
    no = await asks_back(site, order)
    await refund_of(site, order, "CLOSED")
    await comes(site, await opened(site, await begins(site, voucher=voucher.code)))
    before = await site.rows()
    with pytest.raises(NotRefundable):
        await site.ctx.transact(refunds.retry, no=no, reason="again")
    assert await site.rows() == before


@pytest.mark.parametrize("fen", [9900, 19900])
@gen
async def test_one_that_is_worth_all_of_it_leaves_nothing_to_refund(site, fen):
    await campaign(site, amount_fen=fen)
    order = await paid(site, course=OTHER_COURSE)
    await claims(site)
    (voucher,) = await mine(site)
    other = await begins(site, voucher=voucher.code, course=COURSE)
    if other.price_fen:
        await comes(site, await opened(site, other))
    before = await site.rows()
    with pytest.raises(EarnedVoucherWorth):
        await asks_back(site, order)
    assert await site.rows() == before
    page = await site.signs_in("anna", f"/orders/{order.no}/refund")
    assert page.find("refund") is None and page.find("error-code").attrs["data-code"] == "earned_voucher_spent"


@gen
async def test_one_that_an_unpaid_order_has_is_decided_first(site):
    await campaign(site)
    order = await paid(site)
    await claims(site)
    (voucher,) = await mine(site)
    other = await begins(site, voucher=voucher.code)
    before = await site.rows()
    with pytest.raises(EarnedVoucherHeld):
        await asks_back(site, order)
    assert await site.rows() == before
    await site.ctx.transact(orders.cancel, person_id=other.person_id, no=other.no)
    await asks_back(site, order)
    assert await state_of(site, voucher.code) == "resting"


@gen
async def test_a_list_by_hand_gives_each_of_it_one(site):
    codes = [await has_code(site, name) for name in ("anna", "bert", "anna")]
    assert codes[0] == codes[2] != codes[1]
    (row,) = await rows(site, Campaign)
    assert (row.issued, row.issued_fen) == (2, 6000)


def test_codes_are_easy_to_read_and_never_the_same_for_two_numbers():
    codes = {code_of(number) for number in [*range(5000), *(2**60 - 1 - n for n in range(5000))]}
    assert len(codes) == 10_000
    assert not set("01IO") & set("".join(codes)) and all(typed_code(code.lower()) == code for code in codes)


@gen
async def test_a_code_that_exists_is_not_given_again(site):
    numbers = iter(["0" * 15, "0" * 15, "0" * 14 + "1"])
    await campaign(site)
    for name in ("anna", "bert"):
        await paid(site, name)

    def give(env, name):
        return vouchers.claim(replace(env, new_code=lambda bits: next(numbers)), person_id=name)

    for name in ("anna", "bert"):
        person_id = await site.person_id(name)
        await site.ctx.transact(lambda env, who=person_id: give(env, who))
    assert [one.code for one in await rows(site, Voucher)] == ["2222-2222-2222", "2222-2222-2223"]


@gen
async def test_an_order_with_a_voucher_that_is_over_frees_it_while_time_goes_on(site):
    await campaign(site)
    await buys(site)
    await claims(site)
    (voucher,) = await mine(site)
    await begins(site, voucher=voucher.code)
    await passes(site, minutes=31)
    assert await state_of(site, voucher.code) == "open"
    assert [one.state for one in await rows(site, Order)] == ["paid", "closed"]


@pytest.mark.parametrize("is_paid", [True, False])
@gen
async def test_a_platform_is_told_of_a_spent_or_held_one_and_may_insist(site, is_paid):
    await campaign(site)
    number = await paid_elsewhere(site)
    await claims(site)
    (voucher,) = await mine(site)
    order = await begins(site, voucher=voucher.code)
    payment = await opened(site, order)
    if is_paid:
        await comes(site, payment)
    before = await site.rows()
    with pytest.raises(EarnedVoucherWorth if is_paid else EarnedVoucherHeld):
        await refunded_there(site, number)
    assert await site.rows() == before
    assert (await refunded_there(site, number, "goodwill")).status == "refunded"
    if not is_paid:
        await comes(site, payment)
    assert await state_of(site, voucher.code) == "used" and await site.broken() == []
