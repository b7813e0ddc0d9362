"""The account's own QR on a PC's page: WeChat tells us the openid, and the chat leads on."""

import pytest

from models.scans import Scan
from tests.pc import PC
from tests.site import COURSE

gen = pytest.mark.gen_test(timeout=30)


@pytest.fixture
def verified(make_site):
    """A site whose account is a verified service account."""
    return make_site(scan_by_account=True)


@pytest.mark.parametrize("is_follower", [True, False])
@gen
async def test_who_scans_the_accounts_code_is_led_on_by_the_chat(verified, is_follower):
    site, pc, anna = verified, PC(verified), verified.phone("anna")
    await site.buys("anna")
    if is_follower:
        await anna.follow()
    entry = (await pc.asks("link", course=COURSE)).json["qr_url"]
    assert not entry.startswith(site.base_url), "the code is the account's"
    (answer,) = await anna.scan(entry)
    assert (await pc.state())["state"] == "scanned"
    assert "/s/" in answer and "两位数字" in answer
    page = await anna.open(anna.chat_links()[-1])
    page = await anna.tap("sign-in")
    assert page.find("confirm") and page.find("scan-number").text
    await anna.submit("confirm", waiver=site.waiver)
    await anna.tap("planet-agree")
    assert (await pc.state())["state"] == "linked" and await site.broken() == []


@gen
async def test_the_pictures_say_what_the_entry_says(verified):
    pc = PC(verified)
    await pc.asks("link", course=COURSE)
    svg, png = await pc.ask(f"/scans/{pc.id}/qr.svg"), await pc.ask(f"/scans/{pc.id}/qr.png")
    assert svg.headers["Content-Type"] == "image/svg+xml" and b"<svg" in svg.body
    assert png.headers["Content-Type"] == "image/png" and png.body.startswith(b"\x89PNG")


@gen
async def test_a_late_or_foreign_code_of_the_account_is_answered_with_why(verified):
    site, pc = verified, PC(verified)
    await site.buys("anna")
    entry = (await pc.asks("link", course=COURSE)).json["qr_url"]
    site.clock.forward(seconds=121)
    (answer,) = await site.phone("anna").scan(entry)
    assert "已失效" in answer
    (answer,) = await site.phone("bob").follow("scan:" + "0" * 32)
    assert "没有找到" in answer
    scan = await site.ctx.read(lambda _env: Scan.get())
    assert scan.scanned_by is None


@gen
async def test_where_wechat_makes_no_code_ours_takes_its_place(verified):
    site, pc = verified, PC(verified)
    site.world.faults.set("wechat", "error", operation="qrcode.create")
    entry = (await pc.asks("link", course=COURSE)).json["qr_url"]
    assert entry.startswith(f"{site.base_url}/s/")
