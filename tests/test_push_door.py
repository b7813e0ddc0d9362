"""The push door over real HTTP: order of checks, answers in time, limits, and what passes it by."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.pushes import (
    APP_ID,
    GOOD,
    NOW,
    TEXT,
    TOKEN,
    Talk,
    counts,
    encrypt,
    envelope,
    new_codec,
    opened_reply,
    plain_query,
    push,
    request,
    sealed_query,
    serving,
)
from wxbot.callback import Busy

FORBIDDEN = {
    "no arguments": ("", push()[1]),
    "wrong signature": (sealed_query("AAAA"), push()[1]),
    "stale": push(now=NOW - 601),
    "early": push(now=NOW + 601),
    "plain body": (plain_query(), TEXT.encode()),
    "other account": (lambda sealed: (sealed_query(sealed), envelope(sealed)))(encrypt(TEXT, "wx1")),
    "junk": (sealed_query("AAAA"), envelope("AAAA")),
    "no body": (push()[0], b""),
    "doctype": push("<!DOCTYPE xml SYSTEM 'http://127.0.0.1:9/'>" + TEXT),
    "no type": push(TEXT.replace("MsgType>", "X>")),
    "doubled nonce": (push()[0] + "&nonce=42", push()[1]),
}


def soon(said: Any, seconds: float = 0.0) -> Any:
    """An answer that takes a while; an exception is raised."""

    async def work() -> Any:
        await asyncio.sleep(seconds)
        if isinstance(said, Exception):
            raise said
        return said

    return lambda heard: work()


@pytest.mark.gen_test
async def test_a_message_is_answered_in_secret() -> None:
    async with serving() as wechat:
        with counts("ok"):
            status, head, body = await wechat.post(*push())
        assert status == 200 and "好的" in opened_reply(body)
        assert "Content-Type: text/xml; charset=utf-8" in head and "Date: " in head
        assert wechat.talk.heard[0].content == "帮助"


@pytest.mark.gen_test
async def test_nothing_to_say_is_success() -> None:
    for hear in (lambda heard: None, soon(None)):
        async with serving(Talk(hear)) as wechat:
            status, head, body = await wechat.post(*push())
            assert (status, body) == (200, b"success") and "text/plain" in head


@pytest.mark.gen_test
@pytest.mark.parametrize("name", FORBIDDEN)
async def test_every_fault_gets_the_same_empty_refusal(name: str) -> None:
    async with serving() as wechat:
        with capture_logs() as logs:
            status, head, body = await wechat.post(*FORBIDDEN[name])
        assert (status, body) == (403, b"")
        expected = (await wechat.post("", b""))[1]
        assert head == expected, "nothing tells one fault from another"
        assert wechat.talk.heard == []
        assert [(line["log_level"], line["event"], set(line)) for line in logs] == [
            ("info", "push rejected", {"log_level", "event", "reason"})
        ]


@pytest.mark.gen_test
async def test_an_ordinary_push_writes_no_line() -> None:
    async with serving() as wechat:
        with capture_logs() as logs:
            await wechat.post(*push())
        assert logs == []


@pytest.mark.gen_test
async def test_the_console_verifies_the_address() -> None:
    async with serving() as wechat:
        status, head, body = await wechat.ask("GET", f"/wx/push?{plain_query(echostr='592778')}")
        assert (status, body) == (200, b"592778")
        assert "Content-Type: text/plain" in head
        for query in (plain_query(echostr="<b>"), plain_query(NOW - 601, echostr="1"), "echostr=1"):
            assert (await wechat.ask("GET", f"/wx/push?{query}"))[::2] == (403, b"")


@pytest.mark.gen_test
async def test_slow_work_is_answered_success_and_follows_as_a_message() -> None:
    async with serving(Talk(soon("办好了", 0.05)), answer_within=0.01) as wechat:
        with counts("late"), counts("ok", 0):
            assert (await wechat.post(*push()))[::2] == (200, b"success")
        assert wechat.talk.sent == []
        assert await wechat.door.drain(2) == 0
        assert wechat.talk.sent == [("oUSER1", "办好了")]


@pytest.mark.gen_test
async def test_slow_work_with_nothing_to_say_sends_nothing() -> None:
    async with serving(Talk(soon(None, 0.02)), answer_within=0.005) as wechat:
        assert (await wechat.post(*push()))[2] == b"success"
        assert await wechat.door.drain(2) == 0
        assert wechat.talk.sent == []


@pytest.mark.gen_test
async def test_work_that_fails_after_success_was_said_is_regretted() -> None:
    async with serving(Talk(soon(Busy(), 0.02)), answer_within=0.005) as wechat:
        with counts("lost"):
            await wechat.post(*push())
            assert await wechat.door.drain(2) == 0
        assert wechat.talk.sent == [("oUSER1", "刚才没有办成，请再试一次。")]


@pytest.mark.gen_test
async def test_a_slow_event_that_only_reports_is_asked_for_again_and_nobody_is_told() -> None:
    left = TEXT.replace("<![CDATA[text]]>", "<![CDATA[event]]>").replace(
        "<Content>", "<Event><![CDATA[unsubscribe]]></Event><Content>"
    )
    async with serving(Talk(soon(Busy(), 0.02)), answer_within=0.005) as wechat:
        status, _, body = await wechat.post(*push(left))
        assert (status, body) == (503, b""), "not done yet, so not acknowledged"
        assert await wechat.door.drain(2) == 0
        assert wechat.talk.sent == []


@pytest.mark.gen_test
async def test_work_goes_on_when_wechat_hangs_up() -> None:
    async with serving(Talk(soon("办好了", 0.03)), answer_within=0.01) as wechat:
        _, writer = await asyncio.open_connection("127.0.0.1", wechat.port)
        query, body = push()
        writer.write(request("POST", f"/wx/push?{query}", body))
        await wechat.talk.called.wait()
        writer.close()
        assert await wechat.door.drain(2) == 0
        assert wechat.talk.sent == [("oUSER1", "办好了")]


@pytest.mark.gen_test
async def test_three_copies_at_once_are_all_answered() -> None:
    async with serving(Talk(soon("好的", 0.01))) as wechat:
        copy = push()
        answers = await asyncio.gather(*(wechat.post(*copy) for _ in range(3)))
        assert [answer[0] for answer in answers] == [200] * 3
        assert all("好的" in opened_reply(answer[2]) for answer in answers)
        assert len({heard.once_key for heard in wechat.talk.heard}) == 1


@pytest.mark.gen_test
@pytest.mark.parametrize("failure", [Busy("pool full"), LookupError("oUSER1")])
async def test_what_cannot_be_done_now_comes_again(failure: Exception) -> None:
    def at_once(heard: Any) -> None:
        raise failure

    for hear in (at_once, soon(failure)):
        async with serving(Talk(hear)) as wechat:
            with counts("busy" if isinstance(failure, Busy) else "failed"), capture_logs() as logs:
                status, head, body = await wechat.post(*push())
            assert (status, body) == (503, b"") and "Retry-After: 5" in head
            assert "oUSER1" not in str(logs)


@pytest.mark.gen_test
async def test_a_drain_cuts_what_does_not_end() -> None:
    async with serving(Talk(soon("never", 60)), answer_within=0.005) as wechat:
        await wechat.post(*push())
        with counts("lost"):
            assert await wechat.door.drain(0.02) == 1
        assert await wechat.door.drain(0.02) == 0, "no regrets are sent while we close"


@pytest.mark.gen_test
@pytest.mark.parametrize("vector", GOOD, ids=lambda vector: vector["id"])
async def test_a_replayed_vector_is_refused_by_its_age(vector: dict) -> None:
    given = vector["input"]
    codec = new_codec()
    query = sealed_query(given["encrypt"], given["timestamp"], given["nonce"])
    async with serving(codec=codec) as wechat:
        assert (await wechat.post(query, envelope(given["encrypt"])))[0] == 200
        old = sealed_query(given["encrypt"], NOW - 601, given["nonce"])
        assert (await wechat.post(old, envelope(given["encrypt"])))[0] == 403


@pytest.mark.gen_test
async def test_no_secret_is_in_the_log_of_a_refusal() -> None:
    async with serving() as wechat:
        with capture_logs() as logs:
            for query, body in FORBIDDEN.values():
                await wechat.post(query, body)
        assert logs and not {word for word in (TOKEN, APP_ID, "oUSER1", "signature=") if word in str(logs)}
