"""Which list price holds when (C2)."""

from datetime import timedelta

from models.catalogue import price_at
from tests.site import START


def test_a_price_holds_from_its_first_instant_to_just_before_the_next():
    rise = START + timedelta(days=1)
    prices = [(rise, 19900), (START, 16900)]
    just_before = timedelta(microseconds=1)
    assert price_at(prices, START - just_before) is None
    assert price_at(prices, START) == price_at(prices, rise - just_before) == 16900
    assert price_at(prices, rise) == price_at(prices, rise + timedelta(days=999)) == 19900
    assert price_at([], START) is None
