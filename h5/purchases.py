"""An existing platform's purchases: its signed API, and the claim links it hands to its learners."""

import base64
from dataclasses import asdict
from typing import Any

from h5.addresses import household
from h5.base import BaseHandler, signed_in
from models.errors import AccessDenied, BusinessError, WrongInput
from services import purchase_body, purchases


class KeyMissing(BusinessError):
    """No valid Basic credentials came; the same words whatever is wrong with them."""

    code = "invalid_key"
    status = 401
    says = "需要平台名称和密钥（HTTP Basic）。"


class PurchaseHandler(BaseHandler):
    """One purchase, by the platform's own number; HTTP Basic `NAME:key`, NAME being the platform of the address."""

    def check_xsrf_cookie(self) -> None:
        """A machine with a key of its own; no cookie of a browser counts here."""

    @property
    def wants_json(self) -> bool:
        return True

    async def check_rate(self) -> None:
        """A platform counts by its name; without its key, a wrong or missing one counts for who sends it."""
        try:
            name, key = self.credentials()
            if not await self.ctx.read(purchases.is_key, name=name, key=key, platform=self.path_args[0]):
                raise AccessDenied
        except (KeyMissing, AccessDenied):
            await self.ctx.limits.check("api_key", f"ip{household(self.ip)}")
            raise
        await self.ctx.limits.check("api", name)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """As everywhere; who came without a key is told how to bring one."""
        if status_code == KeyMissing.status:
            self.set_header("WWW-Authenticate", 'Basic realm="purchases"')
        super().write_error(status_code, **kwargs)

    def credentials(self) -> tuple[str, str]:
        """Name and key of the Basic header; raises KeyMissing."""
        kind, _, encoded = self.request.headers.get("Authorization", "").partition(" ")
        try:
            name, colon, key = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:  # no base64, no ASCII, no UTF-8
            raise KeyMissing from None
        if kind.lower() != "basic" or not (name and colon and key):
            raise KeyMissing
        return name, key

    async def put(self, platform: str, order_no: str) -> None:
        body = purchase_body.parse_body(self.request.body)
        answer, is_new = await self.ctx.transact(purchases.put, platform=platform, order_no=order_no, body=body)
        self.set_status(201 if is_new else 200)
        self.write(asdict(answer))

    async def get(self, platform: str, order_no: str) -> None:
        self.write(asdict(await self.ctx.read(purchases.find, platform=platform, order_no=order_no)))

    async def delete(self, platform: str, order_no: str) -> None:
        override = self.asked("override").strip()
        if len(override) > purchases.MOST_REASON:
            raise WrongInput(what="override")
        where = {"platform": platform, "order_no": order_no}
        self.write(asdict(await self.ctx.transact(purchases.refund, override=override, **where)))


class ClaimHandler(BaseHandler):
    """A claim link: GET shows what it is for, POST gives it to who is signed in."""

    looks = acts = "code"

    @property
    def target(self) -> str:
        return f"claim:{self.path_args[0]}"

    @signed_in
    async def get(self, code: str) -> None:
        claim = await self.ctx.read(purchases.claim_offer, code=code, person_id=self.person.id)
        if claim.is_mine:
            self.see(f"/courses/{claim.course_slug}")
        else:
            self.page("claim.html", claim=claim, code=code)

    @signed_in
    async def post(self, code: str) -> None:
        slug = await self.ctx.transact(purchases.claim, code=code, person_id=self.person.id)
        self.see(f"/courses/{slug}")


routes = [
    (r"/api/v1/purchases/([^/]{1,64})/([^/]{1,191})", PurchaseHandler),
    (r"/claims/([0-9a-z]{16})", ClaimHandler),
]
