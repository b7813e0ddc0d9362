"""What the planet tells of payments: by version, at once for who has linked, kept for who has not (R6, L5)."""

import pytest

from models.audit import AuditEntry
from models.catalogue import Planet
from models.links import Link, Membership
from models.mismatches import Mismatch
from models.payments import PlanetPayment
from services import jobs, outbox
from tests.arrival_kit import (
    PLANET,
    arrives,
    changed_since,
    changes_pairing,
    every,
    grants,
    hears,
    notices,
    pays,
    state,
    uid,
    waived,
)
from tests.event_kit import DATA, EVENT, kept, tells
from tests.shop import Shop
from tests.site import COURSE, START

gen = pytest.mark.gen_test(timeout=60)
LESSON = f"/courses/{COURSE}/lessons/2"


async def told(site, kind: str, *, version: int, order_ref: str = "O-1", name: str = "anna", **changes):
    """The planet tells of a payment of somebody's account."""
    data = DATA | {"member_uid": uid(site, name), "version": version, "order_ref": order_ref} | changes
    event_id = f"msg_{len(await kept(site))}"
    answer = await tells(site, EVENT | {"type": f"membership.{kind}", "data": data}, event_id=event_id)
    assert answer.status == 204


async def linked(site, name: str = "anna") -> None:
    """Somebody has linked a course that he bought here."""
    await site.buys(name)
    await site.links(name)


async def sources(site, name: str = "anna") -> list[str]:
    """Where somebody's rights come from."""
    return [one.source for one in await grants(site, name)]


@gen
async def test_a_payment_of_who_has_linked_is_served_at_once(site):
    await linked(site)
    site.box.planet.member_buys(site.phone().person, "g1")
    await hears(site)
    assert await sources(site) == ["purchase", "planet"]
    assert any("带来了课程" in text for text in await notices(site))
    assert await site.broken() == []


@pytest.mark.parametrize("comes_by", ["the planet", "the course"])
@gen
async def test_a_payment_of_who_has_not_linked_is_kept_and_served_with_the_link(site, comes_by):
    pays(site)
    await hears(site)
    await site.buys("anna")
    assert await sources(site) == ["purchase"], "without the click nothing"
    (payment,) = await every(site, PlanetPayment)
    assert (payment.served_at, payment.person_id, payment.gave) == (None, None, None)
    await (arrives(site) if comes_by == "the planet" else site.links("anna"))
    assert await sources(site) == ["purchase", "planet"]
    (payment,) = await every(site, PlanetPayment)
    assert (payment.served_at, payment.gave) == (START, "course")
    assert await site.broken() == []


@gen
async def test_what_the_event_gave_at_once_is_no_second_right_when_he_comes_himself(site):
    await linked(site)
    pays(site)
    await hears(site)
    page = await site.phone().open(f"{site.base_url}{PLANET}")
    assert state(page) == "course" and page.find("confirm") is None, "there is nothing left to do"
    await site.posts("anna", PLANET, waiver=site.waiver)
    assert state(await site.phone().tap("planet-agree")) == "course"
    assert await sources(site) == ["purchase", "planet"]
    assert await waived(site) == ["purchase", "planet"], "now he has agreed for this one too"
    assert await site.broken() == []


@gen
async def test_a_renewal_is_a_right_of_its_own(site):
    pays(site)
    await arrives(site)
    site.box.planet.member_renews(site.phone().person, "g1")
    await hears(site)
    assert await sources(site) == ["planet", "planet"]
    assert await site.broken() == []


@gen
async def test_a_refund_ends_what_the_payment_gave_and_nothing_else(site):
    first = pays(site)
    await arrives(site)
    second = site.box.planet.member_renews(site.phone().person, "g1")
    await hears(site)
    await site.buys("anna")
    site.box.planet.refund(first)
    await hears(site)
    left = await grants(site)
    assert sorted(one.source_ref.split(":")[0] for one in left) == ["partner", "yiling"]
    assert [one.source_ref for one in left if one.source == "planet"] == [f"partner:{second}"]
    assert (await site.phone().open(f"{site.base_url}{LESSON}")).status == 200
    assert any("已退款" in text for text in await notices(site))
    assert await site.broken() == []


@gen
async def test_a_refund_told_twice_is_one_refund(site):
    await linked(site)
    await told(site, "purchased", version=1)
    await told(site, "refunded", version=2)
    before = await site.rows()
    await told(site, "refunded", version=2)
    await told(site, "refunded", version=3)
    assert await changed_since(site, before) == {"planet_event"}
    assert await sources(site) == ["purchase"]


@gen
async def test_a_refund_before_the_purchase_gives_nothing_ever(site):
    await linked(site)
    await told(site, "refunded", version=2)
    await told(site, "purchased", version=1)
    assert await sources(site) == ["purchase"]
    await told(site, "purchased", version=3)
    assert await sources(site) == ["purchase"], "its money is back: whatever is said later"
    (payment,) = await every(site, PlanetPayment)
    assert (payment.status, payment.gave) == ("refunded", None)
    assert await site.broken() == []


@gen
async def test_a_voucher_dies_with_the_refund(site):
    await changes_pairing(site, mode="shared")
    order_ref = pays(site)
    await arrives(site)
    site.box.planet.refund(order_ref)
    await hears(site)
    page = await site.phone().open(f"{site.base_url}/me")
    assert "代金券 来自" not in page.text
    assert "已退款" in (await site.phone().open(f"{site.base_url}/me/access")).text
    again = await site.phone().open(f"{site.base_url}{PLANET}")
    assert again.find("confirm"), "he may come again with another payment"
    assert any("代金券也随之结束" in text for text in await notices(site))
    assert await site.broken() == []


@gen
async def test_the_course_stays_when_the_year_at_the_planet_is_over(site):
    pays(site)
    await arrives(site)
    site.clock.forward(days=366)
    site.box.planet.sweep()
    await hears(site)
    assert [row.kind for row in await kept(site)][-1] == "expired"
    assert await sources(site) == ["planet"]
    assert await every(site, Mismatch) == []


@gen
async def test_whom_the_owner_removed_is_for_a_person_to_decide_and_keeps_his_course(site):
    order_ref = pays(site)
    await arrives(site)
    site.box.planet.remove(site.phone().person, "g1")
    await hears(site)
    assert await sources(site) == ["planet"]
    (payment,), (listed,) = await every(site, PlanetPayment), await every(site, Mismatch)
    assert payment.status == "removed"
    assert (listed.kind, listed.key, listed.payment_id) == ("removed", order_ref, payment.id)
    assert await site.broken() == []


@pytest.mark.parametrize("kind", ["expired", "removed", "refunded"])
@gen
async def test_what_was_over_before_anybody_brought_it_gives_nothing(site, kind):
    await told(site, "purchased", version=1)
    await told(site, kind, version=2)
    await linked(site)
    assert await sources(site) == ["purchase"]
    assert await every(site, Mismatch) == [], "it concerns nobody here"


@gen
async def test_a_kept_payment_whose_year_is_over_gives_nothing_though_nobody_said_so(site):
    await told(site, "purchased", version=1, ends_at="2026-11-22T09:30:00Z")
    await linked(site)
    assert await sources(site) == ["purchase"], "a span excludes its end"


@gen
async def test_versions_only_grow(site):
    await told(site, "expired", version=5)
    for version in (1, 5):
        await told(site, "purchased", version=version, paid_fen=1)
    (payment,) = await every(site, PlanetPayment)
    assert (payment.status, payment.version, payment.paid_fen) == ("expired", 5, 19900)
    await told(site, "purchased", version=6, paid_fen=None)
    (payment,) = await every(site, PlanetPayment)
    assert (payment.status, payment.version, payment.paid_fen) == ("active", 6, 19900), "an amount not told stays"


@gen
async def test_a_payment_below_the_floor_gives_nothing_by_event_too(site):
    await linked(site)
    await told(site, "purchased", version=1, paid_fen=15919)
    await told(site, "purchased", version=1, paid_fen=None, order_ref="O-2")
    assert await sources(site) == ["purchase"]
    assert [(one.kind, one.key) for one in await every(site, Mismatch)] == [
        ("below_floor", "O-1"),
        ("below_floor", "O-2"),
    ]
    assert await site.broken() == []


@gen
async def test_a_payment_at_a_planet_that_we_do_not_know_waits_until_we_do(site):
    await told(site, "purchased", version=1, group_id="g9")
    await linked(site)
    assert await sources(site) == ["purchase"]
    (payment,) = await every(site, PlanetPayment)
    assert payment.served_at is None
    await site.ctx.transact(lambda _env: Planet.update(group_id="g9").where(Planet.slug == "infosec").execute())
    await jobs.run_due(site.ctx)
    assert await sources(site) == ["purchase", "planet"]
    assert await site.broken() == []


@gen
async def test_while_the_pairing_is_paused_a_payment_waits(site):
    await linked(site)
    await changes_pairing(site, paused_at=START)
    await told(site, "purchased", version=1)
    await told(site, "purchased", version=1, name="bob", order_ref="O-2")
    await jobs.run_due(site.ctx)
    assert await sources(site) == ["purchase"]
    assert (await every(site, PlanetPayment))[0].served_at is None
    await changes_pairing(site, paused_at=None)
    site.clock.forward(minutes=2)
    await jobs.run_due(site.ctx)
    assert await sources(site) == ["purchase", "planet"], "once it is open again, by itself"
    assert [one.served_at is None for one in await every(site, PlanetPayment)] == [False, True], "bob did not click"


@gen
async def test_after_unlinking_a_payment_waits_for_the_next_link(site):
    pays(site)
    await arrives(site)
    await site.phone().open(f"{site.base_url}/me/links")
    await site.phone().tap("unlink")
    await site.phone().submit("unlink")
    site.box.planet.member_renews(site.phone().person, "g1")
    await hears(site)
    assert await sources(site) == ["planet"]
    await arrives(site)
    assert await sources(site) == ["planet", "planet"]
    assert await site.broken() == []


@gen
async def test_a_long_number_of_a_payment_finds_its_right_too(site):
    await linked(site)
    await told(site, "purchased", version=1, order_ref="O" * 128)
    await told(site, "purchased", version=1, order_ref="O" * 127 + "P")
    assert await sources(site) == ["purchase", "planet", "planet"]
    assert await site.broken() == []


@gen
async def test_an_event_that_comes_twice_has_one_effect(site):
    await linked(site)
    site.world.faults.set("planet", "doubled", operation="planet.event")
    pays(site)
    await hears(site)
    assert await sources(site) == ["purchase", "planet"]
    served = await every(site, AuditEntry)
    assert len([one for one in served if one.action == "planet payment served"]) == 1


@pytest.mark.parametrize("kind", ["purchased", "renewed", "refunded", "expired"])
@gen
async def test_of_what_we_gave_ourselves_only_a_removal_means_anything(site, kind):
    await linked(site)
    await site.delivers()
    (membership,) = await every(site, Membership)
    before = await site.rows()
    ours = {"source": "partner", "ref": membership.ref, "order_ref": None, "paid_fen": None}
    await told(site, kind, version=7, **ours)
    assert await changed_since(site, before) == {"planet_event"}


@gen
async def test_whom_the_owner_removed_is_not_granted_again_by_itself(site):
    await linked(site)
    await site.delivers()
    site.box.planet.remove(site.phone().person, "g1")
    await hears(site)
    (membership,), (listed,) = await every(site, Membership), await every(site, Mismatch)
    assert (membership.refused_code, membership.revoked_at) == ("removed_by_owner", None)
    assert (listed.kind, listed.key, listed.membership_id) == ("removed", membership.ref, membership.id)
    page = await site.phone().open(f"{site.base_url}/courses/{COURSE}")
    assert state(page) == "refused", "he sees that a person looks at it"
    assert await sources(site) == ["purchase"], "the course is his"
    assert await site.broken() == []


def grants_there(site) -> int:
    """How often the planet was asked for a membership."""
    return len(site.world.journal.entries(operation="planet.grant"))


@gen
async def test_a_later_change_asks_for_no_membership_of_whom_the_owner_removed_but_a_person_may(site):
    first = await site.buys("anna")
    await site.links("anna")
    await linked(site)
    await site.delivers()
    site.box.planet.remove(site.phone().person, "g1")
    await hears(site)
    asked = grants_there(site)
    site.box.planet.readmit(site.phone().person, "g1")
    await Shop(site).delete(first, "?override=goodwill")  # so that the second year moves to now
    await site.delivers()
    assert grants_there(site) == asked
    (waiting,) = [one for one in await site.ctx.read(outbox.undelivered) if one.kind == outbox.MEMBERSHIP]
    assert waiting.gave_up and "removed_by_owner" in waiting.error
    await site.ctx.transact(outbox.retry, item_id=None)
    await site.delivers()
    assert grants_there(site) == asked, "nor with all others"
    await site.ctx.transact(outbox.retry, item_id=waiting.id)
    await site.delivers()
    assert grants_there(site) == asked + 1
    assert state(await site.phone().open(f"{site.base_url}/courses/{COURSE}")) == "linked"
    assert await site.broken() == []


@gen
async def test_a_removal_that_is_none_of_ours_changes_nothing(site):
    await linked(site)
    await site.delivers()
    (membership,) = await every(site, Membership)
    before = await site.rows()
    for changes in ({"ref": "m-unknown"}, {"ref": membership.ref, "group_id": "g2"}):
        await told(site, "removed", version=7, source="partner", order_ref=None, **changes)
    assert await changed_since(site, before) == {"planet_event"}
    assert len(await every(site, Link)) == 1
