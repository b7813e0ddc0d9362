"""The library standardwebhooks verifies every event of the sandbox's planet, and refuses each forged one."""

import base64
import time
from collections.abc import Iterator

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError
from tornado.httputil import HTTPServerRequest
from tornado.ioloop import IOLoop

from tests.planet_kit import WEBHOOK_SECRET, PlanetKit, running
from tests.planet_receiver import Receiver, receiving

YEAR = 365 * 86400


@pytest.fixture
def planet(io_loop: IOLoop) -> Iterator[PlanetKit]:
    """A planet at the real time, which the library reads."""
    with running(io_loop) as kit:
        kit.world.freeze(time.time())
        yield kit


@pytest.fixture
def receiver(io_loop: IOLoop, planet: PlanetKit) -> Iterator[Receiver]:
    """A door that the planet's events come to."""
    with receiving(io_loop, planet) as seen:
        yield seen


def verified(request: HTTPServerRequest, secret: str = WEBHOOK_SECRET) -> dict:
    """The event as the library gives it to a receiver."""
    return Webhook(secret).verify(request.body, dict(request.headers.get_all()))


async def delivers(planet: PlanetKit) -> None:
    """Everything that is due goes out, in two rounds: what was held back waits for the second."""
    for _ in range(2):
        await planet.site.events.deliver_due()


@pytest.mark.gen_test
async def test_every_kind_of_event_is_signed_as_the_standard_says(planet: PlanetKit, receiver: Receiver) -> None:
    planet.world.freeze(time.time() - YEAR - 1)
    paid = planet.site.member_buys(planet.mei, "g1")
    planet.world.forward(YEAR + 1)
    planet.site.sweep()
    planet.site.refund(planet.site.member_buys(planet.mei, "g1", 15000))
    planet.site.member_buys(planet.mei, "g1")
    planet.site.member_renews(planet.mei, "g1")
    planet.site.remove(planet.mei, "g1")
    await delivers(planet)

    told = [verified(request) for request in receiver.requests]
    kinds = ["purchased", "expired", "purchased", "refunded", "purchased", "renewed", "removed", "removed"]
    assert [one["type"] for one in told] == [f"membership.{kind}" for kind in kinds]
    assert told[1]["data"] == told[0]["data"] | {"version": 2} and told[0]["data"]["order_ref"] == paid
    assert (told[3]["data"]["paid_fen"], told[3]["data"]["member_uid"]) == (15000, planet.uid)
    assert len(set(receiver.ids)) == len(kinds)


@pytest.mark.gen_test
async def test_an_event_of_any_other_kind_is_signed_over_its_very_bytes(planet: PlanetKit, receiver: Receiver) -> None:
    content = {"type": "member.renamed", "data": {"name": '星球 \u2028 <&> \\ " 🙂'}}
    planet.site.events.emit_body(content)
    await delivers(planet)
    assert verified(receiver.requests[0]) == content


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("switch", "words"), [("wrong_signature", "No matching signature"), ("old_timestamp", "timestamp too old")]
)
async def test_a_forged_or_stale_event_is_refused_and_good_when_it_comes_again(
    planet: PlanetKit, receiver: Receiver, switch: str, words: str
) -> None:
    planet.world.faults.set("planet", switch, operation="planet.event", times=1)
    receiver.status = 401
    planet.site.member_buys(planet.mei, "g1")
    await planet.site.events.deliver_due()
    planet.world.forward(5)
    await planet.site.events.deliver_due()

    forged, honest = receiver.requests
    with pytest.raises(WebhookVerificationError, match=words):
        verified(forged)
    assert verified(honest)["type"] == "membership.purchased" and forged.body == honest.body


@pytest.mark.gen_test
@pytest.mark.parametrize("switch", ["doubled", "reordered"])
async def test_a_doubled_or_reordered_event_is_honestly_signed(
    planet: PlanetKit, receiver: Receiver, switch: str
) -> None:
    planet.world.faults.set("planet", switch, operation="planet.event", times=1)
    planet.site.refund(planet.site.member_buys(planet.mei, "g1"))
    await delivers(planet)
    versions = {"doubled": [1, 1, 2], "reordered": [2, 1]}[switch]
    assert [verified(request)["data"]["version"] for request in receiver.requests] == versions


@pytest.mark.gen_test
async def test_no_header_and_no_byte_can_be_changed_on_the_way(planet: PlanetKit, receiver: Receiver) -> None:
    planet.site.member_buys(planet.mei, "g1")
    await delivers(planet)
    (request,) = receiver.requests
    headers = dict(request.headers.get_all())
    for name in ("Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"):
        without = {key: value for key, value in headers.items() if key != name}
        with pytest.raises(WebhookVerificationError, match="Missing required headers"):
            Webhook(WEBHOOK_SECRET).verify(request.body, without)
    later = str(int(headers["Webhook-Timestamp"]) + 1)
    for changed in ({"Webhook-Id": "msg_other"}, {"Webhook-Timestamp": later}):
        with pytest.raises(WebhookVerificationError, match="No matching signature"):
            Webhook(WEBHOOK_SECRET).verify(request.body, headers | changed)
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(WEBHOOK_SECRET).verify(request.body.replace(b"19900", b"19901"), headers)


@pytest.mark.gen_test
async def test_while_secrets_rotate_each_opens_the_event_and_a_third_does_not(
    planet: PlanetKit, receiver: Receiver
) -> None:
    new, third = ("whsec_" + base64.b64encode(secret).decode() for secret in (b"the new one" * 3, b"a third one" * 3))
    planet.site.events.secrets.insert(0, new)
    planet.site.member_buys(planet.mei, "g1")
    await delivers(planet)
    assert verified(receiver.requests[0], new) == verified(receiver.requests[0], WEBHOOK_SECRET)
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        verified(receiver.requests[0], third)
