"""Bills as WeChat Pay makes them, and papers that are none."""

from datetime import date

DAY = date(2026, 11, 25)
NAMES = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
    "应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,"
    "手续费,费率,订单金额,申请退款金额,费率备注"
)
PAID = {
    "交易时间": "2026-11-25 00:00:05", "公众账号ID": "wx1", "商户号": "1900009999", "特约商户号": "0",
    "微信订单号": "4200001", "商户订单号": "C20261125000001", "用户标识": "oUSER", "交易类型": "JSAPI",
    "交易状态": "SUCCESS", "付款银行": "OTHERS", "货币种类": "CNY", "应结订单金额": "199.00", "代金券金额": "0.00",
    "微信退款单号": "0", "商户退款单号": "0", "退款金额": "0.00", "充值券退款金额": "0.00", "商品名称": "课程, 一年",
    "手续费": "1.19000", "费率": "0.60%", "订单金额": "199.00", "申请退款金额": "0.00",
}  # fmt: skip
BACK = PAID | {
    "交易时间": "2026-11-25 23:59:59", "交易状态": "REFUND", "应结订单金额": "0.00", "订单金额": "0.00",
    "微信退款单号": "5030001", "商户退款单号": "R20261125000001", "退款金额": "99.01", "申请退款金额": "99.01",
    "退款类型": "ORIGINAL", "退款状态": "PROCESSING", "手续费": "-0.59000",
}  # fmt: skip
SUMS = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
FUND_NAMES = (
    "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额（元）,账户结余（元）,"
    "资金变更提交申请人,备注,业务凭证号"
)
INCOME = {
    "记账时间": "2026-11-25 04:21:23", "微信支付业务单号": "4200001", "资金流水单号": "1900009", "业务名称": "交易",
    "业务类型": "交易", "收支类型": "收入", "收支金额（元）": "199.00", "账户结余（元）": "1000.17",
    "资金变更提交申请人": "system", "备注": "a,b", "业务凭证号": "C20261125000001",
}  # fmt: skip
FEE = INCOME | {"业务类型": "扣除交易手续费", "收支类型": "支出", "收支金额（元）": "1.19", "账户结余（元）": "-0.02"}
FUND_SUMS = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"


def bill(
    *rows: dict[str, str], names: str = NAMES, sums: str = SUMS, count: str | None = None, end: str = "\r\n"
) -> bytes:
    """A bill as WeChat makes it: a backtick before each value, a summary at the end."""
    lines = [names]
    lines += [",".join(f"`{row.get(name, '')}" for name in names.split(",")) for row in rows]
    number = str(len(rows)) if count is None else count
    lines += [sums, ",".join(f"`{value}" for value in [number] + ["0.00"] * sums.count(","))]
    return (end.join(lines) + end).encode()


def fund_bill(*rows: dict[str, str], **changed: str) -> bytes:
    """The same of the account, whose numbers it calls 2.0."""
    return bill(*rows, **{"names": FUND_NAMES, "sums": FUND_SUMS, "count": f"{len(rows)}.0"} | changed)


WHOLE = bill(PAID, BACK)
ROWS = WHOLE.split(b"\r\n")
WRONG_BILLS = {
    "empty": b"",
    "an error": b'{"code":"SYSTEM_ERROR"}',
    "not UTF-8": WHOLE.replace("课程".encode(), b"\xbf\xce"),
    "only its head": ROWS[0],
    "without its end": b"\r\n".join(ROWS[:3]),
    "without its last line": b"\r\n".join(ROWS[:4]),
    "a line lost": b"\r\n".join(ROWS[:1] + ROWS[2:]),
    "a line twice": b"\r\n".join(ROWS[:2] + ROWS[1:]),
    "no number of lines": bill(PAID, count="many"),
    "the other bill": fund_bill(INCOME),
    "a value too many": bill(PAID | {"商品名称": "a,`b"}),
    "no time": bill(PAID | {"交易时间": "14:51:51"}),
    "no such day": bill(PAID | {"交易时间": "2026-02-30 00:00:00"}),
    "a column lost": bill(PAID, names=NAMES.replace("商户订单号,", "")),
    "no amounts": bill(PAID, names=NAMES.replace(",订单金额", "")),
}
