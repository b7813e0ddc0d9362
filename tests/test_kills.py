"""Killed at an exact point, again and again: nothing twice, nothing acknowledged lost, serving again at once."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from itertools import cycle

import pytest

from models.links import Link
from models.people import Identity
from services import links, outbox, questions
from services.env import Env
from tests.attack_kit import Answer, ask, post, session
from tests.departures import departs
from tests.dying import Mortal, links_of
from tests.race_kit import hands_over
from tests.shop import Shop
from tests.site import Site
from wxbot.unlinking import UNLINK

pytestmark = pytest.mark.soak
gen = pytest.mark.gen_test(timeout=1800)
servers = pytest.mark.parametrize("database_kind", ["postgresql", "mariadb"])

Story = Callable[[Mortal, str, str], Awaitable[None]]


async def dies_in(mortal: Mortal, asking: Awaitable[Answer]) -> None:
    """A request whose answer never comes; then somebody serves again."""
    answer, _ = await asyncio.gather(asking, mortal.has_died())
    assert answer.status == 0, answer
    await mortal.serves()


async def put(site: Site, order_no: str) -> Answer:
    """The platform tells what its customer of that name bought, and takes the answer as it comes."""
    shop = Shop(site)
    body = json.dumps(shop.body(openid=site.phone(order_no).openid)).encode()
    machine = {"Authorization": shop.authorization, "Content_Type": "application/json"}
    return await ask(site, f"/api/v1/purchases/yiling/{order_no}", "PUT", body=body, **machine)


async def buys(mortal: Mortal, name: str, when: str) -> None:
    """The platform tells us of a purchase; it sends again what was not answered."""
    await mortal.serves(when, "put")
    await dies_in(mortal, put(mortal.site, name))
    assert (await put(mortal.site, name)).status == (201 if when == "before_commit" else 200)
    assert (await Shop(mortal.site).get(name))[1]["status"] == "granted"


async def claims(mortal: Mortal, name: str, when: str) -> None:
    """Somebody opens his claim link; he taps again when nothing came."""
    site = mortal.site
    await mortal.serves(when, "claim")
    path = (await Shop(site).claimable(name)).removeprefix(site.base_url)
    cookies = await session(site, name)
    await dies_in(mortal, post(site, path, cookies))
    assert (await post(site, path, cookies)).status == 303
    mine = await site.person_id(name)
    assert [one.person_id for one in await Shop(site).grants() if one.source_ref == f"yiling:{name}"] == [mine]


async def goes_to_the_planet(mortal: Mortal, name: str, when: str) -> None:
    """Somebody links; when nothing came he loads the page again, and is linked, or told to begin again."""
    site = mortal.site
    await mortal.serves(when, "complete")
    assert (await put(site, name)).status == 201
    departure = await departs(site, name)
    back = departure.back()
    await dies_in(mortal, departure.returns(back))
    reloaded = await departure.returns(back)
    site.clock.forward(seconds=61)  # so long somebody might still be at work on it
    assert await departure.outcome(reloaded) == ((400, "state_invalid") if when == "before_commit" else (200, "linked"))
    if when == "before_commit":
        again = await departs(site, name)
        assert await again.outcome(await again.returns(again.back())) == (200, "linked")
    assert await site.ctx.read(links_of, person_id=await site.person_id(name)) == (1, 1)


async def unlinks(mortal: Mortal, name: str, when: str) -> None:
    """Somebody writes 确认解绑; WeChat sends it again when no answer comes."""
    site, phone = mortal.site, mortal.site.phone(name)
    await is_linked(site, name)
    site.box.account.chats.fan(phone.person).follows = True
    await site.ctx.transact(was_asked, openid=phone.openid)
    await mortal.serves(when, "once")
    site.box.account.settings.answer_seconds = 20  # the next process comes up meanwhile, also on a busy machine
    saying = asyncio.ensure_future(phone.say("确认解绑"))
    await mortal.has_died()
    await mortal.serves()
    assert (await saying)[0].startswith("已解除与星球账号")
    assert await site.ctx.read(links_of, person_id=await site.person_id(name)) == (0, 0)


async def is_linked(site: Site, name: str) -> None:
    """Somebody is linked; the planet has not heard of it yet."""
    await site.buys(name, order_no=name)
    account = site.box.planet.account_of(site.phone(name).person)
    who = {"member_uid": account.uid, "display_name": name}
    attempt_id, _ = await site.ctx.transact(hands_over, person_id=await site.person_id(name))
    await site.ctx.transact(links.complete, attempt_id=attempt_id, **who)


def was_asked(env: Env, *, openid: str) -> None:
    """He has written 解绑 and read what it means."""
    identity = Identity.of_openid(openid)
    link = Link.get(active_person=identity.person_id)
    questions.ask(env, identity=identity, topic=UNLINK, choices=[link.id])


ALL = [goes_to_the_planet, buys, unlinks, claims]


async def again_and_again(mortal: Mortal, when: str, stories: list[Story], times: int) -> None:
    """So many kills, each after the other in the same rows; the state is sound after each."""
    for number, story in zip(range(times), cycle(stories), strict=False):
        await story(mortal, f"p{number}", when)
        await mortal.is_killed()
        await mortal.is_sound()


@servers
@gen
async def test_killed_before_commit_it_was_not_done_and_is_done_when_asked_again(mortal, rounds):
    await again_and_again(mortal, "before_commit", ALL, rounds(4, soak=52))


@servers
@gen
async def test_killed_after_commit_before_answering_it_was_done_once_and_is_answered_when_asked_again(mortal, rounds):
    await again_and_again(mortal, "before_answer", ALL, rounds(4, soak=52))


@servers
@gen
async def test_killed_after_commit_before_publishing_the_planet_hears_it_from_the_worker(mortal, rounds):
    await again_and_again(mortal, "before_sending", [goes_to_the_planet], rounds(1, soak=52))


@servers
@gen
async def test_a_worker_killed_after_sending_before_marking_sends_again_and_it_is_there_once(mortal, rounds):
    site = mortal.site
    for number in range(rounds(2, soak=52)):
        name = f"p{number}"
        await is_linked(site, name)
        await mortal.begins(["worker"], "before_marking", ("note_delivered", "settle")[number % 2])
        await mortal.has_died()
        uid = site.box.planet.account_of(site.phone(name).person).uid
        assert len([one for one in site.box.planet.memberships("g1") if one.account.uid == uid]) == 1
        assert await site.ctx.read(outbox.undelivered) != [], "it has not noted that the planet knows"
        site.clock.forward(seconds=61)
        await mortal.begins(["worker"])
        await mortal.until(lambda: site.ctx.read(has_told_all))
        await mortal.is_killed()
        await mortal.is_sound()


def has_told_all(env: Env) -> bool:
    """Whether nothing waits in the outbox."""
    return not outbox.undelivered(env)
