"""The planet's switches: what goes wrong does so as on a real network, and the work is or is not done."""

from collections.abc import Iterator

import pytest
from tornado.ioloop import IOLoop

from tests.planet_kit import PlanetKit, running


@pytest.fixture
def planet(io_loop: IOLoop) -> Iterator[PlanetKit]:
    """A planet on a port of its own."""
    with running(io_loop) as kit:
        yield kit


async def granted(planet: PlanetKit) -> int:
    """Ask for a membership; the status, 0 when there was no whole answer."""
    body = {"member_uid": planet.uid, "ends_at": "2028-01-15T08:00:00Z", "reason": "gift"}
    try:
        response = await planet.fetch("PUT", "/v1/groups/g1/memberships/r1", json=body, auth=("wxbot", "new-secret"))
    except OSError:
        return 0
    except Exception as gone:  # noqa: BLE001  # each HTTP client has its own name for a cut connection
        assert type(gone).__name__ in {"HTTPStreamClosedError", "HTTPTimeoutError", "HTTPClientError"}
        return 0
    return response.code


@pytest.mark.parametrize("kind", ["timeout_after_commit", "half"])
@pytest.mark.gen_test
async def test_an_answer_can_be_lost_after_the_work_was_done(planet, kind):
    planet.world.faults.set("planet", kind, operation="planet.grant", times=1)
    assert await granted(planet) == 0
    assert [one.ref for one in planet.site.memberships("g1")] == ["r1"]
    assert await granted(planet) == 200, "asked again, it is there already"
    assert len(planet.site.memberships("g1")) == 1


@pytest.mark.parametrize(("kind", "status"), [("error", 500), ("busy", 429), ("junk", 200), ("down", 0)])
@pytest.mark.gen_test
async def test_a_planet_in_trouble_does_no_work(planet, kind, status):
    planet.world.faults.set("planet", kind, operation="planet.grant", times=1)
    assert await granted(planet) == status
    assert planet.site.memberships("g1") == []
    assert await granted(planet) == 201


@pytest.mark.gen_test
async def test_a_busy_planet_says_when_to_come_again(planet):
    planet.world.faults.set("planet", "busy", operation="planet.group", seconds=7)
    response = await planet.fetch("GET", "/v1/groups/g1", auth=("wxbot", "new-secret"))
    assert response.headers["Retry-After"] == "7"


@pytest.mark.gen_test
async def test_a_slow_planet_answers_in_the_end(planet):
    planet.world.faults.set("planet", "slow", operation="planet.grant", seconds=0.01)
    assert await granted(planet) == 201


@pytest.mark.gen_test
async def test_a_lost_token_answer_has_used_the_code_up(planet):
    code = (await planet.decide("agree"))["code"]
    planet.world.faults.set("planet", "half", operation="planet.token", times=1)
    with pytest.raises(Exception, match="closed"):
        await planet.redeem(code)
    assert (await planet.redeem(code))[1]["error"] == "invalid_grant"


@pytest.mark.gen_test
async def test_each_call_has_a_switch_of_its_own(planet):
    calls = {
        "planet.group": ("GET", "/v1/groups/g1"),
        "planet.grant": ("PUT", "/v1/groups/g1/memberships/r1"),
        "planet.revoke": ("DELETE", "/v1/groups/g1/memberships/r1"),
        "planet.member": ("GET", "/v1/groups/g1/members/m1"),
        "planet.members": ("GET", "/v1/groups/g1/members"),
        "planet.statement": ("GET", "/v1/groups/g1/statements/2027-01"),
        "planet.token": ("POST", "/oauth/token"),
        "planet.authorize": ("GET", "/oauth/authorize"),
        "planet.page": ("GET", "/groups/g1"),
    }
    for operation, (method, path) in calls.items():
        planet.world.faults.set("planet", "busy", operation=operation, times=1)
        assert (await planet.fetch(method, path)).code == 429, operation
    seen = [entry.operation for entry in planet.world.journal.entries(side="planet")]
    assert seen == list(calls)
