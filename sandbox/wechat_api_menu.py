"""The account's menu: create, get, delete, with the real limits."""

from typing import Any

from sandbox.wechat_api import Api, Call
from sandbox.wechat_api_base import OK
from sandbox.wechat_errors import WeChatError

URL_TYPES = {"view", "miniprogram"}
KEY_TYPES = {
    "click",
    "scancode_push",
    "scancode_waitmsg",
    "pic_sysphoto",
    "pic_photo_or_album",
    "pic_weixin",
    "location_select",
}
MEDIA_TYPES = {"media_id", "article_id", "article_view_limited", "view_limited"}


class Level:
    """The limits of one menu level and the codes that say which was broken."""

    def __init__(self, *, most: int, name_bytes: int, codes: tuple[int, int, int, int, int]) -> None:
        self.most = most
        self.name_bytes = name_bytes
        self.size, self.kind, self.name, self.key, self.url = codes


TOP = Level(most=3, name_bytes=16, codes=(40016, 40017, 40018, 40019, 40020))
SUB = Level(most=5, name_bytes=60, codes=(40023, 40024, 40025, 40026, 40027))


def check_buttons(buttons: Any, level: Level) -> None:
    """Refuse a list that WeChat would refuse."""
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= level.most:
        raise WeChatError(level.size)
    for button in buttons:
        check_button(button, level)


def check_button(button: Any, level: Level) -> None:
    """Refuse one button: its name, kind, key or address."""
    if not isinstance(button, dict):
        raise WeChatError(47001)
    name = button.get("name")
    if not isinstance(name, str) or not 1 <= len(name.encode()) <= level.name_bytes:
        raise WeChatError(level.name)
    if button.get("sub_button") and level is TOP:
        return check_buttons(button["sub_button"], SUB)
    kind = button.get("type")
    if kind in KEY_TYPES:
        check_length(button.get("key"), 128, level.key)
    elif kind in URL_TYPES:
        check_address(button.get("url"), level)
    elif kind not in MEDIA_TYPES:
        raise WeChatError(level.kind)
    return None


def check_length(value: Any, most: int, code: int) -> None:
    """Refuse anything but a text of 1 to `most` bytes."""
    if not isinstance(value, str) or not 1 <= len(value.encode()) <= most:
        raise WeChatError(code)


def check_address(value: Any, level: Level) -> None:
    """Refuse an address that is too long or not of the web."""
    check_length(value, 1024, level.url)
    if not value.startswith(("http://", "https://")):
        raise WeChatError(40066)


def create_menu(call: Call) -> dict[str, Any]:
    """POST /cgi-bin/menu/create: replaces the whole menu."""
    check_buttons(call.body.get("button"), TOP)
    call.account.menu = {"button": call.body["button"]}
    return OK


def get_menu(call: Call) -> dict[str, Any]:
    """GET /cgi-bin/menu/get"""
    if call.account.menu is None:
        raise WeChatError(46003)
    return {"menu": {"button": [button | {"sub_button": subs_of(button)} for button in call.account.menu["button"]]}}


def current_menu(call: Call) -> dict[str, Any]:
    """GET /cgi-bin/get_current_selfmenu_info"""
    menu = call.account.menu or {"button": []}
    buttons = [button | {"sub_button": {"list": subs_of(button)}} for button in menu["button"]]
    return {"is_menu_open": int(call.account.menu is not None), "selfmenu_info": {"button": buttons}}


def subs_of(button: dict[str, Any]) -> list[dict[str, Any]]:
    """The buttons below one of the first level."""
    return button.get("sub_button") or []


def delete_menu(call: Call) -> dict[str, Any]:
    """GET /cgi-bin/menu/delete: also fine when there is none."""
    call.account.menu = None
    return OK


apis = [
    Api("menu.create", "POST", "/cgi-bin/menu/create", create_menu, daily=1000),
    Api("menu.get", "GET", "/cgi-bin/menu/get", get_menu, daily=10_000),
    Api("menu.delete", "GET", "/cgi-bin/menu/delete", delete_menu, daily=1000),
    Api("menu.current", "GET", "/cgi-bin/get_current_selfmenu_info", current_menu, daily=10_000),
]
