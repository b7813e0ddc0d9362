"""The message cipher of the WeChat side, written independently of the product's, so that each checks the other."""

import base64
import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 32


class CipherError(Exception):
    """A text that is not what the cipher makes; the words say what was wrong, for the journal."""


def signature(*parts: str) -> str:
    """SHA-1 over the sorted parts, in hex."""
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


class MessageCipher:
    """AES-256-CBC with the key's first half as IV, blocks padded to 32, the app id at the end."""

    def __init__(self, aes_key: str, app_id: str) -> None:
        self._key = base64.b64decode(aes_key + "=", validate=True)
        self._app_id = app_id

    def encrypt(self, text: str, *, salt: bytes, app_id: str | None = None, pad: int | None = None) -> str:
        """Base64 of the cipher text. `app_id` and `pad` (a wrong pad byte) are for sending what must be refused."""
        message = text.encode()
        tail = (self._app_id if app_id is None else app_id).encode()
        clear = salt + len(message).to_bytes(4, "big") + message + tail
        count = BLOCK - len(clear) % BLOCK
        clear += bytes([count if pad is None else pad]) * count
        sealer = self._cipher().encryptor()
        return base64.b64encode(sealer.update(clear) + sealer.finalize()).decode()

    def decrypt(self, sealed: str) -> str:
        """The message; CipherError for any fault of form, padding, length or app id."""
        try:
            raw = base64.b64decode(sealed, validate=True)
        except ValueError:
            raise CipherError("not base64") from None
        if not raw or len(raw) % 16:
            raise CipherError("the length is no multiple of 16")
        opener = self._cipher().decryptor()
        return self._read(opener.update(raw) + opener.finalize())

    def _read(self, clear: bytes) -> str:
        count = clear[-1]
        if not 1 <= count <= BLOCK or clear[-count:] != bytes([count]) * count:
            raise CipherError("bad padding (or another key)")
        clear = clear[:-count]
        ends = 20 + int.from_bytes(clear[16:20], "big")
        if len(clear) < 20 or ends > len(clear):
            raise CipherError("the length inside is too large")
        if not hmac.compare_digest(clear[ends:], self._app_id.encode()):
            raise CipherError("another app id")
        try:
            return clear[20:ends].decode()
        except UnicodeDecodeError:
            raise CipherError("not UTF-8") from None

    def _cipher(self) -> Cipher:
        return Cipher(algorithms.AES(self._key), modes.CBC(self._key[:16]))
