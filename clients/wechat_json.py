"""The same messages where the account's console says JSON instead of XML."""

import json
from collections.abc import Mapping

from clients.wechat_heard import CRITICAL, PushRejected
from clients.wechat_xml import MAX_DEPTH, NOT_XML


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object whose names all differ: which of two would count is nobody's to guess."""
    known = dict(pairs)
    if len(known) != len(pairs):
        raise PushRejected("schema")
    return known


def _flatten(value: object, path: str, depth: int, fields: dict[str, str]) -> None:
    """Put the leaves under `value` into `fields`, named as `wechat_xml.read` names them."""
    if isinstance(value, dict | list) and (depth > MAX_DEPTH or path in CRITICAL):
        raise PushRejected("schema")
    if isinstance(value, dict):
        for name, inner in value.items():
            _flatten(inner, f"{path}.{name}" if path else name, depth + 1, fields)
    elif isinstance(value, list):
        for count, inner in enumerate(value, start=1):
            _flatten(inner, path if count == 1 else f"{path}#{count}", depth + 1, fields)
    elif value is not None:
        text = value if isinstance(value, str) else json.dumps(value)
        if NOT_XML.search(text) or NOT_XML.search(path):  # NUL, half a character: no store could keep it
            raise PushRejected("form")
        fields[path] = text


def read(body: bytes) -> dict[str, str]:
    """The leaves of a JSON object by their dotted path; raise PushRejected for any other bytes."""
    fields: dict[str, str] = {}
    try:
        message = json.loads(body.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError):  # ValueError: also of the decoding, and of a number too long
        raise PushRejected("form") from None
    if not isinstance(message, dict):
        raise PushRejected("form")
    _flatten(message, "", 0, fields)
    return fields


def _dump(reply: Mapping[str, object]) -> str:
    """Real UTF-8: WeChat shows `\\uXXXX` as it stands in some places."""
    return json.dumps(reply, ensure_ascii=False, separators=(",", ":"))


def _reply(to_user: str, from_user: str, now: int, kind: str) -> dict[str, object]:
    """What all replies carry; `now` in seconds."""
    return {"ToUserName": to_user, "FromUserName": from_user, "CreateTime": now, "MsgType": kind}


def text_reply(to_user: str, from_user: str, now: int, text: str) -> str:
    """A text that the person reads as the answer to the message."""
    return _dump(_reply(to_user, from_user, now, "text") | {"Content": text})


def news_reply(to_user: str, from_user: str, now: int, card: Mapping[str, str]) -> str:
    """One card (`title`, `description`, `url`, `picture_url`)."""
    item = {"Title": card["title"], "Description": card.get("description", "")}
    item |= {"PicUrl": card.get("picture_url", ""), "Url": card["url"]}
    return _dump(_reply(to_user, from_user, now, "news") | {"ArticleCount": 1, "Articles": [item]})


def sealed_reply(encrypted: str, signature: str, now: int, nonce: str) -> str:
    """The envelope of an encrypted reply."""
    return _dump({"Encrypt": encrypted, "MsgSignature": signature, "TimeStamp": now, "Nonce": nonce})
