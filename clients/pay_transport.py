"""Calls to WeChat Pay: signed over the very bytes that go out, and believed only where WeChat Pay has signed."""

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from clients import pay_proof
from clients.errors import RemoteDown
from clients.http import Answer, Peer
from clients.pay_codes import KIND_OF, Meanings, failure
from clients.pay_crypto import Merchant
from clients.pay_keys import PlatformKeys


class Transport:
    """One merchant's calls; a `target` is path and query, already in the letters of a URL."""

    def __init__(self, api: Peer, merchant: Merchant, keys: PlatformKeys) -> None:
        self._api = api
        self._merchant = merchant
        self._keys = keys

    async def get(self, target: str, operation: str, within: float | None = None) -> Answer:
        """A 200 that is proved; else what `failure` makes of it, or RemoteDown (unknown)."""
        answer = await self.send("GET", target, operation, within=within)
        return self.proved(expected(answer, 200))

    async def post(
        self,
        target: str,
        operation: str,
        body: Mapping[str, object],
        *,
        within: float | None = None,
        status: int = 200,
        meanings: Meanings = KIND_OF,
    ) -> Answer:
        """As `get`, with a body in JSON."""
        raw = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        answer = await self.send("POST", target, operation, raw=raw, within=within)
        return self.proved(expected(answer, status, meanings))

    async def send(
        self,
        method: str,
        target: str,
        operation: str,
        *,
        raw: bytes | None = None,
        within: float | None = None,
        peer: Peer | None = None,
    ) -> Answer:
        """Whatever comes back below 500, not proved."""
        peer = peer or self._api
        signed = urlsplit(peer.base_url).path + target
        headers = {"Authorization": self._merchant.authorization(method, signed, raw or b"")}
        if raw is not None:
            headers["Content-Type"] = "application/json"
        if serial := self._keys.preferred(self._merchant.now()):
            headers["Wechatpay-Serial"] = serial
        return await peer.call(method, target, operation=operation, raw=raw, headers=headers, within=within)

    def proved(self, answer: Answer, keys: PlatformKeys | None = None) -> Answer:
        """The answer, if WeChat Pay has signed it now; without that it is no answer: RemoteDown (unknown)."""
        headers = {name: answer.headers.get_list(name) for name in pay_proof.NAMES}
        try:
            pay_proof.check(keys or self._keys, headers, answer.body, self._merchant.now())
        except pay_proof.Unproved as no:
            raise RemoteDown(answer.peer, no.why, status=answer.status, unknown=True) from None
        return answer


def expected(answer: Answer, status: int, meanings: Meanings = KIND_OF) -> Answer:
    """The answer, if it has this status; else what its code means is raised."""
    if answer.status != status:
        raise failure(answer, meanings)
    return answer
