"""What comes in is decided once, and answered alike however often it comes."""

from collections.abc import Callable
from datetime import timedelta

from models.delivery import InboxItem
from services.env import Env

KEPT = timedelta(days=30)


def once(env: Env, *, source: str, key: str, act: Callable[[Env], str]) -> str:
    """Run `act` in this transaction if the message is new; else the answer that was kept.

    The insert comes first: a second copy waits for the first one's transaction, also on another process.
    """
    if InboxItem.add_once(source=source, key=key, received_at=env.now):
        reply = act(env)
        InboxItem.update(reply=reply).where(InboxItem.source == source, InboxItem.key == key).execute()
        return reply
    return InboxItem.get(source=source, key=key).reply or ""


def forget_old(env: Env) -> int:
    """Delete what nobody will send again; how many."""
    return InboxItem.delete().where(InboxItem.received_at < env.now - KEPT).execute()
