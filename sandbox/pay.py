"""The pretend WeChat Pay as a site: the merchant's API, and the cashier of people's phones."""

import asyncio

from tornado.web import Application

from sandbox import pay_api, pay_bill_api, pay_cashier
from sandbox.pay_refunds import RefundingCompany
from sandbox.pay_web import LostHandler

PUMP_SECONDS = 0.2
CALLS = (
    "jsapi",
    "native",
    "query",
    "close",
    "refund",
    "refund_query",
    "certificates",
    "bill",
    "bill_download",
    "cashier",
)
OPERATIONS = [f"pay.{call}" for call in (*CALLS, "notice", "refund_notice")]
"""What the switches may name; the last two go out."""


class PaySite(RefundingCompany):
    """The company with its doors."""

    base_url = ""
    """Where it listens, once started."""
    _pump: asyncio.Task[None] | None = None

    def application(self) -> Application:
        """The site as a Tornado application."""
        doors = (pay_api, pay_bill_api, pay_cashier)
        routes = [(pattern, handler, {"site": self}) for door in doors for pattern, handler in door.routes]
        return Application(routes, default_handler_class=LostHandler, default_handler_args={"site": self})

    def start(self) -> None:
        """Let notices go by themselves, as long as the settings say so; needs the running loop."""
        if self._pump is None:
            self._pump = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End what `start` began; what is not sent stays queued."""
        if self._pump:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
            self._pump = None

    async def _run(self) -> None:
        while True:
            if self.settings.is_delivering:
                self.sweep()
                await self.notices.deliver_due()
            await asyncio.sleep(PUMP_SECONDS)
