"""wechatpy's own blocking client takes the sandbox for WeChat, and raises what WeChat would make it raise."""

import asyncio

import pytest
from wechatpy import WeChatClient
from wechatpy.exceptions import APILimitedException, WeChatClientException

from sandbox.server import Sandbox
from tests.foreign_kit import wechatpy_refusal

MENU = {
    "button": [
        {"type": "click", "name": "领券", "key": "VOUCHER"},
        {"name": "我的", "sub_button": [{"type": "view", "name": "课程", "url": "https://h5.example.com/me"}]},
    ]
}


@pytest.fixture
def client(make_wechatpy) -> WeChatClient:
    return make_wechatpy(WeChatClient)


@pytest.mark.gen_test
async def test_a_token_is_fetched_once_and_kept_for_its_two_hours(client, box: Sandbox) -> None:
    assert await asyncio.to_thread(client.misc.get_wechat_ips) == ["127.0.0.1"]
    assert await asyncio.to_thread(client.misc.get_wechat_ips) == ["127.0.0.1"]
    assert box.account.token_fetches == 1
    told = await asyncio.to_thread(client.fetch_access_token)
    assert set(told) == {"access_token", "expires_in"} and told["expires_in"] == 7200


@pytest.mark.gen_test
async def test_a_wrong_secret_or_account_gets_no_token(make_wechatpy, box: Sandbox) -> None:
    client = make_wechatpy(WeChatClient, "0" * 32)
    assert await wechatpy_refusal(client.misc.get_wechat_ips) == 40125
    assert await wechatpy_refusal(make_wechatpy(WeChatClient, "").misc.get_wechat_ips) == 41004
    client.appid = "wx0000000000000000"
    assert await wechatpy_refusal(client.misc.get_wechat_ips) == 40013
    box.account.settings.ip_white_list = ["10.0.0.1"]
    with pytest.raises(
        WeChatClientException, match=r"invalid ip 127\.0\.0\.1 ipv6 ::ffff:127\.0\.0\.1, not in whitelist"
    ):
        await asyncio.to_thread(make_wechatpy(WeChatClient).fetch_access_token)


@pytest.mark.gen_test
@pytest.mark.parametrize("code", [40001, 40014, 42001])
async def test_a_refused_token_is_fetched_anew_and_the_call_goes_through(client, box: Sandbox, code: int) -> None:
    await asyncio.to_thread(client.misc.get_wechat_ips)
    box.account.break_tokens(code)
    assert await asyncio.to_thread(client.misc.get_wechat_ips) == ["127.0.0.1"]
    assert box.account.token_fetches == 2


@pytest.mark.gen_test
async def test_a_token_that_another_process_replaced_lives_five_minutes_more(make_wechatpy, box: Sandbox) -> None:
    first, second = make_wechatpy(WeChatClient), make_wechatpy(WeChatClient)
    await asyncio.to_thread(first.misc.get_wechat_ips)
    await asyncio.to_thread(second.misc.get_wechat_ips)
    first.auto_retry = False
    assert await asyncio.to_thread(first.misc.get_wechat_ips) == ["127.0.0.1"]
    box.world.forward(300)
    assert await wechatpy_refusal(first.misc.get_wechat_ips) == 42001
    assert await asyncio.to_thread(second.misc.get_wechat_ips) == ["127.0.0.1"]


@pytest.mark.gen_test
async def test_a_call_over_its_daily_quota_is_what_the_client_calls_limited(client, box: Sandbox) -> None:
    box.account.quota.limits["/cgi-bin/getcallbackip"] = 1
    await asyncio.to_thread(client.misc.get_wechat_ips)
    assert await wechatpy_refusal(client.misc.get_wechat_ips, kind=APILimitedException) == 45009


@pytest.mark.gen_test
async def test_a_busy_wechat_says_so_and_has_done_nothing(client, box: Sandbox) -> None:
    await box.phone("anna").say("在吗")
    await asyncio.to_thread(client.fetch_access_token)
    box.world.faults.set("wechat", "busy", operation="custom.send", times=1)
    assert await wechatpy_refusal(client.message.send_text, box.phone("anna").openid, "一") == -1
    await asyncio.to_thread(client.message.send_text, box.phone("anna").openid, "二")
    assert [one.text for one in box.phone("anna").inbox if one.via == "custom"] == ["二"]


@pytest.mark.gen_test
async def test_the_menu_is_made_read_and_taken_away(client) -> None:
    assert await asyncio.to_thread(client.menu.get) is None, "46003, which the client takes for no menu"
    assert (await asyncio.to_thread(client.menu.create, MENU))["errcode"] == 0
    first, second = (await asyncio.to_thread(client.menu.get))["menu"]["button"]
    assert first == {"type": "click", "name": "领券", "key": "VOUCHER", "sub_button": []}
    info = await asyncio.to_thread(client.menu.get_menu_info)
    assert info["is_menu_open"] == 1
    assert info["selfmenu_info"]["button"][1]["sub_button"]["list"] == second["sub_button"]
    four = {"button": MENU["button"][:1] * 4}
    assert await wechatpy_refusal(client.menu.create, four) == 40016
    assert len((await asyncio.to_thread(client.menu.get))["menu"]["button"]) == 2
    await asyncio.to_thread(client.menu.delete)
    assert await asyncio.to_thread(client.menu.get) is None


@pytest.mark.gen_test
async def test_people_are_told_as_wechat_tells_them(client, box: Sandbox) -> None:
    anna, bob = box.phone("anna"), box.phone("bob")
    await bob.follow("bind_9")
    info = await asyncio.to_thread(client.user.get, bob.openid)
    assert (info["subscribe"], info["qr_scene_str"], info["subscribe_scene"]) == (1, "bind_9", "ADD_SCENE_QR_CODE")
    assert await asyncio.to_thread(client.user.get_batch, [bob.openid]) == [info]
    assert await asyncio.to_thread(lambda: list(client.user.iter_followers())) == [anna.openid, bob.openid]
    await bob.unfollow()
    left = await asyncio.to_thread(client.user.get, bob.openid)
    assert left["subscribe"] == 0 and "subscribe_time" not in left
    assert await wechatpy_refusal(client.user.get, "oNobody") == 40003


@pytest.mark.gen_test
async def test_followers_come_ten_thousand_at_a_time_and_are_described_by_the_hundred(client, box: Sandbox) -> None:
    for number in range(10_000):
        box.account.chats.fan(box.world.add_person(f"p{number}")).follows = True
    first = await asyncio.to_thread(client.user.get_followers)
    assert (first["total"], first["count"], len(first["data"]["openid"])) == (10_001, 10_000, 10_000)
    rest = await asyncio.to_thread(client.user.get_followers, first["next_openid"])
    assert rest["data"]["openid"] == [box.phone("anna").openid] and rest["next_openid"] == box.phone("anna").openid
    assert len({*await asyncio.to_thread(lambda: list(client.user.iter_followers()))}) == 10_001
    assert await wechatpy_refusal(client.user.get_batch, first["data"]["openid"][:101]) == 40032
    assert len(await asyncio.to_thread(client.user.get_batch, first["data"]["openid"][:100])) == 100


@pytest.mark.gen_test
async def test_a_customer_service_message_needs_somebody_who_wrote(client, box: Sandbox) -> None:
    anna = box.phone("anna")
    box.world.forward(61)
    assert await wechatpy_refusal(client.message.send_text, anna.openid, "你好") == 45015
    await anna.say("在吗")
    await asyncio.to_thread(client.message.send_text, anna.openid, "你好")
    card = {"title": "星球", "description": "一年", "url": "https://h5.example.com/", "image": ""}
    await asyncio.to_thread(client.message.send_articles, anna.openid, [card])
    assert [one.text for one in anna.inbox if one.via == "custom"] == ["你好", "星球"]
    assert await wechatpy_refusal(client.message.send_text, anna.openid, "长" * 700) == 45002
    assert await wechatpy_refusal(client.message.send_text, "oNobody", "谁") == 40003


@pytest.mark.gen_test
async def test_a_template_message_goes_to_followers_only(client, box: Sandbox) -> None:
    anna, data = box.phone("anna"), {"thing1": {"value": "已开通"}}
    box.account.settings.templates = ["T1"]
    sent = await asyncio.to_thread(client.message.send_template, anna.openid, "T1", data, "https://e.com/")
    assert sent["errcode"] == 0 and sent["msgid"] > 2**53
    await box.wechat.pushes.settle()
    told = box.wechat.pushes.deliveries[-1].fields
    assert (told["Event"], told["MsgID"], told["Status"]) == ("TEMPLATESENDJOBFINISH", str(sent["msgid"]), "success")
    assert await wechatpy_refusal(client.message.send_template, anna.openid, "T2", data) == 40037
    await anna.unfollow()
    assert await wechatpy_refusal(client.message.send_template, anna.openid, "T1", data) == 43004
    assert [one.text for one in anna.inbox if one.kind == "template"] == ["thing1：已开通"]


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("thing1", "《信息安全》星球已开通，答疑一年！", "二" * 21),
        ("number2", "3.5", "三"),
        ("character_string3", "A2026-11", "单号A2026"),
        ("phrase4", "已开通", "已经开通星球"),
        ("amount5", "199.00元", "一百元"),
        ("thing6", "x", ""),
    ],
)
async def test_a_field_out_of_the_form_of_its_kind_is_named(client, box: Sandbox, name, good, bad) -> None:
    anna = box.phone("anna")
    await asyncio.to_thread(client.message.send_template, anna.openid, "T1", {name: {"value": good}})
    with pytest.raises(WeChatClientException) as refused:
        await asyncio.to_thread(client.message.send_template, anna.openid, "T1", {name: {"value": bad}})
    words = f"argument invalid! data.{name}.value {'invalid' if bad else 'is empty'} rid: "
    assert refused.value.errcode == 47003 and refused.value.errmsg.startswith(words)
    assert [one.text for one in anna.inbox if one.kind == "template"] == [f"{name}：{good}"]


@pytest.mark.gen_test
async def test_a_parametric_qr_is_made_and_its_picture_fetched(client, box: Sandbox) -> None:
    asked = {"expire_seconds": 60, "action_name": "QR_STR_SCENE", "action_info": {"scene": {"scene_str": "bind_1"}}}
    made = await asyncio.to_thread(client.qrcode.create, asked)
    picture = await asyncio.to_thread(client._http.get, client.qrcode.get_url(made["ticket"]))
    assert (picture.status_code, picture.content[:2]) == (200, b"\xff\xd8")
    box.world.forward(60)
    gone = await asyncio.to_thread(client._http.get, client.qrcode.get_url(made["ticket"]))
    assert (gone.status_code, gone.content) == (404, b"")
    asked["action_info"]["scene"]["scene_str"] = "x" * 65
    assert await wechatpy_refusal(client.qrcode.create, asked) == 40053


@pytest.mark.gen_test
async def test_the_page_signature_it_makes_is_the_one_wechat_expects(client, box: Sandbox) -> None:
    ticket = await asyncio.to_thread(client.jsapi.get_jsapi_ticket)
    assert await asyncio.to_thread(client.jsapi.get_jsapi_ticket) == ticket
    url = "http://127.0.0.1:8000/courses/a?x=1"
    signature = client.jsapi.get_jsapi_signature("n", ticket, 1, url)
    told = {"timestamp": "1", "noncestr": "n", "signature": signature}
    assert box.account.check_jssdk(url, **told) == "config:ok"
    assert box.account.check_jssdk(url + "&y=2", **told) == "config:invalid signature"
    assert await wechatpy_refusal(client.jsapi.get_ticket, "what") == 40035
