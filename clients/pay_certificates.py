"""Platform certificates, fetched when they are old or an unknown serial came up; never often, never for a notice."""

from clients.errors import ConfigRefused, RemoteDown
from clients.http import Answer
from clients.pay_crypto import unseal
from clients.pay_keys import PlatformKey, PlatformKeys, read_certificate
from clients.pay_transport import Transport, expected
from clients.pay_wire import CertificatesWire, CertificateWire

FRESH_SECONDS = 12 * 3600
APART_SECONDS = 300
PATH = "/v3/certificates"


class Certificates:
    """Keeps those of `keys` fresh; a merchant with a public key needs none."""

    def __init__(self, transport: Transport, keys: PlatformKeys, api_v3_key: bytes) -> None:
        self._transport = transport
        self._keys = keys
        self._api_v3_key = api_v3_key
        self._asked_at = self._had_at = float("-inf")

    async def refresh(self, now: float) -> None:
        """Fetches them if that is due; RemoteDown, RemoteRefused, and then what we have still counts."""
        if not self._is_due(now):
            return
        self._asked_at = now
        answer = expected(await self._transport.send("GET", PATH, "certificates"), 200)
        self._keys.renew(self._trusted(answer))
        self._had_at = now

    def _is_due(self, now: float) -> bool:
        if not self._keys.lives_on_certificates or 0 <= now - self._asked_at < APART_SECONDS:
            return False
        return self._keys.wants_refresh or self._keys.has_none or not 0 <= now - self._had_at < FRESH_SECONDS

    def _trusted(self, answer: Answer) -> list[PlatformKey]:
        """Who sealed them knows our APIv3 key; who signed the answer must be one of them."""
        found = [self._opened(answer.peer, one) for one in answer.read(CertificatesWire).data]
        self._transport.proved(answer, PlatformKeys(certificates=found))
        return found

    def _opened(self, peer: str, wire: CertificateWire) -> PlatformKey:
        sealed = wire.encrypt_certificate.model_dump(exclude={"algorithm"})
        try:
            pem = unseal(self._api_v3_key, **sealed)
        except ValueError:
            raise ConfigRefused(peer, "wrong_api_v3_key") from None
        try:
            return read_certificate(pem, wire.serial_no)
        except ValueError:
            raise RemoteDown(peer, "wrong_body", unknown=True) from None
