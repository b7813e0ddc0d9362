"""Vouchers in numbers, for all of them: what a voucher costs whom, prices, spans, codes (V5, M1)."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from models.base import SHANGHAI
from models.journal import CLEARING, REVENUE, discount, payable, reversed_lines, sale_lines
from models.orders import BY_LECTURER, BY_PLATFORM
from models.vouchers import LETTERS, Campaign, Voucher, code_of, typed_code
from services.campaigns import Paid, Rise, earns
from services.orders import prices

FEN = st.integers(1, 100_000_000)
PERCENT = st.integers(0, 100)
BEARER = st.sampled_from([BY_PLATFORM, BY_LECTURER])
MOMENT = st.datetimes(datetime(2018, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))
NEAR = st.sampled_from([-timedelta(days=1), -timedelta(microseconds=1), timedelta(0), timedelta(microseconds=1)])
NUMBER = st.integers(0, 2**60 - 1)


def sale(list_fen: int, worth_fen: int, percent: int, bearer: str) -> tuple[dict[str, int], int, int]:
    """What the books say of a course bought with a voucher; what was paid, and what the voucher took off."""
    frozen = prices(list_fen, Voucher(amount_fen=worth_fen, campaign=Campaign(bearer=bearer)))
    paid, off = frozen["price_fen"], frozen["voucher_fen"]
    return sale_lines(paid, lecturer_slug="x", percent=percent, voucher_fen=off, bearer=bearer), paid, off


@given(FEN, FEN)
def test_a_price_is_never_below_0_and_nothing_is_taken_off_beyond_it(list_fen, worth_fen):
    frozen = prices(list_fen, Voucher(amount_fen=worth_fen, campaign=Campaign()))
    assert frozen["price_fen"] >= 0 and 0 < frozen["voucher_fen"] <= worth_fen
    assert frozen["price_fen"] + frozen["voucher_fen"] == list_fen == frozen["list_fen"]


def test_the_example_of_199_yuan_with_30_at_70_percent():
    mine = {payable("x"): -13930, REVENUE: -5970, CLEARING: 16900, discount(BY_PLATFORM, "x"): 3000}
    assert sale(19900, 3000, 70, BY_PLATFORM)[0] == mine
    his = {payable("x"): -(11830 + 3000), REVENUE: -5070, CLEARING: 16900, discount(BY_LECTURER, "x"): 3000}
    assert sale(19900, 3000, 70, BY_LECTURER)[0] == his


@given(FEN, FEN, PERCENT, BEARER)
def test_whoever_bears_it_every_fen_of_a_sale_has_an_owner(list_fen, worth_fen, percent, bearer):
    lines, paid, off = sale(list_fen, worth_fen, percent, bearer)
    assert sum(lines.values()) == 0 and lines[CLEARING] == paid and lines[discount(bearer, "x")] == off


@given(FEN, FEN, PERCENT)
def test_one_that_the_platform_bears_costs_the_lecturer_nothing(list_fen, worth_fen, percent):
    lines, paid, off = sale(list_fen, worth_fen, percent, BY_PLATFORM)
    assert lines[payable("x")] == sale_lines(list_fen, lecturer_slug="x", percent=percent)[payable("x")]
    assert -lines[REVENUE] - off == paid + lines[payable("x")], "what the platform keeps of the cash"


@given(FEN, FEN, PERCENT)
def test_one_that_the_lecturer_bears_leaves_both_their_share_of_the_cash(list_fen, worth_fen, percent):
    lines, paid, _ = sale(list_fen, worth_fen, percent, BY_LECTURER)
    cash = sale_lines(paid, lecturer_slug="x", percent=percent)
    assert lines[REVENUE] == cash[REVENUE]
    assert lines[payable("x")] + lines[discount(BY_LECTURER, "x")] == cash[payable("x")]


@given(FEN, FEN, PERCENT, BEARER, st.lists(FEN, max_size=5))
def test_refunds_in_parts_take_back_exactly_what_each_account_got(list_fen, worth_fen, percent, bearer, cuts):
    lines, paid, _ = sale(list_fen, worth_fen, percent, bearer)
    assume(paid)
    lines = {account: fen for account, fen in lines.items() if fen}
    total = dict.fromkeys(lines, 0)
    for before, after in pairwise(sorted({0, paid, *(cut % (paid + 1) for cut in cuts)})):
        part = reversed_lines(lines, before_fen=before, refund_fen=after - before)
        assert sum(part.values()) == 0 and part[CLEARING] == before - after
        assert all(fen * lines[account] <= 0 for account, fen in part.items()), "no account gets anything by a refund"
        total = {account: fen + part[account] for account, fen in total.items()}
    assert total == {account: -fen for account, fen in lines.items()}


@given(MOMENT, st.timedeltas(timedelta(microseconds=1), timedelta(days=400)), NEAR)
def test_a_window_has_its_start_and_not_its_end(start, length, near):
    campaign = Campaign(starts_at=start, ends_at=start + length)
    assert campaign.is_live(now=start) and not campaign.is_live(now=start + length)
    for moment in (start + near, start + length + near):
        assert campaign.is_live(now=moment) == (start <= moment < start + length)


@given(MOMENT, st.integers(1, 400), NEAR)
def test_the_days_of_enrolling_have_their_start_and_not_their_end(start, days, near):
    campaign = Campaign(kind="early_enrolment", starts_at=start, enrol_days=days)
    for moment in (start + near, start + timedelta(days=days) + near):
        its = Paid(grant_id=1, course_id=1, list_fen=1, paid_at=moment)
        assert earns(campaign, None, its) == (start <= moment < start + timedelta(days=days))


@given(MOMENT, FEN, FEN, NEAR)
def test_after_the_rise_begins_with_it_and_means_its_price(rise_at, rise_fen, paid_fen, near):
    campaign = Campaign(kind="price_rise", starts_at=rise_at + timedelta(days=9))
    its = Paid(grant_id=1, course_id=1, list_fen=paid_fen, paid_at=rise_at + near)
    is_earned = near >= timedelta(0) and paid_fen >= rise_fen
    assert earns(campaign, Rise(rise_at, rise_fen), its) == is_earned


@given(MOMENT, st.integers(1, 3660))
def test_one_that_is_good_for_some_days_ends_with_the_last_of_them_in_shanghai(issued_at, days):
    campaign = Campaign(valid_days=days, ends_at=issued_at + timedelta(days=1))
    end = campaign.end_of(issued_at=issued_at).astimezone(SHANGHAI)
    assert (end.hour, end.minute, end.second, end.microsecond) == (0, 0, 0, 0)
    last = end.date() - timedelta(days=1)
    assert last - issued_at.astimezone(SHANGHAI).date() == timedelta(days=days)
    assert Voucher(expires_at=end).last_day.astimezone(SHANGHAI).date() == last


@given(MOMENT, MOMENT)
def test_else_it_ends_with_its_campaign(issued_at, end):
    assert Campaign(ends_at=end).end_of(issued_at=issued_at) == end


@given(NUMBER, NUMBER)
def test_two_numbers_have_two_codes(one, other):
    assert (code_of(one) == code_of(other)) == (one == other)
    assert len(code_of(one)) == 14 and set(code_of(one)) <= set(LETTERS) | {"-"}


@given(NUMBER, st.sampled_from(["", " ", "-", "—", "_", "　"]), st.booleans(), st.booleans())
def test_however_a_code_is_typed_it_is_the_one(number, between, is_small, is_wide):
    typed = code_of(number).replace("-", between)
    typed = typed.lower() if is_small else typed
    typed = "".join(chr(ord(letter) + 0xFEE0) if is_wide and "!" <= letter <= "~" else letter for letter in typed)
    assert typed_code(f" {typed}\n") == code_of(number)


@given(st.text(max_size=20))
def test_what_is_typed_is_a_code_of_ours_or_none(text):
    assert typed_code(text) in {"", typed_code(typed_code(text))}
