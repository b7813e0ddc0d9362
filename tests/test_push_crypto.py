"""The codec alone: every vector, every mutation of it, key rotation, modes, and the forms of the wire."""

import json
import re
from contextlib import suppress

import pytest

from clients.wechat_crypto import PushCodec, PushRejected
from clients.wechat_heard import Heard
from tests.pushes import (
    AES_KEY,
    BAD,
    GOOD,
    NOW,
    OTHER_KEY,
    TEXT,
    encrypt,
    envelope,
    new_codec,
    opened_reply,
    plain_query,
    push,
    sealed_query,
    vector_push,
)


def ids(vector: dict) -> str:
    return vector["id"]


def another(letter: str) -> str:
    """A letter of the same alphabet, one bit away where that stays a letter."""
    return "1" if letter == "0" else "0" if letter.isdigit() else "B" if letter == "A" else "A"


def refused(codec: PushCodec, query: str, body: bytes, now: int = NOW) -> str:
    """The reason of the refusal."""
    with pytest.raises(PushRejected) as no:
        codec.open(query, body, now)
    return no.value.reason


@pytest.mark.parametrize("vector", GOOD, ids=ids)
def test_a_push_of_wechat_is_opened(vector: dict) -> None:
    query, body, now = vector_push(vector)
    assert vector["expect"]["msg_signature"] in query and vector["expect"]["signature"] in query
    assert new_codec().decrypt(vector["input"]["encrypt"]).decode() == vector["expect"]["plaintext"]
    letter = new_codec().open(query, body, now)
    assert letter.heard.from_user == "oPLATFORMuser00000000000001"
    assert letter.heard.created_at == now


@pytest.mark.parametrize("vector", GOOD, ids=ids)
def test_we_seal_as_wechat_seals(vector: dict) -> None:
    codec = new_codec(new_random16=vector["input"]["random16"].encode)
    assert codec.encrypt(vector["expect"]["plaintext"]) == vector["input"]["encrypt"]


@pytest.mark.parametrize("vector", BAD, ids=ids)
def test_what_is_rightly_signed_but_badly_sealed_is_refused(vector: dict) -> None:
    query, body, now = vector_push(vector)
    assert vector["expect"]["msg_signature"] in query
    expected = "app_id" if "receive_id" in vector["id"] else "cipher"
    assert refused(new_codec(), query, body, now) == expected


@pytest.mark.parametrize("vector", GOOD + BAD, ids=ids)
def test_one_changed_letter_of_the_ciphertext_is_refused(vector: dict) -> None:
    query, _, now = vector_push(vector)
    encrypted = vector["input"]["encrypt"]
    for at, letter in enumerate(encrypted):
        changed = encrypted[:at] + another(letter) + encrypted[at + 1 :]
        assert refused(new_codec(), query, envelope(changed), now) == "signature"


@pytest.mark.parametrize("vector", GOOD + BAD, ids=ids)
@pytest.mark.parametrize("name", ["msg_signature", "timestamp", "nonce"])
def test_one_changed_letter_of_an_argument_is_refused(vector: dict, name: str) -> None:
    query, body, now = vector_push(vector)
    value = re.search(rf"\b{name}=([^&]+)", query)[1]
    for at, letter in enumerate(value):
        changed = value[:at] + another(letter) + value[at + 1 :]
        wrong = query.replace(f"{name}={value}", f"{name}={changed}")
        assert refused(new_codec(), wrong, body, now) in {"signature", "arguments"}


@pytest.mark.parametrize("vector", GOOD, ids=ids)
def test_one_changed_byte_that_is_signed_again_is_refused_or_still_a_message(vector: dict) -> None:
    """Only who has the token gets this far; still nothing but the one error may come out."""
    encrypted = vector["input"]["encrypt"]
    opened = 0
    for at, letter in enumerate(encrypted):
        changed = encrypted[:at] + another(letter) + encrypted[at + 1 :]
        try:
            heard = new_codec().open(sealed_query(changed), envelope(changed), NOW).heard
        except PushRejected:
            continue
        opened += 1
        assert isinstance(heard, Heard)
    assert opened < len(encrypted) / 5, "the first block is random, the length and the app id are not"


def test_one_changed_byte_of_the_body_never_changes_what_is_heard() -> None:
    query, body = push()
    heard = new_codec().open(query, body, NOW).heard
    for at, byte in enumerate(body):
        changed = body[:at] + bytes([byte ^ 1]) + body[at + 1 :]
        with suppress(PushRejected):
            assert new_codec().open(query, changed, NOW).heard == heard


def test_letters_moved_from_the_ciphertext_into_the_nonce_are_refused() -> None:
    """The signature joins its parts without marks between them, so this one is right."""
    query, body = push(nonce="9")
    for shift in (4, 16, 60):
        moved = re.search(rb"CDATA\[(\S{%d})(\S+)]]></Enc" % shift, body)
        taken, rest = moved[1].decode(), moved[2].decode()
        wrong = sealed_query(rest, nonce="9" + taken)
        assert refused(new_codec(), wrong, envelope(rest)) in {"cipher", "signature"}
    assert new_codec().open(query, body, NOW)


@pytest.mark.parametrize("late", [-600, 0, 600])
def test_a_push_within_ten_minutes_is_heard(late: int) -> None:
    assert new_codec().open(*push(), NOW + late)


@pytest.mark.parametrize("late", [-(10**9), -601, 601, 10**9])
def test_a_push_over_ten_minutes_old_or_early_is_refused(late: int) -> None:
    assert refused(new_codec(), *push(), NOW + late) == "time"


def test_while_the_key_changes_both_open_and_the_new_one_seals() -> None:
    codec = new_codec(keys=[OTHER_KEY, AES_KEY])
    for key in (OTHER_KEY, AES_KEY):
        encrypted = encrypt(TEXT, key=key)
        letter = codec.open(sealed_query(encrypted), envelope(encrypted), NOW)
        assert "好的" in opened_reply(codec.answer(letter, "好的", NOW)[0], key=OTHER_KEY)
    assert refused(new_codec(keys=[OTHER_KEY]), *push()) == "cipher"


def test_a_key_or_mode_that_cannot_work_stops_the_start() -> None:
    for keys in (["short"], ["!" * 43], [AES_KEY + "="], []):
        with pytest.raises(ValueError):
            new_codec(keys=keys)
    with pytest.raises(ValueError):
        new_codec(mode="loose")
    assert new_codec(mode="plain", keys=[])


def test_a_reply_is_read_by_another_library() -> None:
    letter = new_codec().open(*push(), NOW)
    body, media = new_codec().answer(letter, "你好 <b>&]]></Content><x/> \x00\x08 世界 😀", NOW)
    assert media == "text/xml"
    assert "<![CDATA[你好 <b>&]]]]><![CDATA[></Content><x/>  世界 😀]]>" in opened_reply(body)


def test_a_card_is_a_reply_too() -> None:
    letter = new_codec().open(*push(), NOW)
    reply = opened_reply(new_codec().answer(letter, {"title": "课程]]>", "url": "https://x/"}, NOW)[0])
    assert "<ArticleCount>1</ArticleCount>" in reply and "<Url><![CDATA[https://x/]]></Url>" in reply


def test_nothing_to_say_is_the_word_success() -> None:
    letter = new_codec().open(*push(), NOW)
    assert new_codec().answer(letter, None, NOW) == (b"success", "text/plain")


def test_plain_mode_hears_plain_bodies_only() -> None:
    codec = new_codec(mode="plain", keys=[])
    letter = codec.open(plain_query(), TEXT.encode(), NOW)
    assert letter.heard.content == "帮助" and not letter.sealed
    assert b"<Content><![CDATA[a]]></Content>" in codec.answer(letter, "a", NOW)[0]
    assert refused(codec, *push()) == "schema"
    assert refused(codec, plain_query(NOW - 601), TEXT.encode()) == "time"
    assert refused(codec, plain_query().replace("nonce=42", "nonce=43"), TEXT.encode()) == "signature"


def test_safe_mode_refuses_a_plain_body() -> None:
    assert refused(new_codec(), plain_query(), TEXT.encode()) == "arguments"
    assert refused(new_codec(), sealed_query(""), TEXT.encode()) == "plain_body"


def test_compatible_mode_believes_the_sealed_part() -> None:
    codec = new_codec(mode="compatible")
    encrypted = encrypt(TEXT)
    forged = TEXT.replace("oUSER1", "oOTHER").replace("</xml>", f"<Encrypt>{encrypted}</Encrypt></xml>")
    letter = codec.open(sealed_query(encrypted), forged.encode(), NOW)
    assert letter.heard.from_user == "oUSER1" and letter.sealed
    assert not codec.open(plain_query(), TEXT.encode(), NOW).sealed


@pytest.mark.parametrize("mode", ["safe", "plain"])
def test_json_is_heard_and_answered_in_json(mode: str) -> None:
    codec = new_codec(mode=mode)
    said = {"ToUserName": "gh_1", "FromUserName": "oUSER1", "CreateTime": NOW, "MsgType": "text"}
    text = json.dumps(said | {"Content": "帮助", "MsgId": 2**60})
    encrypted = encrypt(text)
    sealed = json.dumps({"ToUserName": "gh_1", "Encrypt": encrypted})
    query, body = (plain_query(), text) if mode == "plain" else (sealed_query(encrypted), sealed)
    letter = codec.open(query, body.encode(), NOW)
    assert (letter.heard.content, letter.heard.msg_id) == ("帮助", str(2**60))
    answer, media = codec.answer(letter, "好", NOW)
    assert media == "application/json"
    assert set(json.loads(answer)) >= ({"Content"} if mode == "plain" else {"Encrypt", "MsgSignature"})


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"a":' * 9000,
        b'{"a":' + b"[" * 60000,
        b'{"CreateTime":' + b"9" * 60000 + b"}",
        b'{"\xff":1}',
        b'{"MsgType":"text","MsgType":"event"}',
        b'{"MsgType":{"a":"text"}}',
        b'{"CreateTime":true}',
        b'{"Content":"\\u0000"}',
        b'{"Content":"\\ud800"}',
    ],
)
def test_bad_json_is_refused(body: bytes) -> None:
    refused(new_codec(mode="plain"), plain_query(), body)


def test_the_address_is_verified_by_its_echo() -> None:
    codec = new_codec()
    assert codec.echo(plain_query(echostr="5927782489442352469"), NOW) == b"5927782489442352469"
    for query in (
        plain_query(),
        plain_query(echostr="<script>"),
        plain_query(echostr="a b"),
        plain_query(NOW - 601, echostr="1"),
        plain_query(echostr="1").replace("nonce=42", "nonce=4"),
    ):
        with pytest.raises(PushRejected):
            codec.echo(query, NOW)


def test_two_deliveries_have_one_key_and_two_messages_two() -> None:
    again = new_codec().open(*push(nonce="other"), NOW).heard
    assert new_codec().open(*push(), NOW).heard.once_key == again.once_key
    event = Heard("gh_1", "oUSER1", NOW, "event", event="SCAN", event_key="1")
    other = Heard("gh_1", "oUSER1", NOW, "event", event="SCAN", event_key="2")
    assert len({again.once_key, event.once_key, other.once_key}) == 3
