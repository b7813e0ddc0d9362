"""What comes in is decided once, and answered alike however often it comes."""

from collections.abc import Callable
from datetime import timedelta

from models.delivery import InboxItem
from models.people import digest
from models.prepared import Prepared, add_once, given
from services.env import Env

PUSH = "push"
KEPT = timedelta(days=30)
REPLY = Prepared(
    lambda: InboxItem.update(reply=given("reply")).where(
        InboxItem.source == given("source"), InboxItem.key == given("key")
    )
)


def mark(sender: str) -> str:
    """What the keys of a sender's messages begin with: 32 hex digits that tell nobody who he is."""
    return digest(sender)[:32]


def key_of(*, sender: str, message: str, detail: str = "") -> str:
    """The key of one message: `message` is what tells it from others, `detail` what two of one second differ by."""
    return mark(sender) + digest(message + detail)


def is_new(env: Env, *, source: str, key: str) -> bool:
    """True for the first of its copies, to whom alone it is given; where there is nothing to answer but "heard"."""
    return add_once(InboxItem, source=source, key=key, received_at=env.now)


def once(env: Env, *, source: str, key: str, act: Callable[[Env], str]) -> str:
    """Run `act` in this transaction if the message is new; else the answer that was kept.

    The insert comes first: a second copy waits for the first one's transaction, also on another process.
    """
    if is_new(env, source=source, key=key):
        reply = act(env)
        keep_reply(env, source=source, key=key, reply=reply)
        return reply
    return InboxItem.get(source=source, key=key).reply or ""


def keep_reply(env: Env, *, source: str, key: str, reply: str) -> None:
    """Remember what a copy of it is to be answered."""
    REPLY.run(source=source, key=key, reply=reply)


def forget_answers(env: Env, *, sender: str) -> None:
    """Forget what was answered to somebody who leaves: an answer may name him. Repeats are then answered by nothing."""
    first = mark(sender)
    his = InboxItem.key.between(first, first + "g")  # the next letter after the hex digits
    InboxItem.update(reply="").where(InboxItem.source == PUSH, his).execute()


def forget_old(env: Env) -> int:
    """Delete what nobody will send again; how many."""
    return InboxItem.delete().where(InboxItem.received_at < env.now - KEPT).execute()
