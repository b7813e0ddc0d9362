"""WeChat's side of a push, made with wechatpy and bare `cryptography`: not with the codec under test."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from hashlib import sha1
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from prometheus_client import REGISTRY
from tornado.testing import bind_unused_port
from tornado.web import Application
from wechatpy.crypto import WeChatCrypto

from clients.wechat_crypto import PushCodec
from services.turns import Turns
from wxbot.callback import PushDoor
from wxbot.delegate import PUSH_PATH, PushSite
from wxbot.quick_http import QuickServer

VECTORS = json.loads((Path(__file__).parent / "data" / "mp_vectors.json").read_text("utf-8"))["vectors"]
GOOD = [vector for vector in VECTORS if vector["kind"] == "mp_safe_decrypt"]
BAD = [vector for vector in VECTORS if vector["kind"] == "mp_safe_reject"]
TOKEN = GOOD[0]["input"]["token"]
AES_KEY = GOOD[0]["input"]["encoding_aes_key"]
OTHER_KEY = "B" * 42 + "A"
APP_ID = GOOD[0]["input"]["receive_id"]
NOW = 1767225600
TEXT = (
    "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[oUSER1]]></FromUserName>"
    f"<CreateTime>{NOW}</CreateTime><MsgType><![CDATA[text]]></MsgType>"
    "<Content><![CDATA[帮助]]></Content><MsgId>25000000000000001</MsgId></xml>"
)


def new_codec(mode: str = "safe", keys: list[str] | None = None, **changed: Any) -> PushCodec:
    """The codec under test, with 16 bytes that are always the same."""
    settings = {"token": TOKEN, "app_id": APP_ID, "new_random16": lambda: b"0123456789abcdef"}
    return PushCodec(aes_keys=[AES_KEY] if keys is None else keys, mode=mode, **(settings | changed))


def signature(*parts: str) -> str:
    return sha1("".join(sorted(parts)).encode()).hexdigest()


def plain_query(now: int = NOW, nonce: str = "42", **more: str) -> str:
    """The arguments of a push in plain mode, or with `echostr` of a verification."""
    signed = signature(TOKEN, str(now), nonce)
    return urlencode({"signature": signed, "timestamp": now, "nonce": nonce} | more)


def sealed_query(encrypted: str, now: int | str = NOW, nonce: str = "42", **changed: str) -> str:
    """The arguments of a push in safe mode, rightly signed unless `changed`."""
    signed = {"signature": signature(TOKEN, str(now), nonce), "timestamp": now, "nonce": nonce}
    sealed = {"openid": "oUSER1", "encrypt_type": "aes"}
    sealed["msg_signature"] = signature(TOKEN, str(now), nonce, encrypted)
    return urlencode(signed | sealed | changed)


def envelope(encrypted: str) -> bytes:
    """The body of a push in safe mode, indented as WeChat does."""
    return (
        "<xml>\n    <ToUserName><![CDATA[gh_1]]></ToUserName>\n"
        f"    <Encrypt><![CDATA[{encrypted}]]></Encrypt>\n</xml>\n"
    ).encode()


def vector_push(vector: dict[str, Any]) -> tuple[str, bytes, int]:
    """Query, body and the right time of a vector."""
    given = vector["input"]
    query = sealed_query(given["encrypt"], given["timestamp"], given["nonce"])
    return query, envelope(given["encrypt"]), int(given["timestamp"])


def encrypt(text: str, app_id: str = APP_ID, key: str = AES_KEY) -> str:
    """What WeChat's own side would send, by wechatpy."""
    whole = WeChatCrypto(TOKEN, key, app_id).encrypt_message(text, "42", str(NOW))
    return re.search(r"<Encrypt><!\[CDATA\[(.*?)]]>", whole)[1]


def encrypt_whole(whole: bytes) -> bytes:
    """AES over bytes as they stand: for contents that no honest sender makes."""
    key = WeChatCrypto(TOKEN, AES_KEY, APP_ID).key
    sealing = Cipher(AES(key), CBC(key[:16])).encryptor()
    return sealing.update(whole) + sealing.finalize()


def push(text: str = TEXT, now: int = NOW, **changed: str) -> tuple[str, bytes]:
    """Query and body of a right push in safe mode."""
    encrypted = encrypt(text)
    return sealed_query(encrypted, now, **changed), envelope(encrypted)


def opened_reply(body: bytes, key: str = AES_KEY) -> str:
    """The reply as wechatpy reads it; raises when the signature or anything else is wrong."""
    text = body.decode()
    found = re.search(r"<MsgSignature><!\[CDATA\[(.*?)]]>.*<TimeStamp>(.*?)<.*<Nonce><!\[CDATA\[(.*?)]]>", text)
    return WeChatCrypto(TOKEN, key, APP_ID).decrypt_message(text, *found.groups())


def counted(outcome: str) -> float:
    """How many pushes ended so."""
    return REGISTRY.get_sample_value("wxbot_pushes_total", {"outcome": outcome}) or 0.0


@contextmanager
def counts(outcome: str, times: int = 1) -> Iterator[None]:
    """Check that `times` pushes end so inside."""
    before = counted(outcome)
    yield
    assert counted(outcome) - before == times


class Talk:
    """A conversation that says what it is told to; `heard` and `sent` keep what went through it."""

    def __init__(self, hear: Callable[[Any], Any] = lambda heard: "好的") -> None:
        self._hear = hear
        self.heard: list[Any] = []
        self.called = asyncio.Event()
        self.sent: list[Any] = []

    def hear(self, heard: Any) -> Any:
        self.heard.append(heard)
        self.called.set()
        return self._hear(heard)

    async def late(self, heard: Any, said: Any) -> None:
        self.sent.append((heard.from_user, said))


class Served:
    """A real server on loopback, spoken to byte by byte."""

    def __init__(self, port: int, talk: Talk, door: PushDoor, server: QuickServer) -> None:
        self.port, self.talk, self.door, self.server = port, talk, door, server

    async def raw(self, sent: bytes, *, within: float = 2.0) -> bytes:
        """All the server says until it closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(sent)
            return await asyncio.wait_for(reader.read(), within)
        except ConnectionResetError:  # closed while we were still sending
            return b""
        finally:
            writer.close()

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str, bytes]:
        """Status, head and body of one answer over a connection of its own."""
        answer = await self.raw(request(method, path, body, Connection="close", **headers))
        head, _, content = answer.partition(b"\r\n\r\n")
        return int(head.split()[1]), head.decode("latin1"), content

    async def post(self, query: str, body: bytes, **headers: str) -> tuple[int, str, bytes]:
        return await self.ask("POST", f"/wx/push?{query}", body, **headers)


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """One HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *(f"{name}: {value}" for name, value in headers.items())]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@asynccontextmanager
async def serving(
    talk: Talk | None = None, *, codec: PushCodec | None = None, routes: Any = (), **timing: float
) -> AsyncIterator[Served]:
    """Serve a push door before an application with `routes`."""
    talk = talk or Talk()
    door_timing = {name: timing.pop(name) for name in ("answer_within",) if name in timing}
    door = PushDoor(codec or new_codec(), talk, lambda: NOW, **door_timing)
    application = Application(list(routes), log_function=lambda handler: None)
    idle = {"quick_path": PUSH_PATH, "idle_seconds": timing.pop("idle_seconds", 60), "turns": Turns(4)}
    server = QuickServer(PushSite(application, door, lambda: NOW, **timing), **idle)
    listening, port = bind_unused_port()
    server.add_socket(listening)
    try:
        yield Served(port, talk, door, server)
    finally:
        server.stop()
        await door.drain(1)
        await server.close_all_connections()
