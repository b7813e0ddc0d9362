"""Keys for the pretend WeChat Pay, made once for each process: good for nothing else, and in no repository."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509 import CertificateBuilder, Name, NameAttribute, random_serial_number
from cryptography.x509.oid import NameOID

FROM, UNTIL = datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC)
"""Tests move their clocks far: no certificate ends on the way."""


@dataclass(frozen=True)
class Keys:
    """A key pair with its certificate; all PEM."""

    private_pem: bytes
    public_pem: bytes
    certificate_pem: bytes
    serial: str


@cache
def throw_away(name: str) -> Keys:
    """The keys of this name; the same ones as long as the process lives."""
    key, number = generate_private_key(65537, 2048), random_serial_number() | 1 << 158  # always 40 digits
    owner = Name([NameAttribute(NameOID.ORGANIZATION_NAME, "sandbox"), NameAttribute(NameOID.COMMON_NAME, name)])
    made = CertificateBuilder(owner, owner, key.public_key(), number, FROM, UNTIL).sign(key, SHA256())
    return Keys(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        made.public_bytes(Encoding.PEM),
        f"{number:040X}",
    )
