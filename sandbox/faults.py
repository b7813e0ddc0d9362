"""The switches: what goes wrong on purpose, on which side, for which call, how often."""

from collections import deque
from dataclasses import dataclass
from fnmatch import fnmatchcase

INCOMING = {
    "down": "关机：连接直接断开，没有回答",
    "slow": "很慢：过几秒才回答",
    "error": "出错：500",
    "busy": "忙：请稍后再试（星球和微信支付说 429，微信说 -1）",
    "junk": "胡言：200，内容是垃圾",
    "timeout_after_commit": "办了但不答：事情做了，回答丢了",
    "half": "只答一半：正文在半路断掉",
}
PROOFS = {
    "wrong_signature": "签名错",
    "old_timestamp": "时间戳太旧",
    "signtest": "探测：签名以 WECHATPAY/SIGNTEST/ 开头",
    "unknown_serial": "签名的密钥没人认识",
}
"""What may be wrong with a signature: of what is sent, and at WeChat Pay also of answers."""
OUTGOING = PROOFS | {
    "doubled": "重复：同一条同时送两遍",
    "reordered": "乱序：攒几条，倒着送",
    "lost": "丢了：永远不送",
    "wrong_appid": "密文里的 appid 不对",
    "bad_padding": "密文填充不对",
    "wrong_amount": "金额不对",
    "wrong_cipher": "用别的密钥加密",
}
KINDS = INCOMING | OUTGOING
ASKED, SENDING, SIGNING = "它被问的时候", "它往外送的时候", "它签名的时候（回答和通知）"
SENT = {
    "wechat": ("doubled", "reordered", "wrong_signature", "old_timestamp", "wrong_appid", "bad_padding"),
    "planet": ("doubled", "reordered", "lost", "wrong_signature", "old_timestamp"),
    "pay": ("doubled", "reordered", "lost", "wrong_amount", "wrong_cipher"),
}
BEFORE = {"down", "slow", "error", "busy", "junk"}


@dataclass
class Fault:
    """One switch that is on; `times` None means until cleared; `seconds` is the length of slow or busy.

    The first `after` calls go by untouched, so that something can go wrong in the middle of a list.
    """

    side: str
    kind: str
    operation: str = "*"
    times: int | None = None
    seconds: float | None = None
    after: int = 0

    def hits(self, side: str, operation: str, outgoing: bool) -> bool:
        """Whether this switch concerns the call; operations match like file names (`sns.*`)."""
        answering = INCOMING | (PROOFS if side == "pay" else {})
        same_way = self.kind in (OUTGOING if outgoing else answering)
        return same_way and self.side == side and fnmatchcase(operation, self.operation)


def offered(side: str) -> dict[str, dict[str, str]]:
    """The kinds that make sense on one side, by when they act, with their words."""
    groups = {ASKED: INCOMING, SENDING: {kind: OUTGOING[kind] for kind in SENT[side]}}
    return groups | ({SIGNING: PROOFS} if side == "pay" else {})


class Faults:
    """All switches of one world; the one set last is looked at first."""

    def __init__(self) -> None:
        self._set: deque[Fault] = deque(maxlen=200)

    def set(
        self,
        side: str,
        kind: str,
        *,
        operation: str = "*",
        times: int | None = None,
        seconds: float | None = None,
        after: int = 0,
    ) -> Fault:
        """Switch a fault on; a second one of the same side, kind and operation replaces the first."""
        if kind not in KINDS:
            raise ValueError(f"unknown fault {kind!r}; known: {', '.join(KINDS)}")
        fault = Fault(side, kind, operation, times, seconds, after)
        kept = [old for old in self._set if (old.side, old.kind, old.operation) != (side, kind, operation)]
        self._set = deque([fault, *kept], maxlen=200)
        return fault

    def clear(self, side: str | None = None, kind: str | None = None) -> None:
        """Switch off everything, or one side's, or one kind of a side."""
        gone = [f for f in self._set if side in (None, f.side) and kind in (None, f.kind)]
        for fault in gone:
            self._set.remove(fault)

    def take(self, side: str, operation: str, *, outgoing: bool = False) -> Fault | None:
        """The fault for this call, or None; uses up one of its `times`.

        `outgoing` is a call that the sandbox makes (a push, an event): only those kinds are looked at.
        """
        for fault in list(self._set):
            if fault.hits(side, operation, outgoing):
                if fault.after:
                    fault.after -= 1
                    continue
                self._use(fault)
                return fault
        return None

    def _use(self, fault: Fault) -> None:
        if fault.times is None:
            return
        fault.times -= 1
        if fault.times <= 0:
            self._set.remove(fault)

    def active(self, side: str | None = None) -> list[Fault]:
        """What is on now."""
        return [fault for fault in self._set if side in (None, fault.side)]
