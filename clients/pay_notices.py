"""WeChat Pay's notices, looked at in this order: headers, time, serial, signature, JSON, cipher, fields, merchant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from clients import pay_proof, strict_json
from clients.pay_crypto import unseal
from clients.pay_keys import PlatformKeys
from clients.pay_wire import (
    EventWire,
    NoticeWire,
    RefundNoticeWire,
    RemoteRefund,
    SealedWire,
    Transaction,
    TransactionWire,
)

Model = TypeVar("Model", bound=BaseModel)
READ: dict[str, type[TransactionWire] | type[RefundNoticeWire]] = {
    "TRANSACTION.SUCCESS": TransactionWire,
    "REFUND.SUCCESS": RefundNoticeWire,
    "REFUND.ABNORMAL": RefundNoticeWire,
    "REFUND.CLOSED": RefundNoticeWire,
}


class NoticeForged(Exception):
    """Not a notice of WeChat Pay to us, or not now; `why` is one word for the log, and for nobody else."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class PayNotice:
    """What WeChat Pay tells by itself; of a kind that is none of our business only its name."""

    id: str
    kind: str
    transaction: Transaction | None = None
    refund: RemoteRefund | None = None


class Notices:
    """Those to one merchant and one app."""

    def __init__(self, *, app_id: str, mch_id: str, api_v3_key: bytes, keys: PlatformKeys) -> None:
        self._app_id = app_id
        self._mch_id = mch_id
        self._api_v3_key = api_v3_key
        self._keys = keys

    def read(self, headers: Mapping[str, Sequence[str]], body: bytes, now: float) -> PayNotice:
        """What a notice says; NoticeForged for every fault, and nothing else, whatever came. It calls nobody."""
        try:
            pay_proof.check(self._keys, headers, body, now)
        except pay_proof.Unproved as no:
            raise NoticeForged(no.why) from None
        found = _json(body)
        event = _fitting(found, EventWire)
        if event.event_type not in READ:
            return PayNotice(event.id, event.event_type)
        row = self._opened(_fitting(found, NoticeWire).resource, READ[event.event_type]).row()
        name = "transaction" if isinstance(row, Transaction) else "refund"
        return PayNotice(event.id, event.event_type, **{name: row})

    def _opened(
        self, sealed: SealedWire, model: type[TransactionWire] | type[RefundNoticeWire]
    ) -> TransactionWire | RefundNoticeWire:
        try:
            plain = unseal(self._api_v3_key, **sealed.model_dump(exclude={"algorithm"}))
        except ValueError:
            raise NoticeForged("cipher") from None
        wire = _fitting(_json(plain), model)
        if wire.mchid != self._mch_id or wire.appid not in (self._app_id, None):
            raise NoticeForged("foreign")
        return wire


def _json(body: bytes) -> object:
    try:
        return strict_json.loads(body)
    except ValueError:
        raise NoticeForged("shape") from None


def _fitting(found: object, model: type[Model]) -> Model:
    try:
        return model.model_validate(found)
    except ValidationError:
        raise NoticeForged("shape") from None
