"""The real time and real chance; everything else gets them handed in."""

import json
import secrets
import time
from datetime import UTC, datetime
from http.client import HTTPException
from urllib.request import urlopen  # nosemgrep: network-that-blocks - asked once, before anything is served

import structlog
from tornado.httpclient import AsyncHTTPClient, HTTPError

from services.config import BadSettings, Config
from services.env import Clock

NO_TIME = (OSError, ValueError, LookupError, TypeError, ArithmeticError)  # no answer, or one that is no moment
log = structlog.get_logger()


def new_code(bits: int) -> str:
    """So many bits of chance, in hex."""
    return secrets.token_hex(bits // 8)


class RealClock:
    """This machine's clock."""

    def now(self) -> datetime:
        """The moment, in UTC."""
        return datetime.now(UTC)

    async def refresh(self) -> None:
        """Nothing to look up."""


class VirtualClock:
    """The sandbox's clock, looked up at each request; between two looks it stands still."""

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            with urlopen(url, timeout=3) as answer:  # noqa: S310  # nosec B310 - the settings let only loopback through
                self.moment = self.read(answer.read())
        except (*NO_TIME, HTTPException):
            raise BadSettings(f"WXBOT_CLOCK_URL {url} does not tell the time") from None

    @staticmethod
    def read(body: bytes) -> datetime:
        """The moment of an answer."""
        return datetime.fromtimestamp(float(json.loads(body)["now"]), UTC)

    def now(self) -> datetime:
        """The moment of the last look."""
        return self.moment

    async def refresh(self) -> None:
        """Look again; while the sandbox does not answer the last moment stands."""
        try:
            answer = await AsyncHTTPClient().fetch(self.url, request_timeout=2)
            self.moment = self.read(answer.body)
        except (HTTPError, *NO_TIME) as problem:
            log.warning("the virtual clock does not answer", why=type(problem).__name__)


def clock(config: Config) -> Clock:
    """The clock of an installation; raises BadSettings when a virtual one does not answer."""
    return VirtualClock(config.clock_url) if config.clock_url else RealClock()


monotonic = time.monotonic
