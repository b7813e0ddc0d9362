"""WeChat's XML over expat: read without trust, written so that no text can break out of its element."""

import re
from collections.abc import Mapping
from pyexpat import ExpatError, ParserCreate
from typing import NoReturn

from clients.wechat_heard import CRITICAL, PushRejected

MAX_DEPTH = 8
TEXT_REPLY_BYTES = 2048
"""The most UTF-8 bytes of a text reply that WeChat shows; who writes the text cuts it."""

_USUAL_ENVELOPE = re.compile(
    rb"\s*<xml>\s*<ToUserName><!\[CDATA\[[\x21-\x5a\x5e-\x7e]*\]\]></ToUserName>"
    rb"\s*<Encrypt><!\[CDATA\[([A-Za-z0-9+/=]+)\]\]></Encrypt>\s*</xml>\s*"
).fullmatch
_FLAT = re.compile(
    r"[ \t\r\n]*<([A-Za-z][A-Za-z0-9_]*)>(?:<!\[CDATA\[([^\]\x00-\x08\x0b-\x1f\ufffe\uffff]*)]]>"
    r"|([^<>&\]\x00-\x08\x0b-\x1f\ufffe\uffff]*))</\1>[ \t\r\n]*",
).split
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML may hold, and no message of WeChat does."""


class _Reader:
    """Gathers the leaves of one document; raises PushRejected at whatever WeChat never sends."""

    __slots__ = ("counts", "fields", "leaf", "path", "text")

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self.path: list[str] = []
        self.leaf = False
        self.text = ""

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        """Attributes mean nothing here: WeChat sends none."""
        path = self.path
        depth = len(path)
        if depth == 0:
            if name != "xml":
                raise PushRejected("form")
        elif depth == 1:
            if name in self.fields or name in self.counts:
                name = self.numbered(name)
        elif depth == MAX_DEPTH:
            raise PushRejected("form")
        else:
            name = self.numbered(f"{path[-1]}.{name}")
        path.append(name)
        self.leaf = True
        self.text = ""

    def numbered(self, key: str) -> str:
        """`key`, or `key#2`, `key#3` … when it stood before. A field that decides never stands twice."""
        if key in CRITICAL:
            raise PushRejected("schema")
        count = self.counts[key] = self.counts.get(key, 1 if key in self.fields else 0) + 1
        return key if count == 1 else f"{key}#{count}"

    def chars(self, data: str) -> None:
        """Text beside child elements is dropped by the next `start`."""
        self.text += data

    def end(self, _name: str) -> None:
        """Keep the text of a leaf; an element with children must not be one that decides."""
        key = self.path.pop()
        if self.leaf:
            if self.path:
                self.fields[key] = self.text
            self.leaf = False
        elif key in CRITICAL:
            raise PushRejected("schema")
        elif self.path and key not in self.counts:
            self.counts[key] = 1


def _refuse(*_seen: object) -> NoReturn:
    """No DOCTYPE (and so no entity) and no processing instruction comes from WeChat."""
    raise PushRejected("form")


def read(xml: bytes) -> dict[str, str]:
    """The leaves of an `<xml>` document by their dotted path; raise PushRejected for any other bytes.

    A byte-order mark is refused: WeChat sends none. The caller bounds the size.
    """
    return read_flat(xml) or read_any(xml)


def read_flat(xml: bytes) -> dict[str, str] | None:
    """What nearly every message is, each element once and without children, in half of expat's time.

    None where the bytes are anything else; where it reads them, expat reads the same.
    """
    if not (xml.startswith(b"<xml>") and xml.endswith(b"</xml>")):
        return None
    try:
        parts = _FLAT(xml[5:-6].decode())
    except UnicodeDecodeError:
        return None
    if any(parts[0::4]):  # something between the elements
        return None
    names = parts[1::4]
    fields = {
        name: plain if quoted is None else quoted
        for name, quoted, plain in zip(names, parts[2::4], parts[3::4], strict=True)
    }
    return fields if len(fields) == len(names) else None


def read_any(xml: bytes) -> dict[str, str]:
    """`read`, by expat alone."""
    if b"\0" in xml or not xml.lstrip().startswith(b"<"):  # expat would take UTF-16, whatever we tell it
        raise PushRejected("form")
    reader = _Reader()
    parser = ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.chars
    parser.StartDoctypeDeclHandler = parser.ProcessingInstructionHandler = _refuse
    try:
        parser.Parse(xml, True)
    except ExpatError:
        raise PushRejected("form") from None
    return reader.fields


def encrypted_part(xml: bytes) -> str:
    """The text of `Encrypt` in an envelope, "" where there is none; raise PushRejected when not XML."""
    usual = _USUAL_ENVELOPE(xml)
    return usual[1].decode("ascii") if usual else read(xml).get("Encrypt", "")


def cdata(text: str) -> str:
    """`text` as character data that ends where it should: `]]>` is split over two sections."""
    if NOT_XML.search(text):
        text = NOT_XML.sub("", text)
    if "]]>" in text:
        text = text.replace("]]>", "]]]]><![CDATA[>")
    return f"<![CDATA[{text}]]>"


def _reply(to_user: str, from_user: str, now: int, kind: str, inside: str) -> str:
    """The frame all replies share; `now` in seconds."""
    return (
        f"<xml><ToUserName>{cdata(to_user)}</ToUserName><FromUserName>{cdata(from_user)}</FromUserName>"
        f"<CreateTime>{now}</CreateTime><MsgType><![CDATA[{kind}]]></MsgType>{inside}</xml>"
    )


def text_reply(to_user: str, from_user: str, now: int, text: str) -> str:
    """A text that the person reads as the answer to the message."""
    return _reply(to_user, from_user, now, "text", f"<Content>{cdata(text)}</Content>")


def news_reply(to_user: str, from_user: str, now: int, card: Mapping[str, str]) -> str:
    """One card (`title`, `description`, `url`, `picture_url`): a reply shows no second one today."""
    item = (
        f"<Title>{cdata(card['title'])}</Title><Description>{cdata(card.get('description', ''))}</Description>"
        f"<PicUrl>{cdata(card.get('picture_url', ''))}</PicUrl><Url>{cdata(card['url'])}</Url>"
    )
    inside = f"<ArticleCount>1</ArticleCount><Articles><item>{item}</item></Articles>"
    return _reply(to_user, from_user, now, "news", inside)


def sealed_reply(encrypted: str, signature: str, now: int, nonce: str) -> str:
    """The envelope of an encrypted reply; all four are our own and of safe letters."""
    return (
        f"<xml><Encrypt><![CDATA[{encrypted}]]></Encrypt><MsgSignature><![CDATA[{signature}]]></MsgSignature>"
        f"<TimeStamp>{now}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
    )
