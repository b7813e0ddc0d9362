"""Messages to people: customer service (with its quota), templates, subscribe notifications."""

from typing import Any

from sandbox.wechat_api import Api, Call
from sandbox.wechat_api_base import OK
from sandbox.wechat_errors import WeChatError
from sandbox.wechat_template_fields import check_data
from sandbox.world import SandboxPerson

KINDS = {
    "text": ("content",),
    "image": ("media_id",),
    "voice": ("media_id",),
    "video": ("media_id",),
    "music": ("musicurl", "thumb_media_id"),
    "news": ("articles",),
    "mpnews": ("media_id",),
    "mpnewsarticle": ("article_id",),
    "msgmenu": ("list",),
    "wxcard": ("card_id",),
    "miniprogrampage": ("appid", "pagepath"),
}
"""Kinds of customer-service message, and the fields each cannot do without."""
IDEMPOTENT_SECONDS = 600
TEXT_BYTES = 2048


def receiver(call: Call) -> SandboxPerson:
    """Whom `touser` names, or 40003."""
    person = call.account.person(call.text("touser"))
    if not person:
        raise WeChatError(40003)
    return person


def send_custom(call: Call) -> dict[str, Any]:
    """POST /cgi-bin/message/custom/send"""
    person = receiver(call)
    kind = call.text("msgtype")
    content = call.body.get(kind)
    if kind not in KINDS or not isinstance(content, dict):
        raise WeChatError(40035)
    if any(not content.get(name) for name in KINDS[kind]):
        raise WeChatError(40035)
    if len(shown_text(kind, content).encode()) > TEXT_BYTES:
        raise WeChatError(45002)
    call.account.chats.use_window(person)
    call.account.chats.add(person, "account", kind, shown_text(kind, content), via="custom", more=content)
    return OK


def shown_text(kind: str, content: dict[str, Any]) -> str:
    """What a person reads of a message."""
    if kind == "text":
        return str(content["content"])
    if kind == "msgmenu":
        items = [str(item.get("content", "")) for item in content["list"] if isinstance(item, dict)]
        return "\n".join([content.get("head_content", ""), *items, content.get("tail_content", "")]).strip()
    if kind == "news":
        return "\n".join(str(a.get("title", "")) for a in content["articles"] if isinstance(a, dict))
    return str(content.get("title") or f"[{kind}]")


def typing(call: Call) -> dict[str, Any]:
    """POST /cgi-bin/message/custom/typing"""
    receiver(call)
    if call.text("command") not in ("Typing", "CancelTyping"):
        raise WeChatError(40035)
    return OK


def send_template(call: Call) -> dict[str, Any]:
    """POST /cgi-bin/message/template/send; the result comes as TEMPLATESENDJOBFINISH."""
    if not call.account.settings.is_service:
        raise WeChatError(48001)
    person, template_id = receiver(call), call.text("template_id")
    check_template(call, template_id)
    fan = call.account.chats.fan(person)
    if not fan.follows:
        raise WeChatError(43004)
    if msgid := already_sent(call):
        return OK | {"msgid": msgid}
    msgid = call.world.random.randrange(10**18, 9 * 10**18)
    call.account.sent_templates[call.text("client_msg_id")] = (call.world.now(), msgid)
    if not fan.blocks_templates:
        show_template(call, person, "template")
    status = "failed:user block" if fan.blocks_templates else "success"
    call.push_later(person, "TEMPLATESENDJOBFINISH", {"MsgID": str(msgid), "Status": status})
    return OK | {"msgid": msgid}


def already_sent(call: Call) -> int | None:
    """The msgid of the same `client_msg_id` within ten minutes: the second is not sent again."""
    if not call.text("client_msg_id"):
        return None
    at, msgid = call.account.sent_templates.get(call.text("client_msg_id"), (0.0, None))
    return msgid if call.world.now() - at < IDEMPOTENT_SECONDS else None


def check_template(call: Call, template_id: str) -> None:
    """Refuse an unknown template, and data that it cannot show."""
    known = call.account.settings.templates
    if not template_id or (known is not None and template_id not in known):
        raise WeChatError(40037)
    check_data(call.body.get("data"))


def show_template(call: Call, person: SandboxPerson, via: str) -> None:
    """Put the card into the person's chat."""
    lines = [f"{name}：{field['value']}" for name, field in call.body["data"].items()]
    url = call.text("url") or call.text("page")
    more = {"url": url, "template_id": call.text("template_id"), "data": call.body["data"]}
    call.account.chats.add(person, "account", "template", "\n".join(lines), via=via, more=more)


def send_subscribe(call: Call) -> dict[str, Any]:
    """POST /cgi-bin/message/subscribe/bizsend: needs the person's consent."""
    person = receiver(call)
    check_template(call, call.text("template_id"))
    if not call.account.chats.fan(person).accepts_subscribe:
        raise WeChatError(43101)
    show_template(call, person, "subscribe")
    return OK


apis = [
    Api("custom.send", "POST", "/cgi-bin/message/custom/send", send_custom, daily=500_000),
    Api("custom.typing", "POST", "/cgi-bin/message/custom/typing", typing, daily=500_000),
    Api("template.send", "POST", "/cgi-bin/message/template/send", send_template),
    Api("subscribe.send", "POST", "/cgi-bin/message/subscribe/bizsend", send_subscribe),
]
