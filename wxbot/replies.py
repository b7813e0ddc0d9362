"""Heard → done and answered: what the account does with each message and event."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import structlog
from peewee import PeeweeException

from models.errors import TooBusy
from models.links import Link
from models.people import Identity
from services import access, inbox, links, notices, people, questions
from services.context import Context
from services.env import Env
from wxbot import words
from wxbot.callback import Busy, Said

PUSH = "push"
UNLINK = "unlink"
CHOOSE = "unlink_choice"
MENU = {"COURSES": words.COURSES, "PLANETS": words.PLANETS, "HELP": words.HELP, "UNLINK": words.UNLINK}
Act = Callable[[Env], str]
log = structlog.get_logger()


class Conversation:
    """Hears what the push door lets in. A message without an effect is answered at once and touches no store.

    `waiting` holds the openids with a notice that WeChat did not let through; it is renewed every few seconds.
    """

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.base_url = ctx.config.base_url
        self.waiting: set[str] = set()
        self.plain = {
            words.HELP: words.help_text(self.base_url),
            words.UNKNOWN: words.unknown(self.base_url),
        }

    async def renew_waiting(self) -> None:
        """Look who has something to read."""
        self.waiting = await self.ctx.read(notices.waiting_openids)

    def hear(self, heard: Any) -> Said | Awaitable[Said]:
        """The answer, or an awaitable of it; raises Busy when an effect cannot be done now."""
        topic = self.topic_of(heard)
        if topic in self.plain and heard.from_user not in self.waiting:
            return self.plain[topic]
        if heard.kind == "event" and topic is None:
            act = self.event(heard)
            return self.once(heard, act) if act else None
        if topic in {words.COURSES, words.PLANETS} and heard.from_user not in self.waiting:
            return self.look_up(heard, topic)
        number = int(words.plain(heard.content)) if topic == words.NUMBER else 0
        return self.once(heard, partial(self.answer, heard.from_user, topic, number=number))

    def topic_of(self, heard: Any) -> str | None:
        """The topic of a text, a spoken text or a menu key; None for what is no message."""
        if heard.kind == "event":
            return MENU.get(heard.event_key, words.UNKNOWN) if heard.event.upper() == "CLICK" else None
        if heard.kind == "text":
            return words.topic_of(heard.content)
        spoken = heard.fields.get("Recognition", "")
        return words.topic_of(spoken) if spoken else "only_words"

    def event(self, heard: Any) -> Act | None:
        """What an event does; None for those that change nothing and expect no answer."""
        openid, name = heard.from_user, heard.event.lower()
        acts: dict[str, Callable[[], Act]] = {
            "subscribe": lambda: partial(self.follow, openid, heard.event_key),
            "unsubscribe": lambda: partial(unfollow, openid),
            "scan": lambda: partial(self.answer, openid, words.UNKNOWN),
            "user_authorization_revoke": lambda: partial(forget, named(heard), heard.fields.get("RevokeInfo", "")),
            "user_authorization_cancellation": lambda: partial(erase, named(heard)),
        }
        return acts[name]() if name in acts else None

    async def once(self, heard: Any, act: Act) -> Said:
        """Do it once, in one transaction with the row that remembers the answer."""
        try:
            said = await self.ctx.transact(inbox.once, source=PUSH, key=heard.once_key, act=act)
        except (TooBusy, PeeweeException) as problem:
            log.warning("push not handled, asked WeChat to send it again", why=type(problem).__name__)
            raise Busy from None
        self.waiting.discard(heard.from_user)
        return said or None

    async def look_up(self, heard: Any, topic: str) -> Said:
        """Answer from rows, changing none; without rows say so."""
        try:
            return await self.ctx.read(self.listing, openid=heard.from_user, topic=topic)
        except (TooBusy, PeeweeException):
            return words.try_later()

    async def late(self, heard: Any, said: Said) -> None:
        """Send by customer-service message what came too late to be the answer."""
        if isinstance(said, str):
            await self.ctx.transact(notices.tell_openid, openid=heard.from_user, text=said)

    def answer(self, openid: str, topic: str, env: Env, *, number: int = 0) -> str:
        """The answer to a message, with what waited for it in front; runs in the transaction of its effect."""
        held = notices.take_waiting(env, openid=openid)
        return words.fit("\n\n".join([*held, self.say(env, openid, topic, number)]))

    def say(self, env: Env, openid: str, topic: str, number: int) -> str:
        """The answer to one topic; `number` is the one he wrote."""
        if topic in self.plain:
            return self.plain[topic]
        if topic in {words.COURSES, words.PLANETS}:
            return self.listing(env, openid=openid, topic=topic)
        if topic == words.UNLINK:
            return ask_unlink(env, openid)
        if topic == words.CONFIRM_UNLINK:
            return confirm_unlink(env, openid)
        if topic == words.NUMBER:
            return choose_link(env, openid, number) or self.plain[words.UNKNOWN]
        return words.only_words()

    def listing(self, env: Env, *, openid: str, topic: str) -> str:
        """His courses, or his courses with the state of their planets."""
        identity = Identity.of_openid(openid)
        mine = access.courses_of(env, person_id=identity.person_id) if identity else []
        if not mine:
            return words.no_courses(self.base_url)
        if topic == words.COURSES:
            lines = [words.one_course(self.base_url, c.slug, c.title) for c in mine]
            return words.listed("您的课程：", lines, self.base_url)
        lines = [words.one_planet(self.base_url, c.slug, c.title, c.state, c.until) for c in mine]
        return words.listed("您的课程和星球：", lines, self.base_url)

    def follow(self, openid: str, event_key: str, env: Env) -> str:
        """He follows, maybe through a code of ours or after paying."""
        people.follow(env, openid=openid)
        paid = event_key.startswith("last_trade_no_")
        return words.welcome_after_payment(self.base_url) if paid else words.welcome(self.base_url)


def unfollow(openid: str, env: Env) -> str:
    """He cannot be answered any more; his rights stay."""
    people.unfollow(env, openid=openid)
    return ""


def forget(openid: str, what: str, env: Env) -> str:
    """He took back an authorisation; the answer is empty, as the platform asks."""
    people.forget(env, openid=openid, what=what)
    return ""


def erase(openid: str, env: Env) -> str:
    """He left WeChat."""
    people.erase(env, openid=openid)
    return ""


def named(heard: Any) -> str:
    """Whose data an authorisation event is about."""
    return heard.fields.get("OpenID", "") or heard.from_user


def links_of(openid: str) -> tuple[Identity | None, list[Link]]:
    """Who writes, and his links."""
    identity = Identity.of_openid(openid)
    return identity, links.active_links(identity.person_id) if identity else []


def ask_unlink(env: Env, openid: str) -> str:
    """解绑: say what it means, or ask which link is meant."""
    identity, mine = links_of(openid)
    if not mine:
        return words.nothing_to_unlink()
    if len(mine) == 1:
        questions.ask(env, identity=identity, topic=UNLINK, choices=[mine[0].id])
        return words.unlink_means(mine[0].display_name)
    questions.ask(env, identity=identity, topic=CHOOSE, choices=[link.id for link in mine])
    return words.choose_link([link.display_name for link in mine])


def choose_link(env: Env, openid: str, number: int) -> str | None:
    """A number after the list: say what unlinking that one means; None when no list was shown."""
    identity, mine = links_of(openid)
    if identity is None or not questions.is_open(env, identity=identity, topic=CHOOSE):
        return None
    choices = questions.take(env, identity=identity, topic=CHOOSE)
    chosen = [link for link in mine if link.id in choices[number - 1 : number] and number > 0]
    if not chosen:
        return words.question_over()
    questions.ask(env, identity=identity, topic=UNLINK, choices=[chosen[0].id])
    return words.unlink_means(chosen[0].display_name)


def confirm_unlink(env: Env, openid: str) -> str:
    """确认解绑: do it, if it was asked for within five minutes."""
    identity, mine = links_of(openid)
    choices = questions.take(env, identity=identity, topic=UNLINK) if identity else []
    chosen = [link for link in mine if link.id in choices]
    if not chosen:
        return words.question_over()
    who = f"person:{identity.person_id}"
    links.unlink(env, link_id=chosen[0].id, person_id=identity.person_id, who=who, reason="chat")
    return words.unlinked(chosen[0].display_name)
