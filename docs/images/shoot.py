"""Takes the pictures of the README from a running `make run`: the story of the first link, on a phone and on a PC.

.venv/bin/python docs/images/shoot.py
"""

import io
import os
import shutil
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
CONSOLE, SITE = "http://127.0.0.1:8100", "http://127.0.0.1:8000"
COURSE = "/courses/infosec-workplace"
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
PC = {"viewport": {"width": 1280, "height": 800}}
COLOURS = 128  # a palette keeps each picture below 150 KB


def keep(page: Page, name: str) -> None:
    """One picture of what is to be seen, small enough for a repository."""
    page.wait_for_load_state("networkidle")
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(HERE / f"{name}.png", optimize=True)


def role(page: Page, name: str) -> None:
    """Tap what carries this role."""
    page.locator(f'[data-role="{name}"]').first.click()


def phone_story(chromium: Browser) -> None:
    """小安 links her course, seen as her phone shows it."""
    page = chromium.new_context(locale="zh-CN", **PHONE).new_page()
    page.goto(f"{CONSOLE}/phones/anna/web/http/{SITE.removeprefix('http://')}/me")
    role(page, "sign-in")
    page.goto(f"{CONSOLE}/phones/anna/web/http/{SITE.removeprefix('http://')}{COURSE}")
    keep(page, "phone-course")
    role(page, "link-planet")
    page.locator('[data-role="waiver-agree"]').check()
    keep(page, "phone-confirm")
    role(page, "confirm")
    keep(page, "phone-planet")
    role(page, "planet-agree")
    page.get_by_text("已开通").first.wait_for()
    keep(page, "phone-linked")


def pc_story(chromium: Browser) -> None:
    """The same course on a PC, the way into WeChat, and the sandbox's console."""
    page = chromium.new_context(locale="zh-CN", **PC).new_page()
    page.goto(f"{SITE}{COURSE}")
    keep(page, "pc-course")
    page.goto(f"{SITE}{COURSE}/planet")
    keep(page, "pc-open-in-wechat")
    page.goto(f"{CONSOLE}/phones/anna")
    if page.locator('[data-role="follow"]').count():
        role(page, "follow")
    page.locator('[data-role="say-text"]').fill("星球")
    role(page, "say")
    page.locator("#chat a.open").last.click()
    page.frame_locator("#web").get_by_text("星球").first.wait_for()
    keep(page, "pc-console")


with sync_playwright() as playwright:
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"] if os.geteuid() == 0 else [])
    phone_story(running)
    pc_story(running)
    running.close()
