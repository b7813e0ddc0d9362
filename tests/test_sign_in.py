"""Signing in inside WeChat, sessions, and every other browser (L4, L7)."""

import pytest

from models.people import Identity, Person, Session, digest
from tests.site import COURSE

gen = pytest.mark.gen_test(timeout=40)


def no_of(page) -> tuple[int, str]:
    """Status and code of a refusal."""
    return page.status, page.find("error-code").text


def callback_of(page) -> str:
    """The address WeChat sent the browser back to."""
    return next(hop.url for hop in page.hops if "/oauth/callback" in hop.url)


@gen
async def test_a_tap_signs_in_and_leads_back_to_a_clean_address(site):
    page = await site.signs_in("anna", "/me/access")
    assert page.url == f"{site.base_url}/me/access"
    assert [hop.status for hop in page.hops if "/oauth/" in hop.url] == [303] * len(
        [hop for hop in page.hops if "/oauth/" in hop.url]
    )


@gen
async def test_a_get_of_any_page_starts_nothing(site):
    before = await site.rows()
    page = await site.phone("anna").open(f"{site.base_url}/courses/{COURSE}/planet")
    assert no_of(page) == (401, "not_signed_in")
    assert site.world.journal.entries(operation="oauth.authorize") == []
    assert await site.rows() == before


@gen
async def test_signing_in_twice_is_one_person(site):
    await site.signs_in("anna")
    site.phone("anna").jar.clear()
    await site.signs_in("anna")
    assert await site.ctx.read(lambda _env: (Person.select().count(), Identity.select().count())) == (1, 1)


@gen
async def test_a_callback_that_wechat_makes_twice_signs_in_once_and_alike(site):
    site.phone("anna").person.callback_twice = True
    page = await site.signs_in("anna")
    assert page.url == f"{site.base_url}/me"
    again = await site.phone("anna").open(callback_of(page))
    assert again.url == page.url
    assert len(site.world.journal.entries(operation="sns.exchange")) == 1


@gen
async def test_after_a_minute_a_used_state_is_worthless(site):
    page = await site.signs_in("anna")
    site.clock.forward(seconds=60)
    again = await site.phone("anna").open(callback_of(page))
    assert no_of(again) == (400, "state_invalid")


@gen
async def test_a_forwarded_callback_signs_nobody_in(site):
    page = await site.signs_in("anna")
    before, rows = len(site.world.journal.entries(operation="sns.exchange")), await site.every_row()
    bobs = await site.phone("bob").open(callback_of(page))
    assert no_of(bobs) == (403, "start_from_your_course")
    assert site.phone("bob").jar.get(site.base_url, "session") is None
    assert len(site.world.journal.entries(operation="sns.exchange")) == before, "no call out"
    assert await site.every_row() == rows


@pytest.mark.parametrize(
    "query", ["", "code=x", "state=", "state=x&code=x", f"state={'0' * 32}", f"state={'0' * 10_000}", "state=%ff"]
)
@gen
async def test_a_callback_with_a_bad_state_asks_nobody(site, query):
    before = await site.every_row()
    page = await site.phone("anna").open(f"{site.base_url}/oauth/callback?{query}")
    assert page.status == 400
    assert site.world.journal.entries(operation="sns.exchange") == []
    assert await site.every_row() == before


@gen
async def test_a_state_is_good_for_ten_minutes(site):
    anna = site.phone("anna")
    await anna.open(f"{site.base_url}/me")
    site.world.faults.set("wechat", "error", operation="oauth.authorize", times=1)
    started = (await anna.tap("sign-in")).url
    assert "oauth2/authorize" in started
    site.clock.forward(seconds=600)
    assert no_of(await anna.open(started)) == (400, "state_invalid")


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("down", 503, "remote_away"), ("junk", 503, "remote_away"), ("error", 503, "remote_away")],
)
@gen
async def test_wechat_away_is_said_and_nobody_is_signed_in(site, kind, status, code):
    site.world.faults.set("wechat", kind, operation="sns.exchange")
    page = await site.signs_in("anna")
    assert no_of(page) == (503, "remote_away")
    assert page.headers["Retry-After"]
    assert await site.ctx.read(lambda _env: Session.select().count()) == 0
    site.world.faults.clear()
    page = await site.signs_in("anna")
    assert page.status == 200


@gen
async def test_a_snapshot_page_signs_nobody_in(site):
    site.phone("anna").person.snapshot = True
    before = await site.rows()
    page = await site.signs_in("anna")
    assert no_of(page) == (403, "snapshot_user")
    assert await site.rows() == before, "not even a person with a virtual id"


@pytest.mark.parametrize(
    "target",
    [
        "//evil",
        "https:evil",
        "/\\evil",
        "%2f%2fevil",
        "javascript:alert(1)",
        "course:../x",
        "course:A",
        "",
        "x:y",
        "me:1",
    ],
)
@gen
async def test_only_our_own_pages_can_be_a_target(site, target):
    before = await site.every_row()
    await site.phone("anna").open(f"{site.base_url}/me")
    page = await site.posts("anna", "/oauth/start", target=target)
    assert no_of(page) == (422, "wrong_input")
    assert await site.every_row() == before


@gen
async def test_a_new_sign_in_ends_the_old_session_of_the_browser(site):
    await site.signs_in("anna")
    old = site.phone("anna").jar.get(site.base_url, "session")
    await site.posts("anna", "/oauth/start", target="me")
    new = site.phone("anna").jar.get(site.base_url, "session")
    assert old != new
    held = await site.ctx.read(lambda _env: [row.token_hash for row in Session.select()])
    assert held == [digest(new)]


@gen
async def test_linking_gives_the_session_a_new_secret(site):
    await site.buys("anna")
    await site.at_planet("anna")
    old = site.phone("anna").jar.get(site.base_url, "session")
    await site.phone("anna").tap("planet-agree")
    assert site.phone("anna").jar.get(site.base_url, "session") != old
    assert await site.ctx.read(lambda _env: Session.select().count()) == 1


@pytest.mark.parametrize(("days", "status"), [(6, 200), (7, 401)])
@gen
async def test_a_session_ends_after_seven_idle_days(site, days, status):
    await site.signs_in("anna")
    site.clock.forward(days=days)
    assert (await site.phone("anna").open(f"{site.base_url}/me")).status == status


@gen
async def test_a_session_in_use_ends_after_thirty_days(site):
    await site.signs_in("anna")
    for day in range(1, 31):
        site.clock.forward(days=1)
        page = await site.phone("anna").open(f"{site.base_url}/me")
        assert page.status == (200 if day < 30 else 401), day


@gen
async def test_signing_out_ends_the_session_here_and_in_the_rows(site):
    await site.signs_in("anna")
    page = await site.posts("anna", "/oauth/sign-out")
    assert page.url == f"{site.base_url}/"
    assert await site.ctx.read(lambda _env: Session.select().count()) == 0
    assert (await site.phone("anna").open(f"{site.base_url}/me")).status == 401


@pytest.mark.parametrize("kind", ["planet", "safari"])
@gen
async def test_another_browser_is_told_to_open_the_page_in_wechat(site, kind):
    before = await site.every_row()
    phone = site.phone("anna")
    phone.kind = kind
    page = await phone.open(f"{site.base_url}/courses/{COURSE}/planet")
    assert page.status == 403
    assert page.find("error-code").text == "open_in_wechat"
    assert page.find("open-in-wechat")
    assert page.find("copy-link")
    assert f"{site.base_url}/courses/{COURSE}/planet" in page.body
    assert await site.every_row() == before


@pytest.mark.parametrize("path", ["/me", "/me/links", "/me/access", "/lecturer", f"/courses/{COURSE}/planet"])
@gen
async def test_a_machine_gets_its_refusal_as_json(site, path):
    before = await site.every_row()
    answer = await site.fetch(path, headers={"Accept": "application/json"})
    assert answer.code == 401
    assert {"code", "message", "rid"} == set(site.json(answer))
    assert site.json(answer)["code"] == "not_signed_in"
    assert await site.every_row() == before


@gen
async def test_an_openid_in_the_address_is_nobody(site):
    await site.buys("bob")
    await site.signs_in("anna")
    bobs = site.phone("bob").openid
    page = await site.phone("anna").open(f"{site.base_url}/me?openid={bobs}&person={bobs}")
    assert "信息安全职场培训" not in page.text


@gen
async def test_a_form_without_its_token_changes_nothing(site):
    await site.buys("anna")
    await site.signs_in("anna", f"/courses/{COURSE}/planet")
    before = await site.rows()
    page = await site.phone("anna").post(f"{site.base_url}/courses/{COURSE}/planet", {"waiver": site.waiver})
    assert page.status == 403
    assert await site.rows() == before


@pytest.fixture
def https_site(make_site):
    """A site that is reached by https, through a proxy."""
    return make_site(base_url="https://course.example")


@gen
async def test_every_cookie_is_bound_to_this_host_and_closed_to_scripts(https_site):
    first = await https_site.fetch("/me", user_agent="MicroMessenger/8.0")
    token = first.headers["Set-Cookie"].partition(";")[0].removeprefix("_xsrf=")
    posted = {"method": "POST", "body": f"_xsrf={token}&target=me", "headers": {"Cookie": f"_xsrf={token}"}}
    second = await https_site.fetch("/oauth/start", **posted)
    assert second.code == 303
    lines = [*first.headers.get_list("Set-Cookie"), *second.headers.get_list("Set-Cookie")]
    assert any(line.startswith("__Host-browser=") for line in lines)
    for line in lines:
        marks = {mark.strip().lower() for mark in line.split(";")[1:]}
        assert {"httponly", "secure", "samesite=lax", "path=/"} <= marks
        assert not any(mark.startswith("domain") for mark in marks)
    assert first.headers["Strict-Transport-Security"]


@gen
async def test_too_many_sign_ins_are_told_when_to_come_back(site):
    await site.signs_in("anna")
    await site.posts("anna", "/oauth/sign-out")
    for _ in range(31):
        page = await site.posts("anna", "/oauth/start", target="nowhere")
    assert no_of(page) == (429, "rate_limited")
    assert int(page.headers["Retry-After"]) <= 60
    site.clock.forward(seconds=60)
    assert no_of(await site.posts("anna", "/oauth/start", target="nowhere")) == (422, "wrong_input")
