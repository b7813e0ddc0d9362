"""What `wxbot sandbox` may be told, and when it must not start."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sandbox.pay_settings import PaySettings
from sandbox.rewriting import is_loopback
from sandbox.wechat_account import AccountSettings

PEOPLE = {"anna": "小安", "bob": "阿宝", "caoz": "讲师甲"}


class LiveSettings(Exception):
    """The sandbox was started beside settings of the real world; the words say which."""


@dataclass
class PlanetSettings:
    """How the planet knows its one partner: our client."""

    client_id: str = "wxbot-sandbox"
    client_secrets: list[str] = field(default_factory=lambda: ["sandbox-planet-secret-0123456789abcdef"])
    redirect_uris: list[str] = field(default_factory=lambda: ["http://127.0.0.1:8000/links/callback/partner"])
    webhook_url: str | None = None
    webhook_secret: str | None = None


@dataclass
class SandboxOptions:
    """Everything has a default: with no settings at all the sandbox stands alone, for anybody's bot."""

    console_port: int = 8100
    wechat_port: int = 8101
    planet_port: int = 8102
    pay_port: int = 8103
    people: dict[str, str] = field(default_factory=lambda: dict(PEOPLE))
    """Short name → nickname."""
    account: AccountSettings = field(default_factory=AccountSettings)
    planet: PlanetSettings = field(default_factory=PlanetSettings)
    pay: PaySettings = field(default_factory=PaySettings)
    groups: list[tuple[str, str, int, str]] = field(default_factory=lambda: [("g1", "信息安全星球", 19900, "caoz")])
    """Planets to open: (group_id, title, price in fen, short name of the owner)."""
    site_url: str = ""
    """The bot's own site, offered as a first link in every phone."""
    live_urls: list[str] = field(default_factory=list)
    """Outside addresses that the settings beside it name; any that is not of this machine refuses the start."""
    seed: int | None = None

    def check(self) -> None:
        """Raise LiveSettings, with one line, for any address that is not of this machine."""
        named = [*self.live_urls, self.account.callback_url, self.site_url, self.planet.webhook_url or ""]
        for url in named:
            if url and not is_loopback(url):
                host = urlsplit(url).hostname or url
                raise LiveSettings(f"the sandbox refuses to start beside live settings: {host} is not this machine")
