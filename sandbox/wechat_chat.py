"""Who follows the account, what was said on each phone, and how many messages may still be sent."""

from dataclasses import dataclass, field
from typing import Any

from sandbox.wechat_errors import WeChatError
from sandbox.world import SandboxPerson, World

TWO_DAYS, MINUTE = 48 * 3600, 60
TRIGGERS = {
    "message": (5, TWO_DAYS),
    "menu": (3, MINUTE),
    "follow": (3, MINUTE),
    "scan": (3, MINUTE),
    "payment": (1_000_000, TWO_DAYS),
}
"""What opens a window for customer-service messages: how many, for how many seconds."""
TRIGGERS_2021 = TRIGGERS | {"message": (20, TWO_DAYS)}
OUT_OF_SERVICE = "该公众号暂时无法提供服务，请稍后再试"


@dataclass
class Bubble:
    """One thing in the chat window; `sender` is me (the person), account, or system; `via` how it came."""

    number: int
    at: float
    sender: str
    kind: str
    text: str
    via: str = ""
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class Window:
    """A right to send `left` messages until `ends_at`."""

    ends_at: float
    left: int


@dataclass
class Fan:
    """How one person stands to the account."""

    follows: bool = False
    since: float = 0
    scene: str = ""
    via: str = "ADD_SCENE_SEARCH"
    blocks_templates: bool = False
    accepts_subscribe: bool = True
    windows: dict[str, Window] = field(default_factory=dict)
    bubbles: list[Bubble] = field(default_factory=list)


class Chats:
    """The chat windows of all people with one account."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._fans: dict[str, Fan] = {}
        self._count = 0
        self.triggers = dict(TRIGGERS)

    def fan(self, person: SandboxPerson) -> Fan:
        """The person's standing, made on first use."""
        return self._fans.setdefault(person.name, Fan())

    def add(self, person: SandboxPerson, sender: str, kind: str, text: str, **rest: Any) -> Bubble:
        """Show something in the person's chat."""
        self._count += 1
        bubble = Bubble(self._count, self._world.now(), sender, kind, text, **rest)
        self.fan(person).bubbles.append(bubble)
        return bubble

    def open_window(self, person: SandboxPerson, trigger: str) -> None:
        """The person did something that lets the account write to her for a while."""
        count, seconds = self.triggers[trigger]
        self.fan(person).windows[trigger] = Window(self._world.now() + seconds, count)

    def use_window(self, person: SandboxPerson) -> None:
        """Take one message from the window that ends first, or refuse: 45015 no window, 45047 used up."""
        fan = self.fan(person)
        live = [window for window in fan.windows.values() if window.ends_at > self._world.now()]
        if not fan.follows or not live:
            raise WeChatError(45015)
        free = [window for window in live if window.left > 0]
        if not free:
            raise WeChatError(45047)
        min(free, key=lambda window: window.ends_at).left -= 1

    def followers(self) -> list[str]:
        """The short names of all who follow, the oldest first."""
        following = [(fan.since, name) for name, fan in self._fans.items() if fan.follows]
        return [name for _, name in sorted(following)]
