"""The planet's side of an event, made with bare `hmac`: not with the code under test."""

import base64
import hmac
import json
from typing import Any

from models.news import PlanetEvent
from tests.attack_kit import Answer, ask
from tests.site import WEBHOOK_SECRET, Site

EVENTS = "/planets/partner/events"
ID = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"
DATA = {
    "group_id": "g1", "member_uid": "m-anna", "source": "paid", "order_ref": "O-1", "paid_fen": 19900,
    "starts_at": "2026-11-01T00:00:00Z", "ends_at": "2027-11-01T00:00:00Z", "version": 1,
}  # fmt: skip
EVENT = {"type": "membership.purchased", "timestamp": "2026-11-01T00:00:00Z", "data": DATA}


def body_of(event: Any = EVENT) -> bytes:
    """As it goes over the wire."""
    return json.dumps(event, ensure_ascii=False).encode()


def signed(site: Site, body: bytes, *, event_id: str = ID, secret: str = WEBHOOK_SECRET, late: float = 0) -> Any:
    """The three headers of an honest call; `late` shifts its time, in seconds."""
    stamp = str(int(site.clock.now().timestamp() + late))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    sealed = hmac.digest(key, f"{event_id}.{stamp}.".encode() + body, "sha256")
    signature = f"v1,{base64.b64encode(sealed).decode()}"
    return {"webhook_id": event_id, "webhook_timestamp": stamp, "webhook_signature": signature}


async def tells(site: Site, event: Any = EVENT, **how: Any) -> Answer:
    """The planet tells of an event."""
    body = event if isinstance(event, bytes) else body_of(event)
    return await ask(site, EVENTS, "POST", body=body, **signed(site, body, **how))


async def kept(site: Site) -> list[PlanetEvent]:
    """What we have kept, oldest first."""
    return await site.ctx.read(lambda _env: list(PlanetEvent.select().order_by(PlanetEvent.id)))
