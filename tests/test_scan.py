"""How a scanner's findings are held against the list of what is known to be no fault."""

import pytest

from tests.scan.findings import Finding, Known, judge, known

HOLE = Finding("wapiti", "SQL Injection: by id", "GET /me")
KNOWN = Known("wapiti", "CSRF: no token", "POST /me/*", "its name is not known there")


@pytest.mark.parametrize("other", [{"tool": "schemathesis"}, {"what": "CSRF: weak token"}, {"at": "GET /me/x"}])
def test_a_finding_that_is_not_on_the_list_fails(other) -> None:
    at = {"tool": KNOWN.tool, "what": KNOWN.what, "at": "POST /me/links"}
    assert judge([Finding(**at)], [KNOWN], {"wapiti"})[1]
    lines, is_clean = judge([Finding(**at | other)], [KNOWN], {"wapiti"})
    assert not is_clean and lines[0].startswith("FINDING")


def test_a_listed_finding_that_has_gone_is_told_when_its_scanner_ran() -> None:
    assert judge([], [KNOWN], {"schemathesis"}) == ([], True)
    lines, is_clean = judge([], [KNOWN], {"wapiti"})
    assert is_clean and lines == ["gone     wapiti: CSRF: no token at POST /me/*: take it off exceptions.yml"]


def test_one_finding_is_told_once() -> None:
    assert judge([HOLE, HOLE], [], {"wapiti"}) == ([f"FINDING  {HOLE}"], False)


def test_every_line_of_the_list_gives_its_reason() -> None:
    assert all(len(one.reason.split()) >= 5 for one in known())
