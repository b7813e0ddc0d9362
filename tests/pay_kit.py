"""WeChat Pay's side of the wire, made with bare `cryptography`: not with the client under test."""

import base64
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

from clients.http import Peer
from clients.pay import BILL_LIMITS, LIMITS, PlatformKeys, WeChatPay
from tests.stand_in import Asked, StandIn, answer, stand_in

VECTORS = {
    vector["id"].removeprefix("own.payv3."): vector
    for vector in json.loads((Path(__file__).parent / "data" / "payv3_vectors.json").read_text("utf-8"))["vectors"]
}
KEYS = VECTORS["keys"]["expect"]
APP_ID, MCH_ID, API_V3_KEY = "wx0123456789abcdef", KEYS["mchid"], KEYS["api_v3_key"]
MERCHANT_PEM = KEYS["merchant_private_key_pem"].encode()
PUBLIC_PEM, CERTIFICATE_PEM = KEYS["platform_public_key_pem"].encode(), KEYS["platform_cert_pem"].encode()
PUBLIC_ID, CERTIFICATE_SERIAL = KEYS["public_key_id"], KEYS["platform_serial"]
PLATFORM_KEY = serialization.load_pem_private_key(KEYS["platform_private_key_pem"].encode(), None)
MERCHANT_PUBLIC = x509.load_pem_x509_certificate(KEYS["merchant_cert_pem"].encode()).public_key()
STRANGER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NOTIFY, REFUND_NOTIFY = "https://h5.example.com/wechatpay/notify", "https://h5.example.com/wechatpay/refund-notify"
NOW = 1767225612
NONCE = "0123456789abcdef0123456789abcdef"
PROBE = "WECHATPAY/SIGNTEST/" + "cHJvYmU" * 40
TRANSACTION = json.loads(VECTORS["notify.pubkey"]["expect"]["plaintext"])
REFUND_NOTICE = json.loads(VECTORS["notify.refund"]["expect"]["plaintext"])
UNPAID = {"appid": APP_ID, "mchid": MCH_ID, "out_trade_no": "C20260101000001", "trade_state": "NOTPAY"}
REFUND = {name: value for name, value in REFUND_NOTICE.items() if name not in {"mchid", "refund_status"}}
REFUND |= {"status": "PROCESSING", "channel": "ORIGINAL", "create_time": "2026-01-02T08:59:00+08:00"}
Headers = dict[str, list[str]]


class Clock:
    """Unix time that moves only when told to."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def sign(signed: bytes, key: rsa.RSAPrivateKey = PLATFORM_KEY) -> str:
    return base64.b64encode(key.sign(signed, PKCS1v15(), hashes.SHA256())).decode()


def signed_headers(
    body: bytes,
    *,
    now: int = NOW,
    serial: str = PUBLIC_ID,
    key: rsa.RSAPrivateKey = PLATFORM_KEY,
    **changed: str | None,
) -> dict[str, str]:
    """The five headers over a body; one is `changed` by its last word, None leaves it out."""
    found = {
        "Timestamp": str(now),
        "Nonce": NONCE,
        "Serial": serial,
        "Signature": sign(f"{now}\n{NONCE}\n".encode() + body + b"\n", key),
        "Signature_Type": "WECHATPAY2-SHA256-RSA2048",
    }
    kept = {name: value for name, value in (found | changed).items() if value is not None}
    return {f"Wechatpay-{name.replace('_', '-')}": value for name, value in kept.items()}


def lines_of(headers: dict[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


def reply(body: object = b"", *, status: int = 200, **signing: Any) -> bytes:
    """A whole answer as WeChat Pay signs it; `signing` goes to `signed_headers`."""
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return answer(raw, status=status, headers=lines_of(signed_headers(raw, **signing)))


def refusal(code: str, status: int) -> bytes:
    """An error as they word it, with what must not get any further."""
    return answer({"code": code, "message": "canary", "detail": {"value": "canary"}}, status=status)


def seal(plain: bytes, about: str, *, key: str = API_V3_KEY, nonce: str = "0123456789ab") -> dict[str, str]:
    """What is sealed with the APIv3 key."""
    sealed = AESGCM(key.encode()).encrypt(nonce.encode(), plain, about.encode())
    found = {"algorithm": "AEAD_AES_256_GCM", "nonce": nonce, "associated_data": about}
    return found | {"ciphertext": base64.b64encode(sealed).decode()}


def event(plain: object = None, kind: str = "TRANSACTION.SUCCESS", **changed: Any) -> bytes:
    """The body of a notice; a transaction that came is the plaintext unless another is given."""
    plain = TRANSACTION if plain is None else plain
    raw = plain if isinstance(plain, bytes) else json.dumps(plain).encode()
    about = kind.split(".")[0].lower()
    body = {
        "id": "EV-1",
        "create_time": "2026-01-01T08:00:10+08:00",
        "resource_type": "encrypt-resource",
        "event_type": kind,
        "summary": "支付成功",
        "resource": seal(raw, about) | {"original_type": about},
    }
    return json.dumps(body | changed).encode()


def resealed(**changed: Any) -> bytes:
    """A transaction whose seal is changed after it was made."""
    raw = json.dumps(TRANSACTION).encode()
    return event(resource=seal(raw, "transaction") | changed)


def once(headers: dict[str, str]) -> Headers:
    """As a handler hands them on: a list for each."""
    return {name: [value] for name, value in headers.items()}


def vector_notice(name: str) -> tuple[Headers, bytes, int]:
    """Headers, body and clock of a notice among the vectors."""
    given = VECTORS[f"notify.{name}"]["input"]
    if "copy_of" in given:
        headers, body, _ = vector_notice(given["copy_of"].removeprefix("own.payv3.notify."))
        return headers, body, given["now"]
    return once(given["headers"]), given["body"].encode(), given["now"]


def certificate(
    serial: int, key: rsa.RSAPrivateKey = PLATFORM_KEY, *, starts_at: int = NOW - 1000, ends_at: int = NOW + 10**8
) -> bytes:
    """A platform certificate of our own making, PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "platform")])
    start, end = (datetime.fromtimestamp(at, UTC) for at in (starts_at, ends_at))
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(serial).not_valid_before(start).not_valid_after(end)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def certificates(*pems: tuple[str, bytes], key: str = API_V3_KEY) -> dict[str, Any]:
    """The list of them, as WeChat Pay gives it."""
    span = {"effective_time": "2025-01-01T00:00:00+08:00", "expire_time": "2045-01-01T00:00:00+08:00"}
    data = [
        span | {"serial_no": serial, "encrypt_certificate": seal(pem, "certificate", key=key)} for serial, pem in pems
    ]
    return {"data": data}


def public_key_mode() -> PlatformKeys:
    """A merchant with WeChat Pay's public key."""
    return PlatformKeys.of(PUBLIC_ID, PUBLIC_PEM)


def both_modes() -> PlatformKeys:
    """A merchant who is changing over."""
    return PlatformKeys.of(PUBLIC_ID, PUBLIC_PEM, [CERTIFICATE_PEM])


def new_pay(api: Peer, bills: Peer, **changed: Any) -> WeChatPay:
    """The client under test."""
    settings = {
        "app_id": APP_ID,
        "mch_id": MCH_ID,
        "serial": KEYS["merchant_serial"],
        "private_key": MERCHANT_PEM,
        "api_v3_key": API_V3_KEY,
        "platform_keys": public_key_mode(),
        "notify_url": NOTIFY,
        "refund_notify_url": REFUND_NOTIFY,
        "now": Clock(),
        "new_nonce": lambda: NONCE,
    }
    return WeChatPay(api=api, bills=bills, **settings | changed)


def offline(**changed: Any) -> WeChatPay:
    """One that only reads notices; a call of it would fail."""
    peer = Peer("wechatpay", "http://127.0.0.1:9", monotonic=time.monotonic)
    return new_pay(peer, peer, **changed)


@asynccontextmanager
async def pay_at(url: str, limits: dict[str, Any] | None = None, **changed: Any) -> AsyncIterator[WeChatPay]:
    """The client of the WeChat Pay at `url`."""
    quick = {"monotonic": time.monotonic} | LIMITS | {"total_seconds": 2.0} | (limits or {})
    api = Peer("wechatpay", url, **quick)
    bills = Peer("wechatpay_bills", url, monotonic=time.monotonic, **BILL_LIMITS)
    yield new_pay(api, bills, **changed)
    for peer in (api, bills):
        await peer.close()


@asynccontextmanager
async def paying(
    script: Callable[[Asked], bytes | None], **changed: Any
) -> AsyncIterator[tuple[WeChatPay, StandIn]]:  # fmt: skip
    """The client, and a WeChat Pay that answers by `script`."""
    async with stand_in(script) as remote, pay_at(remote.url, **changed) as pay:
        yield pay, remote


def authorised(asked: Asked) -> dict[str, str]:
    """The fields of a request's Authorization, its signature checked over the very bytes that came."""
    scheme, _, text = asked.headers["authorization"].partition(" ")
    assert scheme == "WECHATPAY2-SHA256-RSA2048"
    found = dict(re.findall(r'(\w+)="([^"]*)"', text))
    assert text == ",".join(f'{name}="{value}"' for name, value in found.items()), "nothing else is in it"
    signed = f"{asked.method}\n{asked.target}\n{found['timestamp']}\n{found['nonce_str']}\n".encode()
    raw = base64.b64decode(found.pop("signature"), validate=True)
    MERCHANT_PUBLIC.verify(raw, signed + asked.body + b"\n", PKCS1v15(), hashes.SHA256())
    return found
