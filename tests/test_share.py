"""The card of a page that is sent on in WeChat: signed for our own pages only, and only where it is of use."""

import pytest

from tests.browser import PHONE
from tests.site import COURSE

gen = pytest.mark.gen_test(timeout=60)
sqlite = pytest.mark.parametrize("database_kind", ["sqlite"])
IN_WECHAT = {"user_agent": "MicroMessenger/8.0"}


@pytest.fixture
def https_site(make_site):
    """A site that is reached by https, through a proxy."""
    return make_site(base_url="https://course.example")


@sqlite
@gen
async def test_inside_wechat_the_page_brings_wechats_script_and_ours(https_site):
    inside = (await https_site.fetch(f"/courses/{COURSE}", **IN_WECHAT)).body.decode()
    assert "https://res.wx.qq.com/open/js/jweixin-1.6.0.js" in inside
    assert "/static/share.js" in inside
    outside = (await https_site.fetch(f"/courses/{COURSE}")).body.decode()
    assert "jweixin" not in outside


@sqlite
@gen
async def test_the_signature_is_what_wechat_expects_of_that_page(site):
    signed = site.json(await site.fetch(f"/wx/share?path=/courses/{COURSE}"))
    proof = {"timestamp": str(signed["timestamp"]), "noncestr": signed["nonceStr"], "signature": signed["signature"]}
    account = site.box.account
    assert account.check_jssdk(f"{site.base_url}/courses/{COURSE}", **proof) == "config:ok"
    assert account.check_jssdk(f"{site.base_url}/courses/other", **proof) == "config:invalid signature"


@sqlite
@pytest.mark.parametrize(
    "path",
    ["", "https://evil.example/", "//evil.example/", "/x" * 300, "evil", "@evil.example/", "/a%3Fx%0Ay", "/a%3F%7F",
     "/%3F%E2%80%AE", "/%3F%E2%80%A8x"],
)  # fmt: skip
@gen
async def test_no_page_of_somebody_else_and_no_broken_address_is_signed(site, path):
    answer = await site.fetch(f"/wx/share?path={path}", headers={"Accept": "application/json"})
    assert (answer.code, site.json(answer)["code"]) == (422, "wrong_input")


@sqlite
@gen
async def test_without_wechat_there_is_no_card_and_the_page_is_there(site):
    site.world.faults.set("wechat", "down")
    answer = await site.fetch("/wx/share?path=/", headers={"Accept": "application/json"})
    assert (answer.code, site.json(answer)["code"]) == (503, "remote_away")
    assert (await site.fetch(f"/courses/{COURSE}")).code == 200


@sqlite
@pytest.mark.browser
@gen
async def test_the_script_sets_the_card_of_this_page(site, browser):
    page = await browser.open(bypass_csp=True, **PHONE)  # waiting for a function is eval, which our policy forbids
    await page.add_init_script(
        "window.told = []; window.wx = {config: c => told.push(c), ready: f => f(),"
        " updateAppMessageShareData: d => told.push(d), updateTimelineShareData: d => told.push(d)}"
    )
    await page.goto(f"{site.base_url}/courses/{COURSE}")
    await page.evaluate(
        "() => { const s = document.createElement('script'); s.id = 'share-card'; s.src = '/static/share.js';"
        " s.dataset.title = '课程'; s.dataset.words = '一句话'; s.dataset.link = location.href;"
        " document.body.append(s); }"
    )
    await page.wait_for_function("told.length === 3")
    config, card, _ = await page.evaluate("told")
    assert config["signature"] and config["jsApiList"]
    assert card["title"] == "课程" and card["link"].endswith(COURSE)
