"""Every setting: typed, described, checked at the start. Nobody else reads the environment."""

import base64
import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from clients import pay_crypto, pay_keys
from clients.planets import partner_events
from services import letters

PREFIX = "WXBOT_"
LOOPBACK_NAMES = {"localhost"}
AES_KEY = re.compile(r"[0-9A-Za-z+/]{43}")
PORT = re.compile(r"[0-9]{1,5}")
UNPRINTABLE = re.compile(r"[^\x21-\x7e]")
KEY_FILES: dict[str, Callable[[bytes], Any]] = {
    "pay_private_key_file": pay_crypto.read_private_key,
    "pay_public_key_file": pay_keys.read_public_key,
    "pay_platform_cert_files": pay_keys.read_certificate,
}
Days = Annotated[tuple[int, ...], NoDecode]
Listed = Annotated[tuple[str, ...], NoDecode]


class BadSettings(Exception):
    """A setting is missing or wrong; its text is the one line to show, naming it and never quoting a secret."""


def is_loopback(url: str) -> bool:
    """True when the address stays on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in LOOPBACK_NAMES


def check_address(value: str) -> None:
    """Raise ValueError unless it is https, or http on this machine."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or UNPRINTABLE.search(value):
        raise ValueError("must be an http(s) address")
    if parts.scheme == "http" and not is_loopback(value):
        raise ValueError("must be https: http:// is for a loopback host only")
    check_server(value, "")


def check_server(value: str, hint: str) -> None:
    """Raise ValueError unless host and port can be read; its words quote nothing, there may be a password in it."""
    try:
        is_read = bool(urlsplit(value).hostname) and (urlsplit(value).port or 1) > 0
    except ValueError:
        is_read = False
    if not is_read:
        raise ValueError(f"has a host or a port that cannot be read{hint}")


class Config(BaseSettings):
    """The settings of one installation, read once from the environment or `.env`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True)

    base_url: str = Field(description="public https origin, no slash at the end; http:// only for a loopback host")
    listen: str = Field("127.0.0.1:8000", description="address and port to serve on")
    database_url: str = Field(
        "sqlite:///var/wxbot.db", description="sqlite:///FILE, postgresql://… or mysql://… (MariaDB)", repr=False
    )
    database_threads: int = Field(8, ge=2, le=64, description="database threads of one process, a kept connection each")
    database_queue: int = Field(256, ge=1, description="calls that may wait for a database thread; more get a 503")
    redis_url: str = Field("", description="empty = embedded, one process only; else redis://…", repr=False)
    secret_keys: Listed = Field(
        description="comma-separated, at least 32 bytes each; the first signs, all verify", repr=False
    )
    wechat_app_id: str = Field("", description="the Official Account's AppID")
    wechat_app_secret: str = Field("", description="its AppSecret", repr=False)
    wechat_token: str = Field("", description="the token of its push settings", repr=False)
    wechat_aes_keys: Listed = Field(
        (), description="EncodingAESKeys, comma-separated; the first encrypts, all decrypt", repr=False
    )
    wechat_mode: Literal["safe", "compatible", "plain"] = Field("safe", description="how pushes come")
    wechat_api_url: str = Field("https://api.weixin.qq.com", description="WeChat's API")
    wechat_open_url: str = Field("https://open.weixin.qq.com", description="WeChat's OAuth pages")
    wechat_templates: dict[str, str] = Field({}, description="template ids by purpose, JSON")
    scan_seconds: int = Field(120, ge=30, le=300, description="how long a PC's QR is good, in seconds")
    scan_by_account: bool = Field(
        False, description="QRs for PCs are the account's own, which a verified service account can make"
    )
    wechat_verify_dir: str = Field("", description="folder of MP_verify_*.txt files")
    pay_mch_id: str = Field("", description="the merchant id at WeChat Pay; empty = nothing is sold here")
    pay_cert_serial: str = Field("", description="serial number of the merchant's API certificate")
    pay_private_key_file: str = Field("", description="its private key, PEM (apiclient_key.pem)")
    pay_apiv3_key: str = Field("", description="the APIv3 key, 32 characters", repr=False)
    pay_public_key_id: str = Field("", description="WeChat Pay's public key id (PUB_KEY_ID_…)")
    pay_public_key_file: str = Field("", description="WeChat Pay's public key, PEM (pub_key.pem)")
    pay_platform_cert_files: Listed = Field(
        (), description="platform certificates, PEM files, comma-separated: for merchants without a public key"
    )
    pay_api_url: str = Field("https://api.mch.weixin.qq.com", description="WeChat Pay's API")
    order_minutes: int = Field(30, ge=2, le=120, description="how long an order may be paid, in minutes")
    refund_days: int = Field(7, ge=0, le=365, description="days after paying in which a buyer may have his money back")
    refund_by_hand: bool = Field(False, description="every refund waits for an operator's yes, also in time")
    planet_url: str = Field("", description="the planet partner's origin; empty = no such partner")
    planet_client_id: str = Field("", description="our client id there")
    planet_client_secret: str = Field("", description="our client secret there", repr=False)
    planet_webhook_secrets: Listed = Field((), description="secrets of its events (whsec_…), all valid", repr=False)
    planet_floor_percent: int = Field(
        80, ge=0, le=100, description="a payment at a planet below this share of its price gives nothing by itself"
    )
    planet_refund_hours: int = Field(
        72, ge=0, le=8760, description="hours in which a planet itself refunds: a voucher of its payment waits so long"
    )
    planet_brake_percent: int = Field(
        20,
        ge=1,
        le=100,
        description="a planet's list that shrank, or removals, by more than this share wait for a person",
    )
    reminder_days: Days = Field((30, 7, 1), description="days before the end of a year to remind of it, longest first")
    trusted_proxies: Listed = Field((), description="addresses or networks whose X-Forwarded-* counts; default none")
    weui_url: str = Field("", description="address of weui.min.css where npm's copy is missing; empty = our own styles")
    limits_factor: int = Field(1, ge=1, description="multiplies every rate limit; for load tests")
    log_level: Literal["debug", "info", "warning"] = Field("info", description="how much is logged")
    clock_url: str = Field("", description="sandbox only: a virtual clock; refused when any outside URL is live")

    @field_validator(
        "secret_keys",
        "wechat_aes_keys",
        "planet_webhook_secrets",
        "pay_platform_cert_files",
        "trusted_proxies",
        "reminder_days",
        mode="before",
    )
    @classmethod
    def split_commas(cls, value: Any) -> Any:
        """`a, b` is two values."""
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("secret_keys")
    @classmethod
    def check_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """At least one, each long enough to resist guessing."""
        if not value or any(len(key.encode()) < 32 for key in value):
            raise ValueError("needs at least one key of at least 32 bytes")
        return value

    @field_validator("wechat_aes_keys")
    @classmethod
    def check_aes_keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """43 characters of base64 each, as the platform's console gives them."""
        for key in value:
            if not AES_KEY.fullmatch(key) or len(base64.b64decode(key + "=", validate=True)) != 32:
                raise ValueError("each EncodingAESKey has 43 letters and digits")
        return value

    @field_validator("planet_webhook_secrets")
    @classmethod
    def check_webhook_secrets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """As the standard writes them."""
        for secret in value:
            partner_events.key_of(secret)
        return value

    @field_validator("wechat_templates")
    @classmethod
    def check_templates(cls, value: dict[str, str]) -> dict[str, str]:
        """Purposes that there are, each with no more fields than it has."""
        if mistake := letters.mistake_in(value):
            raise ValueError(mistake)
        return value

    @field_validator("reminder_days")
    @classmethod
    def check_days(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        """From the longest to the shortest."""
        if any(days < 1 for days in value) or list(value) != sorted(set(value), reverse=True):
            raise ValueError("are days above 0, each once, the longest first")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def check_proxies(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Addresses or networks."""
        for entry in value:
            ip_network(entry, strict=False)
        return value

    @field_validator("pay_apiv3_key")
    @classmethod
    def check_api_v3_key(cls, value: str) -> str:
        """32 characters of ASCII, as the merchant's console wants it."""
        if value and not (len(value) == 32 and value.isascii()):
            raise ValueError("has 32 characters")
        return value

    @field_validator("pay_private_key_file", "pay_public_key_file", "pay_platform_cert_files")
    @classmethod
    def check_key_files(cls, value: Any, info: Any) -> Any:
        """Files that are there, each with the key that it is to hold."""
        for name in filter(None, [value] if isinstance(value, str) else value):
            try:
                KEY_FILES[info.field_name](Path(name).read_bytes())
            except OSError:
                raise ValueError(f"names a file that cannot be read: {name}") from None
        return value

    @field_validator("base_url", "wechat_api_url", "wechat_open_url", "pay_api_url", "planet_url")
    @classmethod
    def check_origin(cls, value: str, info: Any) -> str:
        """https, or http on this machine; no slash at the end."""
        if not value and info.field_name == "planet_url":
            return value
        check_address(value)
        if value != f"{urlsplit(value).scheme}://{urlsplit(value).netloc}" or "@" in value:
            raise ValueError("must be an origin: scheme and host only, without a slash at the end")
        return value

    @field_validator("clock_url", "weui_url")
    @classmethod
    def check_address_or_empty(cls, value: str, info: Any) -> str:
        """An address to fetch from; the clock's is on this very machine."""
        if value:
            check_address(value)
        if value and info.field_name == "clock_url" and not is_loopback(value):
            raise ValueError("must be an address of this machine: it is for the sandbox only")
        return value

    @field_validator("wechat_verify_dir")
    @classmethod
    def check_folder(cls, value: str) -> str:
        """A folder that is there."""
        if value and not Path(value).is_dir():
            raise ValueError("must be a folder that exists")
        return value

    @field_validator("listen")
    @classmethod
    def check_listen(cls, value: str) -> str:
        """HOST:PORT."""
        host, _, port = value.rpartition(":")
        if not host or not PORT.fullmatch(port) or int(port) > 65535:
            raise ValueError("must be HOST:PORT")
        return value

    @field_validator("database_url")
    @classmethod
    def check_database(cls, value: str) -> str:
        """One of the three that the suite runs on."""
        if value.startswith("sqlite:///") and value != "sqlite:///":
            return value
        if not value.startswith(("postgresql://", "mysql://")):
            raise ValueError("must begin with sqlite:///, postgresql:// or mysql://")
        if not value.startswith(("postgresql:///", "mysql:///")):  # those name a socket: ?host=/run/postgresql
            check_server(value, "; a user or password with : / @ # ? in it must be percent-encoded")
        if not urlsplit(value).path.strip("/"):
            raise ValueError("must end with the name of the database")
        return value

    @field_validator("redis_url")
    @classmethod
    def check_redis(cls, value: str) -> str:
        """A server, or nothing."""
        if value and not value.startswith(("redis://", "rediss://")):
            raise ValueError("must begin with redis:// or rediss://, or be empty")
        if value:
            check_server(value, "")
        return value

    @model_validator(mode="after")
    def check_together(self) -> "Config":
        """What no single setting can tell."""
        if self.wechat_app_id and not (self.wechat_app_secret and self.wechat_token):
            raise ValueError("WXBOT_WECHAT_APP_ID needs WXBOT_WECHAT_APP_SECRET and WXBOT_WECHAT_TOKEN")
        if self.wechat_app_id and self.wechat_mode != "plain" and not self.wechat_aes_keys:
            raise ValueError(f"WXBOT_WECHAT_AES_KEYS is needed in {self.wechat_mode} mode")
        if self.pay_mch_id and (lacks := self.lacks_for_pay()):
            raise ValueError(f"WXBOT_PAY_MCH_ID needs {lacks}")
        if self.planet_url and not (self.planet_client_id and self.planet_client_secret):
            raise ValueError("WXBOT_PLANET_URL needs WXBOT_PLANET_CLIENT_ID and WXBOT_PLANET_CLIENT_SECRET")
        if self.clock_url and (live := self.live_urls()):
            raise ValueError(f"WXBOT_CLOCK_URL is for the sandbox only, and {live[0]} is live")
        return self

    def lacks_for_pay(self) -> str:
        """The setting that is missing to be paid; empty when all are there."""
        needed = {
            "WXBOT_WECHAT_APP_ID": self.wechat_app_id, "WXBOT_PAY_CERT_SERIAL": self.pay_cert_serial,
            "WXBOT_PAY_PRIVATE_KEY_FILE": self.pay_private_key_file, "WXBOT_PAY_APIV3_KEY": self.pay_apiv3_key,
            "WXBOT_PAY_PUBLIC_KEY_FILE (or WXBOT_PAY_PLATFORM_CERT_FILES)":
                self.pay_public_key_file or self.pay_platform_cert_files,
        }  # fmt: skip
        if self.pay_public_key_file and not self.pay_public_key_id:
            return "WXBOT_PAY_PUBLIC_KEY_ID"
        return next((name for name, value in needed.items() if not value), "")

    def live_urls(self) -> list[str]:
        """The names of the settings by which this installation reaches a real company."""
        reached = {
            "WXBOT_WECHAT_API_URL": (self.wechat_api_url, self.wechat_app_secret),
            "WXBOT_WECHAT_OPEN_URL": (self.wechat_open_url, self.wechat_app_secret),
            "WXBOT_PAY_API_URL": (self.pay_api_url, self.pay_mch_id),
            "WXBOT_PLANET_URL": (self.planet_url, self.planet_client_secret),
        }
        return [name for name, (url, secret) in reached.items() if url and secret and not is_loopback(url)]

    @property
    def is_https(self) -> bool:
        """Whether cookies can be `__Host-` and Secure."""
        return self.base_url.startswith("https://")

    @property
    def listen_address(self) -> tuple[str, int]:
        """Host and port to bind."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


def load(**values: Any) -> Config:
    """The settings from the environment (and `values` over them); raises BadSettings with the one line to show."""
    try:
        return Config(**values)
    except ValidationError as wrong:
        first = wrong.errors(include_input=False, include_url=False, include_context=False)[0]
        name = PREFIX + str(first["loc"][0]).upper() if first["loc"] else ""
        what = "is missing" if first["type"] == "missing" else first["msg"].removeprefix("Value error, ")
        raise BadSettings(f"{name} {what}".strip()) from None
    except SettingsError:
        raise BadSettings("WXBOT_WECHAT_TEMPLATES must be JSON") from None
