"""The account's menu, kept here and pushed by `wxbot menu push`."""

from typing import Any


def menu(base_url: str) -> dict[str, Any]:
    """The menu in WeChat's own form; keys are those of `wxbot.replies.MENU`."""
    mine = [
        {"type": "view", "name": "我的主页", "url": f"{base_url}/me"},
        {"type": "click", "name": "我的课程", "key": "COURSES"},
        {"type": "click", "name": "我的订单", "key": "ORDERS"},
        {"type": "click", "name": "解除关联", "key": "UNLINK"},
        {"type": "click", "name": "帮助", "key": "HELP"},
    ]
    return {
        "button": [
            {"type": "view", "name": "全部课程", "url": f"{base_url}/"},
            {"type": "click", "name": "我的星球", "key": "PLANETS"},
            {"name": "我的", "sub_button": mine},
        ]
    }
