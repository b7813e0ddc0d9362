"""Switches one guard of the product off in a copy of it, and sees whether the tests named beside the guard fail.

`python -m tests.mutations` runs all, `--sample N` some spread over the table, WORDS those whose line has the words.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.guards import Guard
from tests.guards_of_doors import DOORS
from tests.guards_of_orders import ORDERS
from tests.guards_of_payments import PAYMENTS
from tests.guards_of_rows import ROWS
from tests.guards_of_scans import GUARDS as SCANS
from tests.guards_of_vouchers import VOUCHERS

ROOT = Path(__file__).parent.parent
GUARDS = [*ROWS, *DOORS, *SCANS, *PAYMENTS, *ORDERS, *VOUCHERS]
LEFT_OUT = (".git", ".venv", "node_modules", "var", "build", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info")
SHOWN = re.compile(r"^(?:FAILED|ERROR) tests/(.+?)(?: - .*)?$", re.MULTILINE)
FAILED = 1  # pytest's own exit code when tests have failed, and nothing worse
SECONDS = 300
TRIES = 5  # one round of a race may end well by luck


@contextmanager
def copy_of_the_product() -> Iterator[Path]:
    """All of it that tests need, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="wxbot-mutations-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
        yield copy


def verdict(guard: Guard, copy: Path) -> str:
    """`caught by …`, or `SURVIVED`, or what else became of the tests."""
    file = copy / guard.file
    kept = file.read_text("utf-8")
    file.write_text(guard.switched_off(kept), "utf-8")
    try:
        for _ in range(1 if guard.database == "sqlite" else TRIES):
            code, said = run_tests(guard, copy)
            if code != 0:
                break
    finally:
        file.write_text(kept, "utf-8")
    if code == FAILED:
        return f"caught by {', '.join(sorted(set(SHOWN.findall(said))))}"
    return "SURVIVED" if code == 0 else f"NOT RUN: {said.strip()[-400:]}"


def run_tests(guard: Guard, copy: Path) -> tuple[int, str]:
    """Run the guard's tests in the copy: pytest's exit code, and what it said."""
    options = ["-q", "-x", "-p", "no:cacheprovider", f"--databases={guard.database}"]
    command = [sys.executable, "-m", "pytest", *options, *guard.nodes()]
    surroundings = {name: value for name, value in os.environ.items() if name != "CI"}
    try:
        done = subprocess.run(
            command, cwd=copy, env=surroundings, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return FAILED, f"FAILED {guard.nodes()[0]} - hangs"
    return done.returncode, done.stdout + done.stderr


def spread(guards: Sequence[Guard], number: int) -> list[Guard]:
    """So many of them, from all over the table."""
    return [guards[index * len(guards) // number] for index in range(min(number, len(guards)))]


def try_all(guards: Sequence[Guard]) -> Iterator[tuple[Guard, str]]:
    """Each guard with its verdict, one after the other."""
    with copy_of_the_product() as copy:
        for guard in guards:
            yield guard, verdict(guard, copy)


def main() -> int:
    """Type a line for each guard; 1 when one was not caught."""
    asked = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    asked.add_argument("--all", action="store_true", help="every guard, as without any option")
    asked.add_argument("--sample", type=int, default=0, metavar="N", help="only N of them")
    asked.add_argument("words", nargs="*", help="only those whose line has one of these words")
    options = asked.parse_args()
    chosen = [one for one in GUARDS if not options.words or any(word in str(one) for word in options.words)]
    if options.sample:
        chosen = spread(chosen, options.sample)
    missed = 0
    for number, (guard, said) in enumerate(try_all(chosen), 1):
        missed += not said.startswith("caught")
        sys.stdout.write(f"{number}/{len(chosen)} {guard}\n    {said}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(chosen) - missed} of {len(chosen)} guards are caught by a test when they are off\n")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
