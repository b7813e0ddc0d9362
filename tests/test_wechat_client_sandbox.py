"""Our WeChat client against the sandbox, which keeps WeChat's real rules and the account's real limits."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count

import pytest
from tornado.ioloop import IOLoop

from clients import wechat
from clients.errors import CodeRefused, RemoteDown
from clients.http import Peer
from clients.redis import connect
from clients.wechat_codes import ConfigRefused, UserUnreachable, WindowOver
from clients.wechat_js import js_signature
from sandbox.server import Sandbox
from sandbox.world import World


@pytest.fixture
def box(io_loop: IOLoop) -> Iterator[Sandbox]:
    """A running sandbox with a frozen clock."""
    world = World(seed=5)
    world.freeze(1_800_000_000)
    box = Sandbox(world)

    async def start() -> None:
        box.start()

    io_loop.run_sync(start)
    yield box
    io_loop.run_sync(box.stop)


@asynccontextmanager
async def processes(box: Sandbox, *urls: str, **limits: float) -> AsyncIterator[list[wechat.WeChat]]:
    """A client per Redis URL, as so many processes of ours would have."""
    made, owned = [], []
    for number, url in enumerate(urls or ("",)):
        api = Peer("wechat", box.wechat_api_url, monotonic=box.world.now, **wechat.LIMITS | limits)
        redis, numbers = connect(url), count()
        made.append(
            wechat.WeChat(
                app_id=box.account.settings.app_id,
                app_secret=box.account.settings.app_secret,
                api=api,
                open_url=box.wechat_open_url,
                base_url="https://h5.example.com",
                redis=redis,
                now=box.world.now,
                new_nonce=lambda name=number, numbers=numbers: f"{name}n{next(numbers)}",
            )
        )
        owned.append((made[-1], api, redis))
    yield made
    for client, api, redis in owned:
        await client.close()
        await api.close()
        await redis.aclose()


@pytest.mark.gen_test
async def test_two_processes_start_cold_with_one_token(box: Sandbox, redis_url: str) -> None:
    async with processes(box, redis_url, redis_url) as clients:
        await asyncio.gather(*(client.check() for client in clients for _ in range(16)))
    assert box.account.token_fetches == 1


@pytest.mark.gen_test
async def test_a_day_of_calls_costs_a_token_every_two_hours_and_never_a_refusal(box: Sandbox) -> None:
    async with processes(box) as (client,):
        for _ in range(24 * 12):
            await client.check()
            await asyncio.sleep(0.002)
            box.world.forward(300)
    assert 12 <= box.account.token_fetches <= 14


@pytest.mark.gen_test
async def test_tokens_that_another_program_killed_are_replaced_once(box: Sandbox, redis_url: str) -> None:
    async with processes(box, redis_url, redis_url) as clients:
        await asyncio.gather(*(client.check() for client in clients))
        for code in (40001, 40014, 42001):
            box.world.forward(60)
            fetched = box.account.token_fetches
            box.account.break_tokens(code)
            await asyncio.gather(*(client.check() for client in clients for _ in range(16)))
            assert box.account.token_fetches == fetched + 1


@pytest.mark.gen_test
async def test_a_wechat_that_always_says_40001_gets_two_token_calls(box: Sandbox) -> None:
    box.account.always_40001 = True
    async with processes(box) as (client,):
        results = await asyncio.gather(*(client.check() for _ in range(16)), return_exceptions=True)
        assert all(isinstance(result, RemoteDown) for result in results)
        assert box.account.token_fetches <= 2
        box.account.always_40001 = False
        await client.check()


@pytest.mark.gen_test
async def test_a_server_that_is_not_on_the_whitelist_is_told_so(box: Sandbox) -> None:
    box.account.settings.ip_white_list = ["10.0.0.1"]
    async with processes(box) as (client,):
        with pytest.raises(ConfigRefused) as caught:
            await client.check()
    assert "whitelist" in str(caught.value) and "127.0.0.1" in str(caught.value)


@pytest.mark.gen_test
async def test_a_code_works_once_and_five_minutes(box: Sandbox) -> None:
    anna = box.phone("anna")
    async with processes(box) as (client,):
        code = box.account.oauth.new_code(anna.person, "snsapi_userinfo")
        who = await client.exchange(code)
        assert (who.openid, who.is_snapshot) == (anna.openid, False)
        assert (await client.userinfo(who)).nickname == anna.person.nickname
        with pytest.raises(CodeRefused):
            await client.exchange(code)
        late = box.account.oauth.new_code(anna.person, "snsapi_base")
        box.world.forward(300)
        with pytest.raises(CodeRefused):
            await client.exchange(late)
        snapshot = box.account.oauth.new_code(anna.person, "snsapi_userinfo", snapshot=True)
        assert (await client.exchange(snapshot)).is_snapshot


@pytest.mark.gen_test
async def test_five_messages_within_two_days_and_then_the_window_is_over(box: Sandbox) -> None:
    anna = box.phone("anna")
    async with processes(box) as (client,):
        box.account.chats.fan(anna.person).follows = True
        with pytest.raises(WindowOver):
            await client.send_text(anna.openid, "x")
        box.account.chats.open_window(anna.person, "message")
        for _ in range(5):
            await client.send_text(anna.openid, "星球已开通")
        with pytest.raises(WindowOver):
            await client.send_text(anna.openid, "x")
        with pytest.raises(UserUnreachable):
            await client.send_text("o" + "0" * 27, "x")
    assert [bubble.text for bubble in anna.inbox].count("星球已开通") == 5


@pytest.mark.gen_test
async def test_scene_code_menu_template_follower_and_page_signature(box: Sandbox) -> None:
    anna = box.phone("anna")
    menu = {"button": [{"type": "click", "name": "领券", "key": "VOUCHER"}]}
    async with processes(box) as (client,):
        scene = await client.create_scene_code("bind_3f2a", 120)
        assert scene.seconds == 120 and scene.url
        assert await client.current_menu() is None
        await client.push_menu(menu)
        assert (await client.current_menu())["menu"]["button"][0]["name"] == "领券"
        assert await client.is_follower(anna.openid) is False
        box.account.chats.fan(anna.person).follows = True
        assert await client.is_follower(anna.openid) is True
        await client.send_template(anna.openid, "T1", {"thing1": "信息安全"}, client_msg_id="m1")
        signed = await client.jsapi_signature("https://h5.example.com/courses/a")
    ticket = box.account.jsapi_ticket[0]
    again = js_signature(ticket, signed["nonceStr"], signed["timestamp"], "https://h5.example.com/courses/a")
    assert signed["signature"] == again


@pytest.mark.gen_test
@pytest.mark.parametrize("kind", ["down", "error", "busy", "junk", "half", "timeout_after_commit"])
async def test_every_fault_of_wechat_is_a_remote_down(box: Sandbox, kind: str) -> None:
    async with processes(box, total_seconds=0.3) as (client,):
        await client.check()
        box.world.faults.set("wechat", kind)
        with pytest.raises(RemoteDown):
            await client.check()
        box.world.faults.clear()
        await client.check()
