"""npm's wechat-crypto reads the sandbox's pushes and our replies, and what it seals is taken by both."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree import ElementTree

import pytest
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.ioloop import IOLoop
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from sandbox.server import Sandbox
from sandbox.wechat_chat import OUT_OF_SERVICE
from tests.foreign_kit import Npm
from tests.pushes import AES_KEY, APP_ID, NOW, TEXT, TOKEN, counts, envelope, sealed_query, serving

REPLY = (
    "<xml><ToUserName><![CDATA[{to}]]></ToUserName><FromUserName><![CDATA[{gh}]]></FromUserName>"
    "<CreateTime>1800000000</CreateTime><MsgType><![CDATA[text]]></MsgType>"
    "<Content><![CDATA[你好，小安]]></Content></xml>"
)
OTHER = {"token": "anothertoken", "app_id": "wx0000000000000000", "aes_key": "A" * 43}


@dataclass
class Bot:
    """Somebody's bot: keeps the last push, and answers with what it was given beforehand."""

    request: HTTPServerRequest | None = None
    answers: list[str] = field(default_factory=list)

    def asked(self, name: str) -> str:
        """One argument of the push's address."""
        return self.request.arguments[name][0].decode()

    @property
    def sealed(self) -> str:
        """The push's Encrypt."""
        return ElementTree.fromstring(self.request.body).findtext("Encrypt")


class BotHandler(RequestHandler):
    """The bot's door."""

    def initialize(self, bot: Bot) -> None:
        self.bot = bot

    def post(self) -> None:
        self.bot.request = self.request
        self.write(self.bot.answers.pop(0) if self.bot.answers else "success")


@pytest.fixture
def bot(io_loop: IOLoop, box: Sandbox) -> Iterator[Bot]:
    """The sandbox pushes to this bot, and does not wait between its tries."""
    bot = Bot()
    server = HTTPServer(Application([("/wx", BotHandler, {"bot": bot})]))

    async def serve() -> None:
        listening, port = bind_unused_port()
        server.add_socket(listening)
        box.account.settings.callback_url = f"http://127.0.0.1:{port}/wx"
        box.account.settings.resend_seconds = 0

    io_loop.run_sync(serve)
    yield bot
    server.stop()
    io_loop.run_sync(server.close_all_connections)


def text_of(xml: str, name: str) -> str:
    """One field of a message."""
    return ElementTree.fromstring(xml).findtext(name)


async def sealed_by(npm: Npm, clear: str, *, stamp: str = "1800000000", nonce: str = "42") -> str:
    """A reply as a bot built on the package sends it."""
    sealed = await npm.call("crypto", "encrypt", clear)
    signed = await npm.call("crypto", "getSignature", stamp, nonce, sealed)
    return (
        f"<xml><Encrypt><![CDATA[{sealed}]]></Encrypt><MsgSignature><![CDATA[{signed}]]></MsgSignature>"
        f"<TimeStamp>{stamp}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
    )


@pytest.mark.gen_test
@pytest.mark.parametrize("mode", ["safe", "compatible"])
async def test_the_package_reads_and_trusts_a_push_of_the_sandbox(box, bot: Bot, start_npm, mode: str) -> None:
    npm, anna = await start_npm(box), box.phone("anna")
    box.account.settings.mode = mode
    await anna.say("课程 <]]> & 🙂")
    signed = await npm.call("crypto", "getSignature", bot.asked("timestamp"), bot.asked("nonce"), bot.sealed)
    opened = await npm.call("crypto", "decrypt", bot.sealed)
    assert (signed, opened["id"]) == (bot.asked("msg_signature"), box.account.app_id)
    assert text_of(opened["message"], "Content") == "课程 <]]> & 🙂"
    assert text_of(opened["message"], "FromUserName") == anna.openid


@pytest.mark.gen_test
async def test_a_message_of_any_length_is_padded_to_the_length_that_the_package_makes(box, bot: Bot, start_npm) -> None:
    npm = await start_npm(box)
    for length in range(1, 33):
        await box.phone("anna").say("x" * length)
        opened = await npm.call("crypto", "decrypt", bot.sealed)
        assert text_of(opened["message"], "Content") == "x" * length
        assert len(await npm.call("crypto", "encrypt", opened["message"])) == len(bot.sealed)


@pytest.mark.gen_test
async def test_forged_pushes_are_seen_through_by_the_package(box, bot: Bot, start_npm) -> None:
    npm, fields = await start_npm(box), {"MsgType": "text", "Content": "x"}
    for bend in ("wrong_signature", "wrong_appid"):
        await box.wechat.pushes.send(box.phone("anna").person, fields, bend=bend)
        signed = await npm.call("crypto", "getSignature", bot.asked("timestamp"), bot.asked("nonce"), bot.sealed)
        opened = await npm.call("crypto", "decrypt", bot.sealed)
        is_right = (signed == bot.asked("msg_signature"), opened["id"] == box.account.app_id)
        assert is_right == (bend != "wrong_signature", bend != "wrong_appid")


@pytest.mark.gen_test
async def test_a_reply_that_the_package_seals_is_shown_on_the_phone(box, bot: Bot, start_npm) -> None:
    npm, anna = await start_npm(box), box.phone("anna")
    clear = REPLY.format(to=anna.openid, gh=box.account.settings.gh_id)
    bot.answers.append(await sealed_by(npm, clear))
    assert await anna.say("在吗") == ["你好，小安"]


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("name", "why"), [("token", "MsgSignature is wrong"), ("app_id", "another app id"), ("aes_key", "bad padding")]
)
async def test_a_reply_sealed_with_other_settings_is_not_shown(box, bot: Bot, start_npm, name: str, why: str) -> None:
    npm, anna = await start_npm(box, **{name: OTHER[name]}), box.phone("anna")
    clear = REPLY.format(to=anna.openid, gh=box.account.settings.gh_id)
    bot.answers.append(await sealed_by(npm, clear))
    assert await anna.say("在吗") == [OUT_OF_SERVICE]
    assert box.wechat.pushes.deliveries[-1].malformed.startswith(why)


@pytest.mark.gen_test
async def test_our_door_takes_a_push_of_the_package_which_reads_our_reply(box, start_npm) -> None:
    npm = await start_npm(box, token=TOKEN, aes_key=AES_KEY, app_id=APP_ID)
    sealed = await npm.call("crypto", "encrypt", TEXT)
    signed = await npm.call("crypto", "getSignature", str(NOW), "42", sealed)
    async with serving() as served:
        status, _, body = await served.post(sealed_query(sealed, msg_signature=signed), envelope(sealed))
    fields = dict(re.findall(r"<(\w+)>(?:<!\[CDATA\[)?([^<\]]+)", body.decode()))
    assert status == 200 and [heard.content for heard in served.talk.heard] == ["帮助"]
    assert fields["MsgSignature"] == await npm.call(
        "crypto", "getSignature", fields["TimeStamp"], fields["Nonce"], fields["Encrypt"]
    )
    opened = await npm.call("crypto", "decrypt", fields["Encrypt"])
    assert (opened["id"], text_of(opened["message"], "Content")) == (APP_ID, "好的")
    assert text_of(opened["message"], "ToUserName") == "oUSER1"


@pytest.mark.gen_test
@pytest.mark.parametrize(("name", "why"), [("token", "signature"), ("app_id", "app_id"), ("aes_key", "cipher")])
async def test_our_door_refuses_what_the_package_seals_with_other_settings(box, start_npm, name, why) -> None:
    npm = await start_npm(box, **{"token": TOKEN, "aes_key": AES_KEY, "app_id": APP_ID} | {name: OTHER[name]})
    sealed = await npm.call("crypto", "encrypt", TEXT)
    signed = await npm.call("crypto", "getSignature", str(NOW), "42", sealed)
    with counts(f"rejected:{why}"):
        async with serving() as served:
            status, _, body = await served.post(sealed_query(sealed, msg_signature=signed), envelope(sealed))
    assert (status, body, served.talk.heard) == (403, b"", [])
