"""Calls about people and their QR codes: user info, lists, parametric QR."""

from typing import Any

from sandbox.wechat_account import QrTicket
from sandbox.wechat_api import Api, Call
from sandbox.wechat_errors import WeChatError

DAYS_30 = 2_592_000
PAGE_MOST = 10_000
TEMPORARY = {"QR_SCENE", "QR_STR_SCENE"}
PERMANENT = {"QR_LIMIT_SCENE", "QR_LIMIT_STR_SCENE"}


def describe(call: Call, openid: str) -> dict[str, Any]:
    """One person as `/user/info` shows her: no nickname since 2021, little of a non-follower."""
    person = call.account.person(openid)
    if not person:
        raise WeChatError(40003)
    fan = call.account.chats.fan(person)
    if not fan.follows:
        return {"subscribe": 0, "openid": openid, "tagid_list": []}
    info = {"subscribe": 1, "openid": openid, "language": "zh_CN", "subscribe_time": int(fan.since)}
    info |= {"remark": "", "groupid": 0, "tagid_list": [], "subscribe_scene": fan.via}
    scene_id = int(fan.scene) if fan.scene.isdecimal() else 0
    info |= {"qr_scene": scene_id, "qr_scene_str": "" if scene_id else fan.scene}
    if person.unionid:
        info["unionid"] = person.unionid
    return info


def user_info(call: Call) -> dict[str, Any]:
    """GET /cgi-bin/user/info"""
    if not call.args.get("openid"):
        raise WeChatError(41009)
    return describe(call, call.args["openid"])


def user_infos(call: Call) -> dict[str, Any]:
    """POST /cgi-bin/user/info/batchget: a hundred at most."""
    wanted = call.body.get("user_list")
    if not isinstance(wanted, list) or not wanted:
        raise WeChatError(40035)
    if len(wanted) > 100:
        raise WeChatError(40032)
    openids = [str(one.get("openid", "")) for one in wanted if isinstance(one, dict)]
    return {"user_info_list": [describe(call, openid) for openid in openids]}


def user_list(call: Call) -> dict[str, Any]:
    """GET /cgi-bin/user/get: ten thousand followers a page; the last of a page begins the next."""
    names = call.account.chats.followers()
    openids = [call.account.openid(call.world.people[name]) for name in names]
    after = call.args.get("next_openid", "")
    start = openids.index(after) + 1 if after in openids else 0
    page = openids[start : start + PAGE_MOST]
    answer: dict[str, Any] = {"total": len(openids), "count": len(page), "next_openid": ""}
    if page:
        answer |= {"data": {"openid": page}, "next_openid": page[-1]}
    return answer


def create_qr(call: Call) -> dict[str, Any]:
    """POST /cgi-bin/qrcode/create: temporary (30 days at most) or permanent, by number or by text."""
    if not call.account.settings.is_service or not call.account.settings.is_verified:
        raise WeChatError(48001)
    action = call.text("action_name")
    scene = read_scene(call, action)
    ends_at, answer = None, {}
    if action in TEMPORARY:
        seconds = call.body.get("expire_seconds", 60)
        if not isinstance(seconds, int) or not 1 <= seconds <= DAYS_30:
            raise WeChatError(40035)
        ends_at, answer = call.world.now() + seconds, {"expire_seconds": seconds}
    made = QrTicket(call.world.new_id("gQ", 320), scene, qr_url(call), ends_at)
    call.account.qr_tickets[made.ticket] = made
    return {"ticket": made.ticket, "url": made.url} | answer


def qr_url(call: Call) -> str:
    """What is drawn into the code."""
    return "http://weixin.qq.com/q/" + call.world.new_id("02", 80)


def read_scene(call: Call, action: str) -> str:
    """The scene as text, by the rules of its action."""
    if action not in TEMPORARY | PERMANENT:
        raise WeChatError(40053)
    info = call.body.get("action_info")
    scene = info.get("scene") if isinstance(info, dict) else None
    if not isinstance(scene, dict):
        raise WeChatError(40053)
    if action.endswith("STR_SCENE"):
        value = scene.get("scene_str")
        if not isinstance(value, str) or not 1 <= len(value) <= 64:
            raise WeChatError(40053)
        return value
    number, most = scene.get("scene_id"), 100_000 if action in PERMANENT else 2**32 - 1
    if not isinstance(number, int) or not 1 <= number <= most:
        raise WeChatError(40053)
    return str(number)


apis = [
    Api("user.info", "GET", "/cgi-bin/user/info", user_info, daily=5_000_000),
    Api("user.infos", "POST", "/cgi-bin/user/info/batchget", user_infos, daily=500_000),
    Api("user.list", "GET", "/cgi-bin/user/get", user_list, daily=500),
    Api("qrcode.create", "POST", "/cgi-bin/qrcode/create", create_qr),
]
