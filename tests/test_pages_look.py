"""The pages in a real Chromium, with WeUI and alone, under a strict policy: all fits, and all can be tapped."""

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler, StaticFileHandler

from h5.pages import ROOT, WEUI
from services import qr
from tests.page_facts import NAMES, every_page, render

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'"
LONG = dict.fromkeys(NAMES, "从密码、钓鱼邮件到数据出境，Donaudampfschifffahrtsgesellschaftskapitän也该上的一课")
REFUSAL = {"code": "open_in_wechat", "message": "请在微信里打开这个页面。", "rid": "0123456789abcdef"}
SHOWN = every_page(LONG)
SHOWN.append(("open_in_wechat.html", REFUSAL, {"in_wechat": False, "path": "/courses/infosec/planet"}))
FAULTS = """() => {
  const shown = (e) => e.getClientRects().length > 0;
  const taps = [...document.querySelectorAll("button, .button, .places a, .outline a, .tick, .row[href], .trail a")];
  const low = taps.filter((e) => shown(e) && e.getBoundingClientRect().height < 44).map((e) => "low: " + e.textContent);
  const wide = document.documentElement.scrollWidth > innerWidth ? ["wider than the screen"] : [];
  const pairs = [...document.querySelectorAll(".pair")].filter((pair) => {
    const [one, other] = [...pair.children].map((e) => e.getBoundingClientRect());
    return one.width !== other.width || one.height !== other.height || one.top !== other.top;
  });
  return [...low, ...wide, ...pairs.map(() => "yes and no differ in size")];
}"""


class ShownHandler(RequestHandler):
    """One of the pages; `?weui` with WeUI."""

    def get(self, number: str) -> None:
        template, facts, shared = SHOWN[int(number)]
        self.set_header("Content-Security-Policy", POLICY)
        styles = {"weui": "/weui/weui.min.css"} if self.request.query == "weui" else {}
        self.finish(render(template, facts, shared | styles))


class QrHandler(RequestHandler):
    """A QR in the place of any."""

    def get(self) -> None:
        self.set_header("Content-Type", "image/svg+xml")
        self.finish(qr.svg("https://bridge.example/"))


@pytest.fixture
def pages(io_loop):
    """Where the pages are served."""
    statics = [("/static/(.*)", ROOT / "h5" / "static"), ("/weui/(.*)", WEUI.parent)]
    routes = [(pattern, StaticFileHandler, {"path": str(folder)}) for pattern, folder in statics]
    sock, port = bind_unused_port()
    server = HTTPServer(
        Application([(r"/([0-9]+)", ShownHandler), (r"(?:/orders/[0-9]+)?/qr\.svg", QrHandler), *routes])
    )
    server.add_sockets([sock])
    yield f"http://127.0.0.1:{port}"
    server.stop()
    io_loop.run_sync(server.close_all_connections)


@pytest.mark.browser
@pytest.mark.parametrize("styles", ["", "?weui"])
@pytest.mark.gen_test(timeout=120)
async def test_every_page_fits_a_phone_and_can_be_tapped(browser, pages, styles):
    browser.forgive("/(scans|orders)/[0-9]{32}")  # nobody asked for it, so there is nothing to follow
    if styles and not WEUI.is_file():
        pytest.skip("WeUI is not installed")
    page = await browser.phone()
    one_of_each = {template: number for number, (template, _, _) in enumerate(SHOWN)}
    for number, (template, _, _) in enumerate(SHOWN):
        if styles and number != one_of_each[template]:
            continue
        await page.goto(f"{pages}/{number}{styles}")
        assert await page.evaluate(FAULTS) == [], (number, template)


@pytest.mark.browser
@pytest.mark.gen_test(timeout=60)
async def test_nothing_is_sent_before_the_box_is_ticked(browser, pages):
    page = await browser.phone()
    number = next(n for n, (template, _, _) in enumerate(SHOWN) if template == "confirm_link.html")
    await page.goto(f"{pages}/{number}")
    sent = []
    page.on("request", lambda request: sent.append(request.method))
    await page.tap("[data-role=confirm]")
    assert await page.locator("[data-role=waiver-agree]").evaluate("box => box.validity.valueMissing")
    assert "POST" not in sent, "Chromium may still fetch the page's icon, but nothing else"


@pytest.mark.browser
@pytest.mark.gen_test(timeout=60)
async def test_the_link_can_be_copied_or_at_least_selected(browser, pages):
    page = await browser.pc()
    await page.goto(f"{pages}/{len(SHOWN) - 1}")
    await page.click("[data-role=copy-link]")
    await page.wait_for_function("document.getElementById('copied').textContent.includes('链接已')")

    no_scripts = await browser.open(java_script_enabled=False)
    await no_scripts.goto(f"{pages}/{len(SHOWN) - 1}")
    assert not await no_scripts.is_visible("[data-role=copy-link]")
    assert await no_scripts.input_value("#address") == "https://bridge.example/courses/infosec/planet"
