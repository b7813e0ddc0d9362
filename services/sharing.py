"""What a page of ours needs so that WeChat lets it set its share card."""

from clients.errors import RemoteDown, RemoteRefused
from clients.wechat_js import ForeignPage
from models.errors import RemoteAway, WrongInput
from services.context import Context


async def signature(ctx: Context, *, path: str) -> dict[str, str | int]:
    """wx.config's values for one of our own pages; raises WrongInput for any other address.

    Raises RemoteAway while WeChat gives no ticket.
    """
    try:
        return await ctx.wechat.jsapi_signature(f"{ctx.config.base_url}{path}")
    except ForeignPage:
        raise WrongInput(what="path") from None
    except (RemoteDown, RemoteRefused):
        raise RemoteAway(who="微信") from None
