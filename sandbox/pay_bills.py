"""The bills of a Shanghai day, byte for byte in WeChat Pay's form: trade and fund flow, with switches that lie.

A bill is UTF-8 with a mark in front, its lines end with CR LF, each value has a backtick before it.
"""

from dataclasses import dataclass, replace
from datetime import date

from sandbox import pay_times
from sandbox.pay_flows import Flow
from sandbox.pay_orders import PayOrder
from sandbox.pay_refund import PayRefund
from sandbox.pay_refunds import RefundingCompany
from sandbox.rendering import shanghai_time, yuan

HEAD = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,"
)
HEAD += "应结订单金额,代金券金额,"
TIMES = "退款申请时间,退款成功时间,"
REFUNDED = "微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,"
TAIL = "商品名称,商户数据包,手续费,费率,订单金额,"
COLUMNS = {
    "ALL": HEAD + REFUNDED + TAIL + "申请退款金额,费率备注",
    "SUCCESS": HEAD + TAIL + "费率备注",
    "REFUND": HEAD + TIMES + REFUNDED + TAIL + "申请退款金额,费率备注",
}
SUMS = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
FLOW_COLUMNS = "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),"
FLOW_COLUMNS += "资金变更提交申请人,备注,业务凭证号"
FLOW_SUMS = "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额"
STATES = {"SUCCESS": "SUCCESS", "PROCESSING": "PROCESSING", "CLOSED": "FAIL", "ABNORMAL": "CHANGE"}


@dataclass(frozen=True)
class Line:
    """One line of the trade bill, before it is written; amounts in fen."""

    order: PayOrder
    fen: int
    fee_fen: int
    refund: PayRefund | None = None

    @property
    def at(self) -> float:
        """When it happened."""
        return self.refund.made_at if self.refund else self.order.paid_at or 0

    @property
    def number(self) -> str:
        """The merchant's number of what it is about."""
        return self.refund.out_refund_no if self.refund else self.order.out_trade_no


def lines_of(company: RefundingCompany, day: date) -> list[Line]:
    """What happened on a day, as the switches show it, the earliest first."""
    changes, orders = company.bill_changes, company.orders.values()
    made = [Line(one, one.paid_fen, one.fee_fen) for one in orders if one.paid_at is not None]
    made += [Line(one, refund.amount, -refund.fee_fen, refund) for one in orders for refund in one.refunds]
    true = [one for one in made if pay_times.day_of(one.at) == day and one.number not in changes.left_out]
    told = [Line(one.order, changes.amounts.get(one.number, one.fen), one.fee_fen, one.refund) for one in true]
    strangers = [stranger(company, day, number, fen) for number, fen in changes.added.items()]
    return sorted(told + strangers, key=lambda one: one.at)


def stranger(company: RefundingCompany, day: date, number: str, fen: int) -> Line:
    """A payment that nobody made."""
    noon = pay_times.ready_at(day) - 22 * 3600
    asked = {"appid": company.account.app_id, "description": "不明交易", "amount": {"total": fen}}
    order = PayOrder(number, "NATIVE", asked, noon, noon, state="SUCCESS", paid_at=noon, paid_fen=fen)
    order.payer_openid, order.transaction_id = "oStranger", f"42009999{day:%Y%m%d}{number:0>12.12}"
    return Line(order, fen, company.fee_of(fen))


def trade_bill(company: RefundingCompany, day: date, kind: str) -> bytes:
    """The day's payments and refunds, or (SUCCESS, REFUND) only the ones or the others; empty when there are none."""
    lines = [one for one in lines_of(company, day) if kind == "ALL" or (kind == "REFUND") == bool(one.refund)]
    columns = COLUMNS[kind].split(",")
    rows = [[values[name] for name in columns] for values in (written(company, one) for one in lines)]
    paid, back = [one for one in lines if not one.refund], [one for one in lines if one.refund]
    came, went = yuan(sum(one.fen for one in paid)), yuan(sum(one.fen for one in back))
    fees = fee(sum(one.fee_fen for one in lines))
    return file(COLUMNS[kind], rows, SUMS, [str(len(lines)), came, went, "0.00", fees, came, went])


def written(company: RefundingCompany, line: Line) -> dict[str, str]:
    """One line of the trade bill by the names of its columns."""
    order, asked, back = line.order, line.order.asked, line.refund
    came, went = ("0.00", yuan(line.fen)) if back else (yuan(line.fen), "0.00")
    done_at = shanghai_time(back.done_at) if back and back.done_at else ""
    shown = {"交易时间": shanghai_time(line.at), "公众账号ID": asked["appid"], "商户号": company.settings.mch_id}
    shown |= {"特约商户号": "0", "设备号": "", "微信订单号": order.transaction_id, "商户订单号": order.out_trade_no}
    shown |= {"用户标识": order.payer_openid, "交易类型": order.trade_type, "付款银行": "OTHERS", "货币种类": "CNY"}
    shown |= {"交易状态": "REFUND" if back else "SUCCESS", "应结订单金额": came, "代金券金额": "0.00"}
    shown |= {"退款申请时间": shanghai_time(line.at) if back else "", "退款成功时间": done_at}
    shown |= {"微信退款单号": back.refund_id if back else "0", "商户退款单号": back.out_refund_no if back else "0"}
    shown |= {"退款金额": went, "充值券退款金额": "0.00", "退款类型": "ORIGINAL" if back else ""}
    shown |= {"退款状态": STATES[back.status] if back else "", "商品名称": escaped(asked["description"])}
    shown |= {"商户数据包": escaped(asked.get("attach", "")), "手续费": fee(line.fee_fen)}
    rate = f"{company.fee_percent:.2f}%"
    return shown | {"费率": rate, "订单金额": came, "申请退款金额": went, "费率备注": ""}


def flow_bill(company: RefundingCompany, day: date) -> bytes:
    """Every movement of the merchant's money on a day; empty when there is none."""
    flows = flows_of(company, day)
    came, went = [one.fen for one in flows if one.fen > 0], [-one.fen for one in flows if one.fen < 0]
    rows = []
    for one in flows:
        way, fen = ("收入", one.fen) if one.fen > 0 else ("支出", -one.fen)
        row = [shanghai_time(one.at), one.business_number, one.number, one.name, one.kind, way]
        rows.append([*row, yuan(fen), yuan(one.left_fen), one.who, one.note, one.voucher])
    sums = [str(len(flows)), str(len(came)), yuan(sum(came)), str(len(went)), yuan(sum(went))]
    return file(FLOW_COLUMNS, rows, FLOW_SUMS, sums)


def flows_of(company: RefundingCompany, day: date) -> list[Flow]:
    """The movements of a day, as the switches show them; what they make up stands at the end."""
    changes = company.bill_changes
    true = [one for one in company.purse.flows if pay_times.day_of(one.at) == day]
    told = [changed(company, one) for one in true if one.voucher not in changes.left_out]
    for number, fen in changes.added.items():
        line = stranger(company, day, number, fen)
        same = {"at": line.at, "number": line.order.transaction_id, "business_number": line.order.transaction_id}
        made_up = Flow(**same, name="交易", kind="交易", fen=fen, left_fen=0, who="system", note="", voucher=number)
        told += [made_up, replace(made_up, kind="扣除交易手续费", fen=-line.fee_fen)]
    return [one for one in told if one.fen]


def changed(company: RefundingCompany, flow: Flow) -> Flow:
    """A movement of the amount that the switches say."""
    told = company.bill_changes.amounts.get(flow.voucher)
    if told is None or flow.kind not in ("交易", "退款"):
        return flow
    return replace(flow, fen=told if flow.kind == "交易" else company.find_refund(flow.voucher).fee_fen - told)


def file(columns: str, rows: list[list[str]], sum_columns: str, sums: list[str]) -> bytes:
    """A bill as it is downloaded; nothing at all for a day on which nothing happened."""
    if not rows:
        return b""
    shown = [columns, *(",".join(f"`{value}" for value in row) for row in rows)]
    shown += [sum_columns, ",".join(f"`{value}" for value in sums)]
    return "".join(f"{line}\r\n" for line in shown).encode("utf-8-sig")


def fee(fen: int) -> str:
    """A fee in yuan with five decimals."""
    return f"{fen / 100:.5f}"


def escaped(text: str) -> str:
    """A text of the merchant's, so that it breaks no line."""
    return text.replace(",", "\\ ").replace("\r", "").replace("\n", "\\n")
