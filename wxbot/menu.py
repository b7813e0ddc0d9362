"""The account's menu, kept here and pushed by `wxbot menu push`."""

import difflib
import json
from typing import Any


def menu(base_url: str) -> dict[str, Any]:
    """The menu in WeChat's own form; keys are those of `wxbot.replies.MENU`."""
    courses = [
        {"type": "view", "name": "全部课程", "url": f"{base_url}/"},
        {"type": "click", "name": "我的课程", "key": "COURSES"},
        {"type": "click", "name": "我的订单", "key": "ORDERS"},
    ]
    mine = [
        {"type": "view", "name": "我的主页", "url": f"{base_url}/me"},
        {"type": "click", "name": "代金券", "key": "VOUCHERS"},
        {"type": "click", "name": "反馈问题", "key": "FEEDBACK"},
        {"type": "click", "name": "解除关联", "key": "UNLINK"},
        {"type": "click", "name": "帮助", "key": "HELP"},
    ]
    return {
        "button": [
            {"name": "课程", "sub_button": courses},
            {"type": "click", "name": "我的星球", "key": "PLANETS"},
            {"name": "我的", "sub_button": mine},
        ]
    }


def changes(answer: Any, base_url: str) -> list[str]:
    """What a push would change of the menu that WeChat has told us, as the lines of a diff; empty for nothing."""
    both = (as_pushed(answer), menu(base_url))
    texts = [json.dumps(one, ensure_ascii=False, indent=1, sort_keys=True).split("\n") for one in both]
    return list(difflib.unified_diff(*texts, "WeChat", "ours", lineterm=""))


def as_pushed(answer: Any) -> Any:
    """WeChat's answer in the form of a push: it wraps the menu, and gives every button an empty `sub_button`."""
    if isinstance(answer, list):
        return [as_pushed(button) for button in answer]
    if isinstance(answer, dict):
        inner = answer.get("menu", answer)
        return {name: as_pushed(value) for name, value in inner.items() if (name, value) != ("sub_button", [])}
    return answer
