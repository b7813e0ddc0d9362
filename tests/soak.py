"""How often a race, a kill or a fuzz is run: a sample in `make test`, all of it in `make soak`."""

from collections.abc import Callable

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--soak`: every round that was promised, instead of a sample of them."""
    parser.addoption("--soak", action="store_true", help="run every round of races, kills and fuzzes")


@pytest.fixture
def rounds(pytestconfig: pytest.Config) -> Callable[..., int]:
    """`rounds(5, soak=200)`: how many rounds this run makes."""

    def chosen(sample: int, *, soak: int) -> int:
        return soak if pytestconfig.getoption("--soak") else sample

    return chosen
