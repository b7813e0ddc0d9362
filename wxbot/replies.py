"""Heard → done and answered: what the account does with each message and event."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import structlog
from peewee import PeeweeException

from models.errors import TooBusy
from services import inbox, keywords, line, notices
from services import vocabulary as topics
from services.context import Context
from services.env import Env
from services.together import Together
from wxbot import events, feedback, fitting, opting, unlinking, vouchers_chat, words
from wxbot.callback import Busy, Said
from wxbot.events import Act
from wxbot.listings import LISTS, Listings

LATE = "late"
MOST_CLAIMING = 64
MENU = {
    "COURSES": topics.COURSES,
    "PLANETS": topics.PLANETS,
    "VOUCHERS": topics.VOUCHERS,
    "ORDERS": topics.ORDERS,
    "FEEDBACK": topics.FEEDBACK,
    "HELP": topics.HELP,
    "UNLINK": topics.UNLINK,
}
DOES: dict[str, Callable[[Env, str, str], str]] = {
    topics.VOUCHERS: vouchers_chat.answer,
    topics.REPORT: feedback.keep,
    topics.OPT_OUT: opting.opt_out,
    topics.OPT_IN: opting.opt_in,
    topics.UNLINK: lambda env, openid, _text: unlinking.ask(env, openid),
    topics.CONFIRM_UNLINK: lambda env, openid, _text: unlinking.confirm(env, openid),
}
"""What changes rows: each gets the openid and what he wrote, and is done once for a message."""
log = structlog.get_logger()


class Conversation:
    """Hears what the push door lets in. A message without an effect is answered at once and touches no store.

    `waiting` holds the openids with a notice that WeChat did not let through, `kept` what operators have it say to
    words of theirs, `campaigns` the words that ask for vouchers; all are looked after every second.
    """

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        base_url = ctx.config.base_url
        self.listings = Listings(base_url, ctx.catalogue)
        self.readers = notices.Readers()
        self.waiting = self.readers.openids
        self.kept: Mapping[str, str] = {}
        self.campaigns: frozenset[str] = frozenset()
        self._version = -1
        self.claiming = 0
        self.line = Together(lambda asks: ctx.transact(line.stand, asks=asks))
        self.plain = {
            topics.HELP: words.help_text(base_url),
            topics.UNKNOWN: words.unknown(base_url),
            topics.ONLY_WORDS: words.only_words(),
            topics.THANKS: words.you_are_welcome(),
            topics.FEEDBACK: words.how_to_report(),
        }

    async def renew(self) -> None:
        """Keep all memories fresh, after the catalogue's."""
        await self.renew_words()
        await self.renew_waiting()

    async def renew_words(self) -> None:
        """Read the words of operators and campaigns again if the number that grows with every change has grown."""
        version = self.ctx.catalogue.version
        if version != self._version:
            self.kept = await self.ctx.read(keywords.texts)
            self.campaigns = await self.ctx.read(vouchers_chat.words_of_campaigns)
            self._version = version

    async def renew_waiting(self) -> None:
        """Look who has something to read."""
        await self.readers.refresh(self.ctx.read)

    def hear(self, heard: Any) -> Said | Awaitable[Said]:
        """The answer, or an awaitable of it; raises Busy when an effect cannot be done now."""
        topic = self.topic_of(heard)
        if topic is None:
            act = events.act_of(self.listings, heard)
            return self.once(heard, act) if act else None
        if heard.from_user in self.waiting:
            return self.after_notices(heard, topic)
        if said := self.at_once(topic, text_of(heard) or ""):
            return said
        if topic == topics.VOUCHERS:
            return self.claim(heard)
        return self.look_up(heard, topic) if topic in LISTS else self.once(heard, self.answering(heard, topic))

    def topic_of(self, heard: Any) -> str | None:
        """The topic of a text, a spoken text, a menu key or a scan; None for what is no message."""
        if heard.kind == "event":
            if events.scan_code(heard):
                return None
            asked = {"CLICK": MENU.get(heard.event_key, topics.HELP), "SCAN": topics.HELP}
            return asked.get(heard.event.upper())
        text = text_of(heard)
        return topics.ONLY_WORDS if text is None else topics.topic_of(text, self.kept, self.campaigns)

    def at_once(self, topic: str, text: str) -> str | None:
        """What is said without a look at rows, by us or by an operator's word; None for all else."""
        if topic == topics.KEYWORD:
            kept = self.kept  # another thread may renew it
            return kept.get(topics.keyword_in(text, kept), self.plain[topics.UNKNOWN])
        return self.plain.get(topic)

    def answering(self, heard: Any, topic: str) -> Act:
        """What a message does and says, as something to be done once."""
        return partial(self.answer, heard.from_user, topic, text_of(heard) or "")

    async def once(self, heard: Any, act: Act) -> Said:
        """Do it once, in one transaction with the row that remembers the answer."""
        try:
            said = await self.ctx.transact(inbox.once, source=inbox.PUSH, key=key_of(heard), act=act)
        except (TooBusy, PeeweeException) as problem:
            log.warning("push not handled, asked WeChat to send it again", why=type(problem).__name__)
            raise Busy from None
        return said or None

    async def claim(self, heard: Any) -> Said:
        """代金券: at once, while not too many ask; beyond that he stands in line, and is told so at once (V4).

        WeChat takes the answer for 5 s only, and pages wait behind the same rows.
        """
        if self.claiming >= MOST_CLAIMING:
            return await self.stand_in_line(heard)
        self.claiming += 1
        try:
            return await self.once(heard, self.answering(heard, topics.VOUCHERS))
        finally:
            self.claiming -= 1

    async def stand_in_line(self, heard: Any) -> Said:
        """His message is kept, with all that come at the same moment in one transaction; the answer comes later."""
        try:
            await self.line.add(line.Ask(heard.from_user, key_of(heard), text_of(heard) or ""))
        except (TooBusy, PeeweeException) as problem:
            log.warning("nobody can stand in line, asked WeChat to send it again", why=type(problem).__name__)
            raise Busy from None
        return words.voucher_comes()

    async def after_notices(self, heard: Any, topic: str) -> Said:
        """The answer after what waited for him; that waits on when rows are away and the message has no effect."""
        try:
            return await self.once(heard, self.answering(heard, topic))
        except Busy:
            if said := self.at_once(topic, text_of(heard) or ""):
                return said
            if topic in LISTS:
                return words.try_later()
            raise

    async def look_up(self, heard: Any, topic: str) -> Said:
        """Answer from rows, changing none; without rows say so."""
        try:
            return await self.ctx.read(self.listings.of, openid=heard.from_user, topic=topic)
        except (TooBusy, PeeweeException):
            return words.try_later()

    async def late(self, heard: Any, said: Said) -> None:
        """Send by customer-service message what came too late to be the answer; once, however many copies waited.

        Of copies one may fail and another not: both words are sent then, or a regret would hide what was done.
        """
        if not isinstance(said, str):
            return
        tell = partial(tell_late, heard.from_user, said)
        try:
            await self.ctx.transact(inbox.once, source=LATE, key=key_of(heard, said), act=tell)
        except (TooBusy, PeeweeException):  # nowhere to keep it, so there is this one chance
            await self.ctx.wechat.send_text(heard.from_user, said)

    def answer(self, openid: str, topic: str, text: str, env: Env) -> str:
        """The answer to a message, with what waited for it in front; runs in the transaction of its effect."""
        said = self.say(env, openid, topic, text)
        held = notices.waiting_for(openid)
        shown = fitting.in_front([notice.text for notice in held], said)
        fresh = [text for notice, text in zip(held, shown, strict=False) if notices.show(env, notice)]
        return "\n\n".join([*fresh, said])

    def say(self, env: Env, openid: str, topic: str, text: str) -> str:
        """The answer to one topic; `text` is what he wrote."""
        if said := self.at_once(topic, text):
            return said
        if topic in LISTS:
            return self.listings.of(env, openid=openid, topic=topic)
        if topic == topics.NUMBER:
            return self.numbered(env, openid, text)
        return DOES[topic](env, openid, text)

    def numbered(self, env: Env, openid: str, text: str) -> str:
        """A number: his choice, when he was asked to make one, else a line of the help."""
        number, lines = topics.number_in(text), list(words.HELP_LINES)
        if chosen := unlinking.choose(env, openid, number):
            return chosen
        topic = lines[number - 1] if 1 <= number <= len(lines) else topics.UNKNOWN
        return self.say(env, openid, topic, text)


def text_of(heard: Any) -> str | None:
    """What he wrote, or said where WeChat has recognised it; None for a picture, a place and the like."""
    return heard.content if heard.kind == "text" else heard.fields.get("Recognition") or None


def key_of(heard: Any, said: str = "") -> str:
    """What tells this message or event, or what was said to it, from every other."""
    # in one second he may take back several authorisations, and several letters may come to an end
    detail = heard.fields.get("RevokeInfo", "") + heard.fields.get("MsgID", "")
    return inbox.key_of(sender=heard.from_user, message=heard.once_key, detail=detail + said)


def tell_late(openid: str, text: str, env: Env) -> str:
    """Put a late answer into the chat; the answer kept for it is empty, for nobody asks again."""
    notices.tell_openid(env, openid=openid, text=text)
    return ""
