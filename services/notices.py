"""Customer-service messages: sent through the outbox; what WeChat does not let through waits for his next word."""

from datetime import timedelta

import structlog

from clients.errors import RemoteRefused
from models.delivery import ChatNotice
from models.people import OA, WECHAT, Identity
from services import outbox, people
from services.context import Context
from services.env import Env

STILL_ANSWERED = timedelta(seconds=60)  # WeChat sends a message again for some 15 s
KEPT = timedelta(days=30)
log = structlog.get_logger()


def tell(env: Env, *, person_id: int, text: str) -> None:
    """Write to a person in the account's chat, as soon as WeChat allows it."""
    identity = Identity.get_or_none(person=person_id, side=OA, provider=WECHAT)
    if identity is None or identity.has_left:
        return
    notice = ChatNotice.create(identity=identity, text=text, created_at=env.now)
    outbox.enqueue(env, kind=outbox.NOTICE, subject=notice.id, lane=f"chat:{identity.id}")


def tell_openid(env: Env, *, openid: str, text: str) -> None:
    """The same for somebody who wrote to the account, also when he never showed up before."""
    tell(env, person_id=people.person_with_openid(env, openid).id, text=text)


def addressed(env: Env, *, notice_id: int) -> tuple[str, str] | None:
    """Openid and text of a notice; None when it was sent or shown already."""
    notice = ChatNotice.get_or_none(id=notice_id)
    if notice is None or notice.sent_at or notice.shown_at:
        return None
    return notice.identity.uid, notice.text


@outbox.delivers(outbox.NOTICE)
async def deliver(ctx: Context, notice_id: int, within: float) -> None:
    """Send it; outside WeChat's window (45015, 45047) or refused, it is held for his next message.

    Also where WeChat refuses us and not him: that is an alarm, and he reads it all the same.
    """
    found = await ctx.read(addressed, notice_id=notice_id)
    if found is None:
        return
    try:
        await ctx.wechat.send_text(*found)
    except RemoteRefused as problem:
        if outbox.is_ours(problem):
            log.error("we are not accepted", why=str(problem))
        await ctx.transact(hold, notice_id=notice_id)
    else:
        await ctx.transact(note_sent, notice_id=notice_id)


def note_sent(env: Env, *, notice_id: int) -> None:
    """WeChat has taken it."""
    ChatNotice.update(sent_at=env.now).where(ChatNotice.id == notice_id).execute()


def hold(env: Env, *, notice_id: int) -> None:
    """Keep it for his next message."""
    ChatNotice.update(held_at=env.now).where(ChatNotice.id == notice_id).execute()


def waiting_openids(env: Env) -> set[str]:
    """Who has something to read at his next message, or has read it just now; small, kept in memory by the chat.

    The latter because a message that comes again must be answered alike, on whichever process it arrives.
    """
    lately = ChatNotice.shown_at > env.now - STILL_ANSWERED
    held = ChatNotice.held_at.is_null(False) & (ChatNotice.shown_at.is_null() | lately)
    return {uid for (uid,) in ChatNotice.select(Identity.uid).join(Identity).where(held).tuples()}


def waiting_for(openid: str) -> list[ChatNotice]:
    """What is held for somebody, oldest first."""
    mine = ChatNotice.select().join(Identity).where(Identity.uid == openid, Identity.side == OA)
    return list(mine.where(ChatNotice.held_at.is_null(False), ChatNotice.shown_at.is_null()).order_by(ChatNotice.id))


def show(env: Env, notice: ChatNotice) -> bool:
    """Mark one as shown; True for the message that shows it."""
    return ChatNotice.change_if(ChatNotice.id == notice.id, ChatNotice.shown_at.is_null(), shown_at=env.now)


def forget_old(env: Env) -> int:
    """Delete what was sent or shown long ago; how many."""
    told = ChatNotice.sent_at.is_null(False) | ChatNotice.shown_at.is_null(False)
    return ChatNotice.delete().where(told, ChatNotice.created_at < env.now - KEPT).execute()
