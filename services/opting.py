"""退订 and 恢复通知: who wants no news in the chat, and hears only what becomes of his own doings."""

from models.people import Identity
from services import people
from services.env import Env


def opt_out(env: Env, *, openid: str) -> None:
    """From now on no news; what he does himself is answered and told as before."""
    people.person_with_openid(env, openid)
    Identity.update(muted_at=env.now).where(people.ours(openid), Identity.muted_at.is_null()).execute()


def opt_in(env: Env, *, openid: str) -> None:
    """News again, from now on."""
    Identity.update(muted_at=None).where(people.ours(openid)).execute()
