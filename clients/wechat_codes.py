"""WeChat's error codes: what each means for us. The table is the whole knowledge; the rest reads it."""

import re

from clients.errors import CodeRefused, ConfigRefused, RemoteDown, RemoteError, RemoteRefused


class Busy(RemoteDown):
    """WeChat itself is busy."""


class RateLimited(RemoteDown):
    """A quota of the minute or the day is used up."""


class TokenRefused(RemoteDown):
    """The access token is refused, also after it was renewed once."""


class UserUnreachable(RemoteRefused):
    """This person cannot be written to: unfollowed, blocked, limited, or not of this account."""


class WindowOver(RemoteRefused):
    """No customer-service message now: he has not written lately, or got as many as are allowed."""


class CallRefused(RemoteRefused):
    """Our call is wrong, or the code is not in the table."""


NO_MENU = 46003
CODES: dict[type[RemoteError], dict[int, str]] = {
    Busy: {-1: "busy"},
    TokenRefused: {40001: "wrong token", 40014: "invalid token", 42001: "token expired"},
    RateLimited: {45009: "daily quota used up", 45011: "quota of the minute used up"},
    WindowOver: {45015: "has not written within the allowed time", 45047: "got the allowed number of messages"},
    CodeRefused: {
        40029: "invalid code",
        40030: "invalid refresh token",
        40163: "code used",
        41008: "no code",
        42002: "refresh token expired",
        42003: "code expired",
        42007: "password changed",
    },
    UserUnreachable: {
        40003: "unknown openid",
        43004: "does not follow",
        43019: "blacklisted",
        43101: "has refused",
        46004: "no such user",
        48002: "blocks the account",
        50001: "has not authorised",
        50002: "limited user",
        50005: "does not follow",
    },
    ConfigRefused: {
        40002: "wrong grant type",
        40013: "wrong app id",
        40125: "wrong app secret",
        40164: "put this server's address on the account's IP whitelist",
        48001: "the account has no permission for this call",
        48004: "this call is banned for the account",
        48006: "clear_quota used up",
        61004: "this server's address is not registered",
        61024: "the account is hosted by a third-party platform, whose token is needed",
        63002: "invalid JS signature",
    },
    CallRefused: {
        40007: "wrong media id",
        40016: "menu: number of buttons",
        40017: "menu: button type",
        40018: "menu: length of a name",
        40019: "menu: length of a key",
        40020: "menu: length of an address",
        40023: "menu: number of sub-buttons",
        40024: "menu: sub-button type",
        40025: "menu: length of a sub-button's name",
        40026: "menu: length of a sub-button's key",
        40027: "menu: length of a sub-button's address",
        40035: "invalid parameters",
        40037: "wrong template id",
        40053: "invalid action info",
        40054: "menu: domain of a sub-button's address",
        40055: "menu: domain of a button's address",
        40066: "invalid address",
        41001: "no token",
        41002: "no app id",
        41004: "no app secret",
        41009: "no openid",
        43002: "POST wanted",
        43003: "https wanted",
        44002: "empty body",
        45002: "text too long",
        NO_MENU: "no menu",
        47001: "invalid JSON",
        47003: "data do not fit the template",
        65316: "menu: more than three foreign domains",
        65317: "menu: invalid address",
    },
}
KIND_OF = {code: (kind, says) for kind, codes in CODES.items() for code, says in codes.items()}
RID = re.compile(r"\brid: ([0-9a-f-]{8,48})")
WHITELIST_IP = re.compile(r"invalid ip ([0-9a-fA-F.:]{3,45})")


def failure(peer: str, code: int, errmsg: object) -> RemoteError:
    """The exception of a code. Of WeChat's text only its trace id is kept, and the address it does not know."""
    kind, says = KIND_OF.get(code, (CallRefused, "not in our table"))
    error = kind(peer, str(code))
    text = str(errmsg)
    kept = [says] + [f"rid {found[1]}" for found in [RID.search(text)] if found]
    if code == 40164 and (address := WHITELIST_IP.search(text)):
        kept.append(f"address {address[1]}")
    error.args = (f"{error.args[0]} ({', '.join(kept)})",)
    return error
