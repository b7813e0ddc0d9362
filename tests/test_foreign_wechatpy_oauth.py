"""wechatpy's own OAuth client takes the sandbox for WeChat, from the address it makes to the refusals it raises."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from wechatpy import WeChatOAuth
from wechatpy.exceptions import WeChatOAuthException

from sandbox.server import Sandbox
from tests.foreign_kit import wechatpy_refusal

BACK = "http://127.0.0.1:8000/oauth/callback"


async def agrees(box: Sandbox, url: str) -> str:
    """The code that anna's phone brings back from an address that a client made."""
    sandbox_url = box.wechat_open_url + url.removeprefix("https://open.weixin.qq.com")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await box.phone("anna").fetch("POST", sandbox_url, "answer=allow", form)
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))["code"]


@pytest.mark.gen_test
@pytest.mark.parametrize("state", ["", "abc123"])
async def test_a_person_who_agrees_is_known_by_name(make_wechatpy, box: Sandbox, state: str) -> None:
    oauth = make_wechatpy(WeChatOAuth, box.account.settings.app_secret, BACK, "snsapi_userinfo", state)
    told = await asyncio.to_thread(oauth.fetch_access_token, await agrees(box, oauth.authorize_url))
    assert (told["openid"], told["expires_in"]) == (box.phone("anna").openid, 7200)
    assert (await asyncio.to_thread(oauth.get_user_info))["nickname"] == "anna"
    assert await asyncio.to_thread(oauth.check_access_token)
    await asyncio.to_thread(oauth.refresh_access_token, oauth.refresh_token)
    assert oauth.access_token != told["access_token"] and oauth.open_id == told["openid"]


@pytest.mark.gen_test
async def test_codes_and_page_tokens_are_refused_as_wechat_refuses_them(make_wechatpy, box: Sandbox) -> None:
    secret = box.account.settings.app_secret
    oauth, stranger = make_wechatpy(WeChatOAuth, secret, BACK), make_wechatpy(WeChatOAuth, "0" * 32, BACK)

    async def refused(call: Callable[..., Any], *args: Any) -> int:
        return await wechatpy_refusal(call, *args, kind=WeChatOAuthException)

    used, late = [await agrees(box, oauth.authorize_url) for _ in range(2)]
    assert await refused(stranger.fetch_access_token, used) == 40125
    await asyncio.to_thread(oauth.fetch_access_token, used)
    assert await refused(oauth.fetch_access_token, used) == 40163
    assert await refused(oauth.fetch_access_token, "never") == 40029
    assert await refused(oauth.get_user_info) == 48001, "silent consent gives no name"
    assert await refused(oauth.check_access_token, "oNobody") == 40003
    assert await refused(oauth.refresh_access_token, "never") == 40030
    box.world.forward(300)
    assert await refused(oauth.fetch_access_token, late) == 42003
    box.world.forward(7200)
    assert await refused(oauth.check_access_token) == 42001
