"""The journal's arithmetic: every fen of a sale has an owner, and every refund takes back exactly what it gave."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.journal import CLEARING, REVENUE, payable, reversed_lines, sale_lines, split

FEN = st.integers(0, 10_000)
SHARES = st.lists(st.integers(0, 1000), min_size=1, max_size=6).filter(any)


@given(FEN, SHARES)
def test_the_parts_of_a_split_sum_to_the_whole(amount, shares):
    parts = split(amount, shares)
    assert sum(parts) == amount
    whole = sum(shares)
    for part, share in zip(parts, shares, strict=True):
        assert amount * share // whole <= part <= amount * share // whole + 1
        assert share or part == 0, "who has no share gets nothing"


@pytest.mark.parametrize(
    ("amount", "shares", "parts"),
    [
        (15, [20, 2, 3], [13, 1, 1]),  # 4/5, 2/25, 3/25
        (15, [1, 1, 0], [8, 7, 0]),
        (0, [70, 30], [0, 0]),
        (1, [70, 30], [1, 0]),
        (19900, [70, 30], [13930, 5970]),
    ],
)
def test_what_is_left_goes_out_fen_by_fen_from_the_first(amount, shares, parts):
    assert split(amount, shares) == parts


@pytest.mark.parametrize("shares", [[0, 0], [], [-1, 2]])
def test_shares_that_cannot_be_are_refused(shares):
    with pytest.raises(ValueError):
        split(100, shares)


@given(st.integers(1, 10**9), st.integers(0, 100))
def test_a_sale_sums_to_0(price, percent):
    lines = sale_lines(price, lecturer_slug="caoz", percent=percent)
    assert sum(lines.values()) == 0 and lines[CLEARING] == price


def test_a_sale_at_seventy_percent():
    assert sale_lines(19900, lecturer_slug="caoz", percent=70) == {
        CLEARING: 19900,
        payable("caoz"): -13930,
        REVENUE: -5970,
    }


@given(st.integers(1, 10_000), st.integers(0, 100), st.lists(st.integers(0, 10_000), max_size=5))
def test_refunds_in_parts_together_take_back_exactly_the_sale(price, percent, cuts):
    lines = {name: fen for name, fen in sale_lines(price, lecturer_slug="x", percent=percent).items() if fen}
    places = sorted({0, price, *(cut % (price + 1) for cut in cuts)})
    total = dict.fromkeys(lines, 0)
    for before, after in pairwise(places):
        part = reversed_lines(lines, before_fen=before, refund_fen=after - before)
        assert sum(part.values()) == 0 and part[CLEARING] == before - after
        total = {account: fen + part[account] for account, fen in total.items()}
    assert total == {account: -fen for account, fen in lines.items()}


@pytest.mark.parametrize(("before", "refund"), [(0, 0), (0, -1), (0, 101), (60, 41), (100, 1)])
def test_more_than_the_sale_is_never_taken_back(before, refund):
    with pytest.raises(ValueError):
        reversed_lines(sale_lines(100, lecturer_slug="x", percent=70), before_fen=before, refund_fen=refund)
