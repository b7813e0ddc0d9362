"""排队: who asks while too many do is told at once that the answer comes; it comes as a message, in order, once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from peewee import fn
from prometheus_client import Gauge

from models.delivery import ChatAsk
from services import inbox, notices
from services.context import Context
from services.env import Env

AT_ONCE = 20
KEPT = timedelta(days=30)
MOST_TEXT = 64
Answer = Callable[[Env, str, str], str]
answers: list[Answer] = []
log = structlog.get_logger()
waiting = Gauge("wxbot_line_waiting", "followers who stand in line for an answer", multiprocess_mode="mostrecent")


def answered_by(answer: Answer) -> Answer:
    """Names what those in line have asked for; it gets the openid and what he wrote."""
    answers[:] = [answer]
    return answer


@dataclass(frozen=True, slots=True)
class Ask:
    """Somebody's message, under its key of the inbox."""

    openid: str
    key: str
    text: str


def stand(env: Env, *, asks: list[Ask]) -> None:
    """Put them in line, in their order; a copy of a message stands there once."""
    rows = [{"openid": one.openid, "key": one.key, "text": one.text[:MOST_TEXT], "asked_at": env.now} for one in asks]
    ChatAsk.insert_many(rows).on_conflict_ignore().execute()


def first(env: Env) -> list[int]:
    """Who is next; whoever could not be answered before comes behind the others."""
    rows = ChatAsk.select(ChatAsk.id).where(ChatAsk.answered_at.is_null())
    return [row.id for row in rows.order_by(ChatAsk.tries, ChatAsk.id).limit(AT_ONCE)]


async def answer_due(ctx: Context) -> None:
    """The job: answer all, some in one transaction; one that fails keeps no other waiting."""
    while ids := await ctx.read(first):
        try:
            await ctx.transact(answer_some, ids=ids)
        except Exception as problem:  # noqa: BLE001 - whose fault it is shows when each is answered by itself
            log.warning("the line is answered one by one", why=type(problem).__name__)
            if not await one_by_one(ctx, ids):
                return  # rows are away, or nothing works: the next round tries again


async def one_by_one(ctx: Context, ids: list[int]) -> int:
    """How many could be answered."""
    done = 0
    for number in ids:
        try:
            await ctx.transact(answer_some, ids=[number])
            done += 1
        except Exception as problem:
            log.error("could not be answered yet", ask=number, exc_info=problem)
            await ctx.transact(put_back, ask_id=number)
    return done


def answer_some(env: Env, *, ids: list[int]) -> None:
    """Each once: a conditional UPDATE decides between two processes, the inbox between this and a copy of it."""
    for ask in ChatAsk.select().where(ChatAsk.id.in_(ids)).order_by(ChatAsk.id):
        open_still = (ChatAsk.id == ask.id, ChatAsk.answered_at.is_null())
        if ChatAsk.change_if(*open_still, answered_at=env.now, openid=""):
            answer_one(env, ask)


def answer_one(env: Env, ask: ChatAsk) -> None:
    """What he asked for, as a message; nothing for one that a copy of his message has been answered with."""
    if inbox.is_new(env, source=inbox.PUSH, key=ask.key):
        said = answers[0](env, ask.openid, ask.text)
        inbox.keep_reply(env, source=inbox.PUSH, key=ask.key, reply=said)
        notices.tell_openid(env, openid=ask.openid, text=said)


def put_back(env: Env, *, ask_id: int) -> None:
    """Behind all others."""
    ChatAsk.update(tries=ChatAsk.tries + 1).where(ChatAsk.id == ask_id).execute()


def measure(env: Env) -> None:
    """How many stand there."""
    waiting.set(ChatAsk.select(fn.COUNT(ChatAsk.id)).where(ChatAsk.answered_at.is_null()).scalar())


def forget(env: Env, *, openid: str) -> None:
    """He leaves WeChat: nobody can be answered any more."""
    ChatAsk.update(openid="", answered_at=env.now).where(ChatAsk.openid == openid).execute()


def forget_old(env: Env) -> int:
    """Delete what was answered long ago; how many."""
    return ChatAsk.delete().where(ChatAsk.answered_at < env.now - KEPT).execute()
