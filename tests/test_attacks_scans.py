"""Attacks on scan-to-confirm: relayed, photographed, raced, replayed, late and forged (section A)."""

import asyncio
import json

import pytest

from models import scans as states
from models.errors import ScanTaken
from models.links import Link, LinkAttempt
from models.people import Session
from models.scans import Scan
from services import scan_secrets, scans
from services.limits import LIMITS
from tests.attack_kit import ask, session
from tests.pc import PC
from tests.site import COURSE, Site

gen = pytest.mark.gen_test(timeout=120)
WRONG = "000000"


@pytest.fixture
def pc(site: Site) -> PC:
    """Somebody's PC."""
    return PC(site)


async def count(site: Site, *rows: type) -> list[int]:
    """How many there are of each kind."""
    return await site.ctx.read(lambda _env: [row.select().count() for row in rows])


async def scanned(site: Site, pc: PC, name: str = "anna", *, purpose: str = "link") -> str:
    """A PC asked, and somebody's phone has scanned; the address in the QR."""
    fields = {"course": COURSE} if purpose == "link" else {}
    address = (await pc.asks(purpose, **fields)).json["qr_url"]
    await site.phone(name).open(address)
    await site.phone(name).tap("sign-in" if site.phone(name).page.find("sign-in") else "scan-open")
    return address


def form_of(page) -> dict[str, str]:
    """What the phone's yes sends."""
    hidden = page.form_of(page.find("confirm"))
    return dict(hidden.filled({"waiver": "2026-11"} if page.find("waiver-agree") else {}))


def without_token(form: dict[str, str]) -> dict[str, str]:
    """What another browser would send: its own token."""
    return {name: value for name, value in form.items() if name != "_xsrf"}


@gen
async def test_a_code_of_my_own_pc_shown_to_another_person_joins_nobody(site, pc):
    await site.buys("anna")
    pc.cookies |= await session(site, "mallory")
    address = (await pc.asks("link", course=COURSE)).json["qr_url"]
    await site.signs_in("anna")
    before = await site.rows()
    await site.phone("anna").open(address)
    refused = site.phone("anna").page
    assert refused.status == 403 and refused.find("error-code").text == "account_mismatch"
    again = await site.posts("anna", address.removeprefix(site.base_url), action="open")
    assert again.status == 403 and "mallory" not in again.body
    assert (await pc.state())["state"] == "waiting"
    assert await site.rows() == before and (await count(site, Link, LinkAttempt)) == [0, 0]


@gen
async def test_a_person_who_signs_in_on_the_way_is_refused_the_pc_of_another(site, pc):
    pc.cookies |= await session(site, "mallory")
    address = (await pc.asks("link", course=COURSE)).json["qr_url"]
    await site.phone("anna").open(address)
    page = await site.phone("anna").tap("sign-in")
    assert page.status == 403 and page.find("error-code").text == "account_mismatch"
    assert (await pc.state())["state"] == "waiting"


@gen
async def test_three_wrong_tries_end_a_sign_in_and_the_right_digits_come_too_late(site, pc):
    await scanned(site, pc, purpose="sign_in")
    page = await site.phone("anna").submit("confirm")
    digits = page.find("scan-digits").text
    wrong = next(word for word in ("111111", "222222") if word != digits)
    for left in ("2", "1"):
        answer = await pc.types(wrong)
        assert (answer.status, answer.json["code"]) == (422, "wrong_digits") and left in answer.json["message"]
    assert (await pc.types(wrong)).told[0] == 410
    assert (await pc.state())["state"] == "cancelled"
    assert (await pc.types(digits)).status == 410 and not pc.is_signed_in


@gen
async def test_many_wrong_tries_at_once_are_no_more_than_three(site, pc):
    await scanned(site, pc, purpose="sign_in")
    await site.phone("anna").submit("confirm")
    answers = await asyncio.gather(*(pc.types(f"{number:06d}") for number in range(100001, 100009)))
    assert sorted(one.status for one in answers) in ([410] * 6 + [422] * 2, [410] * 7 + [422], [410] * 8)
    scan = await site.ctx.read(lambda _env: Scan.get())
    assert scan.tries == 3 and scan.state == states.CANCELLED


@gen
async def test_the_digits_of_the_phone_are_worthless_in_another_browser_and_after_a_minute(site, pc):
    await scanned(site, pc, purpose="sign_in")
    digits = (await site.phone("anna").submit("confirm")).find("scan-digits").text
    other = PC(site)
    await other.asks("sign_in")
    other.id = pc.id
    before = await site.rows()
    assert (await other.types(digits)).status == 404 and not other.is_signed_in
    site.clock.forward(seconds=60)
    assert (await pc.types(digits)).status == 410 and not pc.is_signed_in
    assert await site.rows() == before


@gen
async def test_the_digits_typed_twice_at_once_open_one_session_and_are_answered_alike(site, pc):
    await scanned(site, pc, purpose="sign_in")
    digits = (await site.phone("anna").submit("confirm")).find("scan-digits").text
    one, other = await asyncio.gather(pc.types(digits), pc.types(digits))
    assert one.told == other.told == (200, {"state": "done"})
    assert (await count(site, Session))[0] == 2, "the phone's and the PC's"
    site.clock.forward(seconds=60)
    assert (await pc.types(digits)).status == 410


@gen
async def test_a_second_phone_is_told_that_the_code_is_taken(site, pc):
    await site.buys("anna")
    await site.buys("bob")
    address = await scanned(site, pc)
    before = await site.rows()
    await site.signs_in("bob")
    page = await site.posts("bob", address.removeprefix(site.base_url), action="open")
    assert page.status == 409 and page.find("error-code").text == "scan_taken"
    page = await site.phone("bob").open(address)
    assert page.status == 409 and page.find("error-code").text == "scan_taken"
    page = await site.posts(
        "bob", address.removeprefix(site.base_url), **without_token(form_of(site.phone("anna").page))
    )
    assert page.status == 400, "a page of another person"
    page = await site.posts("bob", address.removeprefix(site.base_url), action="decline")
    assert page.status == 404
    assert await site.rows() == before and (await pc.state())["state"] == "scanned"


@gen
async def test_confirming_twice_from_one_page_is_confirming_once_and_from_another_page_is_refused(site, pc):
    await site.buys("anna")
    address = await scanned(site, pc)
    path, phone = address.removeprefix(site.base_url), site.phone("anna")
    first, jar = form_of(phone.page), cookies_of(site, "anna")
    second = form_of(await phone.open(address))
    answers = await asyncio.gather(*(ask(site, path, "POST", form=first, cookies=jar) for _ in range(2)))
    assert [one.status for one in answers] == [303, 303]
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    assert await count(site, LinkAttempt) == [1]
    before = await site.rows()
    other = await ask(site, path, "POST", form=second, cookies=jar, Accept="application/json")
    assert (other.status, other.json["code"]) == (409, "scan_taken")
    forged = first | {"page": "0" * 64}
    assert (await ask(site, path, "POST", form=forged, cookies=jar)).status == 400
    assert await site.rows() == before


def cookies_of(site: Site, name: str) -> dict[str, str]:
    """What a phone's browser holds for us."""
    jar = site.phone(name).jar
    return {one: value for one in ("session", "browser", "_xsrf") if (value := jar.get(site.base_url, one))}


@gen
async def test_without_the_tick_nothing_is_confirmed(site, pc):
    await site.buys("anna")
    address = await scanned(site, pc)
    path, before = address.removeprefix(site.base_url), await site.rows()
    form = {name: value for name, value in form_of(site.phone("anna").page).items() if name != "waiver"}
    answer = await ask(site, path, "POST", form=form, cookies=cookies_of(site, "anna"), Accept="application/json")
    assert (answer.status, answer.json["code"]) == (422, "waiver_not_agreed")
    assert await site.rows() == before and (await pc.state())["state"] == "scanned"


@gen
async def test_a_yes_comes_too_late_after_three_minutes(site, pc):
    await site.buys("anna")
    await scanned(site, pc)
    before = await site.rows()
    site.clock.forward(seconds=181)
    page = await site.phone("anna").submit("confirm", waiver=site.waiver)
    assert page.status == 410 and page.find("error-code").text == "scan_expired"
    assert await site.rows() == before and (await pc.state())["state"] == "expired"


@gen
async def test_a_code_is_worthless_after_two_minutes_and_when_a_newer_one_stands_in_its_place(site, pc):
    await site.buys("anna")
    old = (await pc.asks("link", course=COURSE)).json["qr_url"]
    first = pc.id
    await pc.asks("link", course=COURSE, renews=first)
    await site.signs_in("anna")
    page = await site.phone("anna").open(old)
    assert page.status == 410 and "已失效" in page.text
    assert (await pc.ask(f"/scans/{first}")).json["state"] == "superseded"
    new = (await pc.asks("link", course=COURSE, renews=pc.id)).json["qr_url"]
    before = await site.rows()
    site.clock.forward(seconds=120)
    assert (await site.phone("anna").open(new)).status == 410
    page = await site.posts("anna", new.removeprefix(site.base_url), action="open")
    assert page.status == 410 and await site.rows() == before


@gen
async def test_a_code_renews_four_times_and_then_by_a_tap(site, pc):
    await pc.asks("link", course=COURSE)
    for _ in range(4):
        site.clock.forward(minutes=3)
        assert (await pc.asks("link", course=COURSE, renews=pc.id)).status == 201
    before = await site.rows()
    refused = await pc.asks("link", course=COURSE, renews=pc.id)
    assert (refused.status, refused.json["code"]) == (410, "scan_expired") and await site.rows() == before
    site.clock.forward(minutes=3)
    assert (await pc.asks("link", course=COURSE)).status == 201


@gen
async def test_what_a_phone_holds_is_not_renewed_away(site, pc):
    await site.buys("anna")
    await scanned(site, pc)
    before = await site.rows()
    refused = await pc.asks("link", course=COURSE, renews=pc.id)
    assert (refused.status, refused.json["code"]) == (409, "scan_taken") and await site.rows() == before


@gen
async def test_who_photographs_a_code_learns_nothing_from_it(site, pc):
    address = (await pc.asks("link", course=COURSE)).json["qr_url"]
    code, thief, before = address.rpartition("/")[2], PC(site), await site.rows()
    for known in (pc.id, code):
        for path in ("", "/events", "/wait?v=0", "/qr.svg", "/qr.png"):
            nobody = await thief.ask(f"/scans/{known}{path}")
            assert (nobody.status, nobody.json["code"]) == (404, "not_found"), path
        for path in ("/cancel", "/code"):
            assert (await thief.post(f"/scans/{known}{path}", {"code": WRONG})).status == 404
        assert (await thief.asks("link", course=COURSE, renews=known)).status == 404
    assert await site.rows() == before


@gen
async def test_guessed_codes_are_all_answered_alike_and_then_refused(site):
    mine, told = await session(site), set()
    for _ in range(LIMITS["phone"].most):
        answer = await ask(site, f"/s/{site.new_code(128)}", cookies=mine, Accept="application/json")
        told.add((answer.status, answer.json["code"], answer.json["message"]))
    assert len(told) == 1 and told.pop()[:2] == (404, "not_found")
    answer = await ask(site, f"/s/{site.new_code(128)}", cookies=mine, Accept="application/json")
    assert answer.status == 429


@gen
async def test_ids_and_codes_are_ours_and_share_nothing(site, pc):
    chosen = "ab" * 16
    made = []
    for _ in range(4):
        made.append((await pc.asks("link", course=COURSE, id=chosen, code=chosen, sid=chosen, number="00")).json)
    ids = [one["id"] for one in made] + [one["qr_url"].rpartition("/")[2] for one in made]
    assert chosen not in ids and len(set(ids)) == 8 and len({one[:4] for one in ids}) > 4


@gen
async def test_the_pc_calls_it_off_and_the_phone_is_told(site, pc):
    await site.buys("anna")
    await scanned(site, pc)
    assert (await pc.post(f"/scans/{pc.id}/cancel", {})).json["state"] == "cancelled"
    before = await site.rows()
    page = await site.phone("anna").submit("confirm", waiver=site.waiver)
    assert page.status == 409 and page.find("error-code").text == "scan_cancelled"
    assert (await pc.post(f"/scans/{pc.id}/cancel", {})).json["state"] == "cancelled", "again is the same"
    assert await site.rows() == before


@gen
async def test_what_the_phone_has_confirmed_is_not_called_off(site, pc):
    await site.buys("anna")
    await scanned(site, pc)
    await site.phone("anna").submit("confirm", waiver=site.waiver)
    before = await site.rows()
    assert (await pc.post(f"/scans/{pc.id}/cancel", {})).status == 409
    assert await site.rows() == before and (await pc.state())["state"] == "confirmed"


@gen
async def test_who_signs_out_at_the_pc_leaves_no_code_that_works(site, pc):
    await site.buys("anna")
    pc.cookies |= await session(site, "anna")
    await scanned(site, pc)
    await pc.post("/oauth/sign-out", {})
    assert (await pc.state())["state"] == "expired"
    page = await site.phone("anna").submit("confirm", waiver=site.waiver)
    assert page.status == 410


@gen
async def test_a_browser_has_five_live_codes_at_most_and_an_address_a_bound(site, pc):
    for _ in range(5):
        assert (await pc.asks("link", course=COURSE)).status == 201
    before = await site.rows()
    refused = await pc.asks("link", course=COURSE)
    assert refused.status == 429 and 0 < int(refused.headers["Retry-After"]) <= 121
    assert await site.rows() == before
    for _ in range(LIMITS["scan"].most - 6):
        await pc.asks("link", course=COURSE)
    assert (await pc.asks("link", course=COURSE)).status == 429
    assert await site.rows() == before
    site.clock.forward(days=2)
    await site.ctx.transact(scans.forget_old)
    assert await count(site, Scan) == [0]


@gen
async def test_a_third_wait_for_one_code_is_refused_and_the_others_are_answered(site, pc):
    await pc.asks("link", course=COURSE)
    waits = [asyncio.create_task(pc.ask(f"/scans/{pc.id}/wait?v=1", may_fail=True)) for _ in range(3)]
    done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    assert [one.result().status for one in done] == [429]
    await pc.post(f"/scans/{pc.id}/cancel", {})
    assert sorted([(await one).status for one in waits]) == [200, 200, 429]


@gen
async def test_no_state_of_a_code_is_kept_by_anybody_on_the_way_or_framed(site, pc):
    await site.buys("anna")
    await scanned(site, pc)
    for path in (f"/scans/{pc.id}", f"/scans/{pc.id}/wait?v=0", f"/scans/{pc.id}/qr.svg"):
        answer = await pc.ask(path)
        assert answer.headers["Cache-Control"] == "no-store" and "ETag" not in answer.headers, path
    page = site.phone("anna").page
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]


@gen
async def test_the_phone_shows_what_and_who_before_it_asks_for_a_yes(site, pc):
    number = await site.buys("anna", order_no="A20261122774")
    await scanned(site, pc)
    page = site.phone("anna").page
    for word in ("信息安全职场培训", "信息安全星球", number[-4:], "Chrome", "Windows", "网络", "秒前", "讲师甲"):
        assert word in page.text, word
    assert site.base_url.removeprefix("http://") in page.text and page.find("decline").text == "不是我"
    assert "checked" not in page.find("waiver-agree").attrs


@gen
async def test_who_has_not_bought_the_course_is_told_so_and_the_pc_hears_it(site, pc):
    address = (await pc.asks("link", course=COURSE)).json["qr_url"]
    await site.phone("carl").open(address)
    page = await site.phone("carl").tap("sign-in")
    assert page.status == 403 and page.find("error-code").text == "not_enrolled"
    state = await pc.state()
    assert state["state"] == "declined" and "没有报名" in state["said"]
    assert await count(site, Link, LinkAttempt) == [0, 0]


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
@gen
async def test_a_browser_outside_wechat_cannot_say_yes(site, pc, accept):
    address = (await pc.asks("link", course=COURSE)).json["qr_url"]
    before = await site.rows()
    outside = await PC(site).ask(address.removeprefix(site.base_url), Accept=accept)
    assert outside.status in {401, 403} and await site.rows() == before


@gen
async def test_what_cannot_be_asked_for_is_refused(site, pc):
    annas = await session(site, "anna")
    before = await site.rows()
    for fields, status in (
        ({"purpose": "link", "course": "nothing"}, 404), ({"purpose": "link"}, 404), ({"purpose": "pay"}, 422),
        ({"purpose": "sign_in", "target": "//evil.example"}, 422), ({"course": COURSE}, 422),
    ):  # fmt: skip
        assert (await pc.post("/scans", fields)).status == status, fields
    pc.cookies |= annas
    refused = await pc.post("/scans", {"purpose": "sign_in"})
    assert (refused.status, refused.json["code"]) == (409, "already_signed_in")
    assert await site.rows() == before


@gen
async def test_json_asks_like_a_form_and_needs_its_token_too(site):
    token, how = "ab12" * 8, {"Content_Type": "application/json", "Accept": "application/json"}
    body = json.dumps({"purpose": "link", "course": COURSE, "_xsrf": token}).encode()
    made = await ask(site, "/scans", "POST", body=body, cookies={"_xsrf": token}, **how)
    assert made.status == 201
    before = await site.rows()
    for forged in (body.replace(token.encode(), b"cd34" * 8), b"[1]", b"{", b'{"_xsrf": 7}'):
        assert (await ask(site, "/scans", "POST", body=forged, cookies={"_xsrf": token}, **how)).status == 403
    assert await site.rows() == before


@gen
async def test_a_page_of_mine_confirms_nothing_that_another_holds(site, pc):
    await site.buys("anna")
    await site.buys("bob")
    address = await scanned(site, pc)
    code = address.rpartition("/")[2]
    bob, scan = await site.person_id("bob"), await site.ctx.read(lambda _env: Scan.get())
    page = await site.ctx.read(lambda env: scan_secrets.confirm_id(env, scan, bob))
    before = await site.rows()
    yes = {"code": code, "person_id": bob, "page": page, "browser": "b" * 64, "agreed": site.waiver}
    with pytest.raises(ScanTaken):
        await site.ctx.transact(scans.confirm, **yes, ip="203.0.113.1", user_agent="x")
    assert await site.rows() == before


@gen
async def test_a_scan_that_has_ended_is_not_ended_again(site, pc):
    await site.buys("anna")
    await scanned(site, pc)
    await site.phone("anna").submit("confirm", waiver=site.waiver)
    await site.phone("anna").tap("planet-agree")
    before = await site.rows()
    scan = await site.ctx.read(lambda _env: Scan.get())
    assert scan.state == states.LINKED
    ended = {"state": states.DECLINED, "now": site.clock.now()}
    assert await site.ctx.transact(lambda _env: Scan.finish_of(scan.attempt_id, **ended)) is None
    assert await site.rows() == before


@gen
async def test_what_has_ended_stays_as_it_ended_when_it_is_renewed(site, pc):
    await pc.asks("link", course=COURSE)
    ended = pc.id
    await pc.post(f"/scans/{ended}/cancel", {})
    assert (await pc.asks("link", course=COURSE, renews=ended)).status == 201
    assert (await pc.ask(f"/scans/{ended}")).json["state"] == "cancelled"


@gen
async def test_digits_are_nothing_to_a_scan_for_linking(site, pc):
    await site.buys("anna")
    await scanned(site, pc)
    await site.phone("anna").submit("confirm", waiver=site.waiver)
    scan = await site.ctx.read(lambda _env: Scan.get())
    digits = await site.ctx.read(lambda env: scan_secrets.digits_of(env, scan))
    before = await site.rows()
    assert (await pc.types(digits)).status == 404 and not pc.is_signed_in
    assert await site.rows() == before


@gen
async def test_wrong_digits_after_the_right_ones_open_nothing(site, pc):
    await scanned(site, pc, purpose="sign_in")
    digits = (await site.phone("anna").submit("confirm")).find("scan-digits").text
    assert (await pc.types(digits)).status == 200
    assert (await pc.types("wrong!")).status == 410


@pytest.mark.parametrize("digits", ["１２３４５６", "星", "é" * 6, "", " "])
@gen
async def test_digits_in_other_letters_are_wrong_and_no_fault(site, pc, digits):
    await scanned(site, pc, purpose="sign_in")
    await site.phone("anna").submit("confirm")
    answer = await pc.types(digits)
    assert (answer.status, answer.json["code"]) == (422, "wrong_digits") and not pc.is_signed_in


@gen
async def test_a_page_in_other_letters_is_refused_and_no_fault(site, pc):
    await site.buys("anna")
    address = await scanned(site, pc)
    path, before = address.removeprefix(site.base_url), await site.rows()
    form = form_of(site.phone("anna").page) | {"page": "星" * 40}
    assert (await ask(site, path, "POST", form=form, cookies=cookies_of(site, "anna"))).status == 400
    assert await site.rows() == before
