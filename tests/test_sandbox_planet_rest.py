"""The sandbox planet's API: contract section 2, every row with its yes and its no."""

from collections.abc import Iterator

import pytest
from tornado.escape import json_decode
from tornado.ioloop import IOLoop

from tests.planet_kit import SECRETS, PlanetKit, running

DAY = 86400


@pytest.fixture
def planet(io_loop: IOLoop) -> Iterator[PlanetKit]:
    """A planet on a port of its own."""
    with running(io_loop) as kit:
        yield kit


@pytest.mark.gen_test
async def test_a_group_says_what_it_is(planet):
    planet.site.member_buys(planet.mei, "g1")
    assert await planet.api("GET", "/v1/groups/g1") == (
        200,
        {
            "group_id": "g1",
            "title": "信息安全星球",
            "price_fen": 19900,
            "owner_name": "林老师@星球",
            "entry_url": f"{planet.url}/groups/g1",
            "member_count": 1,
        },
    )


ROWS = [
    ("GET", "/v1/groups/{group}"),
    ("PUT", "/v1/groups/{group}/memberships/r1"),
    ("DELETE", "/v1/groups/{group}/memberships/r1?reason=refund"),
    ("GET", "/v1/groups/{group}/members/m1"),
    ("GET", "/v1/groups/{group}/members"),
    ("GET", "/v1/groups/{group}/statements/2027-01"),
]


@pytest.mark.parametrize(("method", "path"), ROWS)
@pytest.mark.parametrize("auth", [None, ("wxbot", "wrong"), ("wxbot", ""), ("other", SECRETS[0])])
@pytest.mark.gen_test
async def test_every_call_needs_the_client_and_a_live_secret(planet, method, path, auth):
    response = await planet.fetch(method, path.format(group="g1"), auth=auth)
    assert response.code == 401
    assert json_decode(response.body)["error"] == "invalid_client"
    assert response.headers["WWW-Authenticate"].startswith("Basic")


@pytest.mark.parametrize(("method", "path"), ROWS)
@pytest.mark.gen_test
async def test_an_unknown_group_is_not_found_and_a_closed_one_not_allowed(planet, method, path):
    status, answer = await planet.api(method, path.format(group="unknown"))
    assert (status, answer["error"]) == (404, "not_found")
    planet.group.is_partner_allowed = False
    status, answer = await planet.api(method, path.format(group="g1"))
    assert (status, answer["error"]) == (403, "not_allowed")


@pytest.mark.gen_test
async def test_a_rotated_out_secret_no_longer_opens(planet):
    old = {"auth": ("wxbot", SECRETS[1])}
    assert (await planet.api("GET", "/v1/groups/g1", **old))[0] == 200
    planet.site.client_secrets.remove(SECRETS[1])
    assert (await planet.api("GET", "/v1/groups/g1", **old))[0] == 401


@pytest.mark.gen_test
async def test_a_grant_is_made_once_and_repeated_unchanged(planet):
    made = await planet.grant()
    again = await planet.grant()

    times = {"starts_at": "2027-01-15T08:00:00Z", "ends_at": "2028-01-15T08:00:00Z"}
    stands = {"ref": "r1", "member_uid": planet.uid, "status": "active", "version": 1} | times
    assert made == (201, stands)
    assert again == (200, stands)
    assert len(planet.site.memberships("g1")) == 1


@pytest.mark.gen_test
async def test_a_grant_is_extended_and_its_version_grows(planet):
    await planet.grant()
    status, answer = await planet.grant(ends_at="2029-01-15T08:00:00.5Z")
    assert (status, answer["version"]) == (200, 2)
    assert answer["ends_at"] == "2029-01-15T08:00:00.500000Z"


@pytest.mark.gen_test
async def test_a_reference_of_one_member_is_refused_for_another(planet):
    _, before = await planet.grant()
    status, answer = await planet.grant(member_uid=planet.site.account_of(planet.owner).uid)
    assert (status, answer["error"]) == (409, "ref_conflict")
    assert (await planet.grant())[1] == before


@pytest.mark.gen_test
async def test_a_revoked_membership_is_revived_by_the_same_reference(planet):
    await planet.grant()
    revoked = await planet.api("DELETE", "/v1/groups/g1/memberships/r1?reason=unlink")
    again = await planet.api("DELETE", "/v1/groups/g1/memberships/r1?reason=unlink")
    planet.world.forward(DAY)
    status, revived = await planet.grant()

    assert revoked == again == (200, {"ref": "r1", "status": "revoked", "version": 2})
    assert (status, revived["status"], revived["version"]) == (200, "active", 3)
    assert revived["starts_at"] == "2027-01-16T08:00:00Z"


@pytest.mark.parametrize("reason", ["refund", "unlink", "operator"])
@pytest.mark.gen_test
async def test_a_revocation_gives_its_reason(planet, reason):
    await planet.grant()
    assert (await planet.api("DELETE", "/v1/groups/g1/memberships/r1"))[0] == 400
    assert (await planet.api("DELETE", "/v1/groups/g1/memberships/r1?reason=mood"))[0] == 400
    assert planet.site.memberships("g1")[0].status == "active"
    assert (await planet.api("DELETE", f"/v1/groups/g1/memberships/r1?reason={reason}"))[0] == 200


@pytest.mark.gen_test
async def test_what_is_unknown_is_not_found(planet):
    assert (await planet.api("DELETE", "/v1/groups/g1/memberships/none?reason=refund"))[0] == 404
    assert (await planet.api("GET", f"/v1/groups/g1/members/{planet.uid}"))[0] == 404
    assert (await planet.grant(member_uid="m0"))[0] == 404
    assert planet.site.memberships("g1") == []


@pytest.mark.gen_test
async def test_whom_the_owner_removed_is_not_granted_again(planet):
    await planet.grant()
    planet.site.remove(planet.mei, "g1")
    for ref in ("r1", "r2"):
        status, answer = await planet.grant(ref)
        assert (status, answer["error"]) == (409, "removed_by_owner")
    assert (await planet.api("DELETE", "/v1/groups/g1/memberships/r1?reason=refund"))[0] == 200
    planet.site.readmit(planet.mei, "g1")
    assert (await planet.grant())[0] == 200


BODIES = [
    {"member_uid": None},
    {"member_uid": 7},
    {"reason": "mood"},
    {"reason": ["gift"]},
    {"ends_at": None},
    {"ends_at": 1800000000},
    {"ends_at": "2028-01-15"},
    {"ends_at": "2028-13-45T00:00:00Z"},
    {"ends_at": "2028-01-15T08:00:00+08:00"},
]


@pytest.mark.parametrize("changes", BODIES)
@pytest.mark.gen_test
async def test_a_grant_in_the_wrong_shape_is_refused(planet, changes):
    status, answer = await planet.grant(**changes)
    assert (status, answer["error"]) == (400, "invalid_request")
    assert planet.site.memberships("g1") == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"[" * 60_000, b"\xff", b" " * 70_000])
@pytest.mark.gen_test
async def test_a_body_that_is_no_json_object_is_refused(planet, body):
    status, answer = await planet.api("PUT", "/v1/groups/g1/memberships/r1", body=body)
    assert (status, answer["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("ends_at", ["2027-01-15T08:00:00Z", "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"])
@pytest.mark.gen_test
async def test_an_end_that_cannot_be_meant_is_refused(planet, ends_at):
    status, answer = await planet.grant(ends_at=ends_at)
    assert (status, answer["error"]) == (422, "unprocessable")


@pytest.mark.parametrize("ref", ["a" * 65, "with%20space", "%E4%BD%A0", "%ff"])
@pytest.mark.gen_test
async def test_a_reference_out_of_its_form_is_refused(planet, ref):
    assert (await planet.grant(ref))[0] == 400


@pytest.mark.gen_test
async def test_a_member_shows_every_reason_why_he_is_in(planet):
    order_ref = planet.site.member_buys(planet.mei, "g1", 15000)
    await planet.grant()
    planet.site.joins_free(planet.mei, "g1")
    _, member = await planet.api("GET", f"/v1/groups/g1/members/{planet.uid}")
    paid, granted, free = member.pop("memberships")

    assert member == {"member_uid": planet.uid, "display_name": "小梅@星球"}
    assert paid == {
        "source": "paid",
        "ref": None,
        "order_ref": order_ref,
        "paid_fen": 15000,
        "status": "active",
        "starts_at": "2027-01-15T08:00:00Z",
        "ends_at": "2028-01-15T08:00:00Z",
        "version": 1,
    }
    assert (granted["source"], granted["ref"], granted["order_ref"]) == ("partner", "r1", None)
    assert (free["source"], free["ends_at"]) == ("free", None)


@pytest.mark.gen_test
async def test_the_statuses_follow_the_clock_the_refund_and_the_owner(planet):
    first = planet.site.member_buys(planet.mei, "g1")
    planet.site.refund(first)
    planet.site.member_buys(planet.mei, "g1")
    planet.world.forward(365 * DAY)
    await planet.grant(ends_at="2029-01-15T08:00:00Z")
    planet.site.remove(planet.mei, "g1")
    found = planet.site.memberships("g1")
    assert [(one.status, one.version) for one in found] == [("refunded", 2), ("expired", 2), ("revoked", 2)]


@pytest.mark.gen_test
async def test_an_expired_grant_becomes_active_when_it_is_extended(planet):
    await planet.grant()
    planet.world.forward(365 * DAY)
    assert planet.site.memberships("g1")[0].status == "expired"
    status, answer = await planet.grant(ends_at="2029-01-15T08:00:00Z")
    assert (status, answer["status"], answer["version"]) == (200, "active", 3)


@pytest.mark.gen_test
async def test_a_renewal_is_a_payment_of_its_own_from_the_old_end(planet):
    first = planet.site.member_buys(planet.mei, "g1")
    second = planet.site.member_renews(planet.mei, "g1", 9900)
    old, new = planet.site.memberships("g1")
    assert first != second
    assert new.starts_at == old.ends_at
    assert new.paid_fen == 9900


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/none"), ("POST", "/v1/groups/g1"), ("PUT", "/v1")])
@pytest.mark.gen_test
async def test_other_addresses_and_methods_are_refused_in_json(planet, method, path):
    status, answer = await planet.api(method, path, body=b"" if method != "GET" else None)
    assert status in (404, 405)
    assert set(answer) == {"error", "message"}
