"""WeChat Pay's bills: read to the fen, by the names of their columns, whole or not at all."""

from datetime import UTC, datetime

import pytest

from clients.pay_bills import read_fund_bill, read_trade_bill
from tests.bill_kit import BACK, FEE, FUND_NAMES, INCOME, NAMES, PAID, WRONG_BILLS, bill, fund_bill


def test_a_payment_is_read_to_the_fen() -> None:
    (line,) = read_trade_bill(bill(PAID))
    assert line.at == datetime(2026, 11, 24, 16, 0, 5, tzinfo=UTC)
    assert (line.transaction_id, line.out_trade_no, line.state) == ("4200001", "C20261125000001", "SUCCESS")
    assert (line.total_fen, line.fee_fen, line.refund_fen) == (19900, 119, 0)
    assert (line.out_refund_no, line.refund_id, line.refund_state) == ("", "", "")


def test_a_refund_is_read_and_gives_its_fee_back() -> None:
    line = read_trade_bill(bill(PAID, BACK))[1]
    assert (line.state, line.refund_state) == ("REFUND", "PROCESSING")
    assert (line.out_refund_no, line.refund_id) == ("R20261125000001", "5030001")
    assert (line.total_fen, line.refund_fen, line.fee_fen) == (0, 9901, -59)
    assert line.at == datetime(2026, 11, 25, 15, 59, 59, tzinfo=UTC)


def test_what_was_revoked_is_read_as_it_stands() -> None:
    assert read_trade_bill(bill(PAID | {"交易状态": "REVOKED"}))[0].state == "REVOKED"


def test_a_movement_of_the_account_is_read_to_the_fen() -> None:
    came, fee = read_fund_bill(fund_bill(INCOME, FEE))
    assert came.at == datetime(2026, 11, 24, 20, 21, 23, tzinfo=UTC)
    assert (came.flow_id, came.business_no, came.voucher_no) == ("1900009", "4200001", "C20261125000001")
    assert (came.kind, came.is_income, came.amount_fen, came.balance_fen) == ("交易", True, 19900, 100017)
    assert came.note == "a,b"
    assert (fee.kind, fee.is_income, fee.amount_fen, fee.balance_fen) == ("扣除交易手续费", False, 119, -2)


def test_a_day_without_lines_has_none() -> None:
    assert read_trade_bill(bill()) == []
    assert read_fund_bill(fund_bill(count="0")) == []


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_columns_are_found_by_name_wherever_they_stand(end: str) -> None:
    turned = ",".join(["交易时间", *reversed(NAMES.split(",")[1:]), "新的一列"])
    assert read_trade_bill(bill(PAID, BACK, names=turned, end=end)) == read_trade_bill(bill(PAID, BACK))
    assert read_trade_bill(b"\xef\xbb\xbf" + bill(PAID, end=end)) == read_trade_bill(bill(PAID))
    plain = FUND_NAMES.replace("（", "(").replace("）", ")")
    rows = [{name.replace("（", "(").replace("）", ")"): value for name, value in row.items()} for row in (INCOME, FEE)]
    assert read_fund_bill(fund_bill(*rows, names=plain, end=end)) == read_fund_bill(fund_bill(INCOME, FEE))


def test_the_older_form_of_some_merchants_is_read_too() -> None:
    names = NAMES.replace("应结订单金额,代金券", "总金额,企业红包").removesuffix(",订单金额,申请退款金额,费率备注")
    rows = [row | {"总金额": "199.00"} for row in (PAID, BACK)]
    paid, back = read_trade_bill(bill(*rows, names=names, sums="总交易单数,总交易额,总退款金额"))
    assert (paid.total_fen, paid.fee_fen, back.refund_fen) == (19900, 119, 9901)


AMOUNTS = {
    "0": 0,
    "0.00": 0,
    "0.01": 1,
    "0.1": 10,
    "1": 100,
    "19.99": 1999,
    "999999999999.99": 99999999999999,
    "-0.02": -2,
}


@pytest.mark.parametrize("text", AMOUNTS)
def test_yuan_become_fen_exactly(text: str) -> None:
    assert read_trade_bill(bill(PAID | {"手续费": text}))[0].fee_fen == AMOUNTS[text]


@pytest.mark.parametrize(
    "text",
    ["", "x", "1.", ".1", "+1", "1e3", "4.00123E+27", "NaN", "1,00", "0.001", "1.19001", "１", "--1"],
)
def test_what_is_no_amount_or_has_a_part_of_a_fen_stops_the_bill(text: str) -> None:
    for name in ("手续费", "订单金额", "申请退款金额"):
        with pytest.raises(ValueError):
            read_trade_bill(bill(PAID | {name: text}))


@pytest.mark.parametrize("wrong", WRONG_BILLS)
def test_half_a_bill_or_another_paper_is_no_bill(wrong: str) -> None:
    with pytest.raises(ValueError):
        read_trade_bill(WRONG_BILLS[wrong])


def test_a_movement_that_neither_came_nor_went_is_no_line() -> None:
    with pytest.raises(ValueError):
        read_fund_bill(fund_bill(INCOME | {"收支类型": "冻结"}))
    with pytest.raises(ValueError):
        read_fund_bill(fund_bill(INCOME, names=FUND_NAMES.replace("备注,", "")))
