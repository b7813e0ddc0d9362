"""A run says what it left out; where nothing may be left out, it fails."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SKIPS = """
import pytest

def test_works(): pass

@pytest.mark.parametrize("times", [1, 2])
def test_is_left_out(times): pytest.skip("no such server")
"""


def run(folder: Path, ci: str) -> subprocess.CompletedProcess[str]:
    """Run a small suite with the summary's plugin, as on a workplace or in CI."""
    (folder / "test_small.py").write_text(SKIPS, "utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "tests.left_out", "-p", "no:tornado", "-p", "no:cacheprovider"]
    environment = {**os.environ, "CI": ci, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def test_each_reason_is_told_once_with_its_count(tmp_path: Path) -> None:
    said = run(tmp_path, ci="")
    assert said.returncode == 0
    assert "2 x  no such server" in said.stdout
    assert "1 passed, 2 skipped" in said.stdout


def test_ci_fails_when_something_is_left_out(tmp_path: Path) -> None:
    said = run(tmp_path, ci="true")
    assert said.returncode == pytest.ExitCode.TESTS_FAILED
    assert "CI leaves nothing out, but this was: no such server" in said.stdout
    assert "2 failed, 1 passed" in said.stdout
