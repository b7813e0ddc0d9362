"""Pushes of the pretend WeChat are what real bots get: checked with a stock library, and read back strictly."""

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler
from wechatpy import parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.exceptions import InvalidSignatureException
from wechatpy.replies import TextReply
from wechatpy.utils import check_signature

from sandbox.server import Sandbox
from sandbox.wechat_chat import OUT_OF_SERVICE
from sandbox.world import World


class Bot(RequestHandler):
    """Anybody's bot on a stock library; `box`, `heard` and `answer` are set by the fixture."""

    async def get(self) -> None:
        asked = {name: self.get_query_argument(name) for name in ("signature", "timestamp", "nonce")}
        check_signature(self.bot["box"].account.settings.token, *asked.values())
        self.write(self.get_query_argument("echostr"))

    async def post(self) -> None:
        clear = self.opened()
        message = parse_message(clear)
        self.bot["heard"].append(message)
        status, answer = self.bot["answer"](message)
        self.set_status(status)
        self.write(answer)

    def opened(self):
        asked = {name: self.get_query_argument(name) for name in ("signature", "timestamp", "nonce")}
        settings = self.bot["box"].account.settings
        if settings.mode == "plain":
            check_signature(settings.token, *asked.values())
            return self.request.body
        crypto = WeChatCrypto(settings.token, settings.aes_keys[0], settings.app_id)
        signed = (self.get_query_argument("msg_signature"), asked["timestamp"], asked["nonce"])
        return crypto.decrypt_message(self.request.body, *signed)

    def log_exception(self, *args) -> None:
        """What a bot of this kind cannot stand ends in its 500, which is what the tests look at."""

    def initialize(self, bot) -> None:
        self.bot = bot


@pytest.fixture
def bot(io_loop):
    """A sandbox that pushes to a stock bot, without waiting between its tries."""
    world = World(seed=7)
    box = Sandbox(world, resend_seconds=0, answer_seconds=1)
    bot = {"box": box, "heard": [], "answer": lambda message: (200, "success")}
    server = HTTPServer(Application([("/wx", Bot, {"bot": bot})]))

    async def start():
        socket, port = bind_unused_port()
        server.add_sockets([socket])
        box.start()
        box.account.settings.callback_url = f"http://127.0.0.1:{port}/wx"
        box.phone("anna")
        await box.phone("anna").follow()
        bot["heard"].clear()

    io_loop.run_sync(start)
    yield bot
    io_loop.run_sync(box.stop)
    server.stop()


def replies(bot, text, *, sealed=True):
    """An answer function that replies with `text` as a stock library does."""

    def answer(message):
        xml = TextReply(content=text, message=message).render()
        settings = bot["box"].account.settings
        if sealed and settings.mode != "plain":
            crypto = WeChatCrypto(settings.token, settings.aes_keys[0], settings.app_id)
            xml = crypto.encrypt_message(xml, "42", "1800000000")
        return 200, xml

    bot["answer"] = answer


@pytest.mark.gen_test
@pytest.mark.parametrize("mode", ["safe", "compatible", "plain"])
async def test_a_stock_bot_reads_the_push_and_its_reply_is_shown(bot, mode):
    bot["box"].account.settings.mode = mode
    replies(bot, "你好，小安")
    anna = bot["box"].phone("anna")
    assert await anna.say("课程 <]]> & 星球") == ["你好，小安"]
    (message,) = bot["heard"]
    assert (message.content, message.source) == ("课程 <]]> & 星球", anna.openid)
    assert message.id > 2**53


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "do, event, key",
    [
        (lambda anna: anna.follow("bind_1"), "subscribe_scan", None),
        (lambda anna: anna.menu_click("K"), "click", "K"),
        (lambda anna: anna.unfollow(), "unsubscribe", None),
        (lambda anna: anna.wechat.revoke(anna.person), "user_authorization_revoke", None),
    ],
)
async def test_events_come_in_wechats_spelling(bot, do, event, key):
    anna = bot["box"].phone("anna")
    if event == "subscribe_scan":
        await anna.unfollow()
        bot["heard"].clear()
    await do(anna)
    (message,) = bot["heard"]
    assert message._data["Event"] == (event if event.startswith("user_") else message._data["Event"])
    if not event.startswith("user_"):
        assert message.event == event
    if key:
        assert message.key == key


@pytest.mark.gen_test
async def test_who_pays_and_follows_is_announced_with_the_trade_number(bot):
    bob = bot["box"].phone("bob")
    await bob.wechat.follow(bob.person, paid="4200001")
    assert bot["heard"][0]._data["EventKey"] == "last_trade_no_4200001"


@pytest.mark.gen_test
async def test_silence_is_asked_three_times_and_the_same_message_each_time(bot):
    bot["answer"] = lambda message: (503, "")
    anna = bot["box"].phone("anna")
    assert await anna.say("在吗") == [OUT_OF_SERVICE]
    assert len(bot["heard"]) == 3 and len({message.id for message in bot["heard"]}) == 1
    bot["answer"] = lambda message: (503 if len(bot["heard"]) == 4 else 200, "")
    assert await anna.say("在吗") == [], "the second try was answered, with nothing to say"


@pytest.mark.gen_test
async def test_a_doubled_push_is_one_message_in_two_requests_at_once(bot):
    bot["box"].world.faults.set("wechat", "doubled", times=1)
    replies(bot, "好")
    assert await bot["box"].phone("anna").say("在吗") == ["好"]
    first, second = bot["heard"]
    assert first.id == second.id


@pytest.mark.gen_test
async def test_reordered_pushes_arrive_the_other_way_round(bot):
    bot["box"].world.faults.set("wechat", "reordered", times=1)
    anna = bot["box"].phone("anna")
    await anna.say("一")
    assert bot["heard"] == []
    await anna.say("二")
    assert [message.content for message in bot["heard"]] == ["二", "一"]


@pytest.mark.gen_test
@pytest.mark.parametrize("kind", ["wrong_signature", "wrong_appid"])
async def test_a_forged_push_is_refused_by_a_stock_bot(bot, kind):
    delivery = await bot["box"].wechat.pushes.send(
        bot["box"].phone("anna").person, {"MsgType": "text", "Content": "x"}, bend=kind
    )
    assert [one.status for one in delivery.tries] == [500] * 3 and bot["heard"] == []


@pytest.mark.gen_test
async def test_bad_padding_and_old_timestamps_are_what_they_say(bot):
    box = bot["box"]
    wire = box.wechat.pushes._wire
    delivery = await box.wechat.pushes.send(box.phone("anna").person, {"MsgType": "text", "Content": "x"})
    delivery.bend = "old_timestamp"
    query, _ = wire(delivery)
    assert box.world.now() - int(query["timestamp"]) > 3000
    check_signature(box.account.settings.token, query["signature"], query["timestamp"], query["nonce"])
    with pytest.raises(InvalidSignatureException):
        check_signature(box.account.settings.token, "0" * 40, query["timestamp"], query["nonce"])


BAD_REPLIES = {
    "json": '{"ok": true}',
    "clear": "<xml><ToUserName>{to}</ToUserName><FromUserName>{gh}</FromUserName><CreateTime>1</CreateTime>"
    "<MsgType>text</MsgType><Content>x</Content></xml>",
    "cut": "<xml><Encrypt>",
    "words": "Success",
    "forged": "<xml><Encrypt>AAAA</Encrypt><MsgSignature>0</MsgSignature><TimeStamp>1</TimeStamp>"
    "<Nonce>1</Nonce></xml>",
}


@pytest.mark.gen_test
@pytest.mark.parametrize("name", BAD_REPLIES)
async def test_a_malformed_reply_shows_that_the_account_is_out_of_service(bot, name):
    anna = bot["box"].phone("anna")
    gh = bot["box"].account.settings.gh_id
    bot["answer"] = lambda message: (200, BAD_REPLIES[name].replace("{to}", anna.openid).replace("{gh}", gh))
    assert await anna.say("在吗") == [OUT_OF_SERVICE]
    assert bot["box"].wechat.pushes.deliveries[-1].malformed
    assert len(bot["heard"]) == 1, "a malformed answer is an answer: it is not asked again"


@pytest.mark.gen_test
@pytest.mark.parametrize("text", ["坏]]></Content><MsgType><![CDATA[image]]>", "长" * 700])
async def test_an_injected_or_overlong_reply_is_malformed(bot, text):
    replies(bot, text)
    assert await bot["box"].phone("anna").say("在吗") == [OUT_OF_SERVICE]


@pytest.mark.gen_test
async def test_the_console_verifies_the_address(bot):
    pushes = bot["box"].wechat.pushes
    assert await pushes.verify_url() == ""
    bot["box"].account.settings.callback_url += "/nowhere"
    assert await pushes.verify_url() == "status 404"
    assert await pushes.verify_domain("http://127.0.0.1:1", "abc") == "status 0"
