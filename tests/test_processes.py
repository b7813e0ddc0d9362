"""The watch over several serving processes, on children that do nothing but end."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TOLD_WHILE_ONE_HAS_ENDED = """
import os, sys
from wxbot.processes import Processes
children = Processes([sys.executable, "-c", ""], [], sys.argv[1])
children.start_one()
(pid,) = children.running
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
children.stop()
raise SystemExit(children.watch())
"""


def test_told_to_stop_while_a_child_has_ended_but_was_not_yet_missed(tmp_path):
    asked = [sys.executable, "-c", TOLD_WHILE_ONE_HAS_ENDED, str(tmp_path)]  # a process of its own: it waits for all
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
