"""An Official Account as its owner sees it in the console: ids, keys, modes, addresses, switches."""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any

from sandbox.wechat_chat import Chats
from sandbox.wechat_oauth import OAuthBook
from sandbox.wechat_tokens import Quota, TokenBook
from sandbox.world import SandboxPerson, World

DEFAULTS = {
    "app_id": "wx5a6db0c0ffee0001",
    "app_secret": "sandbox0secret0000000000000000ab",  # nosec B105 - public on purpose
    "token": "sandboxtoken",  # nosec B105 - public on purpose
    "aes_key": "sandboxsandboxsandboxsandboxsandboxsandbox4",
}
"""What the sandbox uses when nobody says otherwise; public on purpose, good for nothing else."""


@dataclass
class QrTicket:
    """One parametric QR; `ends_at` None is for ever."""

    ticket: str
    scene: str
    url: str
    ends_at: float | None


@dataclass
class AccountSettings:
    """What the owner of the account types into WeChat's console. Lists are changeable while running."""

    app_id: str = DEFAULTS["app_id"]
    app_secret: str = DEFAULTS["app_secret"]
    token: str = DEFAULTS["token"]
    aes_keys: list[str] = field(default_factory=lambda: [DEFAULTS["aes_key"]])
    """43 characters each; the first encrypts pushes, all are tried on replies."""
    mode: str = "safe"
    """safe, compatible or plain"""
    body_format: str = "xml"
    """xml or json"""
    callback_url: str = ""
    gh_id: str = "gh_5a6db0c0ffee"
    name: str = "微课"
    redirect_domains: list[str] = field(default_factory=lambda: ["127.0.0.1", "localhost"])
    """Hosts (exact, without port) that OAuth may send people back to."""
    ip_white_list: list[str] | None = None
    """None switches the check off."""
    is_service: bool = True
    is_verified: bool = True
    templates: list[str] | None = None
    """Known template ids; None takes any."""
    resend_times: int = 3
    """How often a push without an answer is sent in all."""
    resend_seconds: float = 5.0
    answer_seconds: float = 5.0

    def check(self) -> None:
        """Refuse what the real console would refuse, with ValueError."""
        if self.mode not in ("safe", "compatible", "plain"):
            raise ValueError(f"mode is safe, compatible or plain, not {self.mode!r}")
        if self.body_format not in ("xml", "json"):
            raise ValueError(f"body_format is xml or json, not {self.body_format!r}")
        for key in self.aes_keys:
            if len(key) != 43 or len(base64.b64decode(key + "=", validate=True)) != 32:
                raise ValueError("an EncodingAESKey has 43 characters of base64")


class WeChatAccount:
    """One running account: its settings and everything WeChat keeps for it."""

    def __init__(self, world: World, settings: AccountSettings | None = None, **changes: Any) -> None:
        self.world = world
        self.settings = settings or AccountSettings(**changes)
        self.settings.check()
        self.quota = Quota(world)
        self.tokens = TokenBook(world, self.quota)
        self.oauth = OAuthBook(world, self.settings.app_id)
        self.chats = Chats(world)
        self.menu: dict[str, Any] | None = None
        self.qr_tickets: dict[str, QrTicket] = {}
        self.jsapi_ticket: tuple[str, float] | None = None
        self.sent_templates: dict[str, tuple[float, int]] = {}

    @property
    def app_id(self) -> str:
        """The account's id."""
        return self.settings.app_id

    @property
    def token_fetches(self) -> int:
        """How often a server token was asked for, in both ways."""
        return self.tokens.fetches

    @property
    def always_40001(self) -> bool:
        """Whether every call is refused as if its token were wrong."""
        return self.tokens.always_40001

    @always_40001.setter
    def always_40001(self, on: bool) -> None:
        self.tokens.always_40001 = on

    def break_tokens(self, code: int = 40001) -> None:
        """Make all tokens bad, as another process with `force_refresh` does; 40014 and 42001 also exist."""
        self.tokens.break_all(code)

    def openid(self, person: SandboxPerson) -> str:
        """The person's id at this account."""
        return self.world.openid(person, self.app_id)

    def person(self, openid: str) -> SandboxPerson | None:
        """Whose openid this is."""
        return self.world.person_by_openid(openid, self.app_id)

    def check_jssdk(self, url: str, *, timestamp: str, noncestr: str, signature: str) -> str:
        """What `wx.config` would say on this page: `config:ok` or `config:invalid signature`."""
        ticket = self.jsapi_ticket[0] if self.jsapi_ticket else ""
        signed = f"jsapi_ticket={ticket}&noncestr={noncestr}&timestamp={timestamp}&url={url.partition('#')[0]}"
        right = hashlib.sha1(signed.encode(), usedforsecurity=False).hexdigest()
        return "config:ok" if ticket and hmac.compare_digest(right, signature) else "config:invalid signature"

    def ticket_for_scene(self, scene: str) -> QrTicket | None:
        """The live parametric QR with this scene or this `url`, if one was made."""
        now = self.world.now()
        live = [t for t in self.qr_tickets.values() if t.ends_at is None or t.ends_at > now]
        return next((ticket for ticket in reversed(live) if scene in (ticket.scene, ticket.url)), None)
