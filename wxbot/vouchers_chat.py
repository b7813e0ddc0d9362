"""代金券 in the chat: the same codes each time he asks, or why there are none and what it takes (V4)."""

from models.people import Identity
from models.vouchers import Campaign
from services import line, vocabulary, voucher_views, vouchers
from services.env import Env
from wxbot import words


def words_of_campaigns(env: Env) -> frozenset[str]:
    """The words of campaigns, as `vocabulary.plain` writes them: each is heard as 代金券 is.

    Held in memory until the catalogue's number grows: what changes a campaign calls `catalogue.changed`.
    """
    rows = Campaign.select(Campaign.word).where(Campaign.word.is_null(False))
    return frozenset(vocabulary.plain(row.word) for row in rows)


@line.answered_by
def answer(env: Env, openid: str, word: str) -> str:
    """What he gets; runs in the transaction that remembers the answer, so that a copy issues nothing."""
    identity = Identity.of_openid(openid)
    if identity is None:  # he has bought nothing under this WeChat
        return words.no_vouchers(env.config.base_url, no_lines(vouchers.outlook(env, person_id=0).noes))
    claimed = vouchers.claim(env, person_id=identity.person_id)
    mine = voucher_views.lines(env, claimed.mine)
    if not mine:
        return words.no_vouchers(env.config.base_url, no_lines(claimed.noes))
    lines = [words.one_voucher(one.title, one.amount_fen, one.code, state_of(one), one.last_day) for one in mine]
    return words.vouchers(env.config.base_url, lines, no_lines(claimed.noes))


def state_of(one: voucher_views.VoucherView) -> str:
    """How it stands, in the words of the chat; empty for one that can be spent now."""
    if one.state == "open" and one.is_early:
        return words.spent_from(one.starts_at)
    return words.VOUCHER_WORDS[one.state]


def no_lines(noes: tuple[vouchers.No, ...]) -> list[str]:
    """Why each campaign gives him nothing."""
    return [words.one_no(no.title, no.amount_fen, no.words) for no in noes]
