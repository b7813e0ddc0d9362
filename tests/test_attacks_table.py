"""The table of attacks names tests that exist, and leaves no kind out."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROWS = [
    re.split(r" *\| *", line.strip("| "))
    for line in (TESTS.parent / "docs" / "attacks.md").read_text("utf-8").splitlines()
    if re.match(r"\| \d", line)
]
KINDS = [
    *(1, 2, 3, 4, 6, 8, 9, 10, 12, 13, 14, 15, 17, 18, 19, 21, 22, 24, 25, 27, 28),
    *(29, 30, 31, 33, 34, 36, 38, 39, 40, 41, 42, 44, 45, 46),
    *(47, 48, 50, 51, 53, 54, 55, 56, 57, 59, 60, 62, 63, 70, 71, 72),
    *(73, 74, 76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 89),
    *(90, 91, 93, 94, 95, 98, 99, 100, 101, 102, 103, 104, 106, 108, 112, 113, 114, 115),
    *(117, 118, 119, 120, 121, 123, 125, 126, 127, 128, 129, 130, 131, 132, 133, 134, 135, 137, 138),
]


@cache
def names_in(file: str) -> set[str]:
    """The tests that a file has."""
    nodes = ast.walk(ast.parse((TESTS / file).read_text("utf-8")))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_attack_is_shown_by_a_test_that_exists_or_waits_for_its_door(row):
    _, _, met, shown = row
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", shown)
    assert named or (met.startswith("later: ") and shown == "–")
    for file, test in named:
        assert test in names_in(file), f"{file}::{test}"


def test_no_kind_of_attack_is_left_out():
    assert [int(re.match(r"\d+", row[0])[0]) for row in ROWS] == KINDS
