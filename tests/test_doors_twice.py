"""What comes to a page twice, doubled or by the wrong door is taken once or not at all, and nothing lasts for ever."""

import pytest

from models.errors import StateInvalid
from models.people import SignInState
from services import handshake
from tests.attack_kit import ask, post, session
from tests.departures import departs

gen = pytest.mark.gen_test(timeout=40)


@gen
async def test_an_argument_that_stands_twice_is_none(site):
    await site.buys()
    left = await departs(site)
    before = await site.rows()
    answer = await left.returns(left.back(state=[left.sent["state"]] * 2))
    assert (answer.status, answer.json["code"]) == (400, "state_invalid")
    assert await site.rows() == before


@gen
async def test_one_way_back_that_comes_twice_asks_the_planet_once(site):
    await site.buys()
    left = await departs(site)
    query = left.back()
    for _ in range(2):
        assert await left.outcome(await left.returns(query)) == (200, "linked")
    assert len(site.world.journal.entries(operation="planet.token")) == 1


@gen
async def test_a_way_back_by_another_provider_uses_nothing_up(site):
    await site.buys()
    left = await departs(site)
    came = {"state": left.sent["state"], "browser": left.cookies["browser"], "person_id": None}
    with pytest.raises(StateInvalid):
        await site.ctx.transact(handshake.take_return, provider="manual", **came)
    assert (await site.ctx.transact(handshake.take_return, provider="partner", **came)).is_first


@gen
async def test_no_way_to_wechat_is_begun_for_an_address_that_is_not_ours(site):
    answer = await post(site, "/oauth/start", {}, {"target": "//evil.example"})
    assert (answer.status, answer.json["code"]) == (422, "wrong_input")
    assert await site.ctx.read(lambda _env: SignInState.select().count()) == 0


@gen
async def test_a_session_in_use_ends_after_thirty_days_whatever_the_browser_keeps(site):
    mine = await session(site)
    for _ in range(5):
        assert (await ask(site, "/me", cookies=mine)).status == 200
        site.clock.forward(days=6)
    assert (await ask(site, "/me", cookies=mine, Accept="application/json")).status == 401
