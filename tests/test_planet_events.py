"""What the planet tells us: kept once, from the planet alone; what each event does is in test_payments.py."""

import asyncio
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from models.access import Grant
from models.links import Link, Membership
from tests.attack_kit import ask
from tests.event_kit import DATA, EVENT, EVENTS, ID, body_of, kept, signed, tells
from tests.site import WEBHOOK_SECRET

gen = pytest.mark.gen_test(timeout=60)
OTHER_SECRET = "whsec_b3RoZXIgc2VjcmV0IG9mIDMyIGJ5dGVzICEhIQ=="


@pytest.fixture
def broad(make_site):
    """A site with a database thread for each of sixteen."""
    return make_site(database_threads=16)


@pytest.fixture
def rotating(make_site):
    """A site that knows two secrets."""
    return make_site(planet_webhook_secrets=[OTHER_SECRET, WEBHOOK_SECRET])


@pytest.fixture
def unset(make_site):
    """A site that knows no secret."""
    return make_site(planet_webhook_secrets=[])


@gen
async def test_an_event_is_kept_with_all_it_says(site):
    assert (await tells(site)).status == 204
    (row,) = await kept(site)
    assert (row.kind, row.group_id, row.member_uid, row.source) == ("purchased", "g1", "m-anna", "paid")
    assert (row.order_ref, row.ref, row.paid_fen, row.version) == ("O-1", None, 19900, 1)
    assert (row.starts_at, row.ends_at) == (datetime(2026, 11, 1, tzinfo=UTC), datetime(2027, 11, 1, tzinfo=UTC))
    assert row.received_at == site.clock.now()


@gen
async def test_what_the_library_standardwebhooks_signs_is_believed(site):
    body, now = body_of(), site.clock.now()
    headers = signed(site, body) | {"webhook_signature": Webhook(WEBHOOK_SECRET).sign(ID, now, body.decode())}
    assert headers == signed(site, body), "and so do the tests sign"
    assert (await ask(site, EVENTS, "POST", body=body, **headers)).status == 204


@pytest.mark.parametrize("kind", ["purchased", "renewed", "refunded", "expired", "removed"])
@gen
async def test_every_kind_of_the_contract_is_kept(site, kind):
    about_ours = {**DATA, "source": "partner", "ref": "m1", "order_ref": None, "paid_fen": None, "ends_at": None}
    assert (await tells(site, EVENT | {"type": f"membership.{kind}", "data": about_ours})).status == 204
    assert [row.kind for row in await kept(site)] == [kind]
    assert await site.broken() == []


@gen
async def test_the_same_event_again_is_kept_once_and_answered_alike(site):
    first = await tells(site)
    again = await tells(site, EVENT | {"data": DATA | {"version": 2}})
    assert (first.status, first.body) == (again.status, again.body) == (204, b"")
    assert [row.version for row in await kept(site)] == [1]
    assert (await tells(site, event_id="msg_2")).status == 204
    assert len(await kept(site)) == 2


@gen
async def test_sixteen_copies_at_once_are_kept_once(broad):
    site = broad
    answers = await asyncio.gather(*(tells(site) for _ in range(16)))
    assert [answer.status for answer in answers] == [204] * 16
    assert len(await kept(site)) == 1
    assert await site.broken() == []


@gen
async def test_an_event_about_somebody_who_did_not_click_gives_nothing(site):
    await site.buys("anna")
    assert (await tells(site)).status == 204
    rows = await site.ctx.read(
        lambda _env: (Link.select().count(), Membership.select().count(), Grant.select().count())
    )
    assert rows == (0, 0, 1), "only what she bought here"


@pytest.mark.parametrize("extra", [{}, {"data": "anything"}, {"data": None}])
@gen
async def test_a_kind_that_is_new_to_us_is_accepted_and_leaves_no_trace(site, extra):
    before = await site.every_row()
    assert (await tells(site, {"type": "membership.blessed", **extra})).status == 204
    assert await site.every_row() == before


@gen
async def test_while_the_secret_changes_both_count_and_the_old_one_not_after(rotating):
    body, both = body_of(), rotating
    assert (await tells(both, event_id="msg_old")).status == 204
    assert (await tells(both, event_id="msg_new", secret=OTHER_SECRET)).status == 204
    two = signed(both, body, event_id="msg_two")
    two["webhook_signature"] += " " + signed(both, body, event_id="msg_two", secret=OTHER_SECRET)["webhook_signature"]
    assert (await ask(both, EVENTS, "POST", body=body, **two)).status == 204
    assert len(await kept(both)) == 3


@gen
async def test_without_a_secret_nobody_is_believed(unset):
    site = unset
    before = await site.every_row()
    assert (await tells(site)).status == 401
    assert await site.every_row() == before


@gen
async def test_the_sandboxs_planet_is_heard(site):
    events = site.box.planet.events
    events.url, events.secrets = f"{site.base_url}{EVENTS}", [WEBHOOK_SECRET]
    site.box.planet.member_buys(site.phone("anna").person, "g1")
    site.world.faults.set("planet", "doubled", operation="planet.event", times=1)
    site.box.planet.member_buys(site.phone("bob").person, "g1")
    await events.deliver_due()
    assert [row.kind for row in await kept(site)] == ["purchased", "purchased"]
    assert await site.broken() == []
