"""What all doors of the pretend WeChat Pay share: who is calling, signed answers, refusals."""

import json
import re
from collections.abc import Awaitable
from typing import Any, ClassVar

from tornado.web import HTTPError, RequestHandler

from sandbox.faults import Fault
from sandbox.handler import BaseSandboxHandler
from sandbox.pay_crypto import SCHEME, is_signed, lines
from sandbox.pay_notices import signed
from sandbox.pay_orders import PayNo
from sandbox.pay_refunds import RefundingCompany

MOST_SECONDS_APART = 300
FIELDS = {"mchid", "nonce_str", "timestamp", "serial_no", "signature"}
FIELD = re.compile(r'(\w+)="([^"]*)"')
HEADER = re.compile(r'\w+="[^"]*"(\s*,\s*\w+="[^"]*")*')
NONCE = re.compile(r"[0-9A-Za-z]{1,32}")
NO_HEADER = "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》"
TOO_OLD = "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟"
OTHER_SERIAL = "商户证书序列号有误。请使用签名私钥匹配的证书序列号"
SHOWN_OF_BODY = 8


class PayHandler(BaseSandboxHandler):
    """Any call to WeChat Pay. `operations` names the switch of each method where they differ."""

    side = "pay"
    operations: ClassVar[dict[str, str]] = {}
    proves_itself = True
    """False: the answer carries no signature (refused callers, downloads)."""

    def initialize(self, site: RefundingCompany) -> None:
        """Called by Tornado with the route's kwargs."""
        super().initialize(site.world)
        self.site = site

    def check_xsrf_cookie(self) -> None:
        """Machines call; pages have tokens of their own."""

    async def prepare(self) -> None:
        """Name the operation of this method, let the switches act, then see whether it exists and who is calling."""
        self.operation = self.operations.get(self.request.method or "", self.operation)
        await super().prepare()
        if self._finished:
            return
        method = (self.request.method or "").lower()
        if getattr(type(self), method, None) is getattr(RequestHandler, method, None):
            raise HTTPError(405)
        self.check_caller()

    def check_caller(self) -> None:
        """Refuse a call that the merchant has not signed."""
        self.proves_itself = False
        self._check_headers()
        given = self._authorization()
        self._check_time(given)
        self._check_signature(given)
        self.proves_itself = True
        if self.request.headers.get("Wechatpay-Serial", self._serial) != self._serial:
            raise PayNo(400, "PARAM_ERROR", "平台证书序列号Wechatpay-Serial错误")

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> Awaitable[None]:
        """Send the answer with its proof, also an empty one."""
        if isinstance(chunk, dict):
            chunk = json.dumps(chunk, ensure_ascii=False, separators=(",", ":"))
            self.set_header("Content-Type", "application/json; charset=utf-8")
        if chunk:
            self.write(chunk)
        if self.proves_itself:
            self.set_header("Request-ID", f"{self.world.new_id(bits=160).upper()}-{self.site.digits(9)}")
            body, fault = b"".join(self._write_buffer), self._fault.kind if self._fault else ""
            for name, value in signed(self.world, self.site.settings, self._serial, body, fault).items():
                self.set_header(name, value)
        return super().finish()

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """A refusal is an answer; only accidents are logged."""
        if not isinstance(value, PayNo):
            super().log_exception(typ, value, tb)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Turn whatever stopped the call into WeChat Pay's form; a wrong method is answered without a word."""
        no = kwargs.get("exc_info", (None, None))[1]
        if isinstance(no, PayNo):
            self.refuse(no)
        elif status_code == 500:
            self.refuse(PayNo(500, "SYSTEM_ERROR", "系统异常，请稍后重试"))
        else:
            self.proves_itself = False
            self.finish()

    def refuse(self, no: PayNo) -> None:
        """Answer with a refusal."""
        self.set_status(no.status)
        self.finish(no.shown())

    async def _be_error(self, fault: Fault) -> None:
        self.refuse(PayNo(500, "SYSTEM_ERROR", "系统异常，请稍后重试"))

    async def _be_busy(self, fault: Fault) -> None:
        self.refuse(PayNo(429, "FREQUENCY_LIMITED", "请求频率超限"))

    async def _be_junk(self, fault: Fault) -> None:
        self.proves_itself = False
        await super()._be_junk(fault)

    @property
    def _is_about_orders(self) -> bool:
        """These calls stand behind another gateway, with words of its own."""
        return self.request.path.startswith("/v3/pay/transactions")

    @property
    def _serial(self) -> str:
        """The key that signs: the one the caller asks for, or that of the mode."""
        own, named = self.site.settings, self.request.headers.get("Wechatpay-Serial", "")
        return named if named in own.keys else own.serial

    def _check_headers(self) -> None:
        headers = self.request.headers
        if not self._is_about_orders and not (headers.get("Accept") and headers.get("User-Agent")):
            raise PayNo(400, "INVALID_REQUEST", "Http头缺少Accept或User-Agent")

    def _authorization(self) -> dict[str, str]:
        scheme, _, rest = self.request.headers.get("Authorization", "").partition(" ")
        given = dict(FIELD.findall(rest))
        is_whole = HEADER.fullmatch(rest.strip()) and set(given) == FIELDS and NONCE.fullmatch(given["nonce_str"])
        if scheme == SCHEME and is_whole:
            return given
        if self._is_about_orders:
            raise PayNo(401, "SIGN_ERROR", "签名信息错误，验签失败")
        raise PayNo(401, "SIGN_ERROR", "Http头Authorization认证类型不正确" if is_whole else NO_HEADER)

    def _check_time(self, given: dict[str, str]) -> None:
        text = given["timestamp"]
        if not re.fullmatch(r"[0-9]{1,11}", text) or abs(int(text) - self.world.now()) > MOST_SECONDS_APART:
            raise PayNo(401, "SIGN_ERROR", TOO_OLD)

    def _check_signature(self, given: dict[str, str]) -> None:
        """Over the address and the body exactly as they came."""
        own, request = self.site.settings, self.request
        if given["mchid"] != own.mch_id:
            raise PayNo(401, "SIGN_ERROR", "签名错误")
        if given["serial_no"].upper() != own.merchant_serial.upper():
            raise PayNo(401, "SIGN_ERROR", OTHER_SERIAL)
        method, url, body = request.method or "", request.uri or "", request.body
        head = (method, url, given["timestamp"], given["nonce_str"])
        message = lines(*head, body)
        if not is_signed(own.merchant_certificate_pem, message, given["signature"]):
            shown = lines(*head, body[:SHOWN_OF_BODY]).decode(errors="replace")
            told = {"method": method, "sign_message_length": len(message), "truncated_sign_message": shown, "url": url}
            detail = {"detail": {"issue": "sign not match"}, "field": "signature", "location": "authorization"}
            raise PayNo(401, "SIGN_ERROR", "错误的签名，验签失败", detail | {"sign_information": told})


class LostHandler(PayHandler):
    """Every address that does not exist: 404 without a word."""

    async def prepare(self) -> None:
        """Whatever the method and whoever calls."""
        self.proves_itself = False
        self.set_status(404)
        self.finish()
