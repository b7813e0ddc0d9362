"""The wallet: 我的代金券."""

from h5.base import BaseHandler, signed_in
from services import voucher_views, vouchers


class WalletHandler(BaseHandler):
    """GET shows what he has and could get, POST gives him what he has earned: the same codes each time (V4)."""

    @property
    def target(self) -> str:
        return "vouchers"

    @signed_in
    async def get(self) -> None:
        self.page("vouchers.html", wallet=await self.ctx.read(voucher_views.wallet, person_id=self.person.id))

    @signed_in
    async def post(self) -> None:
        await self.ctx.transact(vouchers.claim, person_id=self.person.id)
        self.see("/me/vouchers")


routes = [(r"/me/vouchers", WalletHandler)]
