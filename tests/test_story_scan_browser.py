"""Two browsers: a PC at 1280 x 800 and a phone at 390 x 844, from the QR to the open planet, also when things break."""

import contextlib
import re
import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, expect

from services import scans_at_pc
from tests.site import COURSE, Site

pytestmark = [pytest.mark.browser, pytest.mark.gen_test(timeout=120)]
SOON_MS = 8000


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


def role(page: Page, name: str):
    """An element by its data-role."""
    return page.locator(f"[data-role={name}]").first


class TwoSides:
    """The PC and the phone of one person; the PC may be served by another process than the phone."""

    def __init__(self, site: Site, pc: Page, phone: Page, url: str = "") -> None:
        self.site, self.pc, self.phone, self.url = site, pc, phone, url or site.base_url

    async def pc_asks(self) -> None:
        """A tap on the course page; the PC now shows a QR."""
        await self.pc.goto(f"{self.url}/courses/{COURSE}")
        await role(self.pc, "scan-start").click()
        await self.shows("waiting")

    async def shows(self, state: str) -> None:
        """The PC comes to this state by itself."""
        await expect(role(self.pc, "scan-state")).to_have_attribute("data-state", state, timeout=SOON_MS)

    async def code(self) -> str:
        """The address in the QR that the PC shows now."""
        browser = {cookie["name"]: cookie["value"] for cookie in await self.pc.context.cookies()}["browser"]
        public_id = await self.pc.locator("[data-scan]").get_attribute("data-scan")
        return await self.site.ctx.read(scans_at_pc.entry_of, public_id=public_id, browser=browser)

    async def phone_scans(self) -> None:
        """The phone opens the code, and its owner taps once."""
        parts = urlsplit(await self.code())
        await self.phone.goto(f"{self.site.box.console_url}/phones/anna/web/http/{parts.netloc}{parts.path}")
        await role(self.phone, "sign-in").or_(role(self.phone, "scan-open")).click()
        await expect(role(self.phone, "confirm")).to_be_visible()

    async def phone_confirms(self) -> None:
        """Ticks the waiver and says yes; stands before the planet."""
        await role(self.phone, "waiver-agree").check()
        await role(self.phone, "confirm").click()
        await expect(role(self.phone, "planet-agree")).to_be_visible()

    async def phone_agrees(self) -> None:
        """Says yes at the planet, too."""
        await role(self.phone, "planet-agree").click()
        await expect(self.phone.get_by_role("heading", name="已开通")).to_be_visible()


@pytest.fixture
def sides(site, browser, io_loop) -> TwoSides:
    """Both sides, and the course is bought."""

    async def open_both() -> TwoSides:
        await site.buys("anna")
        return TwoSides(site, await browser.pc(), await browser.phone())

    return io_loop.run_sync(open_both)


async def test_the_pc_follows_the_phone_from_the_qr_to_the_open_planet(sides, browser):
    await sides.pc_asks()
    await browser.shot(sides.pc, "scan-1-pc-waiting")
    await sides.phone_scans()
    await sides.shows("scanned")
    await browser.shot(sides.pc, "scan-2-pc-scanned")
    await browser.shot(sides.phone, "scan-2-phone-confirm")
    assert await role(sides.pc, "scan-number").text_content() == await role(sides.phone, "scan-number").text_content()
    yes, no = [await role(sides.phone, name).bounding_box() for name in ("confirm", "decline")]
    assert (yes["width"], yes["height"]) == (no["width"], no["height"]), "a no is as easy as a yes"
    await expect(role(sides.phone, "waiver-agree")).not_to_be_checked()
    await sides.phone_confirms()
    await sides.shows("confirmed")
    await browser.shot(sides.pc, "scan-3-pc-confirmed")
    await sides.phone_agrees()
    await sides.shows("linked")
    await expect(sides.pc.get_by_text("有效期至 2027年11月22日")).to_be_visible()
    await browser.shot(sides.pc, "scan-4-pc-linked")
    assert await sides.site.broken() == []


async def test_the_phone_says_not_me_and_the_pc_offers_a_new_code(sides, browser):
    await sides.pc_asks()
    await sides.phone_scans()
    await sides.shows("scanned")
    browser.forgive("status of 4")
    await role(sides.phone, "decline").click()
    await sides.shows("declined")
    await browser.shot(sides.pc, "scan-5-pc-declined")
    await role(sides.pc, "scan-again").click()
    await sides.shows("waiting")


async def test_the_same_where_lines_do_not_get_through(sides, browser):
    browser.forgive("ERR_FAILED|/events")
    await sides.pc.route(re.compile("/events$"), lambda route: route.abort())
    await sides.pc_asks()
    await sides.phone_scans()
    await sides.shows("scanned")
    await sides.phone_confirms()
    await sides.phone_agrees()
    await sides.shows("linked")


async def test_a_code_renews_itself_and_the_old_one_is_worthless(sides, browser):
    browser.forgive("status of 410")
    await sides.pc_asks()
    old = await sides.code()
    await sides.pc.evaluate("() => { window.sameYet = true; }")
    await sides.pc.clock.install()
    sides.site.clock.forward(seconds=121)
    await sides.pc.reload()
    await expect(role(sides.pc, "scan-again")).to_be_visible()
    await role(sides.pc, "scan-again").click()
    await sides.shows("waiting")
    sides.site.clock.forward(seconds=121)
    first = await sides.pc.locator("[data-scan]").get_attribute("data-scan")
    await sides.pc.clock.fast_forward(122_000)
    await expect(sides.pc.locator("[data-scan]")).not_to_have_attribute("data-scan", first, timeout=SOON_MS)
    await sides.shows("waiting")
    parts = urlsplit(old)
    await sides.phone.goto(f"{sides.site.box.console_url}/phones/anna/web/http/{parts.netloc}{parts.path}")
    await expect(role(sides.phone, "error-code")).to_have_text("scan_expired")
    await sides.phone_scans()
    await sides.shows("scanned")


async def test_a_pc_is_signed_in_by_six_digits(sides, browser):
    browser.forgive("status of 403|status of 422")
    await sides.pc.goto(f"{sides.url}/me")
    await role(sides.pc, "scan-sign-in").click()
    await sides.shows("waiting")
    await browser.shot(sides.pc, "scan-6-pc-sign-in")
    await sides.phone_scans()
    await role(sides.phone, "confirm").click()
    await expect(role(sides.phone, "scan-digits")).to_be_visible()
    await browser.shot(sides.phone, "scan-6-phone-digits")
    await sides.shows("confirmed")
    await browser.shot(sides.pc, "scan-7-pc-digits")
    digits = (await role(sides.phone, "scan-digits").text_content()).strip()
    await sides.pc.keyboard.type(digits)  # the field has the focus already
    await sides.pc.keyboard.press("Enter")
    await expect(sides.pc.get_by_text("信息安全职场培训")).to_be_visible()


@pytest.fixture
def other_process(site, io_loop, running: Callable, redis, beside_sandbox, place, listening):
    """Serves the PC, on a socket that outlives it; its clock is the sandbox's."""
    at = {"redis_url": redis.url, "clock_url": f"{site.box.console_url}/control/clock", "base_url": site.base_url}
    settings = beside_sandbox | at | {"database_url": site.database_url}

    async def start():
        one = running("serve", "--fd", str(listening.fileno()), "--no-worker", fds=[listening.fileno()], **settings)
        await one.until(lambda: "serving " in one.said())
        return one

    return start


@pytest.fixture
def listening(place):
    """A socket that servers inherit."""
    host, _, port = place.listen.rpartition(":")
    with contextlib.closing(socket.create_server((host, int(port)), backlog=128)) as made:
        yield made


@pytest.fixture
def redis(private_server):
    """A Redis that may be killed."""
    return private_server("redis")


@pytest.fixture
def site(make_site, redis) -> Site:
    """The product beside the sandbox, with a Redis for all processes."""
    return make_site(redis_url=redis.url)


async def test_the_same_when_redis_dies_in_the_middle(sides, other_process, place, redis):
    await other_process()
    sides.url = place.url
    await sides.pc_asks()
    await sides.phone_scans()
    await sides.shows("scanned")
    redis.kill()
    await sides.phone_confirms()
    await sides.shows("confirmed")
    await sides.phone_agrees()
    await sides.shows("linked")
    assert await sides.site.broken() == []


async def test_the_same_while_one_of_two_processes_restarts(sides, browser, other_process, place):
    browser.forgive("ERR_|status of 503")
    old = await other_process()
    sides.url = place.url
    await sides.pc_asks()
    await sides.phone_scans()
    await sides.shows("scanned")
    new = await other_process()
    old.tell_to_stop()
    await sides.phone_confirms()
    await sides.shows("confirmed")
    assert await old.ends() == 0
    await sides.phone_agrees()
    await sides.shows("linked")
    assert new.process.poll() is None and await sides.site.broken() == []
