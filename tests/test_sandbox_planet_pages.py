"""The planet's own pages as a member, a stranger and the owner use them, and the console's grip."""

from collections.abc import Iterator

import pytest
from tornado.escape import json_decode
from tornado.httpclient import HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.testing import bind_unused_port
from tornado.web import Application

from sandbox.world import SandboxPerson
from tests.planet_kit import PlanetKit, running, token_in


@pytest.fixture
def planet(io_loop: IOLoop) -> Iterator[PlanetKit]:
    """A planet on a port of its own."""
    with running(io_loop) as kit:
        yield kit


async def page(planet: PlanetKit, path: str = "/groups/g1", who: SandboxPerson | None = None) -> str:
    """What a person sees."""
    return (await planet.fetch("GET", path, phone=who or planet.mei)).body.decode()


async def tap(planet: PlanetKit, action: str, who: SandboxPerson, **fields: str) -> HTTPResponse:
    """Open the group's page and tap a button."""
    token = token_in(await planet.fetch("GET", "/groups/g1", phone=who))
    form = {"token": token} | fields
    return await planet.fetch("POST", f"/groups/g1/{action}", form=form, phone=who)


@pytest.mark.gen_test
async def test_a_stranger_sees_the_price_and_no_pinned_post(planet):
    planet.site.set_pinned_post("g1", "同名课程送给你", "http://127.0.0.1:8000/planets/infosec")
    body = await page(planet)
    assert "付费加入 ¥199" in body
    assert "你还没有加入" in body
    assert "planet-pinned" not in body
    assert "planet-members" not in body


@pytest.mark.gen_test
async def test_who_pays_is_in_and_sees_the_pinned_post_with_link_and_qr(planet):
    planet.site.set_pinned_post("g1", "同名课程送给你", "http://127.0.0.1:8000/planets/infosec")
    assert (await tap(planet, "join", planet.mei)).code == 303
    body = await page(planet)
    assert planet.site.memberships("g1")[0].paid_fen == 19900
    assert "你是成员" in body
    assert 'href="http://127.0.0.1:8000/planets/infosec"' in body
    assert "<svg" in body
    assert (await tap(planet, "join", planet.mei)).code == 409, "paying twice by mistake"


@pytest.mark.gen_test
async def test_a_member_renews_and_takes_his_money_back_within_72_hours(planet):
    await tap(planet, "join", planet.mei)
    await tap(planet, "renew", planet.mei)
    first, second = planet.site.memberships("g1")
    assert (await tap(planet, "refund", planet.mei, order_ref=second.order_ref)).code == 303
    planet.world.forward(72 * 3600)
    assert (await tap(planet, "refund", planet.mei, order_ref=first.order_ref)).code == 409
    assert [first.status, second.status] == ["active", "refunded"]
    assert "不能退了" in await page(planet)


@pytest.mark.gen_test
async def test_nobody_takes_back_the_money_of_another(planet):
    order_ref = planet.site.member_buys(planet.mei, "g1")
    assert (await tap(planet, "refund", planet.owner, order_ref=order_ref)).code == 404
    assert (await tap(planet, "refund", planet.mei, order_ref="zx0")).code == 404
    assert planet.site.memberships("g1")[0].status == "active"


@pytest.mark.gen_test
async def test_the_owner_sees_the_members_and_puts_one_out(planet):
    await tap(planet, "join", planet.mei)
    assert "小梅@星球" in await page(planet, who=planet.owner)
    assert (await tap(planet, "remove", planet.owner, member_uid=planet.uid)).code == 303
    assert planet.site.memberships("g1")[0].status == "revoked"
    assert "移出了这个星球" in await page(planet)
    assert (await tap(planet, "join", planet.mei)).code == 409
    await tap(planet, "readmit", planet.owner, member_uid=planet.uid)
    assert (await tap(planet, "join", planet.mei)).code == 303


@pytest.mark.gen_test
async def test_a_member_cannot_act_as_the_owner(planet):
    await tap(planet, "join", planet.mei)
    assert (await tap(planet, "remove", planet.mei, member_uid=planet.uid)).code == 403
    assert planet.site.memberships("g1")[0].status == "active"


@pytest.mark.parametrize("action", ["join", "renew", "refund", "remove"])
@pytest.mark.gen_test
async def test_a_tap_needs_the_pages_own_token(planet, action):
    no_token = await planet.fetch("POST", f"/groups/g1/{action}", form={}, phone=planet.mei)
    nobody = await planet.fetch("POST", f"/groups/g1/{action}", form={"token": "x"})
    assert (no_token.code, nobody.code) == (403, 403)
    assert planet.site.memberships("g1") == []


@pytest.mark.gen_test
async def test_the_front_page_lists_groups_and_unknown_addresses_have_a_page(planet):
    assert "信息安全星球" in await page(planet, "/")
    for path in ("/groups/none", "/none", "/groups/%ff"):
        response = await planet.fetch("GET", path, phone=planet.mei)
        assert response.code in (400, 404)
        assert "没有成功" in response.body.decode()


@pytest.mark.gen_test
async def test_an_ordinary_browser_can_become_somebody_else(planet):
    first = await planet.fetch("GET", "/")
    cookie = first.headers["Set-Cookie"].split(";")[0]
    form = {"token": token_in(first), "person": "mei", "next": "/"}
    await planet.fetch("POST", "/session", form=form, cookie=cookie)
    home = await planet.fetch("GET", "/", cookie=cookie)
    await planet.fetch("POST", "/leave", form={"token": token_in(home), "next": "/"}, cookie=cookie)
    assert "小梅@星球" in home.body.decode()
    assert "你是谁" in (await planet.fetch("GET", "/", cookie=cookie)).body.decode()


@pytest.mark.gen_test
async def test_a_phone_cannot_become_another_person(planet):
    token = token_in(await planet.fetch("GET", planet.ask(), phone=planet.mei))
    form = {"token": token, "person": "lin", "next": "/"}
    assert (await planet.fetch("POST", "/session", form=form, phone=planet.mei)).code == 403


@pytest.fixture
def console(io_loop: IOLoop, planet: PlanetKit) -> Iterator[PlanetKit]:
    """The planet's control handlers served as the console serves them."""
    sock, port = bind_unused_port()

    async def serve() -> HTTPServer:
        """Servers start on the running loop."""
        server = HTTPServer(Application(planet.site.control_routes))
        server.add_sockets([sock])
        return server

    server = io_loop.run_sync(serve)
    planet.url = f"http://127.0.0.1:{port}"
    yield planet
    server.stop()
    io_loop.run_sync(server.close_all_connections)


async def control(console: PlanetKit, path: str, **body: object) -> tuple[int, dict]:
    """One call of the console; a GET when there is nothing to say."""
    method = "POST" if body else "GET"
    response = await console.fetch(method, f"/control/planet/{path}", json=body or None)
    return response.code, json_decode(response.body)


@pytest.mark.gen_test
async def test_the_console_does_what_people_do(console):
    await control(console, "groups", group_id="g2", title="新", price_fen=100, owner="lin")
    _, bought = await control(console, "buy", person="mei", group_id="g2", paid_fen=80)
    _, members = await control(console, "groups/g2/members")
    assert members["members"][0]["person"] == "mei"
    assert members["members"][0]["memberships"][0]["paid_fen"] == 80
    await control(console, "renew", person="mei", group_id="g2")
    await control(console, "refund", order_ref=bought["order_ref"])
    await control(console, "remove", person="mei", group_id="g2")
    await control(console, "readmit", person="mei", group_id="g2")
    await control(console, "free", person="mei", group_id="g2")
    statuses = [one.status for one in console.site.memberships("g2")]
    assert statuses == ["refunded", "revoked", "active"]
    assert len((await control(console, "events"))[1]["events"]) == 4
    assert len((await control(console, "groups"))[1]["groups"]) == 2


@pytest.mark.gen_test
async def test_the_console_writes_the_pinned_post_and_switches_lies(console):
    await control(console, "pinned", group_id="g1", text="看这里", link="https://example.com/planets/x")
    assert console.group.pinned_text == "看这里"
    assert (await control(console, "pinned", group_id="g1", text="x", link="javascript:1"))[0] == 400
    await control(console, "lies", list_lie="empty", lies_about_iss="https://x.example")
    assert (console.site.list_lie, console.site.lies_about_iss) == ("empty", "https://x.example")
    assert (await control(console, "lies", base_url="x"))[0] == 400


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("buy", {"person": "nobody", "group_id": "g1"}, 404),
        ("buy", {"person": "mei", "group_id": "none"}, 404),
        ("buy", {"person": "mei"}, 400),
        ("buy", {"person": "mei", "group_id": "g1", "paid_fen": "1"}, 400),
        ("renew", {"person": "mei", "group_id": "g1"}, 409),
        ("refund", {"order_ref": "none"}, 404),
        ("remove", {"person": "mei", "group_id": "g1"}, 404),
        ("groups", {"group_id": "g1", "title": "x", "owner": "lin"}, 409),
    ],
)
@pytest.mark.gen_test
async def test_the_console_says_what_cannot_be_done(console, path, body, status):
    answered, answer = await control(console, path, **body)
    assert (answered, set(answer)) == (status, {"error", "message"})
    assert console.site.memberships("g1") == []


@pytest.mark.gen_test
async def test_a_form_of_another_site_cannot_use_the_console(console):
    form = '{"person": "mei", "group_id": "g1"}'
    assert (await console.fetch("POST", "/control/planet/buy", form=form)).code == 400
    assert console.site.memberships("g1") == []
