"""Codes of the planet that are none, or were given for another hand-over: worth nothing."""

import pytest

from models.links import Link, Membership, RefundWaiver
from tests.attack_kit import ask, watched
from tests.departures import departs

gen = pytest.mark.gen_test(timeout=60)
TRIED = {"link_attempt"}  # what a way back with a true state may touch: the attempt keeps its "no"


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


def calls(site) -> int:
    """How many codes were shown to the planet."""
    return len(site.world.journal.entries(operation="planet.token"))


async def links(site) -> int:
    """How many links, memberships and waivers there are."""
    kinds = (Link, Membership, RefundWaiver)
    return await site.ctx.read(lambda _env: sum(kind.select().count() for kind in kinds))


BAD_CODES = {
    "missing": None, "empty": "", "twice": ["a", "b"], "blank": "a b", "newline": "a\nb", "NUL": "a\0b",
    "star": "\u661f", "600": "a" * 600, "10 kB": "a" * 10_000, "latin": "\xe9", "tab": "a\tb", "DEL": "a\x7f",
    "bidi": "\u202eabc",
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_CODES)
@gen
async def test_what_cannot_be_a_code_is_never_shown_to_the_planet(site, what):
    await site.buys("anna")
    anna = await departs(site)
    before = await site.rows()
    with watched():
        answer = await anna.returns(anna.back(code=BAD_CODES[what]))
        assert await anna.outcome(answer) == (400, "state_invalid")
    after = await site.rows()
    assert calls(site) == 0 and {name for name in after if after[name] != before[name]} <= TRIED
    again = await anna.returns(anna.back())
    assert await anna.outcome(again) == (400, "state_invalid"), "a state is good for one answer"
    assert await links(site) == 0


async def foreign_code(site, what: str, anna) -> str:
    """A code that the planet knows, but not for this hand-over."""
    if what == "another person's hand-over":
        await site.buys("bob")
        return (await departs(site, "bob")).code()
    if what == "an older hand-over of his own":
        return (await departs(site, cookies=anna.cookies)).code()
    facts = {
        "without PKCE": {"challenge": ""}, "PKCE of somebody else": {"challenge": "c" * 43},
        "for another address": {"redirect_uri": f"{site.base_url}/"},
    }  # fmt: skip
    if what in facts:
        return anna.code(**facts[what])
    return {"made up": "c" * 40, "SQL": "'OR'1'='1", "a state": anna.sent["state"], "markup": "<script>"}[what]


FOREIGN = ["another person's hand-over", "an older hand-over of his own", "without PKCE", "PKCE of somebody else",
           "for another address", "made up", "SQL", "a state", "markup"]  # fmt: skip


@pytest.mark.parametrize("what", FOREIGN)
@gen
async def test_a_code_of_another_hand_over_is_worth_nothing(site, what):
    await site.buys("anna")
    anna = await departs(site)
    code = await foreign_code(site, what, anna)
    before = await site.rows()
    with watched():
        assert await anna.outcome(await anna.returns(anna.back(code=code))) == (400, "state_invalid")
    after = await site.rows()
    assert {name for name in after if after[name] != before[name]} <= TRIED
    assert await links(site) == 0


@pytest.mark.parametrize(
    "error", ["access_denied", "server_error", "<script>alert(1)</script>", "a" * 5000, "\u661f", "x y"]
)
@gen
async def test_an_error_of_the_planet_ends_the_hand_over_whatever_else_it_says(site, error):
    await site.buys("anna")
    anna = await departs(site)
    answer = await anna.returns(anna.back(error=error, error_description="<b>x</b>"))
    shown = await ask(site, answer.headers["Location"], cookies=anna.cookies)
    assert shown.status == (200 if error == "access_denied" else 503)
    assert b"<script>alert" not in shown.body and b"<b>x" not in shown.body
    assert calls(site) == 0 and await links(site) == 0


@gen
async def test_a_code_for_another_planet_of_the_same_company_gives_no_place_there(site):
    await site.buys("anna")
    anna = await departs(site)
    await anna.returns(anna.back(code=anna.code(group_id="g2")))
    await site.delivers()
    assert site.box.planet.memberships("g2") == []
    assert await site.broken() == []
