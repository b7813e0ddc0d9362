"""What a start of the program loads, and what it leaves behind."""

import subprocess
import sys

from tests.commands import ROOT, environment

ASK = (
    "import gc, sys, wxbot.__main__; print(gc.isenabled(), gc.get_freeze_count() > 0, "
    "sorted(name for name in sys.modules if name.startswith('sandbox')))"
)


def test_a_server_loads_nothing_of_the_sandbox_and_leaves_the_collector_at_work() -> None:
    command = [sys.executable, "-c", ASK]
    asked = subprocess.run(command, cwd=ROOT, env=environment({}), capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "True True []"
