"""Leaving for the planet: what was agreed to is kept, and comes back with the state."""

from dataclasses import dataclass

from models.catalogue import Planet
from models.errors import WaiverNotAgreed
from models.links import WAIVER_TEXT, WAIVER_VERSION, LinkAttempt, text_digest
from models.people import STATE_LIFE, digest
from models.prepared import Prepared, given
from services import people
from services.env import Env


@dataclass(frozen=True, slots=True)
class Departure:
    """What the hand-over to the planet needs."""

    provider: str
    group_id: str
    state: str
    verifier: str


AGREED_TO = (
    "state_hash", "browser_hash", "created_at", "expires_at", "person", "grant", "planet", "provider",
    "code_verifier", "text_version", "text_hash", "openid", "ip", "user_agent",
)  # fmt: skip
NEW_ATTEMPT = Prepared(lambda: LinkAttempt.insert({name: given(name) for name in AGREED_TO}))


def depart(
    env: Env, *, person_id: int, grant_id: int | None, planet: Planet, browser: str, ip: str, user_agent: str,
    agreed: str, state: str = "",
) -> Departure:  # fmt: skip
    """Keep the yes to the words of today; nothing takes effect before the planet has recognised him.

    Raises WaiverNotAgreed unless `agreed` is the version of those words.

    `state` is given by who may have to make the same departure again.
    """
    if agreed != WAIVER_VERSION:
        raise WaiverNotAgreed
    state, verifier = state or env.new_code(128), env.new_code(256)
    NEW_ATTEMPT.run(
        state_hash=digest(state), browser_hash=digest(browser), created_at=env.now, expires_at=env.now + STATE_LIFE,
        person=person_id, grant=grant_id, planet=planet.id, provider=planet.provider,
        code_verifier=verifier, text_version=WAIVER_VERSION, text_hash=text_digest(WAIVER_TEXT),
        openid=people.openid_of(person_id), ip=ip[:64], user_agent=user_agent[:255],
    )  # fmt: skip
    return Departure(planet.provider, planet.group_id, state, verifier)
