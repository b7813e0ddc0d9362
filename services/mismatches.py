"""Differences with a planet, listed for a person to decide (R4)."""

from models.links import Membership
from models.mismatches import Mismatch
from models.payments import PlanetPayment
from services.env import Env


def note(
    env: Env,
    *,
    kind: str,
    provider: str,
    group_id: str,
    key: str,
    member_uid: str,
    membership: Membership | None = None,
    payment: PlanetPayment | None = None,
) -> None:
    """Put a difference into the list, or note that it was seen again; one that was decided is open again then."""
    same = {"provider": provider, "kind": kind, "key": key}
    about = {"membership": membership, "payment": payment, "group_id": group_id, "member_uid": member_uid}
    if not Mismatch.add_once(**same, **about, first_seen_at=env.now, last_seen_at=env.now):
        open_again = {"resolved_at": None, "resolved_by": None, "reason": None, "last_seen_at": env.now}
        its = (Mismatch.provider == provider, Mismatch.kind == kind, Mismatch.key == key)
        Mismatch.update(**open_again).where(*its).execute()
