"""Pushes that are not WeChat's, at the door of the whole product: none is heard, none leaves a trace in any table."""

import gzip
import re
from urllib.parse import urlencode

import pytest
from wechatpy.crypto import WeChatCrypto

from tests.attack_kit import ask, check_calm, watched
from tests.pushes import signature

gen = pytest.mark.gen_test(timeout=60)


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


class Sender:
    """Pushes 确认解绑 of anna as WeChat would, or with something changed."""

    def __init__(self, site) -> None:
        self.site, self.settings = site, site.box.account.settings
        self.now = int(site.clock.now().timestamp())

    def plain(self, **changes: object) -> str:
        """The message."""
        fields = {"ToUserName": self.settings.gh_id, "FromUserName": self.site.phone("anna").openid}
        fields |= {"CreateTime": self.now, "MsgType": "text", "Content": "\u786e\u8ba4\u89e3\u7ed1", "MsgId": 77}
        parts = (f"<{name}><![CDATA[{value}]]></{name}>" for name, value in (fields | changes).items())
        return f"<xml>{''.join(parts)}</xml>"

    def sealed(self, text: str = "", *, app_id: str = "", token: str = "", now: int = 0) -> tuple[dict, bytes]:
        """Arguments and body, rightly signed unless told otherwise."""
        token, stamp = token or self.settings.token, str(now or self.now)
        crypto = WeChatCrypto(token, self.settings.aes_keys[0], app_id or self.settings.app_id)
        whole = crypto.encrypt_message(text or self.plain(), "42", stamp)
        encrypted = re.search(r"<Encrypt><!\[CDATA\[(.*?)]]>", whole)[1]
        query = {"signature": signature(token, stamp, "42"), "timestamp": stamp, "nonce": "42", "encrypt_type": "aes"}
        query["msg_signature"] = signature(token, stamp, "42", encrypted)
        return query, f"<xml><ToUserName>x</ToUserName><Encrypt>{encrypted}</Encrypt></xml>".encode()

    async def pushes(self, query: dict, body: bytes, **headers: str):
        """The answer of the door."""
        path = f"/wx/push?{urlencode(query, doseq=True)}"
        return await ask(self.site, path, "POST", body=body, Content_Type="text/xml", **headers)


def forged(sender: Sender) -> dict[str, tuple[dict, bytes]]:
    """Everything that must not be heard, by what is wrong with it."""
    query, body = sender.sealed()
    stamp = str(sender.now)
    unsigned = {name: value for name, value in query.items() if name != "msg_signature"}
    found = {
        "no arguments": ({}, body), "no signature": (unsigned, body), "an empty body": (query, b""),
        "a signature of zeros": (query | {"msg_signature": "0" * 40}, body),
        "a signature in capitals": (query | {"msg_signature": query["msg_signature"].upper()}, body),
        "a doubled signature": (query | {"msg_signature": [query["msg_signature"]] * 2}, body),
        "another nonce": (query | {"nonce": "43"}, body),
        "another time": (query | {"timestamp": str(int(stamp) + 1)}, body),
        "a plain body": (query, sender.plain().encode()), "a body cut short": (query, body[:-30]),
        "a changed body": (query, body.replace(b"</Encrypt>", b"A</Encrypt>")),
        "the signature of the address alone": (query | {"msg_signature": query["signature"]}, body),
        "another token": sender.sealed(token="another"), "another account": sender.sealed(app_id="wx" + "9" * 16),
        "an old push": sender.sealed(now=sender.now - 601), "an early push": sender.sealed(now=sender.now + 601),
        "a doctype": sender.sealed('<!DOCTYPE xml SYSTEM "http://127.0.0.1:9/x">' + sender.plain()),
        "two senders": sender.sealed(sender.plain().replace("<MsgType>", "<FromUserName>oV</FromUserName><MsgType>")),
        "no kind": sender.sealed(sender.plain().replace("MsgType", "Other")),
        "no message": sender.sealed("\u786e\u8ba4\u89e3\u7ed1"),
    }  # fmt: skip
    plain = {"signature": signature(sender.settings.token, stamp, "42"), "timestamp": stamp, "nonce": "42"}
    return found | {"plain mode": (plain, sender.plain().encode())}


async def linked_and_asked(site) -> Sender:
    """Anna is linked and was asked whether she means it: the word would end her link."""
    await site.buys("anna")
    await site.links("anna")
    await site.phone("anna").follow()
    await site.phone("anna").say("\u89e3\u7ed1")
    await site.delivers()
    return Sender(site)


@gen
async def test_no_forged_push_is_heard_or_leaves_a_trace(site):
    sender = await linked_and_asked(site)
    before, heads = await site.every_row(), set()
    with watched() as lines:
        for what, (query, body) in forged(sender).items():
            answer = await sender.pushes(query, body)
            check_calm(answer, what)
            assert (answer.status, answer.body) == (403, b""), what
            heads.add(tuple(sorted((answer.headers | {"Date": ""}).items())))
    assert len(heads) == 1, "nothing tells one fault from another"
    assert await site.every_row() == before
    assert site.phone("anna").openid not in lines.getvalue()
    answer = await sender.pushes(*sender.sealed())
    assert answer.status == 200 and await site.every_row() != before, "the control: the true one is heard"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
@gen
async def test_a_compressed_push_is_not_unpacked(site, coding):
    sender = await linked_and_asked(site)
    query, body = sender.sealed()
    before = await site.every_row()
    for packed in (gzip.compress(body), gzip.compress(body + b" " * 50_000_000, 1)[:60_000]):
        answer = await sender.pushes(query, packed, Content_Encoding=coding)
        check_calm(answer, coding)
        assert (answer.status, answer.body) == (403, b"")
    assert await site.every_row() == before


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "FOO"])
@gen
async def test_a_true_push_by_another_method_is_not_heard(site, method):
    sender = await linked_and_asked(site)
    query, body = sender.sealed()
    before = await site.every_row()
    answer = await ask(site, f"/wx/push?{urlencode(query)}", method, body=body)
    check_calm(answer, method)
    assert answer.status == (403 if method == "GET" else 405)
    assert await site.every_row() == before
