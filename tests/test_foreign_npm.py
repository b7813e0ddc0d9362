"""The npm clients co-wechat-api and co-wechat-oauth take the sandbox for WeChat, also where it refuses."""

import hashlib
from urllib.parse import parse_qsl, urlsplit

import pytest
from tornado.ioloop import IOLoop

from sandbox.server import Sandbox
from tests.foreign_kit import Npm, Refused

MENU = {
    "button": [
        {"type": "click", "name": "领券", "key": "VOUCHER"},
        {"name": "我的", "sub_button": [{"type": "view", "name": "课程", "url": "https://h5.example.com/me"}]},
    ]
}
BACK = "http://127.0.0.1:8000/oauth/callback"


@pytest.fixture
def npm(io_loop: IOLoop, box: Sandbox, start_npm) -> Npm:
    """The clients of the sandbox's account, with its right secret."""
    return io_loop.run_sync(lambda: start_npm(box))


async def refusal(npm: Npm, on: str, method: str, *args: object) -> tuple[str, int, str]:
    """What the client throws: name, code, and the words before WeChat's request id."""
    with pytest.raises(Refused) as refused:
        await npm.call(on, method, *args)
    return refused.value.name, refused.value.code, str(refused.value).partition("rid: ")[0]


async def code_for(npm: Npm, box: Sandbox, scope: str) -> str:
    """The code that anna's phone brings back from the address the client made."""
    url = await npm.call("oauth", "getAuthorizeURL", BACK, "abc123", scope)
    sandbox_url = box.wechat_open_url + url.removeprefix("https://open.weixin.qq.com")
    anna = box.phone("anna")
    page = await anna.fetch("GET", sandbox_url)
    if page.code == 200:
        page = await anna.fetch(
            "POST", sandbox_url, "answer=allow", {"Content-Type": "application/x-www-form-urlencoded"}
        )
    back = dict(parse_qsl(urlsplit(page.headers["Location"]).query))
    assert back["state"] == "abc123"
    return back["code"]


@pytest.mark.gen_test
async def test_the_menu_is_made_read_and_taken_away(npm: Npm, box: Sandbox) -> None:
    assert await npm.call("api", "createMenu", MENU) == {"errcode": 0, "errmsg": "ok"}
    shown = (await npm.call("api", "getMenu"))["menu"]["button"]
    assert shown[0] == {"type": "click", "name": "领券", "key": "VOUCHER", "sub_button": []}
    assert shown[1]["sub_button"][0]["url"] == "https://h5.example.com/me"
    assert (await npm.call("api", "getMenuConfig"))["is_menu_open"] == 1
    assert await npm.call("api", "removeMenu") == {"errcode": 0, "errmsg": "ok"}
    assert await refusal(npm, "api", "getMenu") == ("WeChatAPIError", 46003, "menu no exist ")
    assert box.account.token_fetches == 1


@pytest.mark.gen_test
async def test_a_menu_over_the_limits_is_refused_and_the_old_one_stays(npm: Npm, box: Sandbox) -> None:
    await npm.call("api", "createMenu", MENU)
    long = {"button": [{"type": "click", "name": "一二三四五六", "key": "K"}]}
    assert (await refusal(npm, "api", "createMenu", long))[:2] == ("WeChatAPIError", 40018)
    assert box.account.menu == MENU


@pytest.mark.gen_test
async def test_messages_reach_who_wrote_and_only_as_often_as_wechat_allows(npm: Npm, box: Sandbox) -> None:
    anna = box.phone("anna")
    box.world.forward(61)
    assert (await refusal(npm, "api", "sendText", anna.openid, "你好"))[1] == 45015
    await anna.say("在吗")
    for _ in range(5):
        await npm.call("api", "sendText", anna.openid, '引号"和\\反斜杠')
    assert (await refusal(npm, "api", "sendText", anna.openid, "六"))[1] == 45047
    assert (await refusal(npm, "api", "sendText", "oNobody", "谁"))[1] == 40003
    assert [one.text for one in anna.inbox if one.via == "custom"] == ['引号"和\\反斜杠'] * 5


@pytest.mark.gen_test
async def test_a_template_message_has_a_long_id_and_its_refusals(npm: Npm, box: Sandbox) -> None:
    anna, data = box.phone("anna"), {"thing1": {"value": "已开通"}}
    box.account.settings.templates = ["T1"]
    sent = await npm.call("api", "sendTemplate", anna.openid, "T1", "https://e.com/", "#FF0000", data)
    assert sent["errcode"] == 0 and int(sent["msgid"]) > 2**53, "beyond what a JavaScript number holds"
    assert (await refusal(npm, "api", "sendTemplate", anna.openid, "T2", "", "", data))[1] == 40037
    await anna.unfollow()
    assert (await refusal(npm, "api", "sendTemplate", anna.openid, "T1", "", "", data))[1] == 43004
    assert [one.text for one in anna.inbox if one.kind == "template"] == ["thing1：已开通"]


@pytest.mark.gen_test
async def test_people_and_addresses_are_told_as_wechat_tells_them(npm: Npm, box: Sandbox) -> None:
    openid = box.phone("anna").openid
    user = await npm.call("api", "getUser", openid)
    assert (user["subscribe"], user["openid"], "nickname" in user) == (1, openid, False)
    assert (await npm.call("api", "batchGetUsers", [openid]))["user_info_list"] == [user]
    assert (await npm.call("api", "getFollowers"))["data"]["openid"] == [openid]
    assert (await npm.call("api", "getIp"))["ip_list"] == ["127.0.0.1"]
    assert (await refusal(npm, "api", "getUser", "oNobody"))[1] == 40003


@pytest.mark.gen_test
@pytest.mark.parametrize("scene", [4711, "bind_3f2a"])
async def test_a_parametric_qr_is_made_and_scanned(npm: Npm, box: Sandbox, scene: int | str) -> None:
    made = await npm.call("api", "createTmpQRCode", scene, 1800)
    assert made["expire_seconds"] == 1800 and made["url"].startswith("http://weixin.qq.com/q/")
    await box.phone("anna").scan(made["url"])
    fields = box.wechat.pushes.deliveries[-1].fields
    assert (fields["Event"], fields["EventKey"], fields["Ticket"]) == ("SCAN", str(scene), made["ticket"])
    kept = await npm.call("api", "createLimitQRCode", scene)
    assert set(kept) == {"ticket", "url"}, "a permanent one has no end"
    assert (await refusal(npm, "api", "createLimitQRCode", 100_001))[1] == 40053


@pytest.mark.gen_test
async def test_the_page_signature_it_makes_is_the_one_wechat_expects(npm: Npm, box: Sandbox) -> None:
    url = "http://127.0.0.1:8000/courses/a?x=1"
    made = await npm.call("api", "getJsConfig", {"url": url, "jsApiList": []})
    told = {"timestamp": made["timestamp"], "noncestr": made["nonceStr"]}
    assert box.account.check_jssdk(url, **told, signature=made["signature"]) == "config:ok"
    other = hashlib.sha1(b"another ticket").hexdigest()
    assert box.account.check_jssdk(url, **told, signature=other) == "config:invalid signature"


@pytest.mark.gen_test
async def test_a_refused_or_expired_token_is_fetched_anew_and_the_call_goes_through(npm: Npm, box: Sandbox) -> None:
    await npm.call("api", "getIp")
    box.account.break_tokens(40001)
    await npm.call("api", "getIp")
    box.world.forward(7200)
    await npm.call("api", "getIp")
    assert box.account.token_fetches == 3


@pytest.mark.gen_test
async def test_a_token_that_is_never_good_is_given_up_after_three_new_ones(npm: Npm, box: Sandbox) -> None:
    box.account.always_40001 = True
    name, code, words = await refusal(npm, "api", "getIp")
    assert (name, code) == ("WeChatAPIError", 40001)
    assert words.startswith("invalid credential, access_token is invalid or not latest, could get access_token by")
    assert box.account.token_fetches == 1 + 3


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"app_secret": "0" * 32}, 40125, "invalid appsecret"),
        ({"app_id": "wx0000000000000000"}, 40013, "invalid appid"),
    ],
)
async def test_a_wrong_account_gets_no_token_and_no_page_token(box, start_npm, change, code, words) -> None:
    npm, right = await start_npm(box, **change), await start_npm(box)
    assert await refusal(npm, "api", "getIp") == ("WeChatAPIError", code, f"{words} ")
    kept = await code_for(right, box, "snsapi_base")
    assert await refusal(npm, "oauth", "getAccessToken", kept) == ("WeChatAPIError", code, f"{words}, ")
    assert (await right.call("oauth", "getAccessToken", kept))["data"]["openid"], "the code is not used up by it"


@pytest.mark.gen_test
async def test_a_person_who_agrees_is_known_by_name_through_the_npm_client(npm: Npm, box: Sandbox) -> None:
    code = await code_for(npm, box, "snsapi_userinfo")
    data = (await npm.call("oauth", "getAccessToken", code))["data"]
    openid = box.phone("anna").openid
    assert (data["openid"], data["expires_in"], data["scope"]) == (openid, 7200, "snsapi_userinfo")
    assert (await npm.call("oauth", "getUser", {"openid": openid, "lang": "zh_CN"}))["nickname"] == "anna"
    assert await npm.call("oauth", "verifyToken", openid, data["access_token"]) == {"errcode": 0, "errmsg": "ok"}
    renewed = (await npm.call("oauth", "refreshAccessToken", data["refresh_token"]))["data"]
    assert renewed["openid"] == openid and renewed["access_token"] != data["access_token"]


@pytest.mark.gen_test
async def test_codes_and_page_tokens_are_refused_as_wechat_refuses_them(npm: Npm, box: Sandbox) -> None:
    code = await code_for(npm, box, "snsapi_base")
    data = (await npm.call("oauth", "getAccessToken", code))["data"]
    late = await code_for(npm, box, "snsapi_base")
    assert await refusal(npm, "oauth", "getAccessToken", code) == ("WeChatAPIError", 40163, "code been used, ")
    assert await refusal(npm, "oauth", "getAccessToken", "never") == ("WeChatAPIError", 40029, "invalid code, ")
    assert await refusal(npm, "oauth", "getAccessToken", "") == ("WeChatAPIError", 41008, "missing code, ")
    assert (await refusal(npm, "oauth", "getUser", data["openid"]))[1] == 48001, "silent consent gives no name"
    wrong = await refusal(npm, "oauth", "verifyToken", data["openid"], "never")
    assert wrong == ("WeChatAPIError", 40001, "invalid credential, access_token is invalid or not latest, ")
    assert (await refusal(npm, "oauth", "refreshAccessToken", "never"))[1] == 40030
    box.world.forward(300)
    assert (await refusal(npm, "oauth", "getAccessToken", late))[1] == 42003
