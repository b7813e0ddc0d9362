"""Says at the end of a run what was left out and why; with CI=true nothing may be, so a skip there is a failure."""

import os
from collections import Counter
from collections.abc import Iterator

import pytest

CI = os.environ.get("CI") == "true"


def reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why it was skipped, without the place in the code."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


def forbid(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Make a failure of a skip."""
    if CI and report.skipped and not hasattr(report, "wasxfail"):
        report.longrepr = f"CI leaves nothing out, but this was: {reason(report)}"
        report.outcome = "failed"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Look at every test's outcome."""
    report = yield
    forbid(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    """Look at files that skip as a whole."""
    report = yield
    forbid(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print each reason once, with how many tests it cost."""
    reasons = Counter(reason(report) for report in terminalreporter.stats.get("skipped", []))
    terminalreporter.section("left out" if reasons else "left out: nothing", "-")
    for why, times in reasons.most_common():
        terminalreporter.write_line(f"{times:5d} x  {why}", yellow=True)
