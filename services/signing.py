"""What our own secret keys are for: deriving codes that can be shown again, and sealing what a row must keep."""

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from models.errors import StateInvalid
from services.config import Config


def derive(key: str, purpose: str, value: str) -> bytes:
    """32 bytes that only a holder of `key` can find, different for each purpose."""
    return hmac.digest(key.encode(), f"{purpose}\n{value}".encode(), "sha256")


def short_code(key: str, purpose: str, value: str) -> str:
    """80 bits as 16 letters and digits, without padding."""
    return base64.b32encode(derive(key, purpose, value)[:10]).decode().lower()


def fingerprint(key: str, purpose: str, value: str) -> str:
    """A hex digest that cannot be turned round by trying all phone numbers."""
    return derive(key, purpose, value).hex()


def is_fingerprint(config: Config, purpose: str, value: str, known: str) -> bool:
    """True when `known` is the fingerprint of `value` under any of our keys (they rotate)."""
    made = (fingerprint(key, purpose, value) for key in config.secret_keys)
    return any(hmac.compare_digest(one.encode(), known.encode()) for one in made)  # of letters, only ASCII is compared


def sealer(config: Config) -> MultiFernet:
    """Encrypts with the first key, decrypts with every key."""
    digests = (hashlib.sha256(b"seal\n" + key.encode()).digest() for key in config.secret_keys)
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


def seal(config: Config, text: str) -> str:
    """Text that only we can read again."""
    return sealer(config).encrypt(text.encode()).decode()


def unseal(config: Config, sealed: str) -> str:
    """What was sealed; raises StateInvalid when none of our keys opens it."""
    try:
        return sealer(config).decrypt(sealed.encode()).decode()
    except InvalidToken:
        raise StateInvalid from None


def token(key: str, purpose: str, value: str, *, bits: int) -> str:
    """So many bits as hex, up to 256: a secret that can be made again and need not be stored."""
    return derive(key, purpose, value)[: bits // 8].hex()
