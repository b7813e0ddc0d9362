"""What a newcomer sees: the run of `make run`, clicked through in Chromium on a phone-size screen."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.server_process import free_port

ROOT = Path(__file__).parent.parent
gen = pytest.mark.gen_test(timeout=120)
pytestmark = pytest.mark.browser


class Demo:
    """The running demo."""

    def __init__(self, said: list[str], port: int) -> None:
        self.said = said
        self.site = f"127.0.0.1:{port}"
        self.console = f"http://127.0.0.1:{port + 100}"

    def in_phone(self, name: str, path: str) -> str:
        """A page of the site inside somebody's phone."""
        return f"{self.console}/phones/{name}/web/http/{self.site}{path}"


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    """`make run` on free ports, started as a process of its own and stopped as by Ctrl-C."""
    port = free_port()
    while port > 65_000 or port < 10_000:
        port = free_port()
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("WXBOT_")}
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "wxbot.demo", "--port", str(port)],
        cwd=ROOT, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Switches" in line:
            break
    assert process.poll() is None, "".join(lines)
    yield Demo(lines, port)
    process.send_signal(signal.SIGINT)
    with process.stdout:
        assert process.wait(15) == 0, process.stdout.read()


def role(page, name: str):
    """An element by its data-role."""
    return page.locator(f"[data-role={name}]").first


@gen
async def test_a_newcomer_links_a_bought_course_on_the_phone(demo, browser):
    browser.forgive("status of 401")
    page = await browser.phone()
    await page.goto(demo.in_phone("anna", "/"))
    await browser.shot(page, "1-catalogue")
    await page.get_by_text("信息安全职场培训").first.click()
    await browser.shot(page, "2-course")
    await role(page, "link-planet").click()
    await browser.shot(page, "3-sign-in")
    await role(page, "sign-in").click()
    await expect(role(page, "waiver-text")).to_be_visible()
    await expect(role(page, "waiver-agree")).not_to_be_checked()
    await browser.shot(page, "4-confirm")
    yes, no = await role(page, "confirm").bounding_box(), await role(page, "decline").bounding_box()
    assert (yes["width"], yes["height"]) == (no["width"], no["height"]), "a no is as easy as a yes"
    await role(page, "waiver-agree").check()
    await role(page, "confirm").click()
    await expect(role(page, "planet-agree")).to_be_visible()
    await browser.shot(page, "5-planet")
    await role(page, "planet-agree").click()
    await expect(role(page, "link-state")).to_have_attribute("data-state", "linked")
    await browser.shot(page, "6-linked")
    await page.goto(demo.in_phone("anna", "/me/links"))
    await browser.shot(page, "7-my-links")
    await page.goto(demo.in_phone("anna", "/me/access"))
    await browser.shot(page, "8-access")
    await page.goto(f"{demo.console}/phones/anna")
    await role(page, "say-text").fill("星球")
    await role(page, "say").click()
    await expect(page.get_by_text("有效期至").first).to_be_visible()
    await browser.shot(page, "9-chat", whole=False)


@gen
async def test_without_the_tick_the_phone_does_not_even_send(demo, browser):
    browser.forgive("status of 40[13]")
    page = await browser.phone()
    await page.goto(demo.in_phone("bob", "/courses/infosec-workplace/planet"))
    await role(page, "sign-in").click()
    await expect(role(page, "error-code")).to_have_text("not_enrolled")
    await browser.shot(page, "no-not-enrolled")


@gen
async def test_a_pc_sees_the_course_and_how_to_get_in(demo, browser):
    browser.forgive("status of 403")
    page = await browser.pc()
    await page.goto(f"http://{demo.site}/courses/infosec-workplace")
    await browser.shot(page, "pc-course")
    await page.goto(f"http://{demo.site}/courses/infosec-workplace/planet")
    await expect(role(page, "open-in-wechat")).to_be_visible()
    await expect(page.locator("img[src^='/qr.svg']")).to_be_visible()
    assert await page.locator("img[src^='/qr.svg']").evaluate("picture => picture.naturalWidth") > 0
    await role(page, "copy-link").click()
    await browser.shot(page, "pc-open-in-wechat")


@gen
async def test_the_lecturer_opens_his_pairing_on_his_phone(demo, browser):
    browser.forgive("status of 401")
    page = await browser.phone()
    invite = next(line for line in demo.said if "/lecturer/invites/" in line)
    await page.goto(demo.in_phone("linlan", invite.split(demo.site)[1].split()[0]))
    await role(page, "sign-in").click()
    await browser.shot(page, "lecturer-1-invite")
    await role(page, "accept-invite").click()
    await browser.shot(page, "lecturer-2-pairings")
    await role(page, "authorise").click()
    await expect(role(page, "pause")).to_be_visible()
    await browser.shot(page, "lecturer-3-live")
