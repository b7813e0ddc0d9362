"""A PC asks and a phone answers, through the outer doors."""

from typing import Any

import pytest

from models.links import Link, LinkAttempt, RefundWaiver
from models.people import Session
from models.scans import Scan
from tests.pc import PC
from tests.site import COURSE, Site

gen = pytest.mark.gen_test(timeout=60)


@pytest.fixture
def pc(site: Site) -> PC:
    """Somebody's PC."""
    return PC(site)


async def count(site: Site, row: Any) -> int:
    """How many there are."""
    return await site.ctx.read(lambda _env: row.select().count())


@gen
async def test_an_anonymous_pc_links_by_the_phone_and_hears_until_when(site, pc):
    await site.buys("anna")
    asked = await pc.asks("link", course=COURSE)
    assert asked.status == 201 and set(asked.json) == {"id", "qr_url", "number", "ttl"} and asked.json["ttl"] == 120
    assert (await pc.state())["state"] == "waiting"

    phone = site.phone("anna")
    page = await phone.open(asked.json["qr_url"])
    assert "关联课程和星球" in page.text and not page.find("confirm"), "a look changes nothing"
    assert (await pc.state())["state"] == "waiting"
    page = await phone.tap("sign-in")
    assert (await pc.state())["state"] == "scanned"
    assert page.find("scan-number").text == asked.json["number"]
    assert page.find("pc-origin") and page.find("waiver-text") and page.find("decline")
    page = await phone.submit("confirm", waiver=site.waiver)
    assert (await pc.state())["state"] == "confirmed"
    page = await phone.tap("planet-agree")
    assert "已开通" in page.text

    state = await pc.state()
    assert state["state"] == "linked" and state["until"].startswith("2027-11-22")
    assert not pc.is_signed_in, "the PC stays anonymous"
    assert await count(site, Session) == 1 and await count(site, Link) == 1 and await count(site, RefundWaiver) == 1
    assert await site.broken() == []


@gen
async def test_an_anonymous_pc_is_signed_in_by_the_digits_of_the_phone(site, pc):
    await site.buys("anna")
    asked = await pc.asks("sign_in", target="me")
    phone = site.phone("anna")
    await phone.open(asked.json["qr_url"])
    await phone.tap("sign-in")
    page = await phone.submit("confirm")
    digits = page.find("scan-digits").text
    assert len(digits) == 6 and (await pc.state())["state"] == "confirmed"

    answer = await pc.types(digits)
    assert (answer.status, answer.json) == (200, {"state": "done"})
    assert pc.is_signed_in and (await pc.state())["state"] == "done"
    me = await pc.ask("/me", Accept="text/html")
    assert me.status == 200 and "信息安全" in me.body.decode()
    again = await pc.types(digits)
    assert (again.status, again.json) == (200, {"state": "done"})
    assert await count(site, Session) == 2 and await count(site, LinkAttempt) == 0
    assert await site.broken() == []


@gen
async def test_the_phone_says_no_and_nothing_has_changed(site, pc):
    await site.buys("anna")
    asked = await pc.asks("link", course=COURSE)
    phone = site.phone("anna")
    await phone.open(asked.json["qr_url"])
    await phone.tap("sign-in")
    before = await site.rows()
    page = await phone.submit("decline")
    assert page.status == 200 and "没有关联" in page.text
    state = await pc.state()
    assert state["state"] == "declined" and state["until"] is None
    changed = {name for name, value in (await site.rows()).items() if value != before[name]}
    assert changed == {"scan"} and await count(site, Scan) == 1
