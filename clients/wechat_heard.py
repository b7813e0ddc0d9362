"""What WeChat said to the account, once it is proved and read: one flat record for XML and JSON alike."""

import hashlib
import re
from dataclasses import dataclass, field

FRAME = re.compile(
    r"(?# FromUserName, ToUserName)[\x21-\x7e]{1,64} [\x21-\x7e]{1,64}"
    r"(?# CreateTime, MsgType) [0-9]{1,10} [A-Za-z][A-Za-z0-9_]{0,31}"
).fullmatch
EVENT = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,63}").fullmatch
MESSAGE_ID = re.compile(r"[0-9]{1,20}").fullmatch

CRITICAL = frozenset(
    (
        "ToUserName",
        "FromUserName",
        "CreateTime",
        "MsgType",
        "MsgId",
        "Content",
        "Event",
        "EventKey",
        "Ticket",
        "Encrypt",
    )
)
"""Fields that decide something: each stands once, at the top, and holds plain text."""


class PushRejected(Exception):
    """The one error for every fault of a push.

    `reason` is a slug for the metric and the log; whoever sent the push learns nothing of it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Heard:
    """One message or event. `content`, `event`, `event_key` and `ticket` are empty where WeChat sends none.

    `msg_id` stays text, for it exceeds 2**53. `fields` holds the rest; what is nested stands under its
    dotted path, and a repeated element is numbered from the second on: `ScanCodeInfo.ScanResult`,
    `SubscribeMsgPopupEvent.List#2.TemplateId`.
    """

    to_user: str
    from_user: str
    created_at: int
    kind: str
    msg_id: str | None = None
    content: str = ""
    event: str = ""
    event_key: str = ""
    ticket: str = ""
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def once_key(self) -> str:
        """64 hex digits that are equal for two deliveries of one message, and differ for two messages.

        A message is known by its id, sender and second; an event, which has no id, by sender, second,
        name and key (and the MsgID of the message it reports on, for two reports in one second).
        """
        if self.msg_id is not None:
            parts = (self.msg_id,)
        else:
            parts = (self.kind, self.event, self.event_key, self.fields.get("MsgID", ""), self.content)
        whole = "\0".join((self.from_user, str(self.created_at), *parts))
        return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


def heard_from(fields: dict[str, str]) -> Heard:
    """Check the fields of a message and take the known ones out of `fields`; raise PushRejected."""
    take = fields.pop
    to_user, from_user = take("ToUserName", ""), take("FromUserName", "")
    created, kind = take("CreateTime", ""), take("MsgType", "")
    msg_id, event = take("MsgId", None), take("Event", "")
    if not FRAME(f"{from_user} {to_user} {created} {kind}"):
        raise PushRejected("schema")
    if msg_id is not None and not MESSAGE_ID(msg_id):
        raise PushRejected("schema")
    if (kind == "event" or event) and not EVENT(event):
        raise PushRejected("schema")
    rest = (take("Content", ""), event, take("EventKey", ""), take("Ticket", ""), fields)
    return Heard(to_user, from_user, int(created), kind, msg_id, *rest)
