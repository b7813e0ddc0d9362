"""How a day's bill is had: WeChat Pay names an address and a SHA-1, signed; the file itself is not signed."""

import asyncio
import hmac
from collections.abc import Callable
from hashlib import sha1
from typing import TypeVar

from clients.errors import RemoteDown, RemoteRefused
from clients.http import Peer
from clients.pay_codes import NoBill
from clients.pay_transport import Transport, expected
from clients.pay_wire import BillWire

Line = TypeVar("Line")


class BillFiles:
    """`peer` is for the files, which are large and slow; it has the API's own base URL."""

    def __init__(self, transport: Transport, peer: Peer) -> None:
        self._transport = transport
        self._peer = peer

    async def lines(self, target: str, operation: str, read: Callable[[bytes], list[Line]]) -> list[Line]:
        """What `read` finds in the bill; none on a day without any."""
        try:
            answer = await self._transport.get(target, operation)
        except NoBill:
            return []
        wire = answer.read(BillWire)
        if not wire.download_url.startswith(f"{self._peer.base_url}/"):  # what we sign goes nowhere else
            raise RemoteRefused(self._peer.name, "foreign_address")
        target = wire.download_url.removeprefix(self._peer.base_url)
        answer = await self._transport.send("GET", target, f"{operation}_file", peer=self._peer)
        body = expected(answer, 200).body
        return await asyncio.to_thread(self._read, body, wire.hash_value.lower(), read)  # seconds, for a great day

    def _read(self, body: bytes, digest: str, read: Callable[[bytes], list[Line]]) -> list[Line]:
        found = sha1(body, usedforsecurity=False).hexdigest()
        if not hmac.compare_digest(found.encode(), digest.encode()):
            raise RemoteDown(self._peer.name, "wrong_sha1")
        try:
            return read(body)
        except ValueError:
            raise RemoteDown(self._peer.name, "wrong_bill") from None
