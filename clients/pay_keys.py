"""The keys that WeChat Pay signs with, each under its serial: one public key, certificates, or both for a while."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from clients.pay_crypto import LEAST_BITS


@dataclass(frozen=True, slots=True)
class PlatformKey:
    """One of them, with the span of unix time in which it counts."""

    serial: str
    key: RSAPublicKey
    starts_at: float = -inf
    ends_at: float = inf

    def counts(self, now: float) -> bool:
        """Whether it may be believed at `now`."""
        return self.starts_at <= now <= self.ends_at


class PlatformKeys:
    """Every key that is known here; a serial that is not only leaves the wish for newer certificates."""

    def __init__(self, public_key: PlatformKey | None = None, certificates: Iterable[PlatformKey] = ()) -> None:
        self._public_key = public_key
        self._certificates = {one.serial: one for one in certificates}
        self.wants_refresh = False

    @classmethod
    def of(cls, public_key_id: str, public_key_pem: bytes | None, certificates: Sequence[bytes] = ()) -> "PlatformKeys":
        """As the settings name them (PEM); ValueError says what is wrong with a file."""
        public_key = None
        if public_key_pem is not None:
            if not public_key_id:
                raise ValueError("a public key of WeChat Pay needs its id (PUB_KEY_ID_…)")
            public_key = PlatformKey(public_key_id, read_public_key(public_key_pem))
        return cls(public_key, [read_certificate(one) for one in certificates])

    @property
    def lives_on_certificates(self) -> bool:
        """Whether there is no public key, so that certificates have to be renewed."""
        return self._public_key is None

    @property
    def has_none(self) -> bool:
        """Whether nothing could be proved."""
        return self.lives_on_certificates and not self._certificates

    def find(self, serial: str, now: float) -> RSAPublicKey | None:
        """The key under this serial, None when none counts at `now`: then newer certificates are wanted."""
        known = self._public_key
        if known is None or known.serial != serial:
            known = self._certificates.get(serial)
        if known and known.counts(now):
            return known.key
        self.wants_refresh = True
        return None

    def preferred(self, now: float) -> str:
        """The serial that should sign the next answer: the public key's, else the newest certificate's (or none)."""
        if self._public_key:
            return self._public_key.serial
        counting = [one for one in self._certificates.values() if one.counts(now)]
        return max(counting, key=lambda one: one.starts_at).serial if counting else ""

    def renew(self, certificates: Iterable[PlatformKey]) -> None:
        """Takes WeChat's list of today for the whole truth about certificates."""
        self._certificates = {one.serial: one for one in certificates}
        self.wants_refresh = False


def read_public_key(pem: bytes) -> RSAPublicKey:
    """WeChat Pay's public key; ValueError says what is wrong with the file."""
    try:
        return _rsa(load_pem_public_key(pem))
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("no RSA public key in PEM (wanted: pub_key.pem)") from None


def read_certificate(pem: bytes, serial: str = "") -> PlatformKey:
    """A platform certificate, under the `serial` that WeChat gave it or its own; ValueError says what is wrong."""
    try:
        found = x509.load_pem_x509_certificate(pem)
        key = _rsa(found.public_key())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("no RSA certificate in PEM (wanted: wechatpay_….pem)") from None
    number = found.serial_number
    own = number.to_bytes((number.bit_length() + 7) // 8).hex().upper()
    starts_at, ends_at = found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp()
    return PlatformKey(serial or own, key, starts_at, ends_at)


def _rsa(key: object) -> RSAPublicKey:
    if not isinstance(key, RSAPublicKey) or key.key_size < LEAST_BITS:
        raise ValueError("another kind of key")
    return key
