"""A phone against a small site: cookies, redirects, forms, and WeChat's OAuth on the way."""

import json
from urllib.parse import urlencode

import pytest
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from sandbox.phone_jar import Jar
from sandbox.phone_page import Page
from sandbox.server import Sandbox
from sandbox.world import PHONE_HEADER, World

FORM = """<meta http-equiv="refresh" content="2; url=/done"><p>课程 <b>星球</b></p><script>no()</script>
<a href="/oauth?scope=snsapi_base" data-role="sign-in">登录</a>
<form method="post" action="/echo"><input type="hidden" name="_xsrf" value="x1">
<input type="checkbox" name="agree" value="yes" data-role="waiver-agree"><textarea name="why">因为</textarea>
<select name="n"><option>1<option value="2" selected>two</select><input name="off" value="1" disabled>
<button name="do" value="confirm" data-role="confirm">确认</button>
<button name="do" value="decline" data-role="decline">取消</button></form>"""


class Site(RequestHandler):
    """A site that signs people in by WeChat."""

    def initialize(self, box, calls) -> None:
        self.box, self.calls = box, calls

    def check_xsrf_cookie(self) -> None:
        """Not what is tested here."""

    async def get(self, path) -> None:
        self.calls.append(self.request)
        if path == "oauth":
            account = self.box.account.settings
            back = f"http://{self.request.host}/back"
            query = {"appid": account.app_id, "redirect_uri": back, "response_type": "code"}
            query |= {"scope": self.get_argument("scope"), "state": self.get_argument("state", "abc123")}
            self.set_cookie("asked", "1", httponly=True, samesite="Lax")
            mark = self.get_argument("mark", "#wechat_redirect")
            self.redirect(f"{self.box.wechat_open_url}/connect/oauth2/authorize?{urlencode(query)}{mark}")
        elif path == "back":
            arguments = {name: self.get_argument(name) for name in self.request.arguments}
            self.write(json.dumps(arguments | {"cookie": self.get_cookie("asked")}))
        else:
            self.write(FORM)

    async def post(self, path) -> None:
        self.calls.append(self.request)
        if path == "echo":
            self.write(json.dumps({name: self.get_argument(name) for name in self.request.arguments}))
        else:
            self.redirect("/", status=303)


@pytest.fixture
def site(io_loop):
    """A site, its address, the calls it heard, and the sandbox beside it."""
    box, calls = Sandbox(World(seed=2)), []
    server = HTTPServer(Application([("/(.*)", Site, {"box": box, "calls": calls})]))

    async def start():
        socket, port = bind_unused_port()
        server.add_sockets([socket])
        box.start()
        return f"http://127.0.0.1:{port}"

    url = io_loop.run_sync(start)
    yield {"box": box, "url": url, "calls": calls}
    io_loop.run_sync(box.stop)
    server.stop()


async def exchange(box, with_code, **change):
    account = box.account.settings
    asked = {
        "appid": account.app_id,
        "secret": account.app_secret,
        "code": with_code,
        "grant_type": "authorization_code",
    }
    return await ask(box, "/sns/oauth2/access_token", **(asked | change))


async def ask(box, path, **query):
    return json.loads((await AsyncHTTPClient().fetch(f"{box.wechat_api_url}{path}?{urlencode(query)}")).body)


@pytest.mark.gen_test
async def test_a_phone_reads_taps_and_fills_in(site):
    anna = site["box"].phone("anna")
    page = await anna.open(site["url"])
    assert "课程" in page.text and "no()" not in page.text
    assert page.find("decline").text == "取消" and page.refresh_url.endswith("/done")
    page = await anna.submit("confirm", agree=True)
    assert json.loads(page.body) == {"_xsrf": "x1", "agree": "yes", "why": "因为", "n": "2", "do": "confirm"}
    await anna.open(site["url"])
    page = await anna.tap("decline")
    assert json.loads(page.body) == {"_xsrf": "x1", "why": "因为", "n": "2", "do": "decline"}
    await anna.open(site["url"])
    with pytest.raises(LookupError):
        await anna.submit("confirm", unknown="1")
    page = await anna.post(site["url"] + "/go", {"a": "1"})
    assert [(hop.method, hop.status) for hop in page.hops] == [("POST", 303), ("GET", 200)]


@pytest.mark.gen_test
async def test_a_site_recognises_the_person_silently_and_a_code_works_once(site):
    box, anna = site["box"], site["box"].phone("anna")
    await anna.open(site["url"])
    page = await anna.tap("sign-in")
    told = json.loads(page.body)
    assert told["state"] == "abc123" and told["cookie"] == "1"
    known = await exchange(box, told["code"])
    assert (known["openid"], known["scope"], "is_snapshotuser" in known) == (anna.openid, "snsapi_base", False)
    assert (await exchange(box, told["code"]))["errcode"] == 40163
    page_token = {"access_token": known["access_token"], "openid": anna.openid}
    assert (await ask(box, "/sns/userinfo", **page_token))["errcode"] == 48001
    assert (await ask(box, "/sns/auth", **page_token))["errcode"] == 0
    assert (await ask(box, "/sns/auth", **(page_token | {"openid": "oOther"})))["errcode"] == 40003
    fresh = {"appid": box.account.app_id, "grant_type": "refresh_token", "refresh_token": known["refresh_token"]}
    assert (await ask(box, "/sns/oauth2/refresh_token", **fresh))["openid"] == anna.openid


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "change, code",
    [({"code": ""}, 41008), ({"code": "0no"}, 40029), ({"secret": "x"}, 40125), ({"appid": "x"}, 40013)],
)
async def test_a_wrong_exchange_has_its_own_code(site, change, code):
    assert (await exchange(site["box"], "0no", **change))["errcode"] == code


@pytest.mark.gen_test
async def test_a_code_lives_five_minutes(site):
    box = site["box"]
    code = box.account.oauth.new_code(box.phone("anna").person, "snsapi_base")
    box.world.forward(301)
    assert (await exchange(box, code))["errcode"] == 42003


@pytest.mark.gen_test
async def test_userinfo_asks_the_person_who_may_say_no(site):
    box, anna = site["box"], site["box"].phone("anna")
    url = site["url"] + "/oauth?scope=snsapi_userinfo"
    assert (await anna.open(url)).find("allow")
    told = json.loads((await anna.tap("deny")).body)
    assert "code" not in told
    await anna.open(url)
    told = json.loads((await anna.tap("allow")).body)
    known = await exchange(box, told["code"])
    info = await ask(box, "/sns/userinfo", access_token=known["access_token"], openid=known["openid"])
    assert info["nickname"] == "anna"


@pytest.mark.gen_test
async def test_in_snapshot_mode_the_ids_are_virtual(site):
    anna = site["box"].phone("anna")
    anna.person.snapshot = True
    page = await anna.open(site["url"] + "/oauth?scope=snsapi_base")
    known = await exchange(site["box"], json.loads(page.body)["code"])
    assert known["is_snapshotuser"] == 1 and known["openid"] != anna.openid


@pytest.mark.gen_test
async def test_wechat_may_ask_for_the_callback_twice(site):
    anna = site["box"].phone("anna")
    anna.person.callback_twice = True
    await anna.open(site["url"] + "/oauth?scope=snsapi_base")
    first, second = [call for call in site["calls"] if call.path == "/back"]
    assert first.uri == second.uri


@pytest.mark.gen_test
@pytest.mark.parametrize("what, words", [("state=a-b", "state"), ("mark=", "wechat_redirect"), ("scope=x", "Scope")])
async def test_wechat_shows_its_own_page_for_a_bad_request(site, what, words):
    page = await site["box"].phone("anna").open(f"{site['url']}/oauth?scope=snsapi_base&{what}")
    assert words in page.find("problem").text


@pytest.mark.gen_test
async def test_a_foreign_redirect_domain_is_10003(site):
    site["box"].account.settings.redirect_domains = ["course.example.com"]
    page = await site["box"].phone("anna").open(site["url"] + "/oauth?scope=snsapi_base")
    assert page.find("error-code").text == "10003"


@pytest.mark.gen_test
async def test_outside_wechat_the_page_says_open_in_wechat(site):
    anna = site["box"].phone("anna")
    anna.kind = "safari"
    page = await anna.open(site["url"] + "/oauth?scope=snsapi_base")
    assert page.find("problem").text == "请在微信客户端打开链接"


@pytest.mark.gen_test
async def test_only_the_sandbox_is_told_whose_phone_it_is(site):
    await site["box"].phone("anna").open(site["url"] + "/oauth?scope=snsapi_base")
    assert all(PHONE_HEADER not in call.headers for call in site["calls"])
    assert all("MicroMessenger/" in call.headers["User-Agent"] for call in site["calls"])


def test_a_jar_keeps_what_a_browser_keeps():
    world = World(clock=lambda: 1000.0)
    jar, site = Jar(world.now), "https://a.example/x/y"
    jar.store(site, "__Host-s=1; Path=/; Secure; HttpOnly")
    jar.store(site, "__Host-bad=1; Path=/x; Secure")
    jar.store(site, "short=2; Max-Age=10")
    jar.store(site, "strict=3; Path=/; SameSite=Strict")
    assert jar.header(site) == "short=2; __Host-s=1; strict=3"
    assert jar.header("https://a.example/") == "__Host-s=1; strict=3"
    assert jar.header("https://a.example/", cross_site=True) == "__Host-s=1"
    assert jar.header("https://a.example/", method="POST", cross_site=True) == ""
    assert jar.header("https://a.example:444/") == "", "another port is another store"
    world.forward(10)
    assert jar.header(site) == "__Host-s=1; strict=3"
    jar.store(site, "__Host-s=; Path=/; Secure; Max-Age=0")
    assert jar.get(site, "__Host-s") is None
    jar.store("http://127.0.0.1:1/", "s=1; Secure")
    assert jar.header("http://127.0.0.1:1/") == ""


def test_a_form_by_attribute_and_a_broken_page_are_read_as_browsers_do():
    html = b"<div><p>a<form id=f action=?x=1><input name=a value=1></form><button form=f data-role=go>go</div></span>b"
    page = Page("http://h/p?q=1", 200, {"Content-Type": "text/html"}, html, [])
    form = page.form_of(page.find("go"))
    assert (form.action, form.method, form.filled({"a": 2})) == ("http://h/p?x=1", "GET", [("a", "2")])
    assert page.text == "a go b"
