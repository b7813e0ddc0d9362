"""What a call of the merchant may contain: WeChat Pay's schemas, and its words for what breaks them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sandbox import pay_times
from sandbox.pay_orders import PayNo
from sandbox.rewriting import is_loopback

URL = r"^https?://([^\s/?#\[\]\@]+\@)?([^\s/?#\@:]+)(?::\d{2,5})?([^\s?#\[\]]*)$"


@dataclass(frozen=True)
class Text:
    """A text of so many bytes."""

    name: str
    most: int = 32
    least: int = 1
    pattern: str = ""
    is_needed: bool = True

    def check(self, path: str, value: Any) -> None:
        """Raise PayNo unless it is one."""
        if not isinstance(value, str):
            words = f"无法将 JSON 输入源“{path}”映射到目标字段“{self.name}”中，此字段需要一个 string 类型的 Json 值"
            raise wrong(path, value, words)
        size, start = len(value.encode()), f"输入源“{path}”映射到值字段“{self.name}”字符串规则校验失败，"
        if size < self.least:
            raise wrong(path, size, f"{start}字节数 {size}，小于最小值 {self.least}")
        if size > self.most:
            raise wrong(path, size, f"{start}字节数 {size}，大于最大值 {self.most}")
        if self.pattern and not re.fullmatch(self.pattern, value):
            raise wrong(path, value, f"{start}字符串必须匹配正则表达式“{self.pattern}”")


@dataclass(frozen=True)
class Whole:
    """A whole number."""

    name: str
    least: int = 1
    is_needed: bool = True

    def check(self, path: str, value: Any) -> None:
        """Raise PayNo unless it is one."""
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
            start = f"无法将 JSON 输入源“{path}”映射到目标字段“{self.name}”中，"
            raise wrong(path, value, f"{start}此字段需要一个合法的 64 位有符号整数")
        if value < self.least:
            words = f"输入源“{path}”映射到数值字段“{self.name}”规则校验失败，值低于最小值 {self.least}"
            raise wrong(path, value, words)


@dataclass(frozen=True)
class Anything:
    """What the sandbox does not look into."""

    name: str
    is_needed: bool = False

    def check(self, path: str, value: Any) -> None:
        """Whatever it is."""


@dataclass(frozen=True)
class Group:
    """An object with these fields and no others."""

    name: str
    fields: Mapping[str, "Text | Whole | Anything | Group"]
    is_needed: bool = True

    def check(self, path: str, value: Any) -> None:
        """Raise PayNo for the first field that is not as it should be."""
        if not isinstance(value, dict):
            raise wrong(
                path, value, f"无法将 JSON 输入源“{path}”映射到目标字段“{self.name}”中，此字段需要一个 Json 对象"
            )
        if unknown := [f"{path}/{key}" for key in value if key not in self.fields]:
            raise PayNo(400, "PARAM_ERROR", "请求中含有未在API文档中定义的参数", {"location": None, "value": unknown})
        for key, rule in self.fields.items():
            if key in value:
                rule.check(f"{path}/{key}", value[key])
            elif rule.is_needed:
                words = f"输入源“{path}/{key}”映射到字段“{rule.name}”必填性规则校验失败，此字段为必填项"
                raise wrong(f"{path}/{key}", "", words)


def wrong(path: str, value: Any, words: str) -> PayNo:
    """A PARAM_ERROR about one field."""
    _, location, *field = path.split("/")
    detail = {"location": location, "value": value, "field": "/" + "/".join(field), "issue": words}
    return PayNo(400, "PARAM_ERROR", words, detail)


MCH_ID = Text("商户号")
OUT_TRADE_NO = Text("商户订单号", 32, 6, r"^[0-9a-zA-Z_\-\|\*]+$")
NOTIFY_URL = Text("通知地址", 255, pattern=URL)
CURRENCY = Text("货币类型", 16, pattern="^CNY$", is_needed=False)
AMOUNT = Group("订单金额", {"total": Whole("总金额"), "currency": CURRENCY})
NATIVE = Group(
    "",
    {
        "appid": Text("公众号ID"),
        "mchid": MCH_ID,
        "description": Text("商品描述", 127),
        "out_trade_no": OUT_TRADE_NO,
        "time_expire": Text("支付结束时间", 64, pattern=pay_times.RFC3339.pattern, is_needed=False),
        "attach": Text("附加数据", 128, 0, is_needed=False),
        "notify_url": NOTIFY_URL,
        "goods_tag": Text("订单优惠标记", 32, is_needed=False),
        "amount": AMOUNT,
        "settle_info": Anything("结算信息"),
        "scene_info": Anything("场景信息"),
        "detail": Anything("优惠功能"),
    },
)
PAYER = Group("支付者", {"openid": Text("用户标识", 128)})
JSAPI = Group("", {**NATIVE.fields, "payer": PAYER})
OUT_REFUND_NO = Text("商户退款单号", 64, pattern=r"^[0-9a-zA-Z_\-\|\*@]+$")
REFUND = Group(
    "",
    {
        "transaction_id": Text("微信支付订单号", is_needed=False),
        "out_trade_no": Text("商户订单号", 32, 6, is_needed=False),
        "out_refund_no": OUT_REFUND_NO,
        "reason": Text("退款原因", 80, is_needed=False),
        "notify_url": Text("退款结果回调url", 256, pattern=URL, is_needed=False),
        "funds_account": Text("退款资金来源", pattern="^(AVAILABLE|UNSETTLED)$", is_needed=False),
        "amount": Group(
            "金额信息",
            {
                "refund": Whole("退款金额"),
                "total": Whole("原订单金额"),
                "currency": Text("退款币种", 16, pattern="^CNY$"),
                "from": Anything("退款出资账户及金额"),
            },
        ),
        "goods_detail": Anything("退款商品"),
    },
)
CLOSE = Group("", {"mchid": MCH_ID})


def read(body: bytes, rule: Group) -> dict[str, Any]:
    """The body as an object that keeps the rule; raises PayNo."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        raise PayNo(400, "PARAM_ERROR", "请求的报文主体不是合法的 JSON", {"location": "body", "value": ""}) from None
    rule.check("/body", asked)
    check_meaning(asked)
    return asked


def check_meaning(asked: dict[str, Any]) -> None:
    """Refuse a moment that does not exist, and an address without TLS that is not of this machine."""
    url = asked.get("notify_url", "https://")
    if urlsplit(url).scheme != "https" and not is_loopback(url):
        raise wrong("/body/notify_url", url, "通知地址必须为 https 地址")
    try:
        pay_times.read(asked.get("time_expire", "2000-01-01T00:00:00Z"))
    except ValueError:
        raise wrong("/body/time_expire", asked["time_expire"], "支付结束时间不是合法的时间") from None
