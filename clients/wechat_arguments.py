"""The query of a push: each argument at most once and each of its shape, or the push is refused."""

import re
from urllib.parse import unquote_plus

from clients.wechat_heard import PushRejected

MAX_QUERY = 2048
_SHAPES = {
    "timestamp": re.compile(r"[0-9]{10}").fullmatch,
    "nonce": re.compile(r"[\x21-\x7e]{1,64}").fullmatch,
    "signature": re.compile(r"[0-9a-f]{40}").fullmatch,
    "msg_signature": re.compile(r"[0-9a-f]{40}").fullmatch,
    "encrypt_type": re.compile(r"aes|raw").fullmatch,
    "openid": re.compile(r"[A-Za-z0-9_-]{1,64}").fullmatch,
    "echostr": re.compile(r"[A-Za-z0-9_+/=.-]{1,128}").fullmatch,  # sent back as it came: no markup
}
_USUAL = re.compile(
    "signature=(?P<signature>[0-9a-f]{40})&timestamp=(?P<timestamp>[0-9]{10})&nonce=(?P<nonce>[A-Za-z0-9]{1,64})"
    "&openid=(?P<openid>[A-Za-z0-9_-]{1,64})&encrypt_type=(?P<encrypt_type>aes|raw)"
    "&msg_signature=(?P<msg_signature>[0-9a-f]{40})"
).fullmatch
_PLAIN_NAME = re.compile(r"[a-z_]+").fullmatch


def read(query: str) -> dict[str, str]:
    """The known arguments of a query; raise PushRejected when one is doubled, blank or misshapen.

    Others are ignored, but a name that only decoding would make a known one is refused.
    """
    if usual := _USUAL(query):  # what WeChat sends in safe mode: nothing doubled, nothing to decode
        return usual.groupdict()
    if len(query) > MAX_QUERY:
        raise PushRejected("arguments")
    found: dict[str, str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name in _SHAPES:
            if "%" in value or "+" in value:
                value = _decoded(value)
            if name in found or not _SHAPES[name](value):
                raise PushRejected("arguments")
            found[name] = value
        elif not _PLAIN_NAME(name):
            raise PushRejected("arguments")
    return found


def _decoded(value: str) -> str:
    try:
        return unquote_plus(value, errors="strict")
    except UnicodeDecodeError:
        raise PushRejected("arguments") from None
