"""The browser of the tests: shows Chinese, is a phone or a PC, and hears what pages complain about."""

from collections.abc import Iterator

import pytest
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from tests.browser import Browser

PAGE = """<!doctype html><html lang="zh-CN"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<title>信息安全星球</title>
<h1 data-role="title">信息安全职场培训</h1>
<p><span data-role="glyph">学</span><span data-role="other">习</span></p>
<button data-role="confirm" onclick="this.textContent = navigator.maxTouchPoints">确认</button>{more}</html>"""
MORE = {
    "/": "",
    "/broken": "<script>不存在()</script>",
    "/missing": "<img src='/nothing.png'>",
    "/outside": "<img src='http://example.com/x.png'>",
}


class PageHandler(RequestHandler):
    """Serves the small pages above, after a moment on the loop that the browser shares."""

    async def get(self) -> None:
        """Answer with the page of this path."""
        if self.request.path not in MORE:
            self.set_status(404)
            return
        self.write(PAGE.format(more=MORE[self.request.path]))


@pytest.fixture
def site(io_loop: IOLoop) -> Iterator[str]:
    """A tiny site on the test's loop."""
    server = HTTPServer(Application([(r"/.*", PageHandler)]))
    socket, port = bind_unused_port()
    server.add_socket(socket)
    yield f"http://127.0.0.1:{port}"
    server.stop()
    io_loop.run_sync(server.close_all_connections)


@pytest.mark.browser
@pytest.mark.gen_test(timeout=60)
async def test_a_phone_in_wechat_and_a_pc_see_the_same_page(browser: Browser, site: str) -> None:
    phone, pc = await browser.phone(), await browser.pc()
    for page, name, width in ((phone, "phone", 390), (pc, "pc", 1280)):
        await page.goto(site)
        assert await page.text_content("[data-role=title]") == "信息安全职场培训"
        assert await page.evaluate("window.innerWidth") == width
        assert (await browser.shot(page, f"browser-{name}")).stat().st_size > 1000

    assert "MicroMessenger" in await phone.evaluate("navigator.userAgent")
    assert "MicroMessenger" not in await pc.evaluate("navigator.userAgent")
    await phone.tap("[data-role=confirm]")
    assert int(await phone.text_content("[data-role=confirm]") or 0) > 0, "a phone has touch"


@pytest.mark.browser
@pytest.mark.gen_test(timeout=60)
async def test_chinese_characters_have_shapes_of_their_own(browser: Browser, site: str) -> None:
    page = await browser.phone()
    await page.goto(site)
    one, other = [await page.locator(f"[data-role={role}]").screenshot() for role in ("glyph", "other")]
    assert one != other, "both are the same empty box: a Chinese font is missing (fonts-noto-cjk)"


@pytest.mark.browser
@pytest.mark.parametrize(
    ("path", "complaint"),
    [("/broken", "不存在 is not defined"), ("/missing", "status of 404"), ("/outside", "ERR_NAME_NOT_RESOLVED")],
)
@pytest.mark.gen_test(timeout=60)
async def test_what_a_page_complains_about_fails_the_test(
    path: str, complaint: str, browser: Browser, site: str
) -> None:
    page = await browser.pc()
    await page.goto(site + path)
    with pytest.raises(AssertionError, match=complaint):
        browser.check()

    browser.forgive(complaint)
    browser.check()


@pytest.mark.browser
@pytest.mark.gen_test(timeout=60)
async def test_two_people_have_cookies_of_their_own(browser: Browser, site: str) -> None:
    one, other = await browser.phone(), await browser.phone()
    await one.goto(site)
    await one.evaluate("document.cookie = 'person=1'")
    await other.goto(site)
    assert await other.evaluate("document.cookie") == ""
