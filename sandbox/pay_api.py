"""Orders and refunds by HTTP: make, look, close; and the platform certificates."""

from typing import Any

from cryptography.x509 import load_pem_x509_certificate

from sandbox import pay_checks, pay_times
from sandbox.pay_crypto import CIPHER, seal
from sandbox.pay_orders import PayNo
from sandbox.pay_web import PayHandler

NO_CERTIFICATE = "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥。"


class OrderHandler(PayHandler):
    """Makes an order of one kind, or makes it ready again."""

    kind = ""
    rule = pay_checks.NATIVE

    def post(self) -> None:
        """What the page needs to open the cashier."""
        order = self.site.place(self.kind, pay_checks.read(self.request.body, self.rule))
        self.finish({"prepay_id": order.prepay_id} if self.kind == "JSAPI" else {"code_url": order.code_url})


class JsapiHandler(OrderHandler):
    """Inside WeChat, for one known person."""

    operation = "pay.jsapi"
    kind = "JSAPI"
    rule = pay_checks.JSAPI


class NativeHandler(OrderHandler):
    """By a QR, for whoever scans it."""

    operation = "pay.native"
    kind = "NATIVE"


class QueryHandler(PayHandler):
    """What became of an order, by either number."""

    operation = "pay.query"

    def get(self, by: str, number: str) -> None:
        """The transaction."""
        given = self.get_query_argument("mchid", "", strip=False)
        if not given:
            words = "输入源“/query/mchid”映射到字段“商户号”必填性规则校验失败，此字段为必填项"
            raise pay_checks.wrong("/query/mchid", "", words)
        if given != self.site.settings.mch_id:
            raise PayNo(400, "MCH_NOT_EXISTS", "商户号不存在")
        order = self.site.find_transaction(number) if by == "id" else self.site.find(number)
        self.finish(order.shown(self.site.settings.mch_id))


class CloseHandler(PayHandler):
    """Closes an unpaid order."""

    operation = "pay.close"

    def post(self, out_trade_no: str) -> None:
        """204, also for one that is closed already."""
        pay_checks.OUT_TRADE_NO.check("/uri_template/out_trade_no", out_trade_no)
        if pay_checks.read(self.request.body, pay_checks.CLOSE)["mchid"] != self.site.settings.mch_id:
            raise PayNo(400, "MCH_NOT_EXISTS", "商户号不存在")
        self.site.close(out_trade_no)
        self.set_status(204)
        self.finish()


class RefundsHandler(PayHandler):
    """Takes a refund on."""

    operation = "pay.refund"

    def post(self) -> None:
        """Accepted, which is not yet done."""
        asked = pay_checks.read(self.request.body, pay_checks.REFUND)
        if not {"transaction_id", "out_trade_no"} & set(asked):
            words = "输入源“/body/out_trade_no”映射到字段“商户订单号”必填性规则校验失败，此字段为必填项"
            raise pay_checks.wrong("/body/out_trade_no", "", words)
        self.finish(self.site.refund(asked).shown())


class RefundHandler(PayHandler):
    """What became of a refund."""

    operation = "pay.refund_query"

    def get(self, out_refund_no: str) -> None:
        """The refund."""
        self.finish(self.site.find_refund(out_refund_no).shown())


class CertificatesHandler(PayHandler):
    """The platform certificates, sealed under the APIv3 key."""

    operation = "pay.certificates"

    def get(self) -> None:
        """All that are good now; there is one."""
        own = self.site.settings
        if not own.is_certificates_open:
            raise PayNo(404, "RESOURCE_NOT_EXISTS", NO_CERTIFICATE)
        pem, nonce = own.platform_certificate_pem, self.world.new_id(bits=48)
        found = load_pem_x509_certificate(pem)
        sealed = {"algorithm": CIPHER, "nonce": nonce, "associated_data": "certificate"}
        sealed["ciphertext"] = seal(own.api_v3_key, pem, nonce=nonce, about="certificate")
        shown: dict[str, Any] = {"serial_no": own.platform_serial, "encrypt_certificate": sealed}
        shown["effective_time"] = pay_times.written(found.not_valid_before_utc.timestamp())
        shown["expire_time"] = pay_times.written(found.not_valid_after_utc.timestamp())
        self.finish({"data": [shown]})


routes = [
    (r"/v3/pay/transactions/jsapi", JsapiHandler),
    (r"/v3/pay/transactions/native", NativeHandler),
    (r"/v3/pay/transactions/(id|out-trade-no)/([^/]+)", QueryHandler),
    (r"/v3/pay/transactions/out-trade-no/([^/]+)/close", CloseHandler),
    (r"/v3/refund/domestic/refunds", RefundsHandler),
    (r"/v3/refund/domestic/refunds/([^/]+)", RefundHandler),
    (r"/v3/certificates", CertificatesHandler),
]
