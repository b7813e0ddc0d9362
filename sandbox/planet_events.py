"""The planet tells our client what happened: Standard Webhooks, retried for three days, with switches.

The switches (`world.faults`, side `planet`, operation `planet.event`): doubled, reordered,
wrong_signature, old_timestamp. Each attempt, with the switch that was used, stands in the journal.
"""

import base64
import binascii
import hmac
import json
from typing import Any

from sandbox.letters import Letter, Letters
from sandbox.planet_members import Membership, moment, rfc3339
from sandbox.world import World

RETRY_SECONDS = (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 72000)
"""The delay before each attempt; together just under three days."""
STALE_SECONDS = 600
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


class Events(Letters):
    """The queue of one planet towards one receiver; without `url` events are made and go nowhere."""

    side = "planet"
    retry_seconds = RETRY_SECONDS

    def __init__(self, world: World, url: str | None, secret: str | None) -> None:
        super().__init__(world)
        self.url = url
        if secret:
            secret_bytes(secret)  # a bad one is refused here, not at the first event
        self.secrets = [secret] if secret else []
        """all of them sign, so that the receiver can rotate"""

    def emit(self, kind: str, group_id: str, membership: Membership) -> Letter | None:
        """Queue one event about a membership; free memberships are nobody's business."""
        if membership.source == "free":
            return None
        now = self.world.now()
        data = {"group_id": group_id, "member_uid": membership.account.uid, "source": membership.source}
        data |= {"order_ref": membership.order_ref} if membership.order_ref else {"ref": membership.ref}
        data |= {"paid_fen": membership.paid_fen, "starts_at": rfc3339(membership.starts_at)}
        data |= {"ends_at": rfc3339(membership.ends_at), "version": membership.version}
        return self.emit_body({"type": kind, "timestamp": rfc3339(moment(now)), "data": data})

    def emit_body(self, content: dict[str, Any]) -> Letter:
        """Queue any body (a test may send an unknown type or a wrong shape)."""
        now, kind = self.world.now(), str(content.get("type", ""))
        what = {"id": self.world.new_id("msg_"), "kind": kind, "operation": OPERATION, "content": content}
        letter = Letter(**what, url=self.url or "", due_at=now, made_at=now)
        self.post(letter)
        return letter

    def address(self, letter: Letter) -> str:
        """The receiver may move."""
        return self.url or ""

    def wire(self, letter: Letter) -> tuple[dict[str, str], bytes]:
        """Signed anew with every live secret."""
        body = json.dumps(letter.content, ensure_ascii=False).encode()
        shift = STALE_SECONDS if letter.fault == "old_timestamp" else 0
        timestamp = str(int(self.world.now()) - shift)
        wrong = "whsec_" + base64.b64encode(b"somebody else's secret, 32 bytes").decode()
        secrets = [wrong] if letter.fault == "wrong_signature" else self.secrets
        headers = {"Content-Type": "application/json", "webhook-id": letter.id, "webhook-timestamp": timestamp}
        signatures = [signature(secret, letter.id, timestamp, body) for secret in secrets]
        return headers | {"webhook-signature": " ".join(signatures)}, body
