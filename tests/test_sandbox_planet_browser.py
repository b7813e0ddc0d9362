"""The planet's pages in a real browser: at a phone's size, without script, ending at the client's address."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Page, Route
from tornado.ioloop import IOLoop

from tests.planet_kit import CALLBACK, PlanetKit, running


@pytest.fixture
def planet(io_loop: IOLoop) -> Iterator[PlanetKit]:
    """A planet on a port of its own, with a pinned post."""
    with running(io_loop) as kit:
        kit.site.set_pinned_post("g1", "学员福利：扫码免费听同名课程。", "http://127.0.0.1:8000/planets/infosec")
        yield kit


async def choose(page: Page, nickname: str) -> None:
    """Say who is sitting before the browser."""
    await page.get_by_role("button", name=nickname).click()


@pytest.mark.browser
@pytest.mark.gen_test(timeout=60)
async def test_a_member_agrees_on_a_phone_and_lands_at_the_client(planet, browser):
    page = await browser.phone()
    landed: list[str] = []

    async def land(route: Route) -> None:
        """The client's own page."""
        landed.append(route.request.url)
        await route.fulfill(body="here")

    await page.route(f"{CALLBACK}*", land)
    await page.goto(planet.url + planet.ask())
    await choose(page, "小梅")
    await browser.shot(page, "planet-consent-phone")
    agree, deny = page.locator("[data-role=planet-agree]"), page.locator("[data-role=planet-deny]")
    yes, no = await agree.bounding_box(), await deny.bounding_box()
    await page.get_by_text("换一个账号").click()
    await page.locator("[data-role=planet-new-account]").click()
    shown = await page.locator("[data-role=planet-account]").inner_text()
    await agree.click()
    await page.wait_for_url(f"{CALLBACK}*")

    assert (yes["width"], yes["height"]) == (no["width"], no["height"])
    assert yes["y"] + yes["height"] <= 844, "the choice is on the first screen"
    assert shown == planet.site.account_of(planet.mei).name == "小梅@星球2"
    assert "code=" in landed[0]


@pytest.mark.browser
@pytest.mark.gen_test(timeout=60)
async def test_a_person_joins_and_the_owner_sees_him(planet, browser):
    page = await browser.phone()
    await page.goto(planet.url + "/groups/g1")
    await browser.shot(page, "planet-who-phone")
    await choose(page, "小梅")
    await page.locator("[data-role=planet-join]").click()
    await page.locator("[data-role=planet-pinned]").wait_for()
    await browser.shot(page, "planet-group-phone")
    desk = await browser.pc()
    await desk.goto(planet.url + "/")
    await choose(desk, "林老师")
    await desk.get_by_role("link", name="信息安全星球").click()
    await browser.shot(desk, "planet-owner-pc")
    await desk.locator("[data-role=planet-remove]").click()
    await desk.locator("[data-role=planet-readmit]").wait_for()
    assert planet.site.memberships("g1")[0].status == "revoked"
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
