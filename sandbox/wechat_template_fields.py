"""What may stand in each field of a template or subscribe message, by the kind that its name begins with."""

import re
from typing import Any

from sandbox.wechat_errors import WeChatError

FORMS = {
    "thing": r".{1,20}",
    "number": r"-?\d{1,32}(\.\d+)?",
    "letter": r"[A-Za-z]{1,32}",
    "character_string": r"[!-~]{1,32}",
    "phrase": r"[\u4e00-\u9fff]{1,5}",
    "name": r"[\u4e00-\u9fff·]{1,10}|[A-Za-z .]{1,20}",
    "amount": r"[¥￥$]?\d{1,10}(\.\d+)?元?",
    "phone_number": r"[\d+() -]{1,17}",
}
"""Kinds that are not here (time, date, const, those of old templates) are taken as they come."""
NAME = re.compile(r"([a-z_]+?)\d+")


def check_data(data: Any) -> None:
    """Refuse data with an empty field, or one out of the form of its kind."""
    if not isinstance(data, dict) or not data:
        raise WeChatError(47003, "data is empty")
    for name, field in data.items():
        value = str(field.get("value", "")) if isinstance(field, dict) else ""
        if not value:
            raise WeChatError(47003, f"data.{name}.value is empty")
        kind = NAME.fullmatch(name)
        if kind and kind[1] in FORMS and not re.fullmatch(FORMS[kind[1]], value):
            raise WeChatError(47003, f"data.{name}.value invalid")
