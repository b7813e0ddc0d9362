"""Authorisation codes and the checks of both ends of the handshake, without HTTP."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime

from sandbox.planet_members import Account, PlanetNo
from sandbox.world import World

CODE_SECONDS = 60
STATE = re.compile(r"[0-9a-zA-Z]{32,64}")
CHALLENGE = re.compile(r"[0-9A-Za-z_-]{43}")
VERIFIER = re.compile(r"[0-9A-Za-z._~-]{43,128}")


@dataclass(eq=False)
class Code:
    """One yes of a member, good for one exchange within a minute."""

    account: Account
    group_id: str
    redirect_uri: str
    challenge: str
    ends_at: float
    agreed_at: datetime
    is_used: bool = False


def challenge_of(verifier: str) -> str:
    """PKCE S256."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Codes:
    """All codes that were given out; whatever is wrong with one, the answer is `invalid_grant`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._codes: dict[str, Code] = {}

    def issue(self, account: Account, *, group_id: str, redirect_uri: str, challenge: str, now: datetime) -> str:
        """A new code for this member's yes."""
        gone = self._world.now() - 3600
        self._codes = {value: code for value, code in self._codes.items() if code.ends_at > gone}
        value = self._world.new_id("c", 160)
        ends_at = self._world.now() + CODE_SECONDS
        self._codes[value] = Code(account, group_id, redirect_uri, challenge, ends_at, now)
        return value

    def redeem(self, value: str, *, redirect_uri: str, verifier: str) -> Code:
        """What the code stands for; whoever presents it uses it up, also with a wrong verifier."""
        code = self._codes.get(value)
        if code is None or code.is_used:
            raise PlanetNo(400, "invalid_grant", "unknown or used code")
        code.is_used = True
        fresh = self._world.now() < code.ends_at
        fits = VERIFIER.fullmatch(verifier) is not None and hmac.compare_digest(challenge_of(verifier), code.challenge)
        if not fresh or not fits or redirect_uri != code.redirect_uri:
            raise PlanetNo(400, "invalid_grant", "expired code, or another verifier or redirect_uri")
        return code
