"""Notices of the pretend WeChat Pay: signed anew each time, sealed, tried again for a day and four minutes.

The switches (`world.faults`, side `pay`, operations `pay.notice` and `pay.refund_notice`): doubled, reordered, lost,
wrong_signature, old_timestamp, signtest, unknown_serial, wrong_amount, wrong_cipher.
"""

import base64
import json
from copy import deepcopy
from typing import Any
from uuid import UUID

from sandbox import pay_times
from sandbox.letters import Letter, Letters
from sandbox.pay_crypto import CIPHER, SCHEME, lines, seal, sign
from sandbox.pay_settings import PaySettings
from sandbox.world import World

RETRY_SECONDS = (0, 15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600)
STALE_SECONDS = 600
STRANGER = "PUB_KEY_ID_0199999999992020010100000000000009"
OTHER_KEY = "somebody else's APIv3 key, 32 by"
SUMMARIES = {
    "TRANSACTION.SUCCESS": "支付成功",
    "REFUND.SUCCESS": "退款成功",
    "REFUND.ABNORMAL": "退款异常",
    "REFUND.CLOSED": "退款关闭",
}


def signed(world: World, settings: PaySettings, serial: str, body: bytes, fault: str = "") -> dict[str, str]:
    """The headers by which WeChat Pay proves an answer or a notice; `fault` makes ones that prove nothing."""
    timestamp = str(int(world.now()) - (STALE_SECONDS if fault == "old_timestamp" else 0))
    nonce = world.new_id()
    signature = sign(settings.keys[serial], lines(timestamp, nonce, b"forged" if fault == "wrong_signature" else body))
    if fault == "signtest":
        signature = "WECHATPAY/SIGNTEST/" + base64.b64encode(b"probe" * 51).decode()
    return {
        "Wechatpay-Timestamp": timestamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Serial": STRANGER if fault == "unknown_serial" else serial,
        "Wechatpay-Signature": signature,
        "Wechatpay-Signature-Type": SCHEME,
    }


class Notices(Letters):
    """All notices of one merchant, each to the address that its order or refund named."""

    side = "pay"
    retry_seconds = RETRY_SECONDS

    def __init__(self, world: World, settings: PaySettings) -> None:
        super().__init__(world)
        self.settings = settings

    def tell(self, kind: str, url: str, content: dict[str, Any], *, about: str) -> Letter:
        """Queue one notice; without `url` it is made and goes nowhere. `about` is the merchant's own number."""
        now, number = self.world.now(), str(UUID(int=self.world.random.getrandbits(128), version=4))
        operation = "pay.refund_notice" if kind.startswith("REFUND") else "pay.notice"
        what = {"id": number, "kind": kind, "operation": operation, "about": about, "content": content}
        letter = Letter(**what, url=url, due_at=now, made_at=now)
        self.post(letter)
        return letter

    def is_taken(self, status: int) -> bool:
        """Only these two; a redirect or a page is a failure."""
        return status in (200, 204)

    def wire(self, letter: Letter) -> tuple[dict[str, str], bytes]:
        """Sealed and signed anew; the id stays."""
        body = json.dumps(self._shown(letter), ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", "Accept": "*/*", "User-Agent": "Mozilla/4.0"}
        return headers | signed(self.world, self.settings, self.settings.serial, body, letter.fault), body

    def _shown(self, letter: Letter) -> dict[str, Any]:
        content, original = deepcopy(letter.content), "refund" if letter.kind.startswith("REFUND") else "transaction"
        if letter.fault == "wrong_amount":
            content["amount"]["refund" if original == "refund" else "total"] += 1
        key = OTHER_KEY if letter.fault == "wrong_cipher" else self.settings.api_v3_key
        nonce = self.world.new_id(bits=48)
        clear = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        sealed = {"original_type": original, "algorithm": CIPHER, "associated_data": original, "nonce": nonce}
        shown = {"id": letter.id, "create_time": pay_times.written(letter.made_at), "event_type": letter.kind}
        shown |= {"resource_type": "encrypt-resource", "summary": SUMMARIES[letter.kind]}
        return shown | {"resource": sealed | {"ciphertext": seal(key, clear, nonce=nonce, about=original)}}
