"""The sandbox planet's member list and statements: read page by page, closed month by month."""

from collections.abc import Iterator

import pytest
from tornado.ioloop import IOLoop

from tests.planet_kit import PlanetKit, running

DAY = 86400


@pytest.fixture
def planet(io_loop: IOLoop) -> Iterator[PlanetKit]:
    """A planet on a port of its own."""
    with running(io_loop) as kit:
        yield kit


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


@pytest.mark.parametrize(("lie", "shown", "status"), [("doubled", 4, 200), ("circle", 2, 200), ("lost_cursor", 2, 400)])
@pytest.mark.gen_test
async def test_a_list_of_several_pages_can_lie(planet, lie, shown, status):
    for number in range(5):
        planet.site.joins_free(planet.world.add_person(f"p{number}"), "g1")
    planet.site.list_lie = lie
    _, first = await planet.api("GET", "/v1/groups/g1/members?limit=2")
    again, second = await planet.api("GET", f"/v1/groups/g1/members?limit=2&cursor={first['next_cursor']}")
    assert (len(first["members"]), first["total"], again) == (shown, 5, status)
    assert (second.get("next_cursor") == first["next_cursor"]) == (lie == "circle")


@pytest.mark.gen_test
async def test_a_switch_can_let_calls_go_by_before_it_strikes(planet):
    planet.world.faults.set("planet", "error", operation="planet.group", times=1, after=2)
    asked = [await planet.fetch("GET", "/v1/groups/g1", auth=("wxbot", "new-secret")) for _ in range(4)]
    assert [one.code for one in asked] == [200, 200, 500, 200]


@pytest.mark.gen_test
async def test_a_statement_lists_payments_and_is_closed_when_nothing_can_change(planet):
    kept = planet.site.member_buys(planet.mei, "g1")
    other = planet.world.add_person("ann")
    gone = planet.site.member_buys(other, "g1", 10000)
    planet.site.refund(gone)
    _, open_one = await planet.api("GET", "/v1/groups/g1/statements/2027-01")
    planet.world.forward(20 * DAY)
    _, closed = await planet.api("GET", "/v1/groups/g1/statements/2027-01")

    first, second = open_one["lines"]
    assert first == {
        "order_ref": kept,
        "member_uid": planet.uid,
        "paid_fen": 19900,
        "fee_fen": 3980,
        "refunded_fen": 0,
        "paid_at": "2027-01-15T08:00:00Z",
    }
    assert (second["order_ref"], second["member_uid"]) == (gone, planet.site.account_of(other).uid)
    assert [second[name] for name in ("paid_fen", "fee_fen", "refunded_fen")] == [10000, 0, 10000]
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
    assert [february["lines"][0][name] for name in money] == [0, 0, 19900]


@pytest.mark.parametrize(
    ("month", "status"), [("2027-13", 400), ("0000-01", 400), ("x", 400), ("2027-02", 404), ("2026-12", 200)]
)
@pytest.mark.gen_test
async def test_a_month_that_is_none_or_not_begun_is_refused(planet, month, status):
    assert (await planet.api("GET", f"/v1/groups/g1/statements/{month}"))[0] == status
