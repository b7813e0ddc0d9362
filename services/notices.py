"""Customer-service messages: sent through the outbox; what WeChat does not let through waits for his next word."""

from clients.errors import RemoteRefused
from models.delivery import ChatNotice
from models.people import OA, WECHAT, Identity
from services import outbox
from services.context import Context
from services.env import Env

ERASED = "erased"


def tell(env: Env, *, person_id: int, text: str) -> None:
    """Write to a person in the account's chat, as soon as WeChat allows it."""
    identity = Identity.get_or_none(person=person_id, side=OA, provider=WECHAT)
    if identity is None or identity.uid.startswith(ERASED):
        return
    notice = ChatNotice.create(identity=identity, text=text, created_at=env.now)
    outbox.enqueue(env, kind=outbox.NOTICE, subject=notice.id, lane=f"chat:{identity.id}")


def tell_openid(env: Env, *, openid: str, text: str) -> None:
    """The same for a follower whom we know by openid only."""
    identity = Identity.of_openid(openid)
    if identity:
        tell(env, person_id=identity.person_id, text=text)


def addressed(env: Env, *, notice_id: int) -> tuple[str, str] | None:
    """Openid and text of a notice; None when it was sent or shown already."""
    notice = ChatNotice.get_or_none(id=notice_id)
    if notice is None or notice.sent_at or notice.shown_at:
        return None
    return notice.identity.uid, notice.text


@outbox.delivers(outbox.NOTICE)
async def deliver(ctx: Context, notice_id: int, within: float) -> None:
    """Send it; outside WeChat's window (45015, 45047) or refused, it is held for his next message."""
    found = await ctx.read(addressed, notice_id=notice_id)
    if found is None:
        return
    try:
        await ctx.wechat.send_text(*found)
    except RemoteRefused:
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
    """Who has something to read at his next message; small, and kept in memory by the chat."""
    held = (
        ChatNotice.select(Identity.uid)
        .join(Identity)
        .where(ChatNotice.held_at.is_null(False), ChatNotice.shown_at.is_null())
    )
    return {uid for (uid,) in held.tuples()}


def take_waiting(env: Env, *, openid: str) -> list[str]:
    """The held texts, oldest first, each shown once."""
    identity = Identity.of_openid(openid)
    if identity is None:
        return []
    held = ChatNotice.select().where(
        ChatNotice.identity == identity, ChatNotice.held_at.is_null(False), ChatNotice.shown_at.is_null()
    )
    fresh = [n for n in held.order_by(ChatNotice.id) if show(env, n)]
    return [notice.text for notice in fresh]


def show(env: Env, notice: ChatNotice) -> bool:
    """Mark one as shown; True for the message that shows it."""
    return ChatNotice.change_if(ChatNotice.id == notice.id, ChatNotice.shown_at.is_null(), shown_at=env.now)
