"""Two things that happen to one person at once: linking beside unlinking, beside a refund, beside another link."""

from collections.abc import Awaitable, Callable
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from models.access import Grant
from models.errors import NotEnrolled
from models.links import Link, LinkAttempt, Membership
from services import links, memberships, payments, purchases
from services.env import Env
from tests.race_kit import RACE, RACERS, Racer, Round, buys, goes_wrong, hands_over, race
from tests.site import COURSE, Site

pytestmark = RACE
PEOPLE = RACERS // 2


def at_once(pair: Callable[[Env, str], list[Racer]]) -> Round:
    """A round of eight people; the two things of each happen together."""

    async def prepare(site: Site, number: int) -> list[Racer]:
        def make(env: Env) -> list[Racer]:
            return [racer for one in range(PEOPLE) for racer in pair(env, f"p{number}-{one}")]

        return await site.ctx.transact(make)

    return prepare


def comes_back(who: str, attempt_id: int) -> Racer:
    """His planet account comes back."""
    return partial(links.complete, attempt_id=attempt_id, member_uid=f"m-{who}", display_name=who)


def refunded(order_no: str, override: str = "") -> Racer:
    """The platform tells of a refund."""
    return partial(purchases.refund, platform="yiling", order_no=order_no, override=override)


def linked_and_at_the_planet(env: Env, who: str) -> tuple[int, Racer]:
    """Somebody is linked by a first purchase and stands before the planet with a second."""
    person_id = buys(env, who=who, order_no=f"{who}.1")
    comes_back(who, hands_over(env, person_id=person_id)[0])(env)
    buys(env, who=who, order_no=f"{who}.2")
    return person_id, comes_back(who, hands_over(env, person_id=person_id)[0])


def linking_and_unlinking(env: Env, who: str) -> list[Racer]:
    """The second purchase is linked while the link is ended."""
    person_id, links_second = linked_and_at_the_planet(env, who)
    (link,) = links.active_links(person_id)
    return [links_second, partial(links.unlink, link_id=link.id, person_id=person_id, who="test", reason="race")]


def linking_and_refunding_the_first(env: Env, who: str) -> list[Racer]:
    """The second purchase is linked while the first is refunded."""
    _, links_second = linked_and_at_the_planet(env, who)
    return [links_second, refunded(f"{who}.1", "goodwill")]


def linking_and_refunding(env: Env, who: str) -> list[Racer]:
    """A purchase is linked while it is refunded at its platform."""
    attempt_id, _ = hands_over(env, person_id=buys(env, who=who))
    return [comes_back(who, attempt_id), refunded(who)]


def linking_two(env: Env, who: str) -> list[Racer]:
    """Somebody is linked; two further purchases of his are linked at the same moment."""
    person_id, links_second = linked_and_at_the_planet(env, who)
    buys(env, who=who, order_no=f"{who}.3")
    third, _ = hands_over(env, person_id=person_id)
    LinkAttempt.update(grant=Grant.get(source_ref=f"yiling:{who}.3")).where(LinkAttempt.id == third).execute()
    return [links_second, comes_back(who, third)]


def claiming_and_refunding(env: Env, who: str) -> list[Racer]:
    """A claim link is used while its purchase is refunded."""
    person_id = buys(env, who=who)
    told = {"course": COURSE, "phone": "13900000000", "paid_fen": 1, "paid_at": env.now}
    body = purchases.PurchaseBody(**told)
    answer, _ = purchases.put(env, platform="yiling", order_no=f"{who}.c", body=body)
    code = answer.claim_url.rsplit("/", 1)[1]
    return [partial(purchases.claim, code=code, person_id=person_id), refunded(f"{who}.c")]


async def years_overlap(site: Site) -> list[str]:
    """People whose second year does not begin where the first ends."""

    def found(_env: Env) -> list[str]:
        live = Membership.select().where(Membership.revoked_at.is_null())
        years = list(live.order_by(Membership.link, Membership.starts_at))
        pairs = pairwise(years)
        return [f"link {a.link_id}" for a, b in pairs if a.link_id == b.link_id and b.starts_at != a.ends_at]

    return await site.ctx.read(found)


async def late_starts(site: Site) -> list[str]:
    """Live years that begin later than now, with nothing before them."""

    def found(env: Env) -> list[str]:
        live = Membership.select().where(Membership.revoked_at.is_null(), Membership.starts_at > env.now)
        return [f"membership {one.id}" for one in live]

    return await site.ctx.read(found)


Wrong = Callable[[Site], Awaitable[list[str]]]
BESIDE: dict[str, tuple[Callable[[Env, str], list[Racer]], Wrong]] = {
    "a second course and the end of the link": (linking_and_unlinking, Site.broken),
    "a second course and a refund of the first": (linking_and_refunding_the_first, late_starts),
    "a link and a refund of the same purchase": (linking_and_refunding, Site.broken),
    "two more courses of one person": (linking_two, years_overlap),
}


def only_looks(link_id: int, **_values: str) -> bool:
    """`hold_link` without its lock."""
    return Link.select().where(Link.id == link_id, Link.unlinked_at.is_null()).exists()


def holds_nothing(env: Env, *, provider: str, member_uid: str) -> None:
    """`hold_account` without its lock."""


def looks_first(cls: type[Link], **values: Any) -> bool:
    """`add_once` without the lock that MariaDB lays on the row that was there before."""
    account = {name: values[name] for name in ("provider", "active_uid")}
    return Link.get_or_none(**account) is None and bool(Link.create(**values))


def only_finds(env: Env, grant_id: int) -> Grant:
    """`hold_grant` without its lock."""
    grant = Grant.get_or_none(Grant.id == grant_id, Grant.live(now=env.now))
    if grant is None:
        raise NotEnrolled
    return grant


@pytest.mark.parametrize("what", BESIDE)
async def test_of_two_things_at_once_one_comes_wholly_before_the_other(arena, rounds, what):
    pair, wrong = BESIDE[what]
    for number in range(rounds(1, soak=200)):
        await race(arena, await at_once(pair)(arena, number))
        assert await wrong(arena) == [], f"round {number}"
    assert await arena.broken() == []


@pytest.mark.parametrize("what", BESIDE)
async def test_control_without_the_locks_they_run_through_each_other(arena, monkeypatch, what):
    pair, wrong = BESIDE[what]
    monkeypatch.setattr(memberships, "hold_link", only_looks)
    monkeypatch.setattr(links, "hold_grant", only_finds)
    monkeypatch.setattr(payments, "hold_account", holds_nothing)
    monkeypatch.setattr(Link, "add_once", classmethod(looks_first))
    assert await goes_wrong(arena, at_once(pair), lambda _times: wrong(arena))


async def test_a_claim_beside_a_refund_leaves_no_right_behind(arena, rounds):
    for number in range(rounds(2, soak=200)):
        came = await race(arena, await at_once(claiming_and_refunding)(arena, number))
        assert set(came) <= {"ok", "claim_over", "claim_taken"}
    assert await arena.broken() == []
