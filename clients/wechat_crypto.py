"""WeChat's push codec: prove, open and read what comes; write, seal and sign what goes back.

No clock and no randomness inside: `now` (whole seconds) and 16 random bytes are handed in.
"""

import re
from base64 import b64decode
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha1
from hmac import compare_digest
from typing import Literal

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from clients import wechat_arguments, wechat_json, wechat_xml
from clients.wechat_heard import Heard, PushRejected, heard_from

Mode = Literal["safe", "compatible", "plain"]
Said = str | Mapping[str, str] | None
"""A text, one card (see `wechat_xml.news_reply`), or nothing to say."""

WINDOW_SECONDS = 600
BLOCK = 32  # WeChat pads to 32, though AES has blocks of 16
_AES_KEY = re.compile(r"[A-Za-z0-9+/]{43}").fullmatch
_PADDINGS = [bytes([count]) * count for count in range(BLOCK + 1)]


@dataclass(slots=True)
class Letter:
    """A push that is proved and read, and how its answer must look."""

    heard: Heard
    sealed: bool
    as_json: bool


def _cipher(aes_key: str) -> Cipher:
    """The cipher of one EncodingAESKey; its IV is fixed by WeChat."""
    if not _AES_KEY(aes_key):
        raise ValueError("an EncodingAESKey has 43 letters of base64")
    key = b64decode(aes_key + "=")
    return Cipher(AES(key), CBC(key[:16]))


class PushCodec:
    """Opens and answers the pushes of one account. Every fault is a `PushRejected`, whatever it was.

    Modes: `safe` refuses a body that is not encrypted. `compatible` reads the encrypted part where the
    push says that there is one, else the body as it stands; `plain` reads only the latter. A signature
    over a plain body proves that WeChat once sent that timestamp and nonce, not that it sent this body.
    One codec serves one thread.
    """

    Rejected = PushRejected

    def __init__(
        self, token: str, aes_keys: list[str], app_id: str, mode: Mode, new_random16: Callable[[], bytes]
    ) -> None:
        """`aes_keys`: the first encrypts, all decrypt. Raise ValueError for what cannot work."""
        if mode not in ("safe", "compatible", "plain"):
            raise ValueError("the mode is safe, compatible or plain")
        if mode != "plain" and not aes_keys:
            raise ValueError(f"mode {mode} needs an EncodingAESKey")
        self._token = token
        ciphers = [_cipher(key) for key in aes_keys]
        # One context serves all messages, which saves making two of them for each. The chain then runs on
        # from the message before instead of starting at the IV; that reaches only the first block, and the
        # first block is 16 random bytes that nobody reads.
        self._decrypts = [cipher.decryptor().update for cipher in ciphers]
        self._encrypt = ciphers[0].encryptor().update if ciphers else None
        self._app_id = app_id.encode()
        self._mode = mode
        self._new_random16 = new_random16

    def sign(self, *parts: str) -> str:
        """WeChat's signature: SHA-1 over the sorted parts and the token (its choice, and its only one)."""
        whole = "".join(sorted((self._token, *parts)))
        return sha1(whole.encode("utf-8", "surrogatepass")).hexdigest()  # noqa: S324  # nosec B324

    def echo(self, query: str, now: int) -> bytes:
        """What a console's "verify this address" wants to read back."""
        given = wechat_arguments.read(query)
        self._check(given, "signature", now)
        if "echostr" not in given:
            raise PushRejected("arguments")
        return given["echostr"].encode("ascii")

    def open(self, query: str, body: bytes, now: int) -> Letter:
        """The message in a push: arguments, signature, time, decryption, app id and schema, in that order."""
        given = wechat_arguments.read(query)
        as_json = body.lstrip()[:1] == b"{"
        says_sealed = self._mode == "compatible" and given.get("encrypt_type") == "aes"
        sealed = self._mode == "safe" or says_sealed
        if sealed:
            body = self._unsealed(given, body, as_json, now)
        else:
            self._check(given, "signature", now)
        fields = wechat_json.read(body) if body[:1] == b"{" else wechat_xml.read(body)
        return Letter(heard_from(fields), sealed, as_json)

    def answer(self, letter: Letter, said: Said, now: int) -> tuple[bytes, str]:
        """The body and media type that say `said` to whom the letter came from."""
        if not said:
            return b"success", "text/plain"
        form = wechat_json if letter.as_json else wechat_xml
        write = form.text_reply if isinstance(said, str) else form.news_reply
        reply = write(letter.heard.from_user, letter.heard.to_user, now, said)
        if letter.sealed:
            encrypted = self.encrypt(reply)
            nonce = str(int.from_bytes(self._new_random16()[:8], "big"))
            reply = form.sealed_reply(encrypted, self.sign(str(now), nonce, encrypted), now, nonce)
        media = "application/json" if letter.as_json else "text/xml"
        return reply.encode("utf-8", "replace"), media

    def _check(self, given: dict[str, str], name: str, now: int, *signed: str) -> None:
        """Raise unless the argument `name` signs timestamp, nonce and `signed`, and the time is near."""
        try:
            signature, timestamp, nonce = given[name], given["timestamp"], given["nonce"]
        except KeyError:
            raise PushRejected("arguments") from None
        if not compare_digest(self.sign(timestamp, nonce, *signed), signature):
            raise PushRejected("signature")
        if not -WINDOW_SECONDS <= now - int(timestamp) <= WINDOW_SECONDS:
            raise PushRejected("time")

    def _unsealed(self, given: dict[str, str], body: bytes, as_json: bool, now: int) -> bytes:
        if "msg_signature" not in given or given.get("encrypt_type") == "raw":
            raise PushRejected("arguments")
        encrypted = wechat_json.read(body).get("Encrypt", "") if as_json else wechat_xml.encrypted_part(body)
        if not encrypted:
            raise PushRejected("plain_body")
        self._check(given, "msg_signature", now, encrypted)
        return self.decrypt(encrypted)

    def decrypt(self, encrypted: str) -> bytes:
        """The message inside, by whichever key opens it; the caller has checked the signature before."""
        sealed = _from_base64(encrypted)
        if not sealed or len(sealed) % 16:
            raise PushRejected("cipher")
        reason = "cipher"
        for decrypt in self._decrypts:
            whole = decrypt(sealed)
            count = whole[-1]
            if not 1 <= count <= BLOCK or not whole.endswith(_PADDINGS[count]):
                continue
            end = 20 + int.from_bytes(whole[16:20], "big")
            if end > len(whole) - count:
                continue
            if compare_digest(whole[end:-count], self._app_id):
                return whole[20:end]
            reason = "app_id"
        raise PushRejected(reason)

    def encrypt(self, text: str) -> str:
        """`text` sealed with the first key, as base64."""
        message = text.encode("utf-8", "replace")
        whole = self._new_random16() + len(message).to_bytes(4, "big") + message + self._app_id
        sealed = self._encrypt(whole + _PADDINGS[BLOCK - len(whole) % BLOCK])
        return b2a_base64(sealed, newline=False).decode("ascii")


def _from_base64(text: str) -> bytes:
    """The bytes, or none when `text` has a letter too many or a wrong one (`a2b_base64` passes over it)."""
    try:
        found = a2b_base64(text)
    except ValueError:
        return b""
    return found if len(text) % 4 == 0 and len(found) == len(text) // 4 * 3 - text[-2:].count("=") else b""
