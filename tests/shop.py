"""A course platform with a shop of its own, as it calls our API."""

import base64
import json
from typing import Any

from tornado.httpclient import HTTPRequest, HTTPResponse
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from models.access import Grant
from tests.site import COURSE, Site


def basic(name: str, key: str) -> str:
    """A Basic header."""
    return "Basic " + base64.b64encode(f"{name}:{key}".encode()).decode()


class Shop:
    """Calls as the platform `yiling`, with its key unless told otherwise."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.authorization: str | None = basic("yiling", site.key)

    def body(self, **changes: Any) -> dict[str, Any]:
        """A good body: anna's openid, 199 yuan, paid now; `None` says null."""
        told = {"course": COURSE, "openid": self.site.phone("anna").openid, "phone": None, "email": None}
        return told | {"paid_fen": 19900, "paid_at": "2026-11-22T17:00:00+08:00"} | changes

    async def call(
        self, method: str, order_no: str, raw: bytes | str | None = None, *, platform: str = "yiling", query: str = ""
    ) -> HTTPResponse:
        """One call, whatever it answers."""
        url = f"{self.site.base_url}/api/v1/purchases/{platform}/{order_no}{query}"
        headers = {"Authorization": self.authorization} if self.authorization else {}
        headers |= {"Content-Type": "application/json"} if raw is not None else {}
        request = HTTPRequest(url, method=method, body=raw, headers=headers, allow_nonstandard_methods=True)
        client = SimpleAsyncHTTPClient(force_instance=True)
        try:
            return await client.fetch(request, raise_error=False)
        finally:
            client.close()

    async def put(self, order_no: str = "A1", **changes: Any) -> tuple[int, dict[str, Any]]:
        """Tell of a purchase."""
        return read(await self.call("PUT", order_no, json.dumps(self.body(**changes))))

    async def claimable(self, order_no: str = "C1", **changes: Any) -> str:
        """Tell of a purchase known by phone only; its claim link."""
        told = {"openid": None, "phone": "13800000000"} | changes
        return (await self.put(order_no, **told))[1]["claim_url"]

    async def get(self, order_no: str = "A1") -> tuple[int, dict[str, Any]]:
        """How it stands."""
        return read(await self.call("GET", order_no))

    async def delete(self, order_no: str = "A1", query: str = "") -> tuple[int, dict[str, Any]]:
        """It was refunded."""
        return read(await self.call("DELETE", order_no, query=query))

    async def grants(self) -> list[Grant]:
        """Every right there is."""
        return await self.site.ctx.read(lambda _env: list(Grant.select().order_by(Grant.id)))


def read(answer: HTTPResponse) -> tuple[int, dict[str, Any]]:
    """Status and JSON."""
    return answer.code, json.loads(answer.body)
