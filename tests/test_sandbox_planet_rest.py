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
    assert (await planet.api("GET", "/v1/groups/g1", auth=("wxbot", SECRETS[1])))[0] == 200
    planet.site.client_secrets.remove(SECRETS[1])
    assert (await planet.api("GET", "/v1/groups/g1", auth=("wxbot", SECRETS[1])))[0] == 401


@pytest.mark.gen_test
async def test_a_grant_is_made_once_and_repeated_unchanged(planet):
    made = await planet.grant()
    again = await planet.grant()

    assert made == (
        201,
        {
            "ref": "r1",
            "member_uid": planet.uid,
            "status": "active",
            "starts_at": "2027-01-15T08:00:00Z",
            "ends_at": "2028-01-15T08:00:00Z",
            "version": 1,
        },
    )
    assert again == (200, made[1])
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


@pytest.mark.gen_test
async def test_the_list_is_read_page_by_page_while_it_changes(planet):
    people = [planet.world.add_person(f"p{number}") for number in range(5)]
    for person in people:
        planet.site.joins_free(person, "g1")
    _, first = await planet.api("GET", "/v1/groups/g1/members?limit=2")
    planet.site.remove(people[0], "g1")
    planet.site.joins_free(planet.mei, "g1")
    seen, cursor = first["members"], first["next_cursor"]
    while cursor:
        _, page = await planet.api("GET", f"/v1/groups/g1/members?limit=2&cursor={cursor}")
        seen, cursor = seen + page["members"], page["next_cursor"]

    assert [member["display_name"] for member in seen] == [f"p{n}@星球" for n in range(5)] + ["小梅@星球"]
    assert (first["total"], page["total"]) == (5, 6)
    assert first["as_of"] == "2027-01-15T08:00:00Z"


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "limit=", "cursor=x", "cursor=LTEuMDA", "limit=1&limit=2"]
)
@pytest.mark.gen_test
async def test_a_page_that_cannot_be_is_refused(planet, query):
    status, _ = await planet.api("GET", f"/v1/groups/g1/members?{query}")
    assert status == (200 if query == "limit=" else 400)


@pytest.mark.gen_test
async def test_a_cursor_of_another_group_is_refused(planet):
    planet.site.add_group("g2", "另一个", 100, planet.owner)
    for group_id in ("g1", "g2"):
        for person in (planet.mei, planet.owner):
            planet.site.joins_free(person, group_id)
    _, page = await planet.api("GET", "/v1/groups/g2/members?limit=1")
    assert (await planet.api("GET", f"/v1/groups/g1/members?cursor={page['next_cursor']}"))[0] == 400


@pytest.mark.parametrize(
    ("lie", "count", "total"), [("empty", 0, 0), ("half", 5, 10), ("smaller", 7, 7), ("stale", 10, 10)]
)
@pytest.mark.gen_test
async def test_the_list_can_lie(planet, lie, count, total):
    for number in range(10):
        planet.site.joins_free(planet.world.add_person(f"p{number}"), "g1")
    planet.site.list_lie = lie
    _, page = await planet.api("GET", "/v1/groups/g1/members")
    assert (len(page["members"]), page["next_cursor"], page["total"]) == (count, None, total)
    assert (page["as_of"] < "2027-01-14") == (lie == "stale")


@pytest.mark.gen_test
async def test_a_statement_lists_payments_and_is_closed_when_nothing_can_change(planet):
    kept = planet.site.member_buys(planet.mei, "g1")
    other = planet.world.add_person("ann")
    gone = planet.site.member_buys(other, "g1", 10000)
    planet.site.refund(gone)
    _, open_one = await planet.api("GET", "/v1/groups/g1/statements/2027-01")
    planet.world.forward(20 * DAY)
    _, closed = await planet.api("GET", "/v1/groups/g1/statements/2027-01")

    assert open_one["lines"] == [
        {
            "order_ref": kept,
            "member_uid": planet.uid,
            "paid_fen": 19900,
            "fee_fen": 3980,
            "refunded_fen": 0,
            "paid_at": "2027-01-15T08:00:00Z",
        },
        {
            "order_ref": gone,
            "member_uid": planet.site.account_of(other).uid,
            "paid_fen": 10000,
            "fee_fen": 0,
            "refunded_fen": 10000,
            "paid_at": "2027-01-15T08:00:00Z",
        },
    ]
    assert (open_one["closed"], closed["closed"]) == (False, True)
    assert closed["lines"] == open_one["lines"]


@pytest.mark.gen_test
async def test_a_refund_after_the_month_closed_stands_in_its_own_month(planet):
    order_ref = planet.site.member_buys(planet.mei, "g1")
    planet.world.forward(20 * DAY)
    planet.site.refund(order_ref)
    _, january = await planet.api("GET", "/v1/groups/g1/statements/2027-01")
    _, february = await planet.api("GET", "/v1/groups/g1/statements/2027-02")
    money = ("paid_fen", "fee_fen", "refunded_fen")
    assert [january["lines"][0][name] for name in money] == [19900, 3980, 0]
    assert [february["lines"][0][name] for name in money] == [0, -3980, 19900]


@pytest.mark.parametrize(
    ("month", "status"), [("2027-13", 400), ("0000-01", 400), ("x", 400), ("2027-02", 404), ("2026-12", 200)]
)
@pytest.mark.gen_test
async def test_a_month_that_is_none_or_not_begun_is_refused(planet, month, status):
    assert (await planet.api("GET", f"/v1/groups/g1/statements/{month}"))[0] == status


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/none"), ("POST", "/v1/groups/g1"), ("PUT", "/v1")])
@pytest.mark.gen_test
async def test_other_addresses_and_methods_are_refused_in_json(planet, method, path):
    status, answer = await planet.api(method, path, body=b"" if method != "GET" else None)
    assert status in (404, 405)
    assert set(answer) == {"error", "message"}
