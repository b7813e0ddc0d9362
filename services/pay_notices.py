"""支付通知: proved, decrypted, decided once, answered alike (for the order of the work see clients/pay.py)."""

import structlog
from prometheus_client import Counter

from clients.pay import NoticeForged, PayNotice
from models.errors import NotFound
from models.order_errors import NoticeRefused
from services import inbox, money_in, refund_money
from services.context import Context
from services.env import Env

SOURCE = "pay"
PROBE = "signtest"
log = structlog.get_logger()
heard = Counter("wxbot_pay_notices", "notices of WeChat Pay by kind and outcome", ["kind", "outcome"])


async def take(ctx: Context, *, headers: dict[str, list[str]], body: bytes) -> None:
    """Give a notice its effect, once; raises NotFound where no pay is set up, NoticeRefused for every fault."""
    if ctx.pay is None:
        raise NotFound
    try:
        notice = ctx.pay.read_notice(headers, body)
    except NoticeForged as no:
        heard.labels("unknown", no.why).inc()
        (log.info if no.why == PROBE else log.warning)("pay notice refused", why=no.why)
        raise NoticeRefused from None
    is_new = await ctx.transact(keep, notice=notice)
    heard.labels(notice.kind, "new" if is_new else "again").inc()


def keep(env: Env, *, notice: PayNotice) -> bool:
    """True for the one call that gave it its effect; a kind that is none of our business has none."""
    if not inbox.is_new(env, source=SOURCE, key=inbox.key_of(sender=SOURCE, message=notice.id)):
        return False
    if notice.transaction:
        money_in.hear(env, told=notice.transaction)
    if notice.refund:
        refund_money.hear(env, told=notice.refund)
    return True
