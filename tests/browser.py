"""A real Chromium for tests: `page = await browser.phone()` or `.pc()`, beside the Tornado loop of the test.

Chromium starts once for a run; Playwright joins it on each test's own loop. Whatever a page complains about (an
error on the console, an exception, a refused resource) fails the test unless it was forgiven before.
A test needs more than the usual 5 s: `@pytest.mark.gen_test(timeout=60)`.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Browser as Chrome
from playwright.async_api import Page, async_playwright
from tornado.ioloop import IOLoop

CI = os.environ.get("CI") == "true"
SCREENSHOTS = Path(__file__).parent.parent / "build" / "screenshots"
START_SECONDS = 60.0
QUIET = ("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
QUIETER = ("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--mute-audio")
NOWHERE_ELSE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
WECHAT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Mobile/15E148 MicroMessenger/8.0.50(0x18003231) NetType/WIFI Language/zh_CN"
)
CHINESE = {"locale": "zh-CN", "timezone_id": "Asia/Shanghai"}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
    "user_agent": WECHAT,
}
PC = {"viewport": {"width": 1280, "height": 800}}


class Browser:
    """What one test sees of Chromium; every page it opens is a person of its own (own cookies)."""

    def __init__(self, chrome: Chrome) -> None:
        self.chrome = chrome
        self.problems: list[str] = []
        self.forgiven: list[str] = []

    async def phone(self) -> Page:
        """WeChat's browser on a phone: 390 x 844, touch, two pixels a point."""
        return await self.open(**PHONE)

    async def pc(self) -> Page:
        """An ordinary browser on a PC: 1280 x 800."""
        return await self.open(**PC)

    async def open(self, **options: object) -> Page:
        """A page with Playwright's own context options, e.g. `java_script_enabled=False`."""
        context = await self.chrome.new_context(**CHINESE, **options)
        context.on("weberror", lambda error: self.problems.append(f"exception: {error.error}"))
        context.on("console", self._heard)
        return await context.new_page()

    def forgive(self, pattern: str) -> None:
        """Expect complaints that match, e.g. `"status of 403"` for a page that shall be refused."""
        self.forgiven.append(pattern)

    async def shot(self, page: Page, name: str, *, whole: bool = True) -> Path:
        """Keep a picture as build/screenshots/NAME.png."""
        path = SCREENSHOTS / f"{name}.png"
        await page.screenshot(path=path, full_page=whole)
        return path

    def check(self) -> None:
        """Fail when a page complained about something nobody expected."""
        left = [said for said in self.problems if not any(re.search(each, said) for each in self.forgiven)]
        assert not left, "a page complained: " + "; ".join(left)

    def _heard(self, message: object) -> None:
        if message.type == "error":
            self.problems.append(f"console: {message.text} ({message.location.get('url')})")


def executable() -> str:
    """Debian's Chromium, or one that was named; leaves the test out where there is none."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found and not CI:
        pytest.skip("chromium is not installed")
    assert found, "chromium is not installed"
    return found


def endpoint(process: subprocess.Popen[bytes], folder: Path) -> str:
    """Where Chromium listens for us, once it does."""
    port = folder / "DevToolsActivePort"
    deadline = time.monotonic() + START_SECONDS
    while not (port.exists() and port.read_text().strip()):
        log = (folder / "log").read_text("utf-8", "replace")[-2000:]
        assert process.poll() is None, f"chromium ended at its start: {log}"
        assert time.monotonic() < deadline, f"chromium does not answer: {log}"
        time.sleep(0.02)
    return f"http://127.0.0.1:{port.read_text().splitlines()[0]}"


@pytest.fixture(scope="session")
def chromium() -> Iterator[str]:
    """A headless Chromium for the whole run, with a profile of its own; the address to join it at."""
    folder = Path(tempfile.mkdtemp(prefix="chromium-"))
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    profile = [f"--user-data-dir={folder}", "--remote-debugging-port=0"]
    dies_with_us = [setpriv, "--pdeathsig", "KILL", "--"] if (setpriv := shutil.which("setpriv")) else []
    command = [*dies_with_us, executable(), "--headless=new", *sandbox, *QUIET, *QUIETER, NOWHERE_ELSE, *profile]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "about:blank"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield endpoint(process, folder)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def browser(chromium: str, io_loop: IOLoop) -> Iterator[Browser]:
    """Chromium on this test's loop; its pages are closed, and asked for complaints, when the test is over."""
    stack = AsyncExitStack()

    async def join() -> Browser:
        playwright = await stack.enter_async_context(async_playwright())
        return Browser(await playwright.chromium.connect_over_cdp(chromium))

    async def leave(joined: Browser) -> None:
        for context in joined.chrome.contexts[1:]:  # the first is Chromium's own
            await context.close()
        await stack.aclose()

    joined = io_loop.run_sync(join, timeout=START_SECONDS)
    yield joined
    io_loop.run_sync(lambda: leave(joined), timeout=START_SECONDS)
    joined.check()
