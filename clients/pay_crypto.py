"""WeChat Pay's cryptography: RSA signatures over lines of text, and AES-256-GCM under the merchant's APIv3 key."""

import base64
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

SIGNATURE_TYPE = "WECHATPAY2-SHA256-RSA2048"
LEAST_BITS = 2048


def read_private_key(pem: bytes) -> RSAPrivateKey:
    """The merchant's key; ValueError says what is wrong with the file."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("no private key in PEM, or one with a password (wanted: apiclient_key.pem)") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < LEAST_BITS:
        raise ValueError(f"the private key is not RSA of {LEAST_BITS} bits or more")
    return key


def read_api_v3_key(text: str) -> bytes:
    """The APIv3 key as the cipher takes it; ValueError when it cannot be one."""
    if not text.isascii() or len(text) != 32:
        raise ValueError("the APIv3 key has 32 characters of ASCII")
    return text.encode()


def lines(*parts: str | bytes) -> bytes:
    """What is signed: each part, and a newline after each."""
    return b"".join((part.encode() if isinstance(part, str) else part) + b"\n" for part in parts)


def sign(key: RSAPrivateKey, signed: bytes) -> str:
    """The signature as it stands in headers and on pages."""
    return base64.b64encode(key.sign(signed, PKCS1v15(), SHA256())).decode()


def is_signed(key: RSAPublicKey, signed: bytes, signature: str) -> bool:
    """Whether the signature is this key's, and spelt in the one way that base64 has for it."""
    try:
        raw = base64.b64decode(signature, validate=True)
        key.verify(raw, signed, PKCS1v15(), SHA256())
    except (ValueError, InvalidSignature):
        return False
    return hmac.compare_digest(base64.b64encode(raw), signature.encode())


def unseal(api_v3_key: bytes, *, nonce: str, associated_data: str, ciphertext: str) -> bytes:
    """The plaintext; ValueError for whatever was not sealed with this key and these data."""
    try:
        sealed = base64.b64decode(ciphertext, validate=True)
        return AESGCM(api_v3_key).decrypt(nonce.encode(), sealed, associated_data.encode())
    except InvalidTag:
        raise ValueError("not sealed with our key") from None


@dataclass(frozen=True, slots=True)
class Merchant:
    """Who we are to WeChat Pay, and how we prove it; `now` is unix time."""

    mch_id: str
    serial: str  # of the merchant's own certificate
    key: RSAPrivateKey
    now: Callable[[], float]
    new_nonce: Callable[[], str]

    def authorization(self, method: str, target: str, body: bytes) -> str:
        """The header of one request: `target` and `body` are the very ones that go out."""
        timestamp, nonce = str(int(self.now())), self.new_nonce()
        signature = sign(self.key, lines(method, target, timestamp, nonce, body))
        return (
            f'{SIGNATURE_TYPE} mchid="{self.mch_id}",nonce_str="{nonce}",timestamp="{timestamp}",'
            f'serial_no="{self.serial}",signature="{signature}"'
        )

    def bridge(self, app_id: str, prepay_id: str) -> dict[str, str]:
        """What a page hands to getBrandWCPayRequest; all of it is text, the time too."""
        timestamp, nonce, package = str(int(self.now())), self.new_nonce(), f"prepay_id={prepay_id}"
        return {
            "appId": app_id,
            "timeStamp": timestamp,
            "nonceStr": nonce,
            "package": package,
            "signType": "RSA",
            "paySign": sign(self.key, lines(app_id, timestamp, nonce, package)),
        }
