"""The cryptography of WeChat Pay v3, written independently of the product's, so that each checks the other."""

import base64
from functools import cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

SCHEME = "WECHATPAY2-SHA256-RSA2048"
CIPHER = "AEAD_AES_256_GCM"


@cache
def private_key(pem: bytes) -> RSAPrivateKey:
    """The key in a PEM; TypeError when it is no RSA key."""
    key = load_pem_private_key(pem, None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("WeChat Pay signs with RSA keys")
    return key


@cache
def certified_key(certificate_pem: bytes) -> RSAPublicKey:
    """The public key in a certificate; TypeError when it is no RSA key."""
    key = load_pem_x509_certificate(certificate_pem).public_key()
    if not isinstance(key, RSAPublicKey):
        raise TypeError("WeChat Pay signs with RSA keys")
    return key


def lines(*parts: str | bytes) -> bytes:
    """What is signed: each part and a line feed, also behind the last."""
    return b"".join((part.encode() if isinstance(part, str) else part) + b"\n" for part in parts)


def sign(private_pem: bytes, message: bytes) -> str:
    """RSA-SHA256 with PKCS #1 v1.5, in base64."""
    return base64.b64encode(private_key(private_pem).sign(message, PKCS1v15(), SHA256())).decode()


def is_signed(certificate_pem: bytes, message: bytes, signature: str) -> bool:
    """Whether the certificate's owner signed exactly this."""
    try:
        raw = base64.b64decode(signature, validate=True)
        certified_key(certificate_pem).verify(raw, message, PKCS1v15(), SHA256())
    except (ValueError, InvalidSignature):
        return False
    return True


def seal(api_v3_key: str, clear: bytes, *, nonce: str, about: str) -> str:
    """AES-256-GCM under the APIv3 key, in base64; `about` is not secret but cannot be changed."""
    return base64.b64encode(AESGCM(api_v3_key.encode()).encrypt(nonce.encode(), clear, about.encode())).decode()
