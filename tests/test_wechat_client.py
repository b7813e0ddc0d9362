"""The Official Account's API: sign-in, messages, menu, scene codes, page signatures; every no typed, no secret told."""

import json
import logging
import traceback

import pytest

from clients.errors import CodeRefused, RemoteDown, RemoteError
from clients.wechat import OAuthAnswer, SceneCode
from clients.wechat_codes import (
    Busy,
    CallRefused,
    ConfigRefused,
    RateLimited,
    UserUnreachable,
    WindowOver,
    failure,
)
from clients.wechat_js import ForeignPage, js_signature
from tests.stand_in import CUT, HANG, answer
from tests.wechat_stand_in import APP_ID, SECRET, account

OPENID = "canary-openid-0123456789abcd"
CODE = "canary-code-1"
EXCHANGE = "/sns/oauth2/access_token"
SEND = "/cgi-bin/message/custom/send"
REPLY = {"access_token": "canary-page-token", "openid": OPENID, "scope": "snsapi_base", "expires_in": 7200}


def tells_canary(error: BaseException, logged: str = "") -> bool:
    """Would anybody who logs this error, however thoroughly, write a secret down?"""
    told = "".join(traceback.format_exception(error)) + repr(error) + repr(error.__dict__) + logged
    return "canary" in told or "canary" in repr(error.__context__)


@pytest.mark.gen_test
async def test_the_authorise_address_has_wechats_order_and_fragment() -> None:
    async with account() as here:
        url = here.client.authorize_url("https://h5.example.com/oauth/callback?a=1&b=星", "ab12", "snsapi_userinfo")
    assert url == (
        f"https://open.weixin.qq.com/connect/oauth2/authorize?appid={APP_ID}"
        "&redirect_uri=https%3A%2F%2Fh5.example.com%2Foauth%2Fcallback%3Fa%3D1%26b%3D%E6%98%9F"
        "&response_type=code&scope=snsapi_userinfo&state=ab12#wechat_redirect"
    )


@pytest.mark.gen_test
@pytest.mark.parametrize("state", ["", "a-b", "a&b", "a b", "星", "a\n", "x" * 129])
async def test_a_state_that_wechat_would_garble_is_our_bug(state: str) -> None:
    async with account() as here:
        with pytest.raises(ValueError):
            here.client.authorize_url("https://h5.example.com/", state)


@pytest.mark.gen_test
async def test_a_code_tells_who_it_is_and_whether_the_page_is_a_snapshot() -> None:
    async with account() as here:
        here.fake.answers[EXCHANGE] = REPLY
        assert await here.client.exchange(CODE) == OAuthAnswer(OPENID, "snsapi_base", None, False, "canary-page-token")
        here.fake.answers[EXCHANGE] = REPLY | {"unionid": "u1", "is_snapshotuser": 1}
        who = await here.client.exchange(CODE)
        assert who.is_snapshot and who.unionid == "u1"
        assert "canary" not in repr(who)
    asked = here.remote.seen[0].query
    assert asked == {"appid": APP_ID, "secret": SECRET, "code": CODE, "grant_type": "authorization_code"}


@pytest.mark.gen_test
@pytest.mark.parametrize("code", [40029, 40163, 42003, 41008, 40001, 42001])
async def test_a_used_or_old_code_means_begin_again(code: int, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    async with account() as here:
        here.fake.answers[EXCHANGE] = {"errcode": code, "errmsg": f"invalid code {CODE}, rid: 65f0-ab-cd"}
        with pytest.raises(CodeRefused) as caught:
            await here.client.exchange(CODE)
    assert not tells_canary(caught.value, caplog.text)
    assert len(here.remote.seen) == 1, "asked once: a code has one use"


@pytest.mark.gen_test
@pytest.mark.parametrize("code", ["", "a b", "x" * 10_000, "星", "a&secret=1", "a\n"])
async def test_what_cannot_be_a_code_is_refused_without_asking(code: str) -> None:
    async with account() as here:
        with pytest.raises(CodeRefused):
            await here.client.exchange(code)
    assert not here.remote.seen


BAD_EXCHANGES = {
    "silence": HANG,
    "cut": CUT,
    "500": answer(b"canary", status=500),
    "429": answer(b"canary", status=429),
    "html": answer(b"<html>canary</html>"),
    "half": answer(json.dumps(REPLY).encode()[:-30]),
    "no openid": answer({"access_token": "canary"}),
    "null openid": answer(REPLY | {"openid": None}),
    "odd openid": answer(REPLY | {"openid": "canary\r\nx"}),
    "list": answer([REPLY]),
    "odd code": answer({"errcode": "canary"}),
    "gbk": answer('{"openid":"星'.encode("gbk")),
    "huge": answer(b" " * 70_000),
}


@pytest.mark.gen_test
@pytest.mark.parametrize("fault", BAD_EXCHANGES)
async def test_when_the_exchange_fails_no_secret_code_or_openid_is_told(fault: str, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    async with account(total_seconds=0.2) as here:
        here.fake.answers[EXCHANGE] = BAD_EXCHANGES[fault]
        with pytest.raises(RemoteDown) as caught:
            await here.client.exchange(CODE)
    assert caught.value.unknown is (fault != "429")
    assert not tells_canary(caught.value, caplog.text)


@pytest.mark.gen_test
async def test_no_secret_is_told_when_wechat_cannot_be_reached(caplog) -> None:
    caplog.set_level(logging.DEBUG)
    async with account(url="http://127.0.0.1:1") as here:
        for call in (here.client.exchange(CODE), here.client.send_text(OPENID, "canary"), here.client.check()):
            with pytest.raises(RemoteDown) as caught:
                await call
            assert caught.value.unknown is False
            assert not tells_canary(caught.value, caplog.text)


@pytest.mark.gen_test
async def test_userinfo_is_read_as_utf8_and_cleaned() -> None:
    who = OAuthAnswer(OPENID, "snsapi_userinfo", None, False, "canary-page-token")
    reply = {"openid": OPENID, "nickname": "小X明Y\u202e", "headimgurl": "javascript:1", "unionid": ""}
    raw = json.dumps(reply, ensure_ascii=False).replace("X", "\x01").replace("Y", "\\ud800")
    async with account() as here:
        here.fake.answers["/sns/userinfo"] = answer(raw.encode("utf-8"))
        found = await here.client.userinfo(who)
    assert (found.nickname, found.avatar_url, found.unionid) == ("小明", "", None)
    assert "小明" not in repr(found)


@pytest.mark.gen_test
async def test_a_text_goes_out_in_real_utf8() -> None:
    async with account() as here:
        await here.client.send_text(OPENID, '星球 <a href="x">开通</a>')
    sent = here.remote.seen[-1]
    assert sent.path == SEND and "星球".encode() in sent.body
    assert sent.json == {
        "touser": OPENID,
        "msgtype": "text",
        "text": {"content": '星球 <a href="x">开通</a>'},
    }


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (45015, WindowOver),
        (45047, WindowOver),
        (40003, UserUnreachable),
        (43004, UserUnreachable),
        (-1, Busy),
        (45009, RateLimited),
        (48001, ConfigRefused),
        (47001, CallRefused),
        (99999, CallRefused),
    ],
)
async def test_each_no_to_a_message_has_its_kind(code: int, kind: type[RemoteError]) -> None:
    async with account() as here:
        here.fake.answers[SEND] = {"errcode": code, "errmsg": f"canary {OPENID} rid: 65f0abcd-12"}
        with pytest.raises(kind) as caught:
            await here.client.send_text(OPENID, "x")
    assert caught.value.code == str(code) and "rid 65f0abcd-12" in str(caught.value)
    assert not tells_canary(caught.value)
    assert len(here.remote.seen) == 2, "one token, one message: a no is not asked again"


def test_an_unlisted_server_is_told_which_address_to_list() -> None:
    told = str(failure("wechat", 40164, "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist"))
    assert "203.0.113.7" in told and "whitelist" in told


@pytest.mark.gen_test
async def test_a_message_cut_in_flight_may_have_arrived() -> None:
    async with account() as here:
        here.fake.answers[SEND] = CUT
        with pytest.raises(RemoteDown) as caught:
            await here.client.send_text(OPENID, "x")
    assert caught.value.unknown


@pytest.mark.gen_test
async def test_a_template_message_carries_its_idempotency_key() -> None:
    async with account() as here:
        here.fake.answers["/cgi-bin/message/template/send"] = {"errcode": 0, "errmsg": "ok", "msgid": 9 * 10**18}
        number = await here.client.send_template(
            OPENID, "t1", {"thing1": "信息安全"}, url="https://h5.example.com/me", client_msg_id="m1"
        )
    assert number == "9000000000000000000"
    assert here.remote.seen[-1].path == "/cgi-bin/message/template/send"
    assert here.remote.seen[-1].json == {
        "touser": OPENID,
        "template_id": "t1",
        "data": {"thing1": {"value": "信息安全"}},
        "url": "https://h5.example.com/me",
        "client_msg_id": "m1",
    }


@pytest.mark.gen_test
async def test_a_scene_code_is_temporary_and_at_most_thirty_days_old() -> None:
    reply = {"ticket": "gQ1", "expire_seconds": 120, "url": "http://weixin.qq.com/q/1"}
    async with account() as here:
        here.fake.answers["/cgi-bin/qrcode/create"] = reply
        found = await here.client.create_scene_code("bind_1", 9_999_999)
    assert found == SceneCode("gQ1", "http://weixin.qq.com/q/1", 120)
    assert here.remote.seen[-1].json == {
        "expire_seconds": 2_592_000,
        "action_name": "QR_STR_SCENE",
        "action_info": {"scene": {"scene_str": "bind_1"}},
    }


@pytest.mark.gen_test
async def test_the_menu_is_pushed_and_shown_and_may_be_absent() -> None:
    menu = {"button": [{"type": "click", "name": "领券", "key": "VOUCHER"}]}
    async with account() as here:
        await here.client.push_menu(menu)
        assert here.remote.seen[-1].json == menu and "领券".encode() in here.remote.seen[-1].body
        here.fake.answers["/cgi-bin/menu/get"] = {"menu": menu}
        assert await here.client.current_menu() == {"menu": menu}
        here.fake.answers["/cgi-bin/menu/get"] = {"errcode": 46003, "errmsg": "menu no exist"}
        assert await here.client.current_menu() is None
        here.fake.answers["/cgi-bin/menu/get"] = {"errcode": 40013, "errmsg": "no"}
        with pytest.raises(ConfigRefused):
            await here.client.current_menu()


@pytest.mark.gen_test
async def test_followers_are_known() -> None:
    async with account() as here:
        for subscribe in (0, 1):
            here.fake.answers["/cgi-bin/user/info"] = {"subscribe": subscribe, "openid": OPENID}
            assert await here.client.is_follower(OPENID) is bool(subscribe)


OFFICIAL_TICKET = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"
SIGNED = [  # ticket, nonce, timestamp, address, signature: WeChat's own example twice, and one of ours
    (
        OFFICIAL_TICKET,
        "Wm3WZYTPz0wzccnW",
        1414587457,
        "http://mp.weixin.qq.com?params=value",
        "0f9de62fce790f9a083d5c99e95740ceb90c27ed",
    ),
    (
        OFFICIAL_TICKET,
        "Wm3WZYTPz0wzccnW",
        1414587457,
        "http://mp.weixin.qq.com",
        "f4d90daf4b3bca3078ab155816175ba34c443a7b",
    ),
    (
        "OWN-TICKET-1",
        "own-nonce",
        1767225600,
        "https://h5.example.com/course/7?from=menu",
        "f560e3d523ced2c0b0551a8ea9683bfab6121575",
    ),
]


@pytest.mark.parametrize(("ticket", "nonce", "timestamp", "url", "signature"), SIGNED)
def test_the_page_signature_is_wechats(ticket: str, nonce: str, timestamp: int, url: str, signature: str) -> None:
    assert js_signature(ticket, nonce, timestamp, url) == signature


@pytest.mark.gen_test
async def test_own_pages_are_signed_with_one_ticket_for_two_hours() -> None:
    async with account() as here:
        here.fake.answers["/cgi-bin/ticket/getticket"] = {"errcode": 0, "ticket": "T1", "expires_in": 7200}
        first = await here.client.jsapi_signature("https://h5.example.com/courses/a?x=1#part")
        await here.client.jsapi_signature("https://h5.example.com")
    assert first["signature"] == js_signature(
        "T1", first["nonceStr"], first["timestamp"], "https://h5.example.com/courses/a?x=1"
    )
    assert first["appId"] == APP_ID
    asked = [one for one in here.remote.seen if one.path == "/cgi-bin/ticket/getticket"]
    assert len(asked) == 1 and asked[0].query["type"] == "jsapi"


FOREIGN = [
    "",
    "https://evil.example",
    "http://h5.example.com/",
    "https://h5.example.com.evil.example/",
    "https://h5.example.com@evil.example/",
    "https://h5.example.com:444/",
    "//h5.example.com/",
    "https://h5.example.com/a\nb",
]


@pytest.mark.gen_test
@pytest.mark.parametrize("url", FOREIGN)
async def test_a_foreign_page_is_never_signed(url: str) -> None:
    async with account() as here:
        with pytest.raises(ForeignPage):
            await here.client.jsapi_signature(url)
    assert not here.remote.seen


@pytest.mark.gen_test
async def test_a_proxys_page_is_not_taken_for_wechats_word() -> None:
    async with account() as here:
        here.fake.answers["/cgi-bin/getcallbackip"] = answer({"errcode": 0}, status=403)
        with pytest.raises(CallRefused):
            await here.client.check()
