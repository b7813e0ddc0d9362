"""What other companies' machines tell us by themselves: the planet's events, WeChat Pay's notices."""

from typing import Any

from h5.base import BaseHandler
from models.errors import TooLarge
from services import pay_notices, planet_events

BODY_MOST = 64 * 1024
PAY_SIGNED = tuple(
    f"Wechatpay-{name}" for name in ("Timestamp", "Nonce", "Signature", "Serial", "Signature-Type")
)  # fmt: skip
SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature")


class SignedHandler(BaseHandler):
    """A call of a machine whose signature is all that counts."""

    acts = "event"

    def check_xsrf_cookie(self) -> None:
        """A machine that signs each call; no cookie of a browser counts here."""

    @property
    def wants_json(self) -> bool:
        return True

    def told(self, names: tuple[str, ...]) -> dict[str, Any]:
        """What was signed, as it came; raises TooLarge."""
        if len(self.request.body) > BODY_MOST:
            raise TooLarge
        headers = {name: self.request.headers.get_list(name) for name in names}
        return {"headers": headers, "body": self.request.body}

    def heard(self) -> None:
        """Nothing more to say."""
        self.set_status(204)
        self.finish()


class PlanetEventHandler(SignedHandler):
    """One event of a planet."""

    async def post(self, provider: str) -> None:
        await planet_events.take(self.ctx, provider=provider, **self.told(SIGNED))
        self.heard()


class PayNoticeHandler(SignedHandler):
    """One notice of WeChat Pay, of a payment or of a refund."""

    async def post(self) -> None:
        await pay_notices.take(self.ctx, **self.told(PAY_SIGNED))
        self.heard()


routes = [
    (r"/planets/([a-z_]{1,32})/events", PlanetEventHandler),
    (r"/wechatpay/(?:refund-)?notify", PayNoticeHandler),
]
