"""The console: one newcomer plays everything from one PC, and only that PC may."""

import asyncio
import json
from urllib.parse import urlencode, urlsplit

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from sandbox.browser import Browser
from sandbox.options import LiveSettings, SandboxOptions
from sandbox.rewriting import from_phone, rewrite_css, rewrite_html, to_phone
from sandbox.server import Sandbox, build, run
from sandbox.world import World

ANY_PORTS = {"console_port": 0, "wechat_port": 0, "planet_port": 0, "pay_port": 0}


class Site(RequestHandler):
    """A site of the outside with a cookie, a form, a sheet and a security policy."""

    called_back = 0

    async def get(self, path) -> None:
        self.set_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        self.set_header("X-Frame-Options", "DENY")
        if path == "go":
            self.redirect("/landed?a=1")
        elif path == "oauth":
            self.redirect(self.get_query_argument("to") + "#wechat_redirect")
        elif path == "back":
            Site.called_back += 1
            self.write(self.get_query_argument("code"))
        elif path == "a.css":
            self.set_header("Content-Type", "text/css")
            self.write("b{background:url(/b.png)}")
        else:
            self.set_cookie("seen", "1")
            cookie = self.get_cookie("seen", "none")
            self.write(f'<link href="/a.css"><a href="/go">{cookie}</a><form action="send" method="post">')

    def check_xsrf_cookie(self) -> None:
        """Not what is tested here."""

    async def post(self, path) -> None:
        origin, name = self.request.headers.get("Origin"), self.get_body_argument("name")
        self.write(f"{origin} {name} {self.get_cookie('seen')}")


@pytest.fixture
def desk(io_loop):
    """A running sandbox and the address of a site."""
    box = Sandbox(World(seed=4), resend_seconds=0, answer_seconds=1)
    box.world.add_person("anna", "小安")
    server = HTTPServer(Application([("/(.*)", Site)]))

    async def start():
        socket, port = bind_unused_port()
        server.add_sockets([socket])
        box.start()
        return f"http://127.0.0.1:{port}"

    yield {"box": box, "site": io_loop.run_sync(start)}
    io_loop.run_sync(box.stop)
    server.stop()


@pytest.fixture
def pc(desk):
    """The newcomer's own browser, on the console."""
    browser = Browser(desk["box"].world)
    yield browser
    browser.close()


async def control(desk, path, body=None, method=None):
    url = desk["box"].console_url + "/control" + path
    content = None if body is None else json.dumps(body)
    request = HTTPRequest(url, method=method or ("GET" if body is None else "POST"), body=content)
    answer = await AsyncHTTPClient().fetch(request, raise_error=False)
    return answer.code, json.loads(answer.body)


@pytest.mark.gen_test
async def test_every_page_of_the_console_opens(desk, pc):
    box = desk["box"]
    box.account.settings.callback_url = "http://127.0.0.1:1/"
    button = {"name": "我的", "sub_button": [{"name": "课程", "type": "click", "key": "K"}]}
    box.account.menu = {"button": [button, {"name": "订单", "type": "click", "key": "O"}]}
    await box.phone("anna").say("在吗")
    box.account.chats.add(box.phone("anna").person, "account", "template", "a：b", via="template", more={"url": "x"})
    box.world.faults.set("planet", "slow", seconds=0.01, times=3)
    for path in ("/", "/phones/anna", "/phones/anna/browser", "/switches", "/journal", "/clock", "/account"):
        page = await pc.open(box.console_url + path)
        assert page.status == 200, path


@pytest.mark.gen_test
async def test_a_newcomer_follows_writes_and_reads(desk, pc):
    desk["box"].account.menu = {"button": [{"name": "课程", "type": "view", "url": desk["site"] + "/"}]}
    await pc.open(desk["box"].console_url + "/")
    await pc.tap("phone-anna")
    await pc.tap("follow")
    page = await pc.submit("say", text="<b>在吗</b>")
    assert page.find("bubble-me").text.endswith("<b>在吗</b>")
    assert page.find("note").text == "已关注"
    page = await pc.tap("menu")
    assert page.find("web").attrs["src"] == to_phone("anna", desk["site"] + "/")
    await pc.open(desk["box"].console_url + "/phones/anna")
    page = await pc.submit("scan", what=desk["site"] + "/go")
    assert "/go" in page.find("web").attrs["src"]


@pytest.mark.gen_test
async def test_what_the_account_writes_is_text_with_links(desk, pc):
    anna = desk["box"].phone("anna")
    text = '<b>看</b> <a href="http://127.0.0.1:9/x?a=1&amp;b=2">我的<i>课程</i></a><a href="javascript:no()">x</a>'
    desk["box"].account.chats.add(anna.person, "account", "text", text)
    page = await pc.open(desk["box"].console_url + "/phones/anna")
    bubble = page.find("bubble-account")
    assert "<b>看</b> 我的课程x" in bubble.text
    first, second = [one.attrs["data-web"] for one in bubble.walk() if one.tag == "a"]
    assert first == to_phone("anna", "http://127.0.0.1:9/x?a=1&b=2")
    assert second.startswith("/phones/anna/browser?")


@pytest.mark.gen_test
async def test_a_page_inside_a_phone_stays_inside_with_the_phones_own_cookies(desk, pc):
    inside = desk["box"].console_url + to_phone("anna", desk["site"] + "/x/page")
    page = await pc.open(inside)
    assert not {"Content-Security-Policy", "X-Frame-Options", "Set-Cookie"} & set(page.headers)
    assert page.links == [desk["box"].console_url + to_phone("anna", desk["site"] + "/go")]
    page = await pc.open(page.links[0])
    assert [hop.status for hop in page.hops] == [302, 200] and page.url.endswith("/landed?a=1")
    assert page.root.text == "1", "the cookie of the first page came along"
    assert desk["box"].phone("anna").jar.get(desk["site"], "seen") == "1"
    page = await pc.post(inside.replace("page", "send"), {"name": "小安"})
    assert page.body.endswith(" 小安 1")
    sheet = await pc.open(desk["box"].console_url + to_phone("anna", desk["site"] + "/a.css"))
    assert sheet.body == f"b{{background:url({to_phone('anna', desk['site'] + '/b.png')})}}"


@pytest.mark.gen_test
async def test_a_form_in_a_phone_says_where_it_comes_from(desk, pc):
    page_url = desk["box"].console_url + to_phone("anna", desk["site"] + "/page")
    request = HTTPRequest(
        page_url, method="POST", body="name=a", headers={"Referer": page_url, "Origin": desk["box"].console_url}
    )
    answer = await AsyncHTTPClient().fetch(request)
    assert answer.body.decode().startswith(desk["site"] + " a")


@pytest.mark.gen_test
async def test_wechat_knows_who_holds_the_phone_in_the_console_too(desk, pc):
    box, Site.called_back = desk["box"], 0
    box.phone("anna").person.callback_twice = True
    query = {"appid": box.account.app_id, "redirect_uri": desk["site"] + "/back", "response_type": "code"}
    query |= {"scope": "snsapi_userinfo", "state": "a1"}
    authorise = f"{box.wechat_open_url}/connect/oauth2/authorize?{urlencode(query)}"
    url = desk["site"] + "/oauth?" + urlencode({"to": authorise})
    page = await pc.open(box.console_url + to_phone("anna", url))
    assert "小安" in page.text
    page = await pc.tap("allow")
    assert box.account.oauth.exchange(page.body)["openid"] == box.phone("anna").openid
    assert Site.called_back == 2
    planet = await pc.open(box.console_url + to_phone("anna", box.planet_url + "/"))
    assert "小安" in planet.text


@pytest.mark.gen_test
async def test_a_script_of_the_page_reaches_its_own_site(desk, pc):
    page_url = desk["box"].console_url + to_phone("anna", desk["site"] + "/page")
    answer = await AsyncHTTPClient().fetch(desk["box"].console_url + "/landed", headers={"Referer": page_url})
    assert urlsplit(answer.effective_url).path == to_phone("anna", desk["site"] + "/landed")


@pytest.mark.gen_test
async def test_only_this_machine_is_opened_and_only_this_machine_asks(desk, pc):
    console = desk["box"].console_url
    assert (await pc.open(console + "/phones/anna/web/http/example.com/")).status == 404
    assert (await pc.open(console + "/phones/anna/web/http/127.0.0.1@example.com/")).status == 404
    assert (await pc.open(console + "/phones/nobody/web/http/127.0.0.1/")).status == 404
    assert (await pc.open(console + "/phones/anna/web/http/127.0.0.1:1/")).status == 502
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        request = HTTPRequest(console + "/control/clock", method="POST", body='{"forward": 9}', headers=headers)
        assert (await AsyncHTTPClient().fetch(request, raise_error=False)).code == 403


@pytest.mark.gen_test
async def test_switches_and_clock_move_by_form(desk, pc):
    world = desk["box"].world
    await pc.open(desk["box"].console_url + "/switches")
    page = await pc.submit("fault-on-planet", kind="error", times="2", operation="planet.*")
    assert "出错" in page.find("active-fault").text
    assert [(one.side, one.times) for one in world.faults.active()] == [("planet", 2)]
    await pc.submit(page.forms[0])
    assert world.faults.active() == []
    world.freeze(1000)
    page = await pc.open(desk["box"].console_url + "/clock")
    await pc.submit(page.forms[0], days="1", minutes="1")
    assert world.now() == 1000 + 86460


@pytest.mark.gen_test
async def test_acceptance_runs_drive_everything_by_json(desk):
    world = desk["box"].world
    world.freeze(1000)
    assert await control(desk, "/clock", {"forward": 60}) == (200, {"now": 1060, "frozen": True})
    code, told = await control(desk, "/people", {"name": "dora", "nickname": "朵拉", "snapshot": True})
    assert code == 200 and world.people["dora"].snapshot and len(told["openid"]) == 28
    code, told = await control(desk, "/push", {"person": "dora", "do": "say", "text": "在吗"})
    assert (code, told["tries"]) == (200, [])
    assert (await control(desk, "/inbox/dora"))[1]["bubbles"][0]["text"] == "在吗"
    code, told = await control(desk, "/faults", {"side": "wechat", "kind": "down", "times": 1})
    assert code == 200 and told["faults"][0]["kind"] == "down"
    assert (await control(desk, "/faults", method="DELETE"))[1]["faults"] == []
    code, told = await control(desk, "/account", {"mode": "plain", "callback_url": desk["site"] + "/wx"})
    assert (code, told["mode"]) == (200, "plain")
    code, told = await control(desk, "/push", {"person": "dora", "do": "follow"})
    assert told["tries"] == [400, 400, 400]
    entries = (await control(desk, "/journal?side=wechat&direction=out"))[1]["entries"]
    assert [one["operation"] for one in entries] == ["push.subscribe"] * 3
    assert (await control(desk, "/verify", {}))[1]["problem"]


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "path, body",
    [
        ("/clock", {"forward": "x"}),
        ("/faults", {"side": "wechat"}),
        ("/faults", {"side": "wechat", "kind": "what"}),
        ("/people", {"name": "no name"}),
        ("/push", {"person": "nobody", "do": "say"}),
        ("/push", {"person": "anna", "do": "say"}),
        ("/push", {"person": "anna", "do": "fly"}),
        ("/account", {"mode": "open"}),
        ("/account", {"app_id": "wx1"}),
        ("/clock", []),
    ],
)
async def test_a_call_that_makes_no_sense_is_refused(desk, path, body):
    code, told = await control(desk, path, body)
    assert code == 400 and told["error"]


def test_addresses_go_into_a_phone_and_out_again():
    asked = "http://127.0.0.1:8101/connect/oauth2/authorize?appid=1&state=2#wechat_redirect"
    inside = to_phone("anna", asked)
    assert inside.startswith("/phones/anna/web/http~wechat_redirect/127.0.0.1:8101/connect")
    assert from_phone(inside.partition("#")[0]) == ("anna", asked)
    assert to_phone("anna", "https://example.com/") == "https://example.com/"
    html = """<a href='?x=1&amp;y="2"'></a><meta http-equiv="refresh" content="2; url=/done"><img src=a.png>"""
    changed = rewrite_html("anna", "http://localhost:1/d/e", html)
    start = "/phones/anna/web/http/localhost:1"
    assert f'href="{start}/d/e?x=1&amp;y=&#34;2&#34;"' in changed.replace("&quot;", "&#34;")
    assert f'content="2; url={start}/done"' in changed and f'src="{start}/d/a.png"' in changed
    assert rewrite_css("anna", "http://localhost:1/", "url(data:x)") == "url(data:x)"


@pytest.mark.gen_test
async def test_it_runs_until_it_is_told_to_stop():
    done, seen = asyncio.Event(), []

    def started(box):
        seen.append(box.console_url)
        done.set()

    await run(SandboxOptions(**ANY_PORTS), started=started, until=done)
    with pytest.raises(ConnectionRefusedError):
        await AsyncHTTPClient().fetch(seen[0])


def test_it_stands_alone_without_settings_and_never_beside_live_ones():
    box = build(SandboxOptions(**ANY_PORTS))
    assert [person.nickname for person in box.world.people.values()] == ["小安", "阿宝", "讲师甲"]
    assert list(box.planet.groups) == ["g1"]
    for live in ({"live_urls": ["https://api.weixin.qq.com"]}, {"site_url": "https://kc.example.com"}):
        with pytest.raises(LiveSettings, match="live settings"):
            build(SandboxOptions(**live))
