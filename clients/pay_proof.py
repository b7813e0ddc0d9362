"""Tells what WeChat Pay has signed, answers and notices alike, from all else; fresh, and by a key that is known."""

import re
from collections.abc import Mapping, Sequence

from clients.pay_crypto import SIGNATURE_TYPE, is_signed, lines
from clients.pay_keys import PlatformKeys

WINDOW_SECONDS = 300
PROBE = "WECHATPAY/SIGNTEST/"
NAMES = tuple(f"Wechatpay-{name}" for name in ("Timestamp", "Nonce", "Serial", "Signature", "Signature-Type"))
SHAPES = {
    "Timestamp": re.compile(r"[0-9]{10}"),
    "Nonce": re.compile(r"[\x21-\x7e]{1,128}"),  # no newline: what is signed must fall into its lines in one way
    "Serial": re.compile(r"[0-9A-Za-z_-]{1,128}"),
    "Signature": re.compile(r"[\x21-\x7e]{1,2048}"),
}


class Unproved(Exception):
    """Not WeChat Pay's, or not now; `why` is one word for the log."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def check(keys: PlatformKeys, headers: Mapping[str, Sequence[str]], body: bytes, now: float) -> None:
    """Raises Unproved for every fault of header, time, serial or signature; `now` is unix time."""
    found = _once_each(headers)
    if found["Signature"].startswith(PROBE):  # theirs, to see that we look: an everyday thing
        raise Unproved("signtest")
    if abs(now - int(found["Timestamp"])) > WINDOW_SECONDS:
        raise Unproved("stale")
    key = keys.find(found["Serial"], now)
    if key is None:
        raise Unproved("serial")
    if not is_signed(key, lines(found["Timestamp"], found["Nonce"], body), found["Signature"]):
        raise Unproved("signature")


def _once_each(headers: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The four headers, each once and of its shape; the signature's type may be left unsaid."""
    given = {name.lower(): values for name, values in headers.items()}
    if list(given.get("wechatpay-signature-type", ())) not in ([], [SIGNATURE_TYPE]):
        raise Unproved("headers")
    found = {}
    for name, shape in SHAPES.items():
        values = given.get(f"wechatpay-{name.lower()}", ())
        if len(values) != 1 or not shape.fullmatch(values[0]):
            raise Unproved("headers")
        found[name] = values[0]
    return found
