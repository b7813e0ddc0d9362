"""Heard → done and answered: what the account does with each message and event."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import structlog
from peewee import PeeweeException

from models.errors import BusinessError, TooBusy
from models.people import Identity
from services import access, inbox, leaving, notices, order_views, people, scans
from services.context import Context
from services.env import Env
from wxbot import unlinking, words
from wxbot.callback import Busy, Said

LATE = "late"
MENU = {
    "COURSES": words.COURSES,
    "PLANETS": words.PLANETS,
    "ORDERS": words.ORDERS,
    "HELP": words.HELP,
    "UNLINK": words.UNLINK,
}
LISTS = {words.COURSES, words.PLANETS, words.ORDERS}
Act = Callable[[Env], str]
log = structlog.get_logger()


class Conversation:
    """Hears what the push door lets in. A message without an effect is answered at once and touches no store.

    `waiting` holds the openids with a notice that WeChat did not let through; it is renewed every second.
    """

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.base_url = ctx.config.base_url
        self.readers = notices.Readers()
        self.waiting = self.readers.openids
        self.plain = {
            words.HELP: words.help_text(self.base_url),
            words.UNKNOWN: words.unknown(self.base_url),
            words.ONLY_WORDS: words.only_words(),
        }

    async def renew_waiting(self) -> None:
        """Look who has something to read."""
        await self.readers.refresh(self.ctx.read)

    def hear(self, heard: Any) -> Said | Awaitable[Said]:
        """The answer, or an awaitable of it; raises Busy when an effect cannot be done now."""
        topic = self.topic_of(heard)
        if topic is None:
            act = self.event(heard)
            return self.once(heard, act) if act else None
        if heard.from_user in self.waiting:
            return self.after_notices(heard, topic)
        if topic in self.plain:
            return self.plain[topic]
        return self.look_up(heard, topic) if topic in LISTS else self.once(heard, self.answering(heard, topic))

    def topic_of(self, heard: Any) -> str | None:
        """The topic of a text, a spoken text, a menu key or a scan; None for what is no message."""
        if heard.kind == "event":
            if scan_code(heard):
                return None
            asked = {"CLICK": MENU.get(heard.event_key, words.HELP), "SCAN": words.HELP}
            return asked.get(heard.event.upper())
        return words.topic_of(text) if (text := text_of(heard)) is not None else words.ONLY_WORDS

    def event(self, heard: Any) -> Act | None:
        """What an event does; None for those that change nothing and expect no answer."""
        openid, name = heard.from_user, heard.event.lower()
        if code := scan_code(heard):
            return partial(self.scan, openid, code, follows=name == "subscribe")
        acts: dict[str, Callable[[], Act]] = {
            "subscribe": lambda: partial(self.follow, openid, heard.event_key),
            "unsubscribe": lambda: partial(unfollow, openid),
            "user_authorization_revoke": lambda: partial(forget, named(heard), heard.fields.get("RevokeInfo", "")),
            "user_authorization_cancellation": lambda: partial(erase, named(heard)),
        }
        return acts[name]() if name in acts else None

    def answering(self, heard: Any, topic: str) -> Act:
        """What a message does and says, as something to be done once."""
        return partial(self.answer, heard.from_user, topic, number=words.number_in(text_of(heard) or ""))

    async def once(self, heard: Any, act: Act) -> Said:
        """Do it once, in one transaction with the row that remembers the answer."""
        try:
            said = await self.ctx.transact(inbox.once, source=inbox.PUSH, key=key_of(heard), act=act)
        except (TooBusy, PeeweeException) as problem:
            log.warning("push not handled, asked WeChat to send it again", why=type(problem).__name__)
            raise Busy from None
        return said or None

    async def after_notices(self, heard: Any, topic: str) -> Said:
        """The answer after what waited for him; that waits on when rows are away and the message has no effect."""
        try:
            return await self.once(heard, self.answering(heard, topic))
        except Busy:
            if topic in self.plain:
                return self.plain[topic]
            if topic in LISTS:
                return words.try_later()
            raise

    async def look_up(self, heard: Any, topic: str) -> Said:
        """Answer from rows, changing none; without rows say so."""
        try:
            return await self.ctx.read(self.listing, openid=heard.from_user, topic=topic)
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

    def answer(self, openid: str, topic: str, env: Env, *, number: int = 0) -> str:
        """The answer to a message, with what waited for it in front; runs in the transaction of its effect."""
        said = self.say(env, openid, topic, number)
        held = notices.waiting_for(openid)
        fitting = words.in_front([notice.text for notice in held], said)
        fresh = [text for notice, text in zip(held, fitting, strict=False) if notices.show(env, notice)]
        return "\n\n".join([*fresh, said])

    def say(self, env: Env, openid: str, topic: str, number: int) -> str:
        """The answer to one topic; `number` is the one he wrote."""
        if topic in self.plain:
            return self.plain[topic]
        if topic in LISTS:
            return self.listing(env, openid=openid, topic=topic)
        if topic == words.UNLINK:
            return unlinking.ask(env, openid)
        if topic == words.CONFIRM_UNLINK:
            return unlinking.confirm(env, openid)
        return unlinking.choose(env, openid, number) or self.plain[words.UNKNOWN]

    def listing(self, env: Env, *, openid: str, topic: str) -> str:
        """His courses, his courses with the state of their planets, or his orders."""
        identity = Identity.of_openid(openid)
        if topic == words.ORDERS:
            return self.orders_of(order_views.lines(env, person_id=identity.person_id) if identity else [])
        mine = access.courses_of(env, person_id=identity.person_id) if identity else []
        if not mine:
            return words.no_courses(self.base_url)
        if topic == words.COURSES:
            lines = [words.one_course(self.base_url, c.slug, c.title) for c in mine]
            return words.listed("您的课程：", lines, self.base_url)
        return self.planets_of(mine)

    def orders_of(self, mine: list[order_views.OrderLine]) -> str:
        """Each order with its state and where to go."""
        lines = [words.one_order(self.base_url, one.no, one.title, one.shown_state) for one in mine]
        return words.listed("您的订单：", lines, self.base_url, unit="笔") if mine else words.no_orders(self.base_url)

    def planets_of(self, mine: list[access.CourseState], room: int = words.REPLY_BYTES) -> str:
        """Each course with the state of its planet and where to go, in so many bytes."""
        lines = [words.one_planet(self.base_url, c.slug, c.title, self.state(c), c.until) for c in mine]
        return words.listed("您的课程和星球：", lines, self.base_url, room=room)

    def state(self, course: access.CourseState) -> str:
        """Its state, or that its planet takes nobody yet."""
        card = self.ctx.catalogue.courses.get(course.slug)
        is_open = card is not None and card.planet is not None and card.planet.is_live
        return course.state if is_open or course.state != "unlinked" else "not_live"

    def scan(self, openid: str, code: str, env: Env, *, follows: bool) -> str:
        """He has scanned the account's QR on a PC's page: the openid comes with it, so the PC hears at once."""
        person = people.follow(env, openid=openid) if follows else people.person_with_openid(env, openid)
        try:
            scans.opened(env, code=code, person_id=person.id)
        except BusinessError as no:
            return no.message
        return words.go_on_with_scan(self.base_url, code)

    def follow(self, openid: str, event_key: str, env: Env) -> str:
        """He follows, maybe after paying, maybe again: then he finds what he has (R5)."""
        known = Identity.of_openid(openid)
        person = people.follow(env, openid=openid)
        if mine := access.courses_of(env, person_id=person.id):
            listing = self.planets_of(mine, room=words.REPLY_BYTES - 200)
            return words.welcome_to(listing, is_back=known is not None and known.unfollowed_at is not None)
        paid = event_key.startswith("last_trade_no_")
        return words.welcome_after_payment(self.base_url) if paid else words.welcome(self.base_url)


def unfollow(openid: str, env: Env) -> str:
    """He cannot be answered any more; his rights stay."""
    people.unfollow(env, openid=openid)
    return ""


def forget(openid: str, what: str, env: Env) -> str:
    """He took back an authorisation; the answer is empty, as the platform asks."""
    leaving.forget(env, openid=openid, what=what)
    return ""


def erase(openid: str, env: Env) -> str:
    """He left WeChat."""
    leaving.erase(env, openid=openid)
    return ""


def scan_code(heard: Any) -> str:
    """The code of a PC's scan, in an event from the account's own QR; empty for every other one."""
    scene = heard.event_key.removeprefix("qrscene_") if heard.event.lower() in {"subscribe", "scan"} else ""
    kind, _, code = scene.partition(":")
    return code if kind == scans.TARGET else ""


def text_of(heard: Any) -> str | None:
    """What he wrote, or said where WeChat has recognised it; None for a picture, a place and the like."""
    return heard.content if heard.kind == "text" else heard.fields.get("Recognition") or None


def key_of(heard: Any, said: str = "") -> str:
    """What tells this message or event, or what was said to it, from every other."""
    detail = heard.fields.get("RevokeInfo", "")  # he may take back several authorisations in one second
    return inbox.key_of(sender=heard.from_user, message=heard.once_key, detail=detail + said)


def tell_late(openid: str, text: str, env: Env) -> str:
    """Put a late answer into the chat; the answer kept for it is empty, for nobody asks again."""
    notices.tell_openid(env, openid=openid, text=text)
    return ""


def named(heard: Any) -> str:
    """Whose data an authorisation event is about."""
    return heard.fields.get("OpenID", "") or heard.from_user
