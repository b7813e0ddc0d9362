"""Events that the planet did not send, or not now, or not like this: one refusal for all, and nothing is kept."""

import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from tests.attack_kit import ask, raw, watched
from tests.event_kit import DATA, EVENT, EVENTS, ID, body_of, kept, signed, tells
from tests.site import WEBHOOK_SECRET

gen = pytest.mark.gen_test(timeout=120)
OTHER_SECRET = "whsec_b3RoZXIgc2VjcmV0IG9mIDMyIGJ5dGVzICEhIQ=="


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


@pytest.fixture
def roomy(make_site):
    """A site whose limits no list of forgeries reaches."""
    return make_site(limits_factor=1000)


def forged_headers(site) -> dict[str, dict[str, str]]:
    """Headers that are not right for the body, by what is wrong with them."""
    true = signed(site, body_of())
    signature = true["webhook_signature"]
    bare, time = signature.removeprefix("v1,"), int(true["webhook_timestamp"])
    signatures = {
        "version a": f"v1a,{bare}", "version 0": f"v0,{bare}", "no version": bare, "empty": "", "v1 alone": "v1,",
        "upper case": f"V1,{bare}", "a comma instead of a blank": f"v0,x,{signature}", "tab": f"v0,x\t{signature}",
        "one letter less": signature[:-1], "one letter more": f"{signature}A", "another letter": f"v1,A{bare[1:]}",
        "lower case": signature.lower(), "star": "v1,\u661f", "hex": "v1," + "0" * 64,
        "very many": f"{signature} " * 40,
        "of another secret": signed(site, body_of(), secret=OTHER_SECRET)["webhook_signature"],
        "of another id": signed(site, body_of(), event_id="msg_x")["webhook_signature"],
        "of another time": signed(site, body_of(), late=1)["webhook_signature"],
        "of another body": signed(site, body_of({}))["webhook_signature"], "the secret": WEBHOOK_SECRET,
    }  # fmt: skip
    times = {
        "NaN": "NaN", "1e400": "1e400", "negative": f"-{time}", "float": f"{time}.0", "plus": f"+{time}", "zero": "0",
        "blank": f" {time} 0", "milliseconds": f"{time}000", "full width": "\uff11" * 10, "underscore": "1_764_000_000",
        "hex": hex(time), "empty": "",
    }  # fmt: skip
    ids = {"empty": "", "dot": f"{ID}.1", "blank": "msg 1", "star": "\u661f", "long": "m" * 129, "another": "msg_y"}
    forged = {f"signature: {what}": {"webhook_signature": value} for what, value in signatures.items()}
    forged |= {f"time: {what}": {"webhook_timestamp": value} for what, value in times.items()}
    forged |= {f"id: {what}": {"webhook_id": value} for what, value in ids.items()}
    return {what: true | {name: latin(value) for name, value in change.items()} for what, change in forged.items()}


def latin(text: str) -> str:
    """UTF-8 bytes in a header, as the wire has them."""
    return text.encode().decode("latin1")


async def refusals(site, calls) -> set[tuple[int, str]]:
    """The different answers to all calls, each without its own number."""
    told = set()
    for what, answer in calls:
        assert answer.status == 401, (what, answer)
        told.add(json.dumps(answer.told[1], sort_keys=True))
    return told


@gen
async def test_no_forged_event_is_kept_and_all_are_refused_alike(roomy):
    site = roomy
    before, body = await site.every_row(), body_of()
    forged = forged_headers(site)
    calls = [(what, await ask(site, EVENTS, "POST", body=body, **headers)) for what, headers in forged.items()]
    for name in ("webhook_id", "webhook_timestamp", "webhook_signature"):
        without = {one: value for one, value in signed(site, body).items() if one != name}
        calls.append((f"without {name}", await ask(site, EVENTS, "POST", body=body, **without)))
    assert len(calls) >= 40
    assert len(await refusals(site, calls)) == 1, "nobody learns what was wrong"
    assert await site.every_row() == before
    assert (await tells(site)).status == 204, "the true one is as good as ever"


LAXER = {"time: float", "time: plus", "signature: one letter more", "signature: very many"}


def the_reference_takes(headers: dict[str, str]) -> bool:
    """Whether the library standardwebhooks believes it; a malformed signature makes it raise a ValueError."""
    try:
        Webhook(WEBHOOK_SECRET).verify(body_of(), {name.replace("_", "-"): one for name, one in headers.items()})
    except (WebhookVerificationError, ValueError):
        return False
    return True


@gen
async def test_what_the_reference_library_refuses_we_refuse_and_where_it_is_laxer_is_known(roomy):
    site = roomy
    site.clock.moment = datetime.now(UTC)  # the time that the library reads
    taken = {what for what, headers in forged_headers(site).items() if the_reference_takes(headers)}
    assert the_reference_takes(signed(site, body_of()))
    assert taken == LAXER
    for late, is_taken in ((-290, True), (290, True), (-310, False), (310, False)):
        headers = signed(site, body_of(), event_id=f"msg_{late}".replace("-", "m"), late=late)
        answer = await ask(site, EVENTS, "POST", body=body_of(), **headers)
        assert (answer.status == 204, the_reference_takes(headers)) == (is_taken, is_taken), late


@gen
async def test_no_secret_no_signature_and_nobody_stands_in_the_log_of_events(roomy):
    site, body = roomy, body_of()
    before = await site.every_row()
    with watched("debug") as lines:
        for headers in forged_headers(site).values():
            assert (await ask(site, EVENTS, "POST", body=body, **headers)).status == 401
        assert (await tells(site, body[:-1])).status == 400
        assert await site.every_row() == before
        assert (await tells(site)).status == 204
    text, signature = lines.getvalue(), signed(site, body)["webhook_signature"].removeprefix("v1,")
    assert text.count("PlanetEventHandler") > 40, "they were logged"
    told = {WEBHOOK_SECRET, WEBHOOK_SECRET.removeprefix("whsec_"), OTHER_SECRET, signature, ID}
    told |= {DATA["member_uid"], DATA["order_ref"]}
    assert not {one for one in told if one in text}


@gen
async def test_each_changed_byte_of_the_body_makes_it_a_forgery(roomy):
    site = roomy
    before, body = await site.every_row(), body_of()
    headers = signed(site, body)
    for at in range(0, len(body), 5):
        changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        assert (await ask(site, EVENTS, "POST", body=changed, **headers)).status == 401, at
    for changed in (body + b" ", body[:-1], b"", b"\xef\xbb\xbf" + body):
        assert (await ask(site, EVENTS, "POST", body=changed, **headers)).status == 401
    assert await site.every_row() == before


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@gen
async def test_a_header_that_stands_twice_is_refused(site, name):
    body = body_of()
    lines = [f"{one.replace('_', '-')}: {value}" for one, value in signed(site, body).items()]
    lines += [line for line in lines if line.startswith(name)]
    head = [f"POST {EVENTS} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}", *lines]
    answer = await raw(site, "\r\n".join([*head, "", ""]).encode() + body)
    assert answer.status == 401
    assert await kept(site) == []


@pytest.mark.parametrize(("late", "status"), [(-300, 204), (300, 204), (-301, 401), (301, 401), (-(10**9), 401)])
@gen
async def test_an_event_counts_for_five_minutes_both_ways(site, late, status):
    assert (await tells(site, late=late)).status == status
    assert len(await kept(site)) == (status == 204)


@gen
async def test_what_is_signed_cannot_be_cut_into_other_parts(site):
    """The signature covers id, time and body with dots between: where one ends must not be movable."""
    now = int(site.clock.now().timestamp())
    tail = b"%d." % now + body_of()
    headers = signed(site, tail, event_id="msg")
    moved = headers | {"webhook_id": f"msg.{headers['webhook_timestamp']}", "webhook_timestamp": str(now)}
    assert (await ask(site, EVENTS, "POST", body=body_of(), **moved)).status == 401
    assert await kept(site) == []


WRONG = {
    "no JSON": b"nonsense", "empty": b"", "UTF-16": body_of().decode().encode("utf-16"), "list": b"[]", "null": b"null",
    "text": b'"x"', "number": b"1e999", "deep": b"[" * 60_000, "NaN": body_of().replace(b"19900", b"NaN"),
    "a name twice": b'{"type":"membership.removed",' + body_of()[1:], "no type": body_of({}), "NUL": body_of() + b"\0",
    "type is no text": b'{"type":7}', "type is empty": b'{"type":""}', "type is long": b'{"type":"%b"}' % (b"x" * 65),
    "no data": body_of({"type": "membership.removed"}), "cut": body_of()[:-1],
}  # fmt: skip
FIELDS = {
    "group_id": ["", None, 7, "g 1", "\u661f", "g" * 129, ["g1"]], "member_uid": ["", None, {}, "m" * 129, "a\nb"],
    "source": ["free", "", None, "PAID"], "order_ref": [None, "", 5, "o" * 129],
    "paid_fen": [-1, 1.5, "1", 10**13, True],
    "starts_at": [None, "", "yesterday", 0, "2026-13-01T00:00:00Z", "2026-11-01T00:00:00", "0001-01-01T00:00:00Z",
                  "9999-12-31T23:59:59Z"],
    "ends_at": ["", "never", 1, "9999-12-31T23:59:59Z"], "version": [-1, None, "1", 1.5, 2**63, True],
}  # fmt: skip


@gen
async def test_what_is_signed_but_not_of_the_contract_is_refused_and_not_kept(roomy):
    site = roomy
    before = await site.every_row()
    wrong = WRONG | {
        f"{name}: {value!r}": body_of(EVENT | {"data": DATA | {name: value}})
        for name, values in FIELDS.items()
        for value in values
    }
    wrong |= {f"without {name}": body_of(EVENT | {"data": without(name)}) for name in DATA if name != "paid_fen"}
    for what, body in wrong.items():
        answer = await tells(site, body)
        assert (answer.status, answer.json["code"]) == (400, "invalid_request"), (what, answer)
    assert await site.every_row() == before


def without(name: str) -> dict[str, object]:
    """The data without one of its fields."""
    return {one: value for one, value in DATA.items() if one != name}


@gen
async def test_more_than_64_kib_is_too_large_and_exactly_that_is_read(site):
    room = 64 * 1024 - len(body_of(EVENT | {"more": ""}))
    assert (await tells(site, EVENT | {"more": "x" * room}, event_id="msg_1")).status == 204
    before = await site.every_row()
    assert (await tells(site, EVENT | {"more": "x" * (room + 1)}, event_id="msg_2")).status == 413
    assert await site.every_row() == before


@pytest.mark.parametrize("provider", ["manual", "discourse", "x", "PARTNER"])
@gen
async def test_a_planet_that_is_not_set_up_tells_nothing(site, provider):
    body = body_of()
    answer = await ask(site, f"/planets/{provider}/events", "POST", body=body, **signed(site, body))
    assert answer.status == 404 and await kept(site) == []
