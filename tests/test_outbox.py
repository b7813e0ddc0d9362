"""What is told to the outside while things change, break and come late: nothing is lost, nothing is told for ever."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from clients.errors import RemoteDown, RemoteRefused
from clients.planets import RemovedByOwner
from clients.wechat_codes import ConfigRefused
from models.delivery import ChatNotice, OutboxItem
from models.links import Membership
from services import links, notices, outbox
from services.context import Context
from services.env import Env
from tests.chat_kit import Away
from tests.site import Site
from tests.test_links import only

gen = pytest.mark.gen_test(timeout=40)
ONLY_SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])

Does = Callable[..., Awaitable[Any]]


class Planet:
    """A planet in a test's hand: what it does when it is told of a membership."""

    def __init__(self, on_grant: Does) -> None:
        self.on_grant = on_grant
        self.revoked: list[str] = []

    async def grant(self, **asked: Any) -> None:
        await self.on_grant(**asked)

    async def revoke(self, *, ref: str, **_asked: Any) -> None:
        self.revoked.append(ref)


def beside(site: Site, planet: Planet) -> Context:
    """The site's context with another planet behind it."""
    return replace(site.ctx, planets={"partner": planet})


def says(problem: Exception) -> Does:
    """A planet's answer to a grant."""

    async def answer(**_asked: Any) -> None:
        raise problem

    return answer


async def untold(site: Site, name: str = "anna") -> OutboxItem:
    """Somebody is linked, and the planet has not heard of it yet; it is due now."""
    await site.buys(name)
    await site.at_planet(name)
    site.world.faults.set("planet", "down", operation="planet.grant")
    await site.phone(name).tap("planet-agree")
    site.world.faults.clear()
    site.clock.forward(minutes=1)
    return await item_of(site)


async def item_of(site: Site) -> OutboxItem:
    """The one membership's item."""
    return await site.ctx.read(lambda _env: OutboxItem.get(kind=outbox.MEMBERSHIP))


async def unlinks(site: Site, name: str = "anna") -> None:
    """Somebody's link is ended, by the operator."""
    person_id = await site.person_id(name)
    (link,) = await site.ctx.read(lambda _env: links.active_links(person_id))
    await site.ctx.transact(links.unlink, link_id=link.id, person_id=person_id, who="test", reason="test")


@gen
@pytest.mark.parametrize("no", [RemovedByOwner("planet", "removed_by_owner"), RemoteDown("planet", "http_503")])
async def test_an_old_no_does_not_keep_a_newer_change_from_being_told(site, no):
    await untold(site)

    async def unlinked_meanwhile(**_asked: Any) -> None:
        await unlinks(site)
        raise no

    planet = Planet(unlinked_meanwhile)
    assert await outbox.deliver_due(beside(site, planet)) == 1, "the revocation"
    member = await only(site, Membership)
    assert planet.revoked == [member.ref]
    assert member.refused_code is None and member.delivered_version == member.version
    item = await item_of(site)
    assert item.is_done and item.gave_up_at is None
    assert await site.broken() == []


async def nothing(**_asked: Any) -> None:
    """The planet takes it."""


@gen
@pytest.mark.parametrize("name", ["not set up", "a bug"])
async def test_a_fault_of_ours_is_recorded_waits_longer_each_time_and_stops_nothing_else(site, name):
    await untold(site)
    await site.buys("bob")
    await site.signs_in("bob")
    await site.ctx.transact(other_news, person_id=await site.person_id("bob"))
    ctx = replace(site.ctx, planets={}) if name == "not set up" else beside(site, Planet(says(ValueError("oSECRET"))))
    with capture_logs() as logs:
        assert await outbox.deliver_due(ctx) == 1, "the other kind is heard all the same"
    item = await item_of(site)
    assert item.error_class == "ours" and item.error in {"NotFound", "ValueError"}
    assert item.attempts == 2 and item.leased_by is None and item.gave_up_at is None
    assert item.due_at >= site.clock.now() + timedelta(seconds=20)
    assert [line["log_level"] for line in logs if line["event"] == "outbox item failed"] == ["error"]
    site.clock.forward(minutes=1)
    assert await outbox.deliver_due(beside(site, Planet(nothing))) >= 1, "mended, it goes by itself"
    assert (await item_of(site)).is_done
    assert await site.broken() == []


def other_news(env: Env, *, person_id: int) -> None:
    """News for somebody else waits beside it."""
    notices.tell(env, person_id=person_id, text="代金券已发放。")


@gen
@ONLY_SQLITE
async def test_while_rows_are_away_a_lease_just_runs_out(site):
    await untold(site)
    rows = Away(site)
    rows.is_away = False

    async def rows_go(**_asked: Any) -> None:
        rows.is_away = True

    ctx = replace(beside(site, Planet(rows_go)), threads=rows)
    (job,) = await ctx.transact(outbox.lease_due, holder=ctx.process_id)
    assert not await outbox.deliver(ctx, job, within=1)
    rows.is_away = False
    assert await outbox.deliver_due(ctx) == 0, "leased still"
    site.clock.forward(minutes=1)
    assert await outbox.deliver_due(beside(site, Planet(nothing))) >= 1
    assert (await item_of(site)).is_done


@gen
@ONLY_SQLITE
async def test_trying_at_once_is_a_courtesy_that_never_costs_the_person_his_page(site):
    item = await untold(site)
    ctx = replace(site.ctx, threads=Away(site))
    assert not await outbox.deliver_now(ctx, kind=outbox.MEMBERSHIP, subject=item.subject, within=1)
    assert await site.delivers() >= 1, "the worker does it"


@gen
async def test_trying_at_once_keeps_the_order_of_a_lane_and_the_delay_that_was_asked_for(site):
    first = await untold(site)
    await site.buys("anna")
    site.world.faults.set("planet", "down", operation="planet.grant")
    await site.links("anna")
    site.world.faults.clear()
    second = await site.ctx.read(lambda _env: OutboxItem.get(OutboxItem.id != first.id))
    assert second.lane == first.lane and second.attempts == 0, "not before the first one"
    assert not await outbox.deliver_now(site.ctx, kind=second.kind, subject=second.subject, within=1)
    limited = beside(site, Planet(says(RemoteDown("planet", "http_429", retry_after=3000))))
    await outbox.deliver_due(limited)
    item = await site.ctx.read(lambda _env: OutboxItem.get_by_id(first.id))
    assert item.due_at == site.clock.now() + timedelta(seconds=3000)
    assert not await outbox.deliver_now(site.ctx, kind=item.kind, subject=item.subject, within=1)
    site.clock.forward(seconds=3000)
    assert await outbox.deliver_due(beside(site, Planet(nothing))) >= 2


@gen
async def test_trying_again_by_hand_forgets_no_age_and_gives_a_day_of_tries(site):
    await untold(site)
    down = beside(site, Planet(says(RemoteDown("planet", "http_503"))))
    since = (await item_of(site)).wanted_at
    for _ in range(9):
        site.clock.forward(days=1, hours=5)
        await outbox.deliver_due(down)
    assert (await item_of(site)).gave_up_at, "seven days are over"
    assert await site.ctx.transact(outbox.retry, item_id=None) == 1
    (waiting,) = await site.ctx.read(outbox.undelivered)
    assert (waiting.since, waiting.gave_up, waiting.attempts) == (since, False, 0)
    await outbox.deliver_due(down)
    item = await item_of(site)
    assert item.gave_up_at is None and item.due_at < site.clock.now() + timedelta(seconds=10)


@gen
@pytest.mark.parametrize("code", ["invalid_client", "http_401", "http_403"])
async def test_a_planet_that_refuses_us_is_an_alarm_and_not_the_learners_end(site, code):
    await untold(site)
    with capture_logs() as logs:
        await outbox.deliver_due(beside(site, Planet(says(RemoteRefused("planet", code)))))
    item, member = await item_of(site), await only(site, Membership)
    assert item.error_class == "ours" and code in item.error
    assert item.due_at and not item.gave_up_at and member.refused_code is None
    assert [line["log_level"] for line in logs if line["event"] == "we are not accepted"] == ["error"]
    site.clock.forward(minutes=2)
    await outbox.deliver_due(beside(site, Planet(nothing)))
    assert (await item_of(site)).is_done, "with the right keys it goes by itself"


@gen
@ONLY_SQLITE
async def test_news_that_wechat_takes_from_nobody_is_an_alarm_and_waits_for_his_next_word(site):
    await site.signs_in("anna")
    await site.ctx.transact(other_news, person_id=await site.person_id("anna"))
    ctx = replace(site.ctx, wechat=NoPermission())
    with capture_logs() as logs:
        assert await outbox.deliver_due(ctx) == 1
    assert [line["log_level"] for line in logs if line["event"] == "we are not accepted"] == ["error"]
    assert (await only(site, ChatNotice)).held_at


class NoPermission:
    """An account that may not send customer-service messages."""

    async def send_text(self, _openid: str, _text: str) -> None:
        raise ConfigRefused("wechat", "48001")
