"""`python -m tests.scan`: one line for each finding; exit 1 when one is not in exceptions.yml."""

import asyncio
import logging
import os
import sys
import tempfile
import time
from pathlib import Path

import click
import structlog

from tests.scan import injection, tools
from tests.scan.findings import Finding, judge, known
from tests.scan.target import Target, served

SCANS: dict[str, tuple[Path, tools.Scan]] = {
    "schemathesis": (tools.SCHEMATHESIS, tools.schemathesis),
    "wapiti": (tools.WAPITI, tools.wapiti),
    "sqlmap": (injection.SQLMAP, injection.sqlmap),
}


async def scan(chosen: list[str]) -> list[Finding]:
    """All of them at once, against one server."""
    with tempfile.TemporaryDirectory() as folder:
        async with served(Path(folder)) as target:
            found = await asyncio.gather(*(timed(name, target) for name in chosen))
            return [finding for findings in [*found, target.faults()] for finding in findings]


async def timed(name: str, target: Target) -> list[Finding]:
    """One scan, in a folder of its own."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = await SCANS[name][1](target, Path(folder))
    click.echo(f"ran      {name} in {time.monotonic() - began:.0f} s: {len(found)} findings")
    return found


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(SCANS)))
def main(names: tuple[str, ...]) -> None:
    """Let scanners loose on a server with something in it; without NAMES all that are here."""
    logging.disable()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    chosen = [name for name in names or SCANS if SCANS[name][0].exists()]
    for name in set(names or SCANS) - set(chosen):
        click.echo(f"left out: {name} is not here")
        if os.environ.get("CI") == "true":
            raise SystemExit(1)
    try:
        lines, is_clean = judge(asyncio.run(scan(chosen)), known(), set(chosen))
    except (tools.ScanFailed, AssertionError) as problem:
        raise click.ClickException(str(problem)) from None
    for line in lines:
        click.echo(line)
    sys.exit(not is_clean)


if __name__ == "__main__":
    main()
