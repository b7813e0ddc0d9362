"""The planet tells our client what happened: Standard Webhooks, retried for three days, with switches.

The switches (`world.faults`, side `planet`, operation `planet.event`): doubled, reordered,
wrong_signature, old_timestamp. Each attempt, with the switch that was used, stands in the journal.
"""

import asyncio
import base64
import binascii
import hmac
import json
from collections import deque
from dataclasses import dataclass
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from sandbox.planet_members import Membership, moment, rfc3339
from sandbox.world import World

RETRY_SECONDS = (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 72000)
"""The delay before each attempt; together just under three days."""
ANSWER_SECONDS = 5
STALE_SECONDS = 600
HELD_AT_MOST = 3
HELD_SECONDS = 10
KEPT = 10_000
OPERATION = "planet.event"


def secret_bytes(secret: str) -> bytes:
    """The key inside `whsec_<base64>`; ValueError when it has another form."""
    head, _, text = secret.partition("_")
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error as broken:
        raise ValueError("a webhook secret is whsec_<base64>") from broken
    if head != "whsec" or not key:
        raise ValueError("a webhook secret is whsec_<base64>")
    return key


def signature(secret: str, event_id: str, timestamp: str, body: bytes) -> str:
    """The value of `webhook-signature` for one secret."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret_bytes(secret), signed, "sha256")).decode()


@dataclass(eq=False)
class Event:
    """One event on its way; `state` is waiting, held, delivered or given_up."""

    event_id: str
    kind: str
    body: bytes
    due_at: float
    made_at: float
    fault: str = ""
    attempts: int = 0
    state: str = "waiting"
    last_status: int | None = None


class Events:
    """The queue of one planet towards one receiver; without `url` events are made and go nowhere."""

    def __init__(self, world: World, url: str | None, secret: str | None) -> None:
        self.world = world
        self.url = url
        if secret:
            secret_bytes(secret)  # a bad one is refused here, not at the first event
        self.secrets = [secret] if secret else []
        """all of them sign, so that the receiver can rotate"""
        self.time_factor = 1.0
        """0.01 makes the retry table a hundred times faster"""
        self.history: deque[Event] = deque(maxlen=KEPT)
        """the last events, oldest first, whatever became of them"""
        self._queue: list[Event] = []
        self._running = asyncio.Lock()

    def emit(self, kind: str, group_id: str, membership: Membership) -> Event | None:
        """Queue one event about a membership; free memberships are nobody's business."""
        if membership.source == "free":
            return None
        now = self.world.now()
        data = {"group_id": group_id, "member_uid": membership.account.uid, "source": membership.source}
        data |= {"order_ref": membership.order_ref} if membership.order_ref else {"ref": membership.ref}
        data |= {"paid_fen": membership.paid_fen, "starts_at": rfc3339(membership.starts_at)}
        data |= {"ends_at": rfc3339(membership.ends_at), "version": membership.version}
        return self.emit_body({"type": kind, "timestamp": rfc3339(moment(now)), "data": data})

    def emit_body(self, content: dict[str, Any]) -> Event:
        """Queue any body (a test may send an unknown type or a wrong shape)."""
        now = self.world.now()
        fault = self.world.faults.take("planet", OPERATION, outgoing=True)
        body = json.dumps(content, ensure_ascii=False).encode()
        kind = str(content.get("type", ""))
        event = Event(self.world.new_id("msg_"), kind, body, now, now, fault.kind if fault else "")
        if event.fault == "reordered":
            event.state = "held"
        self.history.append(event)
        if self.url:
            self._queue.append(event)
            self._let_go()
        return event

    def send_again(self, event: Event) -> None:
        """Queue an event once more under its old id, as a retry of one that was answered."""
        event.state, event.due_at = "waiting", self.world.now()
        if event not in self._queue:
            self._queue.append(event)

    @property
    def waiting(self) -> list[Event]:
        """What is not delivered yet."""
        return list(self._queue)

    async def deliver_due(self) -> int:
        """Send every event whose time has come; returns how many were delivered."""
        async with self._running:
            self._let_go()
            now = self.world.now()
            due = [one for one in self._queue if one.state == "waiting" and one.due_at <= now]
            for event in due:
                await self._attempt(event)
            return sum(event.state == "delivered" for event in due)

    def _let_go(self) -> None:
        """Free held events backwards: behind a later one, when three are held, or after ten seconds."""
        held = [one for one in self._queue if one.state == "held"]
        if not held:
            return
        is_late = self.world.now() >= held[0].made_at + HELD_SECONDS
        has_later = self._queue[-1].state != "held"
        if is_late or has_later or len(held) >= HELD_AT_MOST:
            others = [one for one in self._queue if one.state != "held"]
            for event in held:
                event.state = "waiting"
            self._queue = others + held[::-1]

    async def _attempt(self, event: Event) -> None:
        if event.attempts:
            fault = self.world.faults.take("planet", OPERATION, outgoing=True)
            event.fault = fault.kind if fault else ""
        event.attempts += 1
        times = 2 if event.fault == "doubled" else 1
        statuses = await asyncio.gather(*(self._post(event) for _ in range(times)))
        event.last_status = statuses[-1]
        if all(200 <= status < 300 for status in statuses):
            event.state = "delivered"
        elif event.attempts >= len(RETRY_SECONDS):
            event.state = "given_up"
        if event.state == "waiting":
            event.due_at = self.world.now() + RETRY_SECONDS[event.attempts] * self.time_factor
        else:
            self._queue.remove(event)

    def _headers(self, event: Event) -> dict[str, str]:
        shift = STALE_SECONDS if event.fault == "old_timestamp" else 0
        timestamp = str(int(self.world.now()) - shift)
        signatures = [signature(secret, event.event_id, timestamp, event.body) for secret in self.secrets]
        if event.fault == "wrong_signature":
            wrong = "whsec_" + base64.b64encode(b"somebody else's secret, 32 bytes").decode()
            signatures = [signature(wrong, event.event_id, timestamp, event.body)]
        return {
            "Content-Type": "application/json",
            "webhook-id": event.event_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(signatures),
        }

    async def _post(self, event: Event) -> int:
        """One attempt; 0 means no answer."""
        status, answer = 0, b""
        request = HTTPRequest(self.url or "", method="POST", headers=self._headers(event), body=event.body)
        request.request_timeout = request.connect_timeout = ANSWER_SECONDS
        request.follow_redirects = False
        try:
            response = await AsyncHTTPClient().fetch(request, raise_error=False)
            status, answer = response.code, response.body or b""
        except (HTTPClientError, OSError):  # refused, cut or timed out: no answer
            status = 0
        self._journal(event, status, answer)
        return status

    def _journal(self, event: Event, status: int, answer: bytes) -> None:
        self.world.journal.add(
            at=self.world.now(),
            side="planet",
            direction="out",
            operation=OPERATION,
            method="POST",
            path=self.url or "",
            status=status,
            request=event.body.decode(),
            response=answer[:2000].decode(errors="replace"),
            fault=event.fault,
            more={"id": event.event_id, "attempt": event.attempts, "type": event.kind},
        )
