"""Reads what a bot answered to a push, as strictly as WeChat: a reply, nothing to say, or malformed."""

import json
from dataclasses import dataclass, field
from typing import Any

from sandbox.wechat_account import WeChatAccount
from sandbox.wechat_crypto import CipherError, MessageCipher, signature
from sandbox.wechat_xml import BadXml, read_xml

COMMON = {"ToUserName", "FromUserName", "CreateTime", "MsgType", "FuncFlag"}
NEEDS = {
    "text": {"Content"},
    "image": {"Image"},
    "voice": {"Voice"},
    "video": {"Video"},
    "music": {"Music"},
    "news": {"ArticleCount", "Articles"},
    "transfer_customer_service": set(),
}
ALLOWS = {"transfer_customer_service": {"TransInfo"}}
TEXT_BYTES = 2048


class Malformed(Exception):
    """An answer for which the person sees that the account is out of service; the words say why."""


@dataclass
class Reply:
    """What the person sees of a passive reply."""

    kind: str
    text: str
    fields: dict[str, Any] = field(default_factory=dict)


def read_reply(account: WeChatAccount, openid: str, body: bytes) -> Reply | None:
    """The reply in a 200 answer; None for `success` or empty; Malformed otherwise."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None
    if text in ("", "success"):
        return None
    fields = read_fields(account, text)
    if "Encrypt" in fields:
        fields = read_fields(account, open_sealed(account, fields))
    elif account.settings.mode == "safe":
        raise Malformed("in clear, though the mode is safe")
    check_fields(account, openid, fields)
    return Reply(fields["MsgType"], shown_text(fields), fields)


def read_fields(account: WeChatAccount, text: str) -> dict[str, Any]:
    """The outer or inner fields, in the account's format."""
    try:
        fields = json.loads(text) if account.settings.body_format == "json" else read_xml(text)
    except (BadXml, ValueError) as fault:
        raise Malformed(str(fault)) from None
    if not isinstance(fields, dict):
        raise Malformed("no fields")
    return fields


def open_sealed(account: WeChatAccount, fields: dict[str, Any]) -> str:
    """The inner text of an encrypted reply, signature checked, any of the account's keys."""
    wanted = {"Encrypt", "MsgSignature", "TimeStamp", "Nonce"}
    if account.settings.mode == "plain":
        raise Malformed("encrypted, though the mode is plain")
    values = {name: str(value) for name, value in fields.items()}
    if set(values) != wanted or not values["TimeStamp"].isdecimal():
        raise Malformed(f"an encrypted reply has {sorted(wanted)}, once each")
    signed = (account.settings.token, values["TimeStamp"], values["Nonce"], values["Encrypt"])
    if signature(*signed) != values["MsgSignature"]:
        raise Malformed("MsgSignature is wrong")
    why = ""
    for key in account.settings.aes_keys:
        try:
            return MessageCipher(key, account.app_id).decrypt(values["Encrypt"])
        except CipherError as fault:
            why = str(fault)
    raise Malformed(why)


def check_fields(account: WeChatAccount, openid: str, fields: dict[str, Any]) -> None:
    """Refuse a reply that lacks, repeats or invents fields, or goes to somebody else."""
    kind = fields.get("MsgType")
    if kind not in NEEDS:
        raise Malformed(f"unknown MsgType {kind!r}")
    needed = {"ToUserName", "FromUserName", "CreateTime", "MsgType"} | NEEDS[kind]
    if missing := needed - set(fields):
        raise Malformed(f"without {sorted(missing)}")
    if unknown := set(fields) - needed - COMMON - ALLOWS.get(kind, set()):
        raise Malformed(f"with unknown {sorted(unknown)}")
    if repeated := [name for name, value in fields.items() if isinstance(value, list)]:
        raise Malformed(f"twice {repeated}")
    if fields["ToUserName"] != openid or fields["FromUserName"] != account.settings.gh_id:
        raise Malformed("ToUserName or FromUserName is not the other way round")
    if not str(fields["CreateTime"]).isdecimal():
        raise Malformed("CreateTime is no number")
    check_content(kind, fields)


def check_content(kind: str, fields: dict[str, Any]) -> None:
    """Refuse an empty or over-long text, media without id, news without articles."""
    if kind == "text":
        if not isinstance(fields["Content"], str) or not 1 <= len(fields["Content"].encode()) <= TEXT_BYTES:
            raise Malformed(f"Content has 1 to {TEXT_BYTES} bytes")
    elif kind in ("image", "voice", "video"):
        media = fields[kind.capitalize()]
        if not isinstance(media, dict) or not media.get("MediaId"):
            raise Malformed("without MediaId")
    elif kind == "news":
        found = articles(fields)
        if not found or str(fields["ArticleCount"]) != str(len(found)):
            raise Malformed("ArticleCount is not the number of articles")


def articles(fields: dict[str, Any]) -> list[dict[str, Any]]:
    """The articles of a news reply."""
    box = fields["Articles"]
    items = box.get("item", []) if isinstance(box, dict) else box
    items = items if isinstance(items, list) else [items]
    return [item for item in items if isinstance(item, dict)]


def shown_text(fields: dict[str, Any]) -> str:
    """What the person reads."""
    kind = fields["MsgType"]
    if kind == "text":
        return fields["Content"]
    if kind == "news":
        return "\n".join(str(item.get("Title", "")) for item in articles(fields))
    return f"[{kind}]"
