"""Every switch of the sandbox in a whole story: linked once or not at all, said in words, delivered in the end."""

import pytest

from models.links import Link
from sandbox.faults import INCOMING, KINDS, OUTGOING, SENT
from sandbox.phone_page import Page
from sandbox.planet_company import LIST_LIES
from sandbox.planet_control import LiesHandler
from tests.dying import live_refs
from tests.site import Site
from tests.test_kills import is_linked, was_asked
from tests.test_reconcile_faults import TRIED

gen = pytest.mark.gen_test(timeout=60)
SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])
SECONDS = 6.0
LINKED = {"linked", "pending"}
LIES = {"lies_about_iss": "other", "consent_error": "server_error", "list_lie": "empty"}


def set_switch(site: Site, side: str, kind: str, operation: str) -> None:
    """One switch, for one call; what takes long takes longer than anybody waits."""
    site.world.faults.set(side, kind, operation=operation, times=1, seconds=SECONDS)


def state(page: Page) -> str:
    """How the link stands, by the page; empty for a page without it."""
    found = page.find("link-state")
    return found.attrs["data-state"] if found else ""


async def is_linked_in_the_end(site: Site, page: Page) -> None:
    """Linked now, or told so in words and a way on, and linked by a second try; the planet hears of it once."""
    site.world.faults.clear()
    if state(page) not in LINKED:
        assert page.status < 500 or page.status == 503, page.status
        assert "请" in page.text, "what to do now"
        assert await site.ctx.read(lambda _env: Link.select().count()) == 0
        site.clock.forward(minutes=2)
        page = await site.links()
    assert state(page) in LINKED
    site.clock.forward(minutes=2)
    await site.delivers()
    assert state(await site.phone("anna").refresh()) == "linked"
    (there,) = site.box.planet.memberships("g1")
    assert [there.ref] == await site.ctx.read(live_refs)
    assert await site.broken() == []


@pytest.mark.parametrize("operation", ["planet.token", "planet.grant"])
@pytest.mark.parametrize("kind", INCOMING)
@SQLITE
@gen
async def test_a_switch_of_the_planet_while_somebody_links(site, kind, operation):
    await site.buys()
    await site.at_planet()
    set_switch(site, "planet", kind, operation)
    await is_linked_in_the_end(site, await site.phone("anna").tap("planet-agree"))


@pytest.mark.parametrize("kind", INCOMING)
@SQLITE
@gen
async def test_a_switch_of_the_planet_while_it_is_told_of_an_unlinking(site, kind):
    await site.buys()
    await site.links()
    link = await site.ctx.read(lambda _env: Link.get())
    await site.phone("anna").open(f"{site.base_url}/me/links/{link.id}/unlink")
    set_switch(site, "planet", kind, "planet.revoke")
    await site.posts("anna", f"/me/links/{link.id}/unlink")
    await site.delivers()
    site.world.faults.clear()
    site.clock.forward(minutes=2)
    await site.delivers()
    assert [one.status for one in site.box.planet.memberships("g1")] == ["revoked"]
    assert await site.broken() == []


@pytest.mark.parametrize("kind", INCOMING)
@SQLITE
@gen
async def test_a_switch_of_wechat_while_somebody_signs_in(site, kind):
    await site.buys()
    set_switch(site, "wechat", kind, "sns.*")
    page = await site.signs_in("anna", "/me")
    if page.status != 200:
        assert page.status < 500 or page.status == 503, page.status
        assert "请" in page.text
    site.world.faults.clear()
    await site.signs_in("anna", "/me")
    await is_linked_in_the_end(site, await site.links())


@pytest.mark.parametrize("kind", SENT["wechat"])
@SQLITE
@gen
async def test_a_switch_of_the_pushes_while_somebody_unlinks(site, kind):
    phone = site.phone("anna")
    await phone.follow()
    await is_linked(site, "anna")
    await site.delivers()
    await site.ctx.transact(was_asked, openid=phone.openid)
    site.world.faults.set("wechat", kind, operation="push.text", times=1)
    await phone.say("确认解绑")
    await site.box.wechat.pushes.flush()
    was_taken = kind in {"doubled", "reordered"}
    alive = await site.ctx.read(lambda _env: Link.select().where(Link.unlinked_at.is_null()).count())
    assert alive == (0 if was_taken else 1)
    if not was_taken:
        await phone.say("确认解绑")
    await site.delivers()
    assert [one.status for one in site.box.planet.memberships("g1")] == ["revoked"]
    assert sum("已解除与星球账号" in bubble.text for bubble in phone.inbox) == 1
    assert await site.broken() == []


@pytest.mark.parametrize("lie", ["lies_about_iss", "consent_error"])
@SQLITE
@gen
async def test_a_lie_of_the_planet_while_somebody_links(site, lie):
    await site.buys()
    await site.at_planet()
    setattr(site.box.planet, lie, LIES[lie])
    page = await site.phone("anna").tap("planet-agree")
    setattr(site.box.planet, lie, None)
    assert state(page) not in LINKED
    await is_linked_in_the_end(site, page)


def test_no_switch_is_left_out():
    """What the list of members pretends is told in `test_reconcile_faults.py`."""
    assert set(LIST_LIES) == TRIED
    assert set(LIES) == set(LiesHandler.names)
    assert set(KINDS) == set(INCOMING) | set(OUTGOING)
