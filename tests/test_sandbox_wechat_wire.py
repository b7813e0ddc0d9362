"""What surrounds WeChat's answers on the wire: the words of a refusal, its request id, the type of the body."""

import json
import re

import pytest
from tornado.httpclient import AsyncHTTPClient

from sandbox.server import Sandbox

NOW = 1_800_000_000


async def get(box: Sandbox, path: str) -> tuple[str, dict]:
    """Type and content of one answer."""
    answer = await AsyncHTTPClient().fetch(box.wechat_api_url + path)
    return answer.headers["Content-Type"], json.loads(answer.body)


@pytest.mark.gen_test
async def test_a_refusal_ends_with_a_request_id_that_begins_with_the_time(box) -> None:
    box.world.freeze(NOW)
    _, told = await get(box, "/cgi-bin/menu/get?access_token=x")
    words, rid = told["errmsg"].split(" rid: ")
    assert words == (
        "invalid credential, access_token is invalid or not latest, "
        "could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r"
    )
    assert re.fullmatch(r"6b49d200-[0-9a-f]{8}-[0-9a-f]{8}", rid)


@pytest.mark.gen_test
async def test_page_calls_put_a_comma_before_it_and_give_no_hint(box) -> None:
    _, told = await get(box, "/sns/userinfo?access_token=x&openid=y")
    assert re.fullmatch(
        r"invalid credential, access_token is invalid or not latest, rid: [0-9a-f-]{26}", told["errmsg"]
    )


@pytest.mark.gen_test
async def test_page_calls_say_text_and_the_others_json(box) -> None:
    own = box.account.settings
    asked = f"appid={own.app_id}&secret={own.app_secret}&grant_type=client_credential"
    kind, told = await get(box, f"/cgi-bin/token?{asked}")
    assert kind == "application/json; encoding=utf-8" and told["expires_in"] == 7200
    kind, told = await get(box, f"/sns/oauth2/access_token?{asked}")
    assert kind == "text/plain" and told["errcode"] == 40002


@pytest.mark.gen_test
async def test_the_account_is_looked_at_before_the_grant_type(box) -> None:
    _, told = await get(box, "/cgi-bin/token?appid=wx1&secret=x")
    assert told["errcode"] == 40013
    _, told = await get(box, f"/cgi-bin/token?appid={box.account.app_id}&secret={box.account.settings.app_secret}")
    assert told["errcode"] == 40002


@pytest.mark.gen_test
async def test_a_menu_is_read_with_a_list_below_each_button_also_an_empty_one(box) -> None:
    click, below = {"type": "click", "name": "a", "key": "A"}, {"type": "click", "name": "b", "key": "B"}
    box.account.menu = {"button": [click, {"name": "c", "sub_button": [below]}]}
    token = box.account.tokens.stable(force=False).value
    _, told = await get(box, f"/cgi-bin/menu/get?access_token={token}")
    assert told == {"menu": {"button": [click | {"sub_button": []}, {"name": "c", "sub_button": [below]}]}}
    _, told = await get(box, f"/cgi-bin/get_current_selfmenu_info?access_token={token}")
    assert [one["sub_button"] for one in told["selfmenu_info"]["button"]] == [{"list": []}, {"list": [below]}]


@pytest.mark.gen_test
async def test_addresses_come_with_escaped_slashes_but_not_in_a_refusal(box) -> None:
    token = box.account.tokens.stable(force=False).value
    box.account.menu = {"button": [{"type": "view", "name": "a", "url": "https://e.com/"}]}
    menu = await AsyncHTTPClient().fetch(f"{box.wechat_api_url}/cgi-bin/menu/get?access_token={token}")
    assert rb'"https:\/\/e.com\/"' in menu.body
    refused = await AsyncHTTPClient().fetch(f"{box.wechat_api_url}/cgi-bin/menu/get?access_token=x")
    assert b"https://mmbizurl.cn/" in refused.body
