"""A merchant for tests of the sandbox's WeChat Pay: signs, verifies and decrypts by a computation of its own."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.ioloop import IOLoop
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from sandbox.pay_orders import PayOrder
from sandbox.pay_settings import PaySettings
from sandbox.phone import Phone
from sandbox.server import Sandbox
from sandbox.world import World

NOW = 1_800_000_000  # 2027-01-15T16:00:00+08:00
NUMBER = "C20270115000001"


@dataclass
class Door:
    """Where notices arrive: every request, and what it is answered."""

    status: int = 204
    requests: list[HTTPServerRequest] = field(default_factory=list)


class DoorHandler(RequestHandler):
    """Keeps what comes; shows a page with a pay button."""

    def initialize(self, shop: "Shop") -> None:
        """Called by Tornado."""
        self.shop = shop

    def get(self) -> None:
        """The page of an order."""
        self.write(self.shop.page)

    def post(self) -> None:
        """A notice."""
        self.shop.door.requests.append(self.request)
        self.set_status(self.shop.door.status)


class Shop:
    """One sandbox whose clock stands still, and the merchant's server beside it."""

    def __init__(self) -> None:
        self.world = World(seed=7)
        self.world.freeze(NOW)
        self.box = Sandbox(self.world, pay=PaySettings(is_delivering=False))
        self.pay, self.own = self.box.pay, self.box.pay.settings
        self.anna: Phone = self.box.phone("anna")
        self.door, self.page, self.url = Door(), "", ""
        self._sock, port = bind_unused_port()
        self.url = f"http://127.0.0.1:{port}/notify"
        self._server = HTTPServer(Application([("/notify", DoorHandler, {"shop": self})]))

    async def start(self) -> None:
        """Both listen."""
        self.box.start()
        self._server.add_sockets([self._sock])

    async def stop(self) -> None:
        """Both end."""
        await self.box.stop()
        self._server.stop()
        await self._server.close_all_connections()

    def asked(self, **changes: Any) -> dict[str, Any]:
        """The call of a good JSAPI order, with changes (None leaves a field out)."""
        asked = {"appid": self.box.account.app_id, "mchid": self.own.mch_id, "description": "信息安全职场培训"}
        asked |= {"out_trade_no": NUMBER, "notify_url": self.url, "amount": {"total": 19900, "currency": "CNY"}}
        asked |= {"payer": {"openid": self.anna.openid}}
        return {name: value for name, value in (asked | changes).items() if value is not None}

    def authorization(self, method: str, path: str, body: bytes = b"", **changes: str) -> str:
        """The header of a request, signed as the documents say; `changes` come after the signature."""
        given = {"mchid": self.own.mch_id, "nonce_str": self.world.new_id()}
        given |= {"timestamp": str(int(self.world.now())), "serial_no": self.own.merchant_serial}
        parts = (method, path, given["timestamp"], given["nonce_str"], body.decode())
        given["signature"] = self.sign("".join(f"{part}\n" for part in parts))
        return "WECHATPAY2-SHA256-RSA2048 " + ",".join(f'{name}="{value}"' for name, value in (given | changes).items())

    def sign(self, text: str) -> str:
        """By the merchant's key."""
        key = load_pem_private_key(self.own.merchant_private_key_pem, None)
        return base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), SHA256())).decode()

    async def send(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> HTTPResponse:  # fmt: skip
        """One request; names of headers are written with underscores."""
        own = {"Accept": "application/json", "User-Agent": "tests", "Content-Type": "application/json"}
        own["Authorization"] = self.authorization(method, path, body or b"")
        own |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = HTTPHeaders({name: value for name, value in own.items() if value or name == "User-Agent"})
        how = {"raise_error": False, "allow_nonstandard_methods": True}
        return await AsyncHTTPClient().fetch(self.box.pay_url + path, method=method, body=body, headers=sent, **how)

    async def call(self, method: str, path: str, asked: Any = None, **headers: str) -> tuple[int, Any]:
        """One proper call: status and answer; an answer with a false signature is an error."""
        body = None if asked is None else json.dumps(asked, ensure_ascii=False).encode()
        answer = await self.send(method, path, body, **headers)
        assert self.proves(answer.headers, answer.body) or answer.code == 401
        return answer.code, json.loads(answer.body) if answer.body else None

    async def order(self, kind: str = "jsapi", **changes: Any) -> tuple[int, Any]:
        """Order by HTTP."""
        asked = self.asked(**changes) if kind == "jsapi" else self.asked(payer=None, **changes)
        return await self.call("POST", f"/v3/pay/transactions/{kind}", asked)

    async def query(self, number: str = NUMBER) -> tuple[int, Any]:
        """Look at an order."""
        return await self.call("GET", f"/v3/pay/transactions/out-trade-no/{number}?mchid={self.own.mch_id}")

    async def close(self, number: str = NUMBER) -> tuple[int, Any]:
        """Close an order."""
        return await self.call("POST", f"/v3/pay/transactions/out-trade-no/{number}/close", {"mchid": self.own.mch_id})

    async def paid(self, number: str = NUMBER, total: int = 19900) -> PayOrder:
        """An order of anna that she has paid."""
        await self.order(out_trade_no=number, amount={"total": total, "currency": "CNY"})
        return self.pay.pays(number, self.anna.person)

    def bridge(self, prepay_id: str, **changes: Any) -> dict[str, Any]:
        """The six fields that a page opens the cashier with, with changes before they are signed."""
        asked = {"appId": self.box.account.app_id, "timeStamp": str(int(self.world.now())), "nonceStr": "n1"}
        asked |= {"package": f"prepay_id={prepay_id}", "signType": "RSA"} | changes
        names = ("appId", "timeStamp", "nonceStr", "package")
        return asked | {"paySign": self.sign("".join(f"{asked[name]}\n" for name in names))}

    async def opens(self, fields: dict[str, Any], phone: Phone | None = None) -> Phone:
        """Somebody's phone on the page with the pay button."""
        phone = phone or self.anna
        self.page = f"<button data-role='pay' data-pay='{json.dumps(fields)}'>微信支付</button>"
        await phone.open(self.url)
        return phone

    def proves(self, headers: HTTPHeaders, body: bytes) -> bool:
        """Whether WeChat Pay has signed this lately, by the key that it names."""
        told = {name: headers.get(f"Wechatpay-{name}", "") for name in ("Timestamp", "Nonce", "Serial", "Signature")}
        if not told["Timestamp"] or abs(int(told["Timestamp"]) - self.world.now()) > 300:
            return False
        certificate = load_pem_x509_certificate(self.own.platform_certificate_pem)
        keys = {self.own.public_key_id: load_pem_public_key(self.own.public_key_pem)}
        keys[self.own.platform_serial] = certificate.public_key()
        text = f"{told['Timestamp']}\n{told['Nonce']}\n{body.decode()}\n".encode()
        try:
            keys[told["Serial"]].verify(base64.b64decode(told["Signature"]), text, padding.PKCS1v15(), SHA256())
        except (LookupError, ValueError, InvalidSignature):
            return False
        return headers["Wechatpay-Signature-Type"] == "WECHATPAY2-SHA256-RSA2048"

    def unsealed(self, sealed: dict[str, str]) -> bytes:
        """What stands in a sealed part; raises for another key."""
        cipher, about = AESGCM(self.own.api_v3_key.encode()), sealed["associated_data"].encode()
        return cipher.decrypt(sealed["nonce"].encode(), base64.b64decode(sealed["ciphertext"]), about)

    @property
    def heard(self) -> list[dict[str, Any]]:
        """The bodies of the notices, in the order of arrival."""
        return [json.loads(one.body) for one in self.door.requests]


@contextmanager
def running(io_loop: IOLoop) -> Iterator[Shop]:
    """A merchant and his WeChat Pay, both listening."""
    shop = Shop()
    io_loop.run_sync(shop.start)
    yield shop
    io_loop.run_sync(shop.stop)
