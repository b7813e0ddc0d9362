"""Messages to a follower, through the outbox: by template, else in the chat, else with the answer to his next word."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from peewee import Case, fn

from clients.errors import RemoteRefused
from clients.wechat_codes import RateLimited
from models.delivery import ChatNotice
from models.people import OA, Identity
from models.prepared import add
from services import letters, outbox, people
from services.context import Context
from services.env import Env

STILL_ANSWERED = timedelta(seconds=60)  # WeChat sends a message again for some 15 s
KEPT = timedelta(days=30)
OVERLAP = timedelta(seconds=60)  # commits come later than the moments they hold, and clocks differ
READ_ALL_EVERY = timedelta(hours=1)
MOST_READERS = 100_000
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
log = structlog.get_logger()


def tell(
    env: Env, *, person_id: int, text: str, purpose: str = "", fields: Sequence[str] = (), page: str = "/me",
    is_news: bool = False,
) -> None:  # fmt: skip
    """Write to a person: by template message where `purpose` has one, else in the chat, as soon as WeChat allows it.

    `fields` are those of `letters.PURPOSES`, `page` the one of ours that a tap opens. News is what he has not caused
    himself, such as a reminder: who has opted out (退订) does not get it.
    """
    identity = people.identity_of(person_id)
    if identity and (identity.wants_news or not is_news):
        letter = {"purpose": purpose, "fields": json.dumps(fields, ensure_ascii=False), "page": page} if purpose else {}
        notice_id = add(ChatNotice, identity=identity.id, text=text, created_at=env.now, **letter)
        outbox.enqueue_first(env, kind=outbox.NOTICE, subject=notice_id, lane=f"chat:{identity.id}")


def tell_openid(env: Env, *, openid: str, text: str) -> None:
    """The same for somebody who wrote to the account, also when he never showed up before."""
    tell(env, person_id=people.person_with_openid(env, openid).id, text=text)


@dataclass(frozen=True, slots=True)
class Addressed:
    """A notice that is not sent yet, with the template message that may stand for it."""

    id: int
    openid: str
    text: str
    letter: letters.Letter | None


def addressed(env: Env, *, notice_id: int) -> Addressed | None:
    """A notice as it is to be sent; None when it was sent or shown already."""
    notice = ChatNotice.get_or_none(id=notice_id)
    if notice is None or notice.sent_at or notice.shown_at:
        return None
    letter = None
    if notice.purpose:
        words = {"values": json.loads(notice.fields), "page": notice.page}
        letter = letters.letter_of(env.config.wechat_templates, purpose=notice.purpose, **words)
    return Addressed(notice.id, notice.identity.uid, notice.text, letter)


@outbox.delivers(outbox.NOTICE)
async def deliver(ctx: Context, notice_id: int, within: float) -> None:
    """Send it; what goes out by no template, and is outside WeChat's window (45015, 45047), is held for his next word.

    Also where WeChat refuses us and not him: that is an alarm, and he reads it all the same.
    """
    found = await ctx.read(addressed, notice_id=notice_id)
    if found is None:
        return
    try:
        msg_id = await by_template(ctx, found)
        if msg_id is None:
            await ctx.wechat.send_text(found.openid, found.text)
    except RemoteRefused as problem:
        if outbox.is_ours(problem):
            log.error("we are not accepted", why=str(problem))
        await ctx.transact(hold, notice_id=notice_id)
    else:
        await ctx.transact(note_sent, notice_id=notice_id, msg_id=msg_id)


async def by_template(ctx: Context, found: Addressed) -> str | None:
    """Send it as a template message; None where it has none, or WeChat takes none: it is for the chat then, at once.

    RemoteDown comes through: whether it was sent nobody knows, and WeChat drops a second one of the same number.
    """
    letter, now = found.letter, ctx.clock.now()
    if letter is None or ctx.letters.is_used_up(now=now):
        return None
    more = {"url": f"{ctx.config.base_url}{letter.page}", "client_msg_id": f"notice-{found.id}"}
    try:
        return await ctx.wechat.send_template(found.openid, letter.template_id, letter.data, **more)
    except RateLimited as over:
        ctx.letters.note(over.code, now=now)
        log.warning("no template messages until the quota is new", why=str(over))
    except RemoteRefused as no:
        log.warning("template message refused, told in the chat", why=str(no))
    return None


def note_sent(env: Env, *, notice_id: int, msg_id: str | None) -> None:
    """WeChat has taken it, as a template message of that number or in the chat."""
    ChatNotice.update(sent_at=env.now, msg_id=msg_id or None).where(ChatNotice.id == notice_id).execute()


def not_shown(env: Env, *, openid: str, msg_id: str) -> bool:
    """WeChat has taken a template message and then not shown it: tell it in the chat; False for none of ours."""
    mine = ChatNotice.select().join(Identity).where(Identity.uid == openid, Identity.side == OA)
    notice = mine.where(ChatNotice.msg_id == msg_id).first()
    if notice is None:
        return False
    again = {"purpose": None, "msg_id": None, "sent_at": None}
    ChatNotice.update(**again).where(ChatNotice.id == notice.id).execute()
    outbox.enqueue(env, kind=outbox.NOTICE, subject=notice.id, lane=f"chat:{notice.identity_id}")
    return True


def hold(env: Env, *, notice_id: int) -> None:
    """Keep it for his next message."""
    ChatNotice.update(held_at=env.now).where(ChatNotice.id == notice_id).execute()


class Readers:
    """Who has something to read at his next message, or has read it just now: in memory, for the hot path of the chat.

    The latter because a message that comes again must be answered alike, on whichever process it arrives. A look reads
    what has changed since the last one; an hourly one reads all, at most MOST_READERS, and lets go what is over.
    """

    def __init__(self) -> None:
        self.openids: set[str] = set()
        self._until: dict[str, datetime] = {}
        self._looked_at, self._read_all_at = LONG_AGO, LONG_AGO - READ_ALL_EVERY

    async def refresh(self, read: Callable[..., Awaitable[Any]]) -> None:
        """Look again; `read` runs a service that changes nothing."""
        is_whole = self._looked_at - self._read_all_at >= READ_ALL_EVERY
        now, found = await read(held_since, since=LONG_AGO if is_whole else self._looked_at - OVERLAP)
        if is_whole:
            self.openids.clear()
            self._until.clear()
            self._read_all_at = now
        self._looked_at = now
        for openid, is_unread, shown_at in found:
            self._note(openid, None if is_unread else shown_at)
        self._drop_read(now)

    def _note(self, openid: str, shown_at: datetime | None) -> None:
        if shown_at is not None:
            self._until[openid] = shown_at + STILL_ANSWERED
        else:
            self._until.pop(openid, None)
        if len(self.openids) < MOST_READERS:
            self.openids.add(openid)

    def _drop_read(self, now: datetime) -> None:
        for openid in [one for one, until in self._until.items() if until <= now]:
            del self._until[openid]
            self.openids.discard(openid)


def held_since(env: Env, *, since: datetime) -> tuple[datetime, list[tuple[str, bool, datetime | None]]]:
    """Now, and for each openid with a notice held or shown since then: is one unread, when was the last one shown?

    What is held for longer than 30 days waits for nobody any more.
    """
    new = ChatNotice.alias()
    whose = new.select(new.identity).where((new.held_at > since) | (new.shown_at > since))
    if not whose.exists():  # as in most seconds
        return env.now, []
    unread = fn.MAX(Case(None, [(ChatNotice.shown_at.is_null(), 1)], 0))
    rows = ChatNotice.select(Identity.uid, unread, fn.MAX(ChatNotice.shown_at)).join(Identity)
    rows = rows.where(ChatNotice.held_at > env.now - KEPT, ChatNotice.identity.in_(whose)).group_by(Identity.uid)
    found = rows.order_by(fn.MAX(ChatNotice.held_at).desc()).limit(MOST_READERS).tuples()
    return env.now, [(uid, bool(unread), shown_at) for uid, unread, shown_at in found]


def waiting_for(openid: str) -> list[ChatNotice]:
    """What is held for somebody, oldest first."""
    mine = ChatNotice.select().join(Identity).where(Identity.uid == openid, Identity.side == OA)
    return list(mine.where(ChatNotice.held_at.is_null(False), ChatNotice.shown_at.is_null()).order_by(ChatNotice.id))


def show(env: Env, notice: ChatNotice) -> bool:
    """Mark one as shown; True for the message that shows it."""
    return ChatNotice.change_if(ChatNotice.id == notice.id, ChatNotice.shown_at.is_null(), shown_at=env.now)


def forget_old(env: Env) -> int:
    """Delete what was sent or shown long ago, and what was held for as long without a word from him; how many."""
    before = env.now - KEPT
    told = ChatNotice.sent_at.is_null(False) | ChatNotice.shown_at.is_null(False)
    over = (told & (ChatNotice.created_at < before)) | (ChatNotice.held_at < before)
    return ChatNotice.delete().where(over).execute()
