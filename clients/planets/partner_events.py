"""The partner contract's events: proved by Standard Webhooks (https://www.standardwebhooks.com), then read as JSON."""

import base64
import binascii
import hmac
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from clients import strict_json
from clients.planets import EventForged, EventMalformed, PlanetNews
from clients.planets.partner_wire import Fen, Id, Moment, Version

WINDOW_SECONDS = 300
MOST_SIGNATURES = 8  # two secrets while they rotate; more is nobody's honest call
EVENT_ID = re.compile(r"[0-9A-Za-z_-]{1,128}").fullmatch  # no dot: what is signed must fall into its parts in one way
TIMESTAMP = re.compile(r"[0-9]{10}").fullmatch
KINDS = {f"membership.{kind}" for kind in ("purchased", "renewed", "refunded", "expired", "removed")}


def key_of(secret: str) -> bytes:
    """The key inside `whsec_<base64>`; ValueError when it has another form."""
    head, _, text = secret.partition("_")
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if head != "whsec" or not key:
        raise ValueError("a webhook secret is whsec_<base64>")
    return key


class Proof:
    """Tells the planet's own calls from all others, by any of the secrets that are valid now."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._keys = [key_of(secret) for secret in secrets]

    def check(self, headers: dict[str, list[str]], body: bytes, now: float) -> str:
        """The event's id; EventForged for every fault of header, signature or time. `now` is unix seconds."""
        found = [headers.get(f"webhook-{name}", []) for name in ("id", "timestamp", "signature")]
        if any(len(values) != 1 for values in found):
            raise EventForged
        (event_id,), (timestamp,), (given,) = found
        if not (EVENT_ID(event_id) and TIMESTAMP(timestamp) and given.isascii()):
            raise EventForged
        if not self._is_signed(f"{event_id}.{timestamp}.".encode() + body, given):
            raise EventForged
        if not -WINDOW_SECONDS <= now - int(timestamp) <= WINDOW_SECONDS:
            raise EventForged
        return event_id

    def _is_signed(self, signed: bytes, given: str) -> bool:
        signatures = [one.removeprefix("v1,") for one in given.split(" ") if one.startswith("v1,")]
        if len(signatures) > MOST_SIGNATURES:
            return False
        true = [base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in self._keys]
        return any([hmac.compare_digest(one, other) for one in true for other in signatures])  # noqa: C419 - all of them


def _near(found: datetime) -> datetime:
    """What every database can keep."""
    if not 2000 <= found.year < 2200:
        raise ValueError("a time of another century")
    return found


Near = Annotated[Moment, AfterValidator(_near)]


class DataWire(BaseModel):
    """`data` of an event."""

    group_id: Id
    member_uid: Id
    source: Literal["paid", "partner"]
    order_ref: Id | None = None
    ref: Id | None = None
    paid_fen: Fen | None = None
    starts_at: Near
    ends_at: Near | None
    version: Version

    @model_validator(mode="after")
    def check_named(self) -> "DataWire":
        """What was paid there has its order, what we granted has our `ref`."""
        if not (self.order_ref if self.source == "paid" else self.ref):
            raise ValueError("order_ref or ref is missing")
        return self


class EventWire(BaseModel):
    """One event of a kind that we know."""

    type: str = Field(strict=True)
    timestamp: Near
    data: DataWire


def read(body: bytes) -> PlanetNews | None:
    """What happened; None for a kind that is new to us. EventMalformed for anything that is not of the contract."""
    try:
        found = strict_json.loads(body)
        kind = found["type"]
        if not isinstance(kind, str) or not 1 <= len(kind) <= 64:
            raise EventMalformed
        if kind not in KINDS:
            return None
        event = EventWire.model_validate(found)
    except (ValueError, LookupError, TypeError, ValidationError):
        raise EventMalformed from None
    return PlanetNews(kind=kind.removeprefix("membership."), told_at=event.timestamp, **event.data.model_dump())
