"""The push door: proves what WeChat sends, lets the conversation hear it, and answers in time.

Between the codec, which knows the wire, and the conversation, which knows the business; both are handed
in. The bytes of HTTP are in `wxbot.delegate`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, Protocol

import structlog
from prometheus_client import Counter

log = structlog.get_logger()

Said = str | Mapping[str, str] | None
"""A text, one card (`title`, `url`, `description`, `picture_url`), or nothing to say."""


class Busy(Exception):
    """The conversation cannot do this now (database down, pool full): WeChat shall send it again."""


class Codec(Protocol):
    """What this door needs of `clients.wechat_crypto.PushCodec`; `Rejected` carries a `reason` slug."""

    Rejected: type[Exception]

    def echo(self, query: str, now: int) -> bytes:
        """The body that verifies our address."""

    def open(self, query: str, body: bytes, now: int) -> Any:
        """A letter: its `heard` is for the conversation, the rest for `answer`."""

    def answer(self, letter: Any, said: Said, now: int) -> tuple[bytes, str]:
        """Body and media type; never raises for a letter that was opened."""


class Conversation(Protocol):
    """What the account does with what it hears. A duplicate is its matter: it answers it alike."""

    def hear(self, heard: Any) -> Said | Awaitable[Said]:
        """The answer, or an awaitable of it; `None` says nothing. Raises `Busy`.

        What waits for nobody returns its answer at once: that saves a task, and is the hot path.
        """

    async def late(self, heard: Any, said: Said) -> None:
        """Send by customer-service message what came too late to be the answer."""


class Answer(NamedTuple):
    """One HTTP answer; `retry_after` in seconds, 0 for none."""

    status: int
    body: bytes = b""
    media: str = "text/plain"
    retry_after: int = 0


REFUSED = Answer(403)
GREETED = frozenset(("subscribe", "scan", "click"))
"""Events that a person sees an answer to; all others only report, and are repeated rather than lost."""
Send = Callable[[Answer], None]
PUSHES = Counter("wxbot_pushes", "Pushes of WeChat by how they ended", ["outcome"])


class _Outcomes(dict[str, Callable[[], None]]):
    """The counter's children by outcome, each looked up once; outcomes are a few constants."""

    def __missing__(self, outcome: str) -> Callable[[], None]:
        self[outcome] = count = PUSHES.labels(outcome).inc
        return count


count = _Outcomes()
for _outcome in ("ok", "verified", "late", "busy", "failed", "lost"):
    count[_outcome]


class PushDoor:
    """Answers each push within `answer_within` seconds: with what was said, or `success` and later more."""

    def __init__(
        self,
        codec: Codec,
        conversation: Conversation,
        now: Callable[[], float],
        *,
        answer_within: float = 4.0,
        retry_after: int = 5,
        sorry: str = "刚才没有办成，请再试一次。",
    ) -> None:
        """`now` gives Unix seconds. `sorry` is said when work fails after WeChat was told `success`."""
        self._codec = codec
        self._conversation = conversation
        self._now = now
        self._answer_within = answer_within
        self._sorry = sorry
        self._again = Answer(503, retry_after=retry_after)
        self._tasks: set[asyncio.Future[Any]] = set()
        self._closing = False

    def verify(self, query: str) -> Answer:
        """The console's GET: its echo, or the refusal that all faults get."""
        try:
            echo = self._codec.echo(query, int(self._now()))
        except self._codec.Rejected as no:
            return self.refuse(no)
        count["verified"]()
        return Answer(200, echo)

    def push(self, query: str, body: bytes, send: Send) -> None:
        """Handle one POST; `send` is called once, now or within `answer_within` seconds."""
        now = int(self._now())
        try:
            letter = self._codec.open(query, body, now)
        except self._codec.Rejected as no:
            send(self.refuse(no))
            return
        try:
            said = self._conversation.hear(letter.heard)
        except Exception as failure:  # noqa: BLE001 a door's last resort: WeChat sends the message again
            send(self.failed(failure))
            return
        if said is None or isinstance(said, str | Mapping):
            send(self.answer(letter, said, now))
        else:
            _Turn(self, letter, asyncio.ensure_future(said), send, self._answer_within)

    def refuse(self, no: Exception) -> Answer:
        """403 and nothing more, whatever was wrong; only the log and the metric know."""
        reason = getattr(no, "reason", "unknown")
        count[f"rejected:{reason}"]()
        log.info("push rejected", reason=reason)
        return REFUSED

    def failed(self, failure: BaseException) -> Answer:
        """503, so that WeChat sends the message again; the work is such that twice does what once does."""
        if isinstance(failure, Busy):
            count["busy"]()
        else:
            count["failed"]()
            log.error("push failed", error=type(failure).__name__, at=_place(failure))
        return self._again

    def answer(self, letter: Any, said: Said, now: int | None = None) -> Answer:
        """What was said, in the form the letter came in."""
        body, media = self._codec.answer(letter, said, int(self._now()) if now is None else now)
        count["ok"]()
        return Answer(200, body, media)

    def too_slow(self, letter: Any) -> Answer:
        """`success`: WeChat shall neither wait longer nor send the message again.

        An event that only reports is asked for again instead: nobody waits for its answer, and it is not done yet.
        """
        if only_reports(letter.heard):
            count["busy"]()
            return self._again
        body, media = self._codec.answer(letter, None, 0)
        count["late"]()
        return Answer(200, body, media)

    def say_late(self, letter: Any, work: "asyncio.Future[Said]") -> None:
        """Hand the answer of overdue work to the conversation, or regrets when it failed."""
        failure = _failure(work)
        said = self._sorry if failure else work.result()
        if failure:
            count["lost"]()
            log.error("late push failed", error=type(failure).__name__, at=_place(failure))
        if said and not self._closing and not only_reports(letter.heard):
            sending = asyncio.ensure_future(self._conversation.late(letter.heard, said))
            self.keep(sending, self._sent)

    def _sent(self, sending: "asyncio.Future[None]") -> None:
        if failure := _failure(sending):
            count["lost"]()
            log.error("late answer not sent", error=type(failure).__name__, at=_place(failure))

    def keep(self, work: "asyncio.Future[Any]", ended: Callable[["asyncio.Future[Any]"], None]) -> None:
        """Hold `work` until it ends, so that a drain waits for it; then call `ended`."""
        self._tasks.add(work)
        work.add_done_callback(self._tasks.discard)
        work.add_done_callback(ended)

    @property
    def is_idle(self) -> bool:
        """Whether no work and no late answer is under way."""
        return not self._tasks

    async def drain(self, seconds: float) -> int:
        """Wait for running work and late answers; cancel what is left and return how many that were."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while self._tasks and (left := until - loop.time()) > 0:
            await asyncio.wait(self._tasks, timeout=left)
        self._closing = True
        cut = list(self._tasks)
        for work in cut:
            work.cancel()
        await asyncio.gather(*cut, return_exceptions=True)
        return len(cut)


def only_reports(heard: Any) -> bool:
    """Whether nobody sees an answer to this: somebody left, took an authorisation back, opened a page."""
    return heard.kind == "event" and heard.event.lower() not in GREETED


class _Turn:
    """One push whose answer takes its time: it is said when it comes, or after `success` as a message."""

    def __init__(self, door: PushDoor, letter: Any, work: "asyncio.Future[Said]", send: Send, seconds: float) -> None:
        self._door = door
        self._letter = letter
        self._work = work
        self._send = send
        self._overdue = False
        self._timer = asyncio.get_running_loop().call_later(seconds, self._give_up)
        door.keep(work, self._ended)

    def _give_up(self) -> None:
        self._overdue = True
        self._send(self._door.too_slow(self._letter))

    def _ended(self, work: "asyncio.Future[Said]") -> None:
        self._timer.cancel()
        if self._overdue:
            self._door.say_late(self._letter, work)
        elif failure := _failure(work):
            self._send(self._door.failed(failure))
        else:
            self._send(self._door.answer(self._letter, work.result()))


def _failure(work: "asyncio.Future[Any]") -> BaseException | None:
    return asyncio.CancelledError() if work.cancelled() else work.exception()


def _place(failure: BaseException) -> str:
    """File and line where it was raised: the text of an error may name a person, its place does not."""
    at = failure.__traceback__
    while at and at.tb_next:
        at = at.tb_next
    return f"{at.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{at.tb_lineno}" if at else ""
