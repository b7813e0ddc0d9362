"""The planet's events, checked as a receiver would: with a computation of the signature of our own."""

import base64
from collections.abc import Iterator

import pytest
from tornado.ioloop import IOLoop

from sandbox.planet_events import RETRY_SECONDS
from tests.planet_kit import PlanetKit, running
from tests.planet_receiver import Receiver, is_signed, receiving

DAY = 86400


@pytest.fixture
def receiver(io_loop: IOLoop, planet: PlanetKit) -> Iterator[Receiver]:
    """A door that the planet's events come to."""
    with receiving(io_loop, planet) as seen:
        yield seen


@pytest.fixture
def planet(io_loop: IOLoop) -> Iterator[PlanetKit]:
    """A planet on a port of its own."""
    with running(io_loop) as kit:
        yield kit


@pytest.mark.gen_test
async def test_a_purchase_is_told_signed_and_in_the_contracts_form(planet, receiver):
    order_ref = planet.site.member_buys(planet.mei, "g1", 15000)
    assert await planet.site.events.deliver_due() == 1
    assert is_signed(receiver.requests[0], planet.world.now())
    assert receiver.bodies == [
        {
            "type": "membership.purchased",
            "timestamp": "2027-01-15T08:00:00Z",
            "data": {
                "group_id": "g1",
                "member_uid": planet.uid,
                "source": "paid",
                "order_ref": order_ref,
                "paid_fen": 15000,
                "starts_at": "2027-01-15T08:00:00Z",
                "ends_at": "2028-01-15T08:00:00Z",
                "version": 1,
            },
        }
    ]


@pytest.mark.gen_test
async def test_each_turn_of_a_membership_is_told_with_a_growing_version(planet, receiver):
    planet.site.member_buys(planet.mei, "g1")
    renewed = planet.site.member_renews(planet.mei, "g1")
    planet.site.refund(renewed)
    await planet.grant(ends_at="2027-02-15T08:00:00Z")
    planet.world.forward(365 * DAY)
    planet.site.sweep()
    planet.site.member_buys(planet.mei, "g1")
    planet.site.remove(planet.mei, "g1")
    while planet.site.events.waiting:
        await planet.site.events.deliver_due()

    told = [(body["type"].split(".")[1], body["data"]["version"]) for body in receiver.bodies]
    assert told == [
        ("purchased", 1),
        ("renewed", 1),
        ("refunded", 2),
        ("expired", 2),
        ("expired", 2),
        ("purchased", 1),
        ("removed", 2),
    ]
    granted = receiver.bodies[3]["data"]
    assert (granted["source"], granted["ref"], "order_ref" in granted) == ("partner", "r1", False)


@pytest.mark.gen_test
async def test_free_members_and_our_own_calls_are_not_told(planet, receiver):
    planet.site.joins_free(planet.mei, "g1")
    await planet.grant()
    await planet.api("DELETE", "/v1/groups/g1/memberships/r1?reason=refund")
    assert await planet.site.events.deliver_due() == 0
    assert receiver.requests == []


@pytest.mark.gen_test
async def test_an_event_that_is_refused_comes_again_for_three_days(planet, receiver):
    receiver.status = 503
    planet.site.member_buys(planet.mei, "g1")
    event = planet.site.events.waiting[0]
    for delay in RETRY_SECONDS:
        planet.world.forward(delay - 1 if delay else 0)
        seen = len(receiver.requests)
        await planet.site.events.deliver_due()
        assert len(receiver.requests) == seen + (0 if delay else 1), "not before its time"
        planet.world.forward(1 if delay else 0)
        await planet.site.events.deliver_due()

    assert len(receiver.requests) == len(RETRY_SECONDS)
    assert len(set(receiver.ids)) == 1
    assert all(is_signed(request, int(request.headers["webhook-timestamp"])) for request in receiver.requests)
    assert (event.state, planet.site.events.waiting) == ("given_up", [])
    assert 2.9 * DAY < sum(RETRY_SECONDS) <= 3 * DAY


@pytest.mark.gen_test
async def test_an_event_is_delivered_once_the_receiver_is_back(planet, receiver):
    url, planet.site.events.url = planet.site.events.url, "http://127.0.0.1:9/events"
    planet.site.member_buys(planet.mei, "g1")
    await planet.site.events.deliver_due()
    planet.site.events.url = url
    planet.world.forward(5)
    assert await planet.site.events.deliver_due() == 1
    assert planet.site.events.history[0].attempts == 2


@pytest.mark.gen_test
async def test_the_retry_table_can_run_faster(planet, receiver):
    planet.site.events.time_factor = 0.01
    receiver.status = 500
    planet.site.member_buys(planet.mei, "g1")
    await planet.site.events.deliver_due()
    planet.world.forward(0.06)
    await planet.site.events.deliver_due()
    assert len(receiver.requests) == 2


@pytest.mark.gen_test
async def test_an_event_can_come_doubled(planet, receiver):
    planet.world.faults.set("planet", "doubled", operation="planet.event", times=1)
    planet.site.member_buys(planet.mei, "g1")
    await planet.site.events.deliver_due()
    assert len(receiver.ids) == 2
    assert len(set(receiver.ids)) == 1


@pytest.mark.gen_test
async def test_events_can_come_in_another_order(planet, receiver):
    planet.world.faults.set("planet", "reordered", operation="planet.event", times=1)
    order_ref = planet.site.member_buys(planet.mei, "g1")
    assert await planet.site.events.deliver_due() == 0, "held until a later one has gone"
    planet.site.refund(order_ref)
    await planet.site.events.deliver_due()
    assert [body["data"]["version"] for body in receiver.bodies] == [2, 1]


@pytest.mark.gen_test
async def test_a_held_event_goes_by_itself_after_a_while(planet, receiver):
    planet.world.faults.set("planet", "reordered", operation="planet.event", times=1)
    planet.site.member_buys(planet.mei, "g1")
    planet.world.forward(10)
    assert await planet.site.events.deliver_due() == 1


@pytest.mark.parametrize("kind", ["wrong_signature", "old_timestamp"])
@pytest.mark.gen_test
async def test_an_event_can_be_badly_signed_and_is_good_when_it_comes_again(planet, receiver, kind):
    planet.world.faults.set("planet", kind, operation="planet.event", times=1)
    receiver.status = 401
    planet.site.member_buys(planet.mei, "g1")
    await planet.site.events.deliver_due()
    planet.world.forward(5)
    await planet.site.events.deliver_due()
    assert [is_signed(request, planet.world.now()) for request in receiver.requests] == [False, True]


@pytest.mark.gen_test
async def test_while_secrets_rotate_both_sign(planet, receiver):
    planet.site.events.secrets.insert(0, "whsec_" + base64.b64encode(b"the new one").decode())
    planet.site.member_buys(planet.mei, "g1")
    await planet.site.events.deliver_due()
    assert receiver.requests[0].headers["webhook-signature"].count("v1,") == 2
    assert is_signed(receiver.requests[0], planet.world.now())


@pytest.mark.gen_test
async def test_an_answered_event_can_be_sent_again_under_its_id(planet, receiver):
    planet.site.member_buys(planet.mei, "g1")
    await planet.site.events.deliver_due()
    planet.site.events.send_again(planet.site.events.history[0])
    await planet.site.events.deliver_due()
    assert len(receiver.ids) == 2
    assert len(set(receiver.ids)) == 1


@pytest.mark.gen_test
async def test_every_attempt_stands_in_the_journal(planet, receiver):
    planet.site.member_buys(planet.mei, "g1")
    await planet.site.events.deliver_due()
    entry = planet.world.journal.entries(side="planet", direction="out")[0]
    assert (entry.status, entry.operation) == (204, "planet.event")
    assert entry.more["type"] == "membership.purchased"


@pytest.mark.gen_test
async def test_a_running_site_ends_and_tells_by_itself(planet, receiver):
    await planet.grant(ends_at="2027-02-15T08:00:00Z")
    planet.world.forward(60 * DAY)
    planet.site.start()
    while not planet.site.events.history or planet.site.events.waiting:
        await planet.fetch("GET", "/planet.css")
    await planet.site.stop()
    assert [body["type"] for body in receiver.bodies] == ["membership.expired"]
