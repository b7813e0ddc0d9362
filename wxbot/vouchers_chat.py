"""代金券 in the chat: the same answer each time he asks, for it may give him one."""

from services.env import Env
from wxbot import words


def words_of_campaigns(env: Env) -> frozenset[str]:
    """The words of campaigns, as `vocabulary.plain` writes them: each is heard as 代金券 is.

    Held in memory until the catalogue's number grows: what changes a campaign calls `catalogue.changed`.
    """
    return frozenset()


def answer(env: Env, openid: str, word: str) -> str:
    """What he gets for `word`; runs in the transaction that remembers the answer, so that a copy issues nothing."""
    return words.no_vouchers_yet(env.config.base_url)
