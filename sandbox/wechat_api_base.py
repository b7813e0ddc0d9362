"""Calls about the account itself: tokens, quotas, addresses, tickets; and the page calls `/sns/…`."""

import hmac
from typing import Any

from sandbox.wechat_account import WeChatAccount
from sandbox.wechat_api import Api, Call
from sandbox.wechat_errors import WeChatError

OK = {"errcode": 0, "errmsg": "ok"}


def check_account(account: WeChatAccount, app_id: str, secret: str) -> None:
    """Refuse a wrong app id or secret, in WeChat's order."""
    if not app_id:
        raise WeChatError(41002)
    if app_id != account.app_id:
        raise WeChatError(40013)
    if not secret:
        raise WeChatError(41004)
    if not hmac.compare_digest(secret.encode(), account.settings.app_secret.encode()):
        raise WeChatError(40125)


def token(call: Call) -> dict[str, Any]:
    """GET /cgi-bin/token"""
    check_account(call.account, call.args.get("appid", ""), call.args.get("secret", ""))
    if call.args.get("grant_type") != "client_credential":
        raise WeChatError(40002)
    return {"access_token": call.account.tokens.plain().value, "expires_in": 7200}


def stable_token(call: Call) -> dict[str, Any]:
    """POST /cgi-bin/stable_token; `expires_in` is what really remains."""
    check_account(call.account, call.text("appid"), call.text("secret"))
    if call.text("grant_type") != "client_credential":
        raise WeChatError(40002)
    issued = call.account.tokens.stable(force=call.body.get("force_refresh") is True)
    return {"access_token": issued.value, "expires_in": int(issued.ends_at - call.world.now())}


def callback_ips(call: Call) -> dict[str, Any]:
    """GET /cgi-bin/getcallbackip and get_api_domain_ip: pushes come from this machine."""
    return {"ip_list": ["127.0.0.1"]}


def callback_check(call: Call) -> dict[str, Any]:
    """POST /cgi-bin/callback/check"""
    if call.text("action") not in ("all", "dns", "ping"):
        raise WeChatError(40035)
    ping = {"ip": "127.0.0.1", "from_operator": "CAP", "package_loss": "0%", "time": "1.0ms"}
    return {"dns": [{"ip": "127.0.0.1", "real_operator": "CAP"}], "ping": [ping]}


def clear_quota(call: Call) -> dict[str, Any]:
    """POST /cgi-bin/clear_quota: ten a month."""
    if call.text("appid") != call.account.app_id:
        raise WeChatError(40013)
    call.account.quota.take("clear_quota", 10, per="month", code=48006)
    call.account.quota.clear(keep="clear_quota")
    return OK


def get_quota(call: Call) -> dict[str, Any]:
    """POST /cgi-bin/openapi/quota/get: what one call has used today."""
    path = call.text("cgi_path")
    limit = call.account.quota.limits.get(path, 100_000)
    used = call.account.quota.used(path)
    return OK | {"quota": {"daily_limit": limit, "used": used, "remain": max(0, limit - used)}}


def jsapi_ticket(call: Call) -> dict[str, Any]:
    """GET /cgi-bin/ticket/getticket: the same one for its two hours."""
    if call.args.get("type") != "jsapi":
        raise WeChatError(40035)
    now = call.world.now()
    if not call.account.jsapi_ticket or call.account.jsapi_ticket[1] - now < 60:
        call.account.jsapi_ticket = (call.world.new_id("sM4A", 320), now + 7200)
    value, ends_at = call.account.jsapi_ticket
    return OK | {"ticket": value, "expires_in": int(ends_at - now)}


def sns_exchange(call: Call) -> dict[str, Any]:
    """GET /sns/oauth2/access_token"""
    check_account(call.account, call.args.get("appid", ""), call.args.get("secret", ""))
    if call.args.get("grant_type") != "authorization_code":
        raise WeChatError(40002)
    return call.account.oauth.exchange(call.args.get("code", ""))


def sns_refresh(call: Call) -> dict[str, Any]:
    """GET /sns/oauth2/refresh_token: no secret needed."""
    if call.args.get("appid") != call.account.app_id:
        raise WeChatError(40013)
    if call.args.get("grant_type") != "refresh_token":
        raise WeChatError(40002)
    return call.account.oauth.refresh(call.args.get("refresh_token", ""))


def sns_userinfo(call: Call) -> dict[str, Any]:
    """GET /sns/userinfo"""
    return call.account.oauth.userinfo(call.args.get("access_token", ""), call.args.get("openid", ""))


def sns_auth(call: Call) -> dict[str, Any]:
    """GET /sns/auth: is this page token still good?"""
    call.account.oauth.check(call.args.get("access_token", ""), call.args.get("openid", ""))
    return OK


apis = [
    Api("token", "GET", "/cgi-bin/token", token, needs_token=False),
    Api("stable_token", "POST", "/cgi-bin/stable_token", stable_token, needs_token=False),
    Api("getcallbackip", "GET", "/cgi-bin/getcallbackip", callback_ips),
    Api("getcallbackip", "GET", "/cgi-bin/get_api_domain_ip", callback_ips),
    Api("callback.check", "POST", "/cgi-bin/callback/check", callback_check),
    Api("clear_quota", "POST", "/cgi-bin/clear_quota", clear_quota),
    Api("quota.get", "POST", "/cgi-bin/openapi/quota/get", get_quota),
    Api("ticket", "GET", "/cgi-bin/ticket/getticket", jsapi_ticket),
    Api("sns.exchange", "GET", "/sns/oauth2/access_token", sns_exchange, needs_token=False),
    Api("sns.refresh", "GET", "/sns/oauth2/refresh_token", sns_refresh, needs_token=False),
    Api("sns.userinfo", "GET", "/sns/userinfo", sns_userinfo, needs_token=False),
    Api("sns.auth", "GET", "/sns/auth", sns_auth, needs_token=False),
]
