"""代金券 in the chat: the same answer each time he asks, for it may give him one."""

from services.env import Env
from wxbot import words


def answer(env: Env, openid: str, word: str) -> str:
    """What he gets for `word`; runs in the transaction that remembers the answer, so that a copy issues nothing."""
    return words.no_vouchers_yet(env.config.base_url)
