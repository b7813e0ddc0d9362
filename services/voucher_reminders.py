"""到期提醒 for vouchers: once, a week before one ends that can still be spent."""

from datetime import timedelta

from models.base import shanghai_words
from models.vouchers import OPEN, Voucher
from services import notices
from services.context import Context
from services.env import Env

BEFORE = timedelta(days=7)
AT_ONCE = 500


async def remind(ctx: Context) -> int:
    """The job: remind all whose time has come, some at a time; how many."""
    told = 0
    while found := await ctx.read(ending):
        told += await ctx.transact(remind_some, ids=found)
    return told


def ending(env: Env) -> list[int]:
    """The next vouchers to end within a week of which nobody was reminded."""
    soon = (Voucher.expires_at > env.now, Voucher.expires_at <= env.now + BEFORE, Voucher.starts_at <= env.now)
    rows = Voucher.select(Voucher.id).where(*soon, Voucher.state == OPEN, Voucher.reminded_at.is_null())
    return [row.id for row in rows.order_by(Voucher.id).limit(AT_ONCE)]


def remind_some(env: Env, *, ids: list[int]) -> int:
    """Tell of each once; one conditional UPDATE decides between two processes. Who opted out of news hears nothing."""
    told = 0
    for number in ids:
        if Voucher.change_if(Voucher.id == number, Voucher.reminded_at.is_null(), reminded_at=env.now):
            tell(env, Voucher.get_by_id(number))
            told += 1
    return told


def tell(env: Env, voucher: Voucher) -> None:
    """Which one, and until when."""
    text = (
        f"您的「{voucher.campaign.name}」¥{voucher.amount_fen / 100:.2f}（{voucher.code}）"
        f"{shanghai_words(voucher.last_day)}到期。去看看能买什么：{env.config.base_url}/me/vouchers"
    )
    notices.tell(env, person_id=voucher.person_id, text=text, is_news=True)
