"""What both companies of the sandbox share: the clock, the people, the faults, the journal. No I/O here."""

import hmac
import random
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest

from sandbox.faults import Faults
from sandbox.journal import Journal

PHONE_HEADER = "X-Sandbox-Phone"
FRAGMENT_HEADER = "X-Sandbox-Fragment"


@dataclass
class SandboxPerson:
    """A human being with a phone; every account (app id) sees another openid of hers."""

    name: str
    nickname: str
    phone_secret: str
    unionid: str | None = None
    openids: dict[str, str] = field(default_factory=dict)
    snapshot: bool = False
    """WeChat opens pages in snapshot mode: sites get virtual ids."""
    callback_twice: bool = False
    """WeChat asks for the OAuth callback address two times."""


class World:
    """One pretend outside world. `seed` makes ids repeatable; `clock` (unix seconds) is what it runs on."""

    def __init__(self, *, seed: int | None = None, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._offset = 0.0
        self._frozen: float | None = None
        # A seeded generator is for repeatable tests; what nobody seeded is really random.
        self.random: random.Random = random.Random(seed) if seed is not None else secrets.SystemRandom()  # noqa: S311  # nosec B311
        self.people: dict[str, SandboxPerson] = {}
        self.faults = Faults()
        self.journal = Journal()
        self.origins: set[str] = set()
        """`scheme://host:port` of the sandbox's own servers; only they are told which phone asks."""

    def now(self) -> float:
        """Unix seconds of the virtual clock."""
        return self._frozen if self._frozen is not None else self._clock() + self._offset

    def forward(self, seconds: float) -> None:
        """Move the clock; also a frozen one."""
        if self._frozen is not None:
            self._frozen += seconds
        else:
            self._offset += seconds

    def freeze(self, at: float | None = None) -> None:
        """Stop the clock at `at`, or where it stands."""
        self._frozen = self.now() if at is None else at

    def thaw(self) -> None:
        """Let a frozen clock run on from where it stands."""
        if self._frozen is not None:
            self._offset = self._frozen - self._clock()
            self._frozen = None

    @property
    def is_frozen(self) -> bool:
        """Whether the clock stands still."""
        return self._frozen is not None

    def new_id(self, prefix: str = "", bits: int = 128) -> str:
        """`prefix` and `bits` of randomness in lower-case hex."""
        return f"{prefix}{self.random.getrandbits(bits):0{bits // 4}x}"

    def add_person(self, name: str, nickname: str | None = None, *, unionid: str | None = None) -> SandboxPerson:
        """A new person with a phone; a name that is taken raises ValueError."""
        if name in self.people or not name.isascii() or not name.isalnum():
            raise ValueError(f"a person's short name is unique and plain letters or digits: {name!r}")
        person = SandboxPerson(name, nickname or name, self.new_id("phone"), unionid)
        self.people[name] = person
        return person

    def openid(self, person: SandboxPerson, app_id: str) -> str:
        """The person's id at one account, in WeChat's form (28 characters); always the same one."""
        if app_id not in person.openids:
            person.openids[app_id] = self.new_id("o", 108)
        return person.openids[app_id]

    def person_by_openid(self, openid: str, app_id: str) -> SandboxPerson | None:
        """Whose openid this is at that account."""
        return next((one for one in self.people.values() if one.openids.get(app_id) == openid), None)

    def phone_header(self, person: SandboxPerson) -> dict[str, str]:
        """What the person's phone sends along to the sandbox's own origins, to be recognised."""
        return {PHONE_HEADER: f"{person.name}:{person.phone_secret}"}

    def phone_of(self, request: HTTPServerRequest) -> SandboxPerson | None:
        """Whose phone asks; None for any other browser and for a forged header."""
        name, _, secret = request.headers.get(PHONE_HEADER, "").partition(":")
        person = self.people.get(name)
        if person and hmac.compare_digest(secret.encode(), person.phone_secret.encode()):
            return person
        return None

    def is_own_origin(self, url: str) -> bool:
        """Whether the address belongs to one of the sandbox's own servers."""
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}" in self.origins
