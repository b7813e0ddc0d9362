"""How a scanner's findings are held against the list of what is known to be no fault."""

import re

import pytest

from tests.attack_kit import routes_of
from tests.scan.findings import Finding, Known, judge, known
from tests.scan.injection import asks
from tests.scan.target import Target

HOLE = Finding("wapiti", "SQL Injection: by id", "GET /me")
TAKE_NOTHING = {
    ("GET", "/$"),
    ("GET", "/me/links$"),
    ("GET", "/lecturer$"),
    ("GET", "/me/access$"),
    ("GET", "/me/orders$"),
    ("POST", "/oauth/sign-out$"),
    ("GET", "/me/vouchers$"),
    ("POST", "/me/vouchers$"),
}
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


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_sql_is_tried_at_every_door_that_takes_something(site) -> None:
    target = Target(site.base_url, "session=x", "Basic x", "A1")
    tried = [(ask.method, ask.path.partition("?")[0].replace("*", "")) for ask in asks(target) if ask.marks]
    for route in routes_of(site):
        for method in ("GET", "POST", "PUT", "DELETE"):
            if route.asks_anything and route.serves(method) and (method, route.pattern) not in TAKE_NOTHING:
                assert any(method == one and re.fullmatch(route.pattern, path) for one, path in tried), route.pattern
