"""WeChat's refusals: one table of code and words, in the form its servers answer."""

MESSAGES = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40013: "invalid appid",
    40014: "invalid access_token",
    40016: "invalid button size",
    40017: "invalid button type",
    40018: "invalid button name size",
    40019: "invalid button key size",
    40020: "invalid button url size",
    40023: "invalid sub button size",
    40024: "invalid sub button type",
    40025: "invalid sub button name size",
    40026: "invalid sub button key size",
    40027: "invalid sub button url size",
    40029: "invalid code",
    40030: "invalid refresh_token",
    40032: "invalid openid list size",
    40035: "invalid parameter",
    40037: "invalid template_id",
    40053: "invalid action info",
    40066: "invalid url",
    40125: "invalid appsecret",
    40163: "code been used",
    40164: "invalid ip {detail} ipv6 ::ffff:{detail}, not in whitelist",
    41001: "access_token missing",
    41002: "appid missing",
    41004: "appsecret missing",
    41008: "missing code",
    41009: "missing openid",
    42001: "access_token expired",
    42002: "refresh_token expired",
    42003: "code expired",
    43002: "require POST method",
    43004: "require subscribe",
    43101: "user refuse to accept the msg",
    44002: "empty post data",
    45002: "content size out of limit",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    45015: "response out of time limit or subscription is canceled",
    45047: "out of response count limit",
    46003: "menu no exist",
    47001: "data format error",
    47003: "argument invalid! {detail}",
    48001: "api unauthorized",
    48006: "forbid to clear quota because of reaching the limit",
}
HINTS = {40001: "could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r"}
"""What the server API adds to its words; the page calls `/sns/…` do not."""


class WeChatError(Exception):
    """A call is refused with `code`; becomes `{"errcode","errmsg"}` with HTTP 200, as WeChat does it."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail

    def answer(self, rid: str, *, is_page_call: bool = False) -> dict[str, int | str]:
        """The body, with the request id that WeChat's support asks for; page calls have a comma before it."""
        words = MESSAGES.get(self.code, "error").format(detail=self.detail)
        if is_page_call:
            return {"errcode": self.code, "errmsg": f"{words}, rid: {rid}"}
        hint = f", {HINTS[self.code]}" if self.code in HINTS else ""
        return {"errcode": self.code, "errmsg": f"{words}{hint} rid: {rid}"}
