"""WeChat Pay's answers and notices, field by field: what does not fit is not believed; money is whole fen."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, Field, StrictInt, model_validator

MOST_FEN = 10**12
CAME = ("SUCCESS", "REFUND")  # money has come; of REFUND some has gone back since


@dataclass(frozen=True, slots=True)
class Transaction:
    """How a payment stands at WeChat; what is unpaid has neither id nor payer."""

    out_trade_no: str
    state: str  # SUCCESS REFUND NOTPAY CLOSED REVOKED USERPAYING PAYERROR, or what is new to us
    transaction_id: str = ""
    trade_type: str = ""
    payer_openid: str = field(default="", repr=False)
    total_fen: int | None = None
    currency: str = ""
    paid_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RemoteRefund:
    """How a refund stands at WeChat."""

    out_refund_no: str
    refund_id: str
    out_trade_no: str
    transaction_id: str
    status: str  # SUCCESS CLOSED PROCESSING ABNORMAL
    refund_fen: int
    total_fen: int
    succeeded_at: datetime | None


def _only_text(found: object) -> object:
    if not isinstance(found, str):  # pydantic would take a number for unix seconds
        raise ValueError("a time is RFC 3339 text")
    return found


def _near(found: datetime) -> datetime:
    """What every database can keep, in UTC."""
    if not 2000 <= found.year < 2200:
        raise ValueError("a time of another century")
    return found.astimezone(UTC)


Moment = Annotated[AwareDatetime, BeforeValidator(_only_text), AfterValidator(_near)]
Text = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,128}$", strict=True)]
MaybeText = Annotated[str, Field(pattern=r"^[\x21-\x7e]{0,128}$", strict=True)]
Word = Annotated[str, Field(pattern=r"^[A-Z_]{1,32}$", strict=True)]
MaybeWord = Annotated[str, Field(pattern=r"^[A-Z_]{0,32}$", strict=True)]
Fen = Annotated[StrictInt, Field(ge=0, le=MOST_FEN)]
Status = Literal["SUCCESS", "CLOSED", "PROCESSING", "ABNORMAL"]


class PrepayWire(BaseModel):
    """`POST /v3/pay/transactions/jsapi`."""

    prepay_id: Text


class NativeWire(BaseModel):
    """`POST /v3/pay/transactions/native`; the address is drawn as a QR."""

    code_url: Annotated[str, Field(pattern=r"^weixin://[\x21-\x7e]{1,500}$", strict=True)]


class PayerWire(BaseModel):
    """`payer` of a transaction."""

    openid: Text


class AmountWire(BaseModel):
    """`amount` of a transaction."""

    total: Fen | None = None
    currency: MaybeWord = ""


class TransactionWire(BaseModel):
    """A transaction, asked for or in a notice."""

    appid: Text
    mchid: Text
    out_trade_no: Text
    trade_state: Word
    transaction_id: MaybeText = ""
    trade_type: MaybeWord = ""
    payer: PayerWire | None = None
    amount: AmountWire = AmountWire()
    success_time: Moment | None = None

    @model_validator(mode="after")
    def check_came(self) -> "TransactionWire":
        """Money that came has a number and an amount."""
        if self.trade_state in CAME and (not self.transaction_id or self.amount.total is None):
            raise ValueError("paid, and nobody knows what")
        return self

    def row(self) -> Transaction:
        """As the rest of the program knows it."""
        return Transaction(
            self.out_trade_no,
            self.trade_state,
            transaction_id=self.transaction_id,
            trade_type=self.trade_type,
            payer_openid=self.payer.openid if self.payer else "",
            total_fen=self.amount.total,
            currency=self.amount.currency,
            paid_at=self.success_time,
        )


class RefundAmountWire(BaseModel):
    """`amount` of a refund."""

    refund: Fen
    total: Fen


class RefundWire(BaseModel):
    """What answers and notices about a refund have in common."""

    out_refund_no: Text
    refund_id: Text
    out_trade_no: Text
    transaction_id: Text
    success_time: Moment | None = None
    amount: RefundAmountWire

    def row_as(self, status: Status) -> RemoteRefund:
        """As the rest of the program knows it."""
        return RemoteRefund(
            self.out_refund_no,
            self.refund_id,
            self.out_trade_no,
            self.transaction_id,
            status,
            refund_fen=self.amount.refund,
            total_fen=self.amount.total,
            succeeded_at=self.success_time,
        )


class RefundAnswerWire(RefundWire):
    """`POST` and `GET` of `/v3/refund/domestic/refunds`."""

    status: Status

    def row(self) -> RemoteRefund:
        """As the rest of the program knows it."""
        return self.row_as(self.status)


class RefundNoticeWire(RefundWire):
    """A refund in a notice, which names its status otherwise, and the merchant; the app it need not."""

    mchid: Text
    appid: Text | None = None
    refund_status: Status

    def row(self) -> RemoteRefund:
        """As the rest of the program knows it."""
        return self.row_as(self.refund_status)


class SealedWire(BaseModel):
    """What is sealed with the APIv3 key: a notice's resource, a certificate."""

    algorithm: Literal["AEAD_AES_256_GCM"]
    nonce: Annotated[str, Field(pattern=r"^[\x20-\x7e]{8,16}$", strict=True)]
    associated_data: Annotated[str, Field(pattern=r"^[\x20-\x7e]{0,64}$", strict=True)] = ""
    ciphertext: Annotated[str, Field(max_length=1_048_576, strict=True)]


class EventWire(BaseModel):
    """A notice of whatever kind."""

    id: Text
    event_type: Annotated[str, Field(pattern=r"^[A-Z0-9_.]{1,64}$", strict=True)]


class NoticeWire(EventWire):
    """A notice of a kind that we read."""

    resource: SealedWire


class CertificateWire(BaseModel):
    """One entry of the list of certificates."""

    serial_no: Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,64}$", strict=True)]
    encrypt_certificate: SealedWire


class CertificatesWire(BaseModel):
    """`GET /v3/certificates`."""

    data: Annotated[list[CertificateWire], Field(min_length=1, max_length=20)]


class BillWire(BaseModel):
    """Where a bill is to be had, and its SHA-1."""

    hash_type: Literal["SHA1"]
    hash_value: Annotated[str, Field(pattern=r"^[0-9a-fA-F]{40}$", strict=True)]
    download_url: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,2048}$", strict=True)]
