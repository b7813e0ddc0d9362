"""What is made from a scan and our keys, so that it can be made again, and is stored nowhere."""

from models.errors import StateInvalid
from models.scans import Scan
from services import signing
from services.env import Env

DIGITS = 6


def code_of(key: str, public_id: str, browser: str) -> str:
    """The code in the QR: made from what only the PC's browser holds, so that its page can show it again."""
    return signing.token(key, "scan code", f"{public_id} {browser}", bits=128)


def confirm_id(env: Env, scan: Scan, person_id: int) -> str:
    """What one page of one person carries: with it a second tap is the same tap."""
    nonce = env.new_code(128)
    return nonce + signing.fingerprint(env.config.secret_keys[0], "scan page", page_of(scan, person_id, nonce))


def page_of(scan: Scan, person_id: int, nonce: str) -> str:
    """What a page is bound to."""
    return f"{scan.public_id} {person_id} {nonce}"


def check_confirm_id(env: Env, scan: Scan, person_id: int, given: str) -> None:
    """Raise StateInvalid for one that no page of ours showed this person."""
    nonce, signed = given[:32], given[32:]
    if not signing.is_fingerprint(env.config, "scan page", page_of(scan, person_id, nonce), signed):
        raise StateInvalid


def state_of(env: Env, page: str) -> str:
    """The state of the hand-over that a page leads to: made from the page, so that a second tap leads there too."""
    return signing.token(env.config.secret_keys[0], "scan state", page, bits=128)


def digits_of(env: Env, scan: Scan) -> str:
    """The six digits that the phone shows: made from the confirmation, stored nowhere."""
    made = signing.derive(env.config.secret_keys[0], "scan digits", f"{scan.public_id} {scan.confirm_hash}")
    return f"{int.from_bytes(made[:8]) % 10**DIGITS:0{DIGITS}d}"


def token_of(env: Env, scan: Scan, browser: str) -> str:
    """The session's secret: made from what only the PC's browser holds, so that a lost answer can be given again."""
    return signing.token(env.config.secret_keys[0], "scan session", f"{scan.public_id} {browser}", bits=256)
