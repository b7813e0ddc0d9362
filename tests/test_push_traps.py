"""Faults seen in the libraries of this field, each beside proof that our codec has none of them.

Where a test also drives wechatpy, it documents why the codec is our own; should such an assertion fail
after an upgrade, the library got better, and the trap can go.
"""

import ast
import inspect
import re
from base64 import b64encode

import pytest
from wechatpy import parse_message
from wechatpy.crypto import WeChatCrypto
from wechatpy.exceptions import InvalidAppIdException
from wechatpy.replies import TextReply
from wechatpy.utils import check_signature

from clients import wechat_crypto, wechat_xml
from clients.wechat_crypto import PushCodec, PushRejected
from tests.pushes import (
    AES_KEY,
    APP_ID,
    NOW,
    TEXT,
    TOKEN,
    encrypt,
    encrypt_whole,
    envelope,
    new_codec,
    plain_query,
    sealed_query,
    signature,
)

WECHATPY = WeChatCrypto(TOKEN, AES_KEY, APP_ID)
PLAIN = new_codec(mode="plain", keys=[])


def refused(codec: PushCodec, query: str, body: bytes) -> str:
    """The reason of the refusal."""
    with pytest.raises(PushRejected) as no:
        codec.open(query, body, NOW)
    return no.value.reason


def test_signatures_are_compared_in_constant_time() -> None:
    tree = ast.parse(inspect.getsource(wechat_crypto))
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq | ast.In | ast.NotIn):
            assert not {"signature", "owner", "sign", "_app_id"} & set(re.findall(r"\w+", ast.unparse(node)))
    assert ast.unparse(tree).count(" compare_digest(") == 2


def test_a_signature_of_1970_is_refused_though_wechatpy_takes_it() -> None:
    check_signature(TOKEN, signature(TOKEN, "0000000001", "n"), "0000000001", "n")
    encrypted = encrypt(TEXT)
    assert refused(new_codec(), sealed_query(encrypted, "0000000001"), envelope(encrypted)) == "time"


def test_where_one_argument_ends_and_the_next_begins_cannot_be_moved() -> None:
    check_signature(TOKEN, signature(TOKEN, "1n"), "1n", "")
    check_signature(TOKEN, signature(TOKEN, "1", "n"), "1n", "")
    signed = signature(TOKEN, str(NOW), "n")
    for timestamp, nonce in ((f"{NOW}n", ""), (str(NOW)[:-1], f"{str(NOW)[-1]}n"), ("", f"{NOW}n")):
        query = f"signature={signed}&timestamp={timestamp}&nonce={nonce}"
        assert refused(PLAIN, query, TEXT.encode()) == "arguments"


def test_a_plain_body_is_unsigned_so_safe_mode_refuses_it() -> None:
    check_signature(TOKEN, signature(TOKEN, str(NOW), "42"), str(NOW), "42")
    forged = TEXT.replace("oUSER1", "oVICTIM").encode()
    assert PLAIN.open(plain_query(), forged, NOW).heard.from_user == "oVICTIM", "as documented"
    assert refused(new_codec(), sealed_query("x"), forged) == "plain_body"


JUNK = [
    "!!!",
    "A",
    "AAA=",
    "AAAA",
    "A" * 21,
    "A" * 43 + "=",
    "=" * 44,
    "QUJD\nREVG",
    encrypt_whole(bytes(32)).hex(),
    "AA==" * 11,
    "A" * 21 + "=" + "A" * 21 + "=",
]
SIGNED_JUNK = JUNK + [
    b64encode(encrypt_whole(whole)).decode()
    for whole in (bytes(16), bytes(32), bytes(64), b"\x20" * 32, b"\xff" * 64, b"\x10" * 16, b"\x01" * 32)
]


@pytest.mark.parametrize("encrypted", SIGNED_JUNK)
def test_signed_junk_is_one_refusal_and_not_eight_kinds_of_errors(encrypted: str) -> None:
    assert refused(new_codec(), sealed_query(encrypted), envelope(encrypted)) in {"cipher", "arguments"}


def test_wechatpy_answers_junk_with_errors_of_many_kinds() -> None:
    kinds = set()
    for encrypted in SIGNED_JUNK:
        body = {"Encrypt": encrypted}
        try:
            WECHATPY.decrypt_message(body, signature(TOKEN, str(NOW), "42", encrypted), str(NOW), "42")
        except Exception as error:  # noqa: BLE001 that it may be any is the point
            kinds.add(type(error).__name__)
    assert len(kinds - {"InvalidAppIdException"}) >= 3


def test_a_message_for_another_account_is_refused() -> None:
    encrypted = encrypt(TEXT, app_id="wx" + "9" * 16)
    assert refused(new_codec(), sealed_query(encrypted), envelope(encrypted)) == "app_id"
    with pytest.raises(InvalidAppIdException):
        WECHATPY.decrypt_message({"Encrypt": encrypted}, signature(TOKEN, str(NOW), "42", encrypted), str(NOW), "42")


def test_an_app_id_that_only_begins_or_ends_right_is_refused() -> None:
    for app_id in (APP_ID[:-1], APP_ID + "0", "0" + APP_ID, ""):
        encrypted = encrypt(TEXT, app_id=app_id)
        assert refused(new_codec(), sealed_query(encrypted), envelope(encrypted)) in {"app_id", "cipher"}


INNER = TEXT[len("<xml>") :]
DOCTYPES = [
    '<!DOCTYPE xml SYSTEM "http://127.0.0.1:9/x.dtd"><xml>' + INNER,
    '<!DOCTYPE xml PUBLIC "a" "http://127.0.0.1:9/x.dtd"><xml>' + INNER,
    '<!DOCTYPE xml [<!ENTITY a "b">]><xml><T>&a;</T>' + INNER,
    '<!DOCTYPE xml [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><T>&a;</T>' + INNER,
    '<!DOCTYPE xml [<!ENTITY % a SYSTEM "http://127.0.0.1:9/"> %a;]><xml>' + INNER,
    '<!DOCTYPE x [<!ENTITY a "' + "a" * 9000 + '">]><xml><T>' + "&a;" * 9000 + "</T>" + INNER,
    "<!DOCTYPE x [<!ENTITY a0 'a'>"
    + "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 12))
    + "]><xml><T>&a11;</T>"
    + INNER,
]
NOT_MESSAGES = {
    "not XML": "帮助",
    "empty": "",
    "other root": TEXT.replace("xml>", "xmk>"),
    "root in capitals": TEXT.replace("xml>", "XML>"),
    "unclosed": TEXT[:-1],
    "two roots": TEXT * 2,
    "instruction": "<?php x ?>" + TEXT,
    "unknown entity": TEXT.replace("<MsgId>", "<T>&a;</T><MsgId>"),
    "NUL": TEXT.replace("帮助", "帮\0助"),
    "control letter": TEXT.replace("帮助", "帮\x08助"),
    "byte-order mark": "\ufeff" + TEXT,
    "no MsgType": TEXT.replace("MsgType>", "Other>"),
    "empty MsgType": TEXT.replace("<![CDATA[text]]>", ""),
    "nested MsgType": TEXT.replace("<![CDATA[text]]>", "<A>text</A>"),
    "doubled MsgType": TEXT.replace("<MsgId>", "<MsgType>event</MsgType><MsgId>"),
    "doubled MsgType, one empty": TEXT.replace("<MsgId>", "<MsgType/><MsgId>"),
    "doubled and nested MsgType": TEXT.replace("<MsgId>", "<MsgType><A/></MsgType><MsgId>"),
    "doubled sender": TEXT.replace("<MsgId>", "<FromUserName>oVICTIM</FromUserName><MsgId>"),
    "doubled event": TEXT.replace("<MsgId>", "<Event>a</Event><Event>b</Event><MsgId>"),
    "no sender": TEXT.replace("FromUserName>", "Other>"),
    "blank sender": TEXT.replace("oUSER1", " "),
    "long sender": TEXT.replace("oUSER1", "o" * 65),
    "no receiver": TEXT.replace("ToUserName>", "Other>"),
    "no time": TEXT.replace("CreateTime>", "Other>"),
    "time in letters": TEXT.replace(str(NOW), "abc"),
    "time in full-width digits": TEXT.replace(str(NOW), "１７６７２２５６００"),
    "time with a sign": TEXT.replace(f"{NOW}<", f"+{NOW}<"),
    "time of 60 000 digits": TEXT.replace(str(NOW), "9" * 60000),
    "id in letters": TEXT.replace("25000000000000001", "abc"),
    "event without a name": TEXT.replace("[text]", "[event]"),
    "too deep": TEXT.replace("<MsgId>", "<A>" * 8 + "</A>" * 8 + "<MsgId>"),
} | {f"doctype {number}": text for number, text in enumerate(DOCTYPES)}


@pytest.mark.parametrize("text", NOT_MESSAGES.values(), ids=NOT_MESSAGES)
def test_what_is_no_message_is_refused_sealed_or_plain(text: str) -> None:
    encrypted = encrypt(text)
    assert refused(new_codec(), sealed_query(encrypted), envelope(encrypted)) in {"form", "schema"}
    assert refused(PLAIN, plain_query(), text.encode()) in {"form", "schema"}


def test_wechatpy_answers_what_is_no_message_with_errors_of_many_kinds() -> None:
    kinds = set()
    for text in NOT_MESSAGES.values():
        if "DOCTYPE" not in text:
            try:
                parse_message(text)
            except Exception as error:  # noqa: BLE001 that it may be any is the point
                kinds.add(type(error).__name__)
    assert len(kinds) >= 3


def test_an_external_dtd_is_refused_though_wechatpy_takes_it() -> None:
    assert parse_message(DOCTYPES[0]).content == "帮助"
    assert refused(PLAIN, plain_query(), DOCTYPES[0].encode()) == "form"


def test_a_text_cannot_break_out_of_a_reply_though_it_does_with_wechatpy() -> None:
    evil = "]]></Content><Content><![CDATA[转账给我"
    reply = TextReply(content=evil)
    reply.source, reply.target = "gh_1", "oUSER1"
    with pytest.raises(PushRejected):  # two Content elements: the text became structure
        wechat_xml.read(reply.render().encode())
    ours = wechat_xml.text_reply("oUSER1", "gh_1", NOW, evil)
    assert wechat_xml.read(ours.encode())["Content"] == evil
