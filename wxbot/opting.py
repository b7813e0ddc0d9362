"""退订 and 恢复通知 in the chat: done, what it means, and how to undo it."""

from services import opting
from services.env import Env
from wxbot import words


def opt_out(env: Env, openid: str, _text: str) -> str:
    """No news any more."""
    opting.opt_out(env, openid=openid)
    return words.opted_out()


def opt_in(env: Env, openid: str, _text: str) -> str:
    """News again."""
    opting.opt_in(env, openid=openid)
    return words.opted_in()
