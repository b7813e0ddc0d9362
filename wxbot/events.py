"""What an event of the account does: somebody follows, scans, leaves, or takes something back."""

from collections.abc import Callable
from functools import partial
from typing import Any

from models.errors import BusinessError
from models.people import Identity
from services import access, leaving, notices, people, scans
from services.env import Env
from wxbot import words
from wxbot.callback import Busy
from wxbot.listings import Listings

Act = Callable[[Env], str]


def act_of(listings: Listings, heard: Any) -> Act | None:
    """What an event does; None for those that change nothing and expect no answer."""
    openid, name = heard.from_user, heard.event.lower()
    if code := scan_code(heard):
        return partial(scan, listings.base_url, openid, code, follows=name == "subscribe")
    acts: dict[str, Callable[[], Act]] = {
        "subscribe": lambda: partial(follow, listings, openid, heard.event_key),
        "unsubscribe": lambda: partial(unfollow, openid),
        "user_authorization_revoke": lambda: partial(forget, named(heard), heard.fields.get("RevokeInfo", "")),
        "user_authorization_cancellation": lambda: partial(erase, named(heard)),
    }
    if name == "templatesendjobfinish" and heard.fields.get("Status", "").startswith("failed"):
        return partial(letter_failed, openid, heard.fields.get("MsgID", ""))
    return acts[name]() if name in acts else None


def scan_code(heard: Any) -> str:
    """The code of a PC's scan, in an event from the account's own QR; empty for every other one."""
    scene = heard.event_key.removeprefix("qrscene_") if heard.event.lower() in {"subscribe", "scan"} else ""
    kind, _, code = scene.partition(":")
    return code if kind == scans.TARGET else ""


def scan(base_url: str, openid: str, code: str, env: Env, *, follows: bool) -> str:
    """He has scanned the account's QR on a PC's page: the openid comes with it, so the PC hears at once."""
    person = people.follow(env, openid=openid) if follows else people.person_with_openid(env, openid)
    try:
        scans.opened(env, code=code, person_id=person.id)
    except BusinessError as no:
        return no.message
    return words.go_on_with_scan(base_url, code)


def follow(listings: Listings, openid: str, event_key: str, env: Env) -> str:
    """He follows, maybe after paying, maybe again: then he finds what he has (R5)."""
    known = Identity.of_openid(openid)
    person = people.follow(env, openid=openid)
    if mine := access.courses_of(env, person_id=person.id):
        listing = listings.planets_of(mine, room=words.REPLY_BYTES - 200)
        return words.welcome_to(listing, is_back=known is not None and known.unfollowed_at is not None)
    paid = event_key.startswith("last_trade_no_")
    return words.welcome_after_payment(listings.base_url) if paid else words.welcome(listings.base_url)


def unfollow(openid: str, env: Env) -> str:
    """He cannot be answered any more; his rights stay."""
    people.unfollow(env, openid=openid)
    return ""


def forget(openid: str, what: str, env: Env) -> str:
    """He took back an authorisation; the answer is empty, as the platform asks."""
    leaving.forget(env, openid=openid, what=what)
    return ""


def erase(openid: str, env: Env) -> str:
    """He left WeChat."""
    leaving.erase(env, openid=openid)
    return ""


def letter_failed(openid: str, msg_id: str, env: Env) -> str:
    """He blocks template messages: it goes into the chat. One that we do not know may be on record in a moment."""
    if not notices.not_shown(env, openid=openid, msg_id=msg_id):
        raise Busy
    return ""


def named(heard: Any) -> str:
    """Whose data an authorisation event is about."""
    return heard.fields.get("OpenID", "") or heard.from_user
