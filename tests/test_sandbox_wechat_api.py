"""The pretend WeChat's server API keeps the real rules."""

import hashlib
import json

import pytest
from tornado.httpclient import AsyncHTTPClient

from sandbox.server import Sandbox
from sandbox.world import World


@pytest.fixture
def box(io_loop):
    """A running sandbox with a frozen clock and anna, who follows the account."""
    world = World(seed=5)
    world.freeze(1_800_000_000)
    box = Sandbox(world)
    io_loop.run_sync(lambda: start(box))
    yield box
    io_loop.run_sync(box.stop)


async def start(box):
    box.start()
    box.account.chats.fan(box.phone("anna").person).follows = True


async def call(box, path, body=None, **query):
    """The JSON answer of one call."""
    url = box.wechat_api_url + path + "?" + "&".join(f"{k}={v}" for k, v in query.items())
    content = None if body is None else body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    answer = await AsyncHTTPClient().fetch(url, method="GET" if body is None else "POST", body=content)
    assert answer.code == 200
    return json.loads(answer.body)


def account_of(box, **more):
    own = box.account.settings
    return {"grant_type": "client_credential", "appid": own.app_id, "secret": own.app_secret} | more


async def stable(box, **more):
    return await call(box, "/cgi-bin/stable_token", account_of(box, **more))


async def code_of(box, path, body=None, **query):
    return (await call(box, path, body, **query)).get("errcode", 0)


@pytest.mark.gen_test
async def test_the_stable_token_stays_until_five_minutes_before_its_end(box):
    first = await stable(box)
    box.world.forward(6800)
    again = await stable(box)
    assert again["access_token"] == first["access_token"] and again["expires_in"] == 400
    box.world.forward(200)
    second = await stable(box)
    assert second["access_token"] != first["access_token"]
    for one in (first, second):
        assert await code_of(box, "/cgi-bin/getcallbackip", access_token=one["access_token"]) == 0
    box.world.forward(200)
    assert await code_of(box, "/cgi-bin/getcallbackip", access_token=first["access_token"]) == 42001
    assert box.account.token_fetches == 3


@pytest.mark.gen_test
async def test_force_refresh_kills_the_old_token_and_is_rationed(box):
    first = await stable(box)
    assert (await stable(box, force_refresh=True))["access_token"] != first["access_token"]
    assert await code_of(box, "/cgi-bin/getcallbackip", access_token=first["access_token"]) == 40001
    assert (await stable(box, force_refresh=True))["errcode"] == 45011, "30 seconds apart"
    for _ in range(19):
        box.world.forward(30)
        assert "access_token" in await stable(box, force_refresh=True)
    box.world.forward(30)
    assert (await stable(box, force_refresh=True))["errcode"] == 45009, "20 a day"


@pytest.mark.gen_test
async def test_a_plain_token_replaces_the_one_before_and_leaves_the_stable_one_alone(box):
    kept = await stable(box)
    first = await call(box, "/cgi-bin/token", **account_of(box))
    second = await call(box, "/cgi-bin/token", **account_of(box))
    box.world.forward(300)
    codes = [
        await code_of(box, "/cgi-bin/getcallbackip", access_token=one["access_token"]) for one in (kept, first, second)
    ]
    assert codes == [0, 42001, 0]


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "change, code",
    [({"appid": "wx1"}, 40013), ({"secret": "x"}, 40125), ({"grant_type": "x"}, 40002), ({"secret": ""}, 41004)],
)
async def test_a_wrong_account_is_refused_with_its_own_code(box, change, code):
    answer = await stable(box, **change)
    assert answer["errcode"] == code and " rid: " in answer["errmsg"]


@pytest.mark.gen_test
async def test_tokens_break_on_demand_and_strangers_are_kept_out(box):
    token = (await stable(box))["access_token"]
    box.account.break_tokens(40014)
    assert await code_of(box, "/cgi-bin/getcallbackip", access_token=token) == 40014
    fresh = (await stable(box))["access_token"]
    assert await code_of(box, "/cgi-bin/getcallbackip", access_token=fresh) == 0
    assert await code_of(box, "/cgi-bin/getcallbackip") == 41001
    box.account.always_40001 = True
    assert await code_of(box, "/cgi-bin/getcallbackip", access_token=fresh) == 40001
    box.account.settings.ip_white_list = ["10.0.0.1"]
    assert (await stable(box))["errcode"] == 40164


@pytest.mark.gen_test
async def test_customer_service_messages_need_a_trigger_and_are_counted(box):
    anna, token = box.phone("anna"), (await stable(box))["access_token"]
    message = {"touser": anna.openid, "msgtype": "text", "text": {"content": "你好"}}

    async def send():
        return await code_of(box, "/cgi-bin/message/custom/send", message, access_token=token)

    assert await send() == 45015, "nothing has happened yet"
    await anna.say("在吗")
    assert [await send() for _ in range(6)] == [0] * 5 + [45047]
    await anna.menu_click("HELP")
    assert [await send() for _ in range(4)] == [0] * 3 + [45047]
    box.world.forward(48 * 3600)
    token = (await stable(box))["access_token"]
    assert await send() == 45015, "two days later"
    assert [one.text for one in anna.inbox if one.via == "custom"] == ["你好"] * 8
    await anna.say("在吗")
    await anna.unfollow()
    assert await send() == 45015, "who has left cannot be reached"
    message["touser"] = "oNobody"
    assert await send() == 40003


@pytest.mark.gen_test
async def test_escaped_chinese_is_shown_literally_as_in_life(box):
    anna, token = box.phone("anna"), (await stable(box))["access_token"]
    await anna.say("在吗")
    body = json.dumps({"touser": anna.openid, "msgtype": "text", "text": {"content": "你"}})
    await call(box, "/cgi-bin/message/custom/send", body, access_token=token)
    assert anna.inbox[-1].text == "\\u4f60"


@pytest.mark.gen_test
async def test_a_template_reaches_followers_only_and_once_per_client_msg_id(box):
    anna, token = box.phone("anna"), (await stable(box))["access_token"]
    box.account.settings.templates = ["T1"]
    body = {"touser": anna.openid, "template_id": "T1", "url": "https://e.com/", "client_msg_id": "a"}
    body["data"] = {"thing1": {"value": "已开通"}}

    async def send(**change):
        answer = await call(box, "/cgi-bin/message/template/send", body | change, access_token=token)
        return answer.get("msgid"), answer["errcode"]

    first = await send()
    assert first[1] == 0 and await send() == first
    assert (await send(template_id="T2"))[1] == 40037
    assert (await send(data={"thing1": {}}))[1] == 47003
    await anna.unfollow()
    assert (await send(client_msg_id="b"))[1] == 43004
    assert [one.text for one in anna.inbox if one.kind == "template"] == ["thing1：已开通"]
    assert anna.chat_links() == ["https://e.com/"]


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "buttons, code",
    [
        ([], 40016),
        ([{"name": "一二三四五六", "type": "click", "key": "K"}], 40018),
        ([{"name": "a", "type": "what"}], 40017),
        ([{"name": "a", "type": "click", "key": "k" * 129}], 40019),
        ([{"name": "a", "type": "view", "url": "h" * 1025}], 40020),
        ([{"name": "a", "sub_button": [{"name": "b", "type": "click"}]}], 40026),
        ([{"name": "a", "sub_button": [{"name": "b", "type": "click", "key": "1"}] * 6}], 40023),
        ([{"name": "课程", "type": "click", "key": "COURSES"}], 0),
    ],
)
async def test_a_menu_within_the_limits_is_taken(box, buttons, code):
    token = (await stable(box))["access_token"]
    assert await code_of(box, "/cgi-bin/menu/get", access_token=token) == 46003
    assert await code_of(box, "/cgi-bin/menu/create", {"button": buttons}, access_token=token) == code
    assert await code_of(box, "/cgi-bin/menu/get", access_token=token) == (46003 if code else 0)


@pytest.mark.gen_test
async def test_a_parametric_qr_is_drawn_scanned_and_expires(box):
    anna, token = box.phone("anna"), (await stable(box))["access_token"]
    asked = {"expire_seconds": 60, "action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "bind_1"}}}
    made = await call(box, "/cgi-bin/qrcode/create", asked, access_token=token)
    picture_url = box.wechat_api_url + "/cgi-bin/showqrcode?ticket=" + made["ticket"]
    picture = await AsyncHTTPClient().fetch(picture_url)
    assert picture.body.startswith(b"\xff\xd8") and picture.headers["Content-Type"] == "image/jpg"
    await anna.scan(made["url"])
    assert box.wechat.pushes.deliveries[-1].fields["Event"] == "SCAN"
    assert box.wechat.pushes.deliveries[-1].fields["Ticket"] == made["ticket"]
    box.world.forward(60)
    assert (await AsyncHTTPClient().fetch(picture_url, raise_error=False)).code == 404
    asked["expire_seconds"] = 2_592_001
    assert await code_of(box, "/cgi-bin/qrcode/create", asked, access_token=token) == 40035


@pytest.mark.gen_test
async def test_a_follower_is_known_without_nickname_and_a_stranger_hardly_at_all(box):
    token = (await stable(box))["access_token"]
    await box.phone("bob").follow("bind_9")
    bob, anna = box.phone("bob").openid, box.phone("anna").openid
    info = await call(box, "/cgi-bin/user/info", access_token=token, openid=bob)
    assert (info["subscribe"], info["qr_scene_str"], "nickname" in info) == (1, "bind_9", False)
    await box.phone("anna").unfollow()
    info = await call(box, "/cgi-bin/user/info", access_token=token, openid=anna)
    assert info["subscribe"] == 0 and "unionid" not in info
    followers = await call(box, "/cgi-bin/user/get", access_token=token)
    assert followers["data"]["openid"] == [bob]


@pytest.mark.gen_test
async def test_a_page_is_told_whether_its_js_signature_is_right(box):
    token = (await stable(box))["access_token"]
    answer = await call(box, "/cgi-bin/ticket/getticket", access_token=token, type="jsapi")
    url = "http://127.0.0.1:8000/courses/a?x=1"
    signed = f"jsapi_ticket={answer['ticket']}&noncestr=n&timestamp=1&url={url}"
    right = hashlib.sha1(signed.encode()).hexdigest()
    told = {"timestamp": "1", "noncestr": "n", "signature": right}
    assert box.account.check_jssdk(url + "#top", **told) == "config:ok"
    assert box.account.check_jssdk(url + "&y=2", **told) == "config:invalid signature"


@pytest.mark.gen_test
async def test_bad_bodies_and_methods_have_their_codes(box):
    token = (await stable(box))["access_token"]
    path = "/cgi-bin/message/custom/send"
    assert await code_of(box, path, "{", access_token=token) == 47001
    assert await code_of(box, path, "[]", access_token=token) == 47001
    assert await code_of(box, path, "", access_token=token) == 44002
    assert await code_of(box, path, access_token=token) == 43002
