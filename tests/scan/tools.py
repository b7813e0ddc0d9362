"""The scanners as programs of others: how each is run, and how its report is read."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.scan.findings import Finding
from tests.scan.target import Target

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
SCHEMATHESIS = ROOT / ".venv-check" / "bin" / "schemathesis"
WAPITI = ROOT / ".venv-wapiti" / "bin" / "wapiti"
MOST_SECONDS = 400  # on a busy machine; a quiet one needs a fifth
PAGES = ["me", "me/links", "lecturer", "qr.svg?to=/courses/x", "wx/share?path=/"]
PAGES += ["oauth/callback?state=x&code=x", "links/callback/partner?state=x&code=x&iss=x&error=x"]
ATTACKS = [
    "backup", "cookieflags", "crlf", "csp", "csrf", "exec", "file", "htaccess", "http_headers", "ldap", "permanentxss",
    "redirect", "shellshock", "sql", "timesql", "upload", "xss", "xxe",
]  # fmt: skip
Scan = Callable[[Target, Path], Coroutine[Any, Any, list[Finding]]]


class ScanFailed(Exception):
    """A scanner did not come to its end; the text ends with its last words."""


async def run(folder: Path, *command: object, **surroundings: str) -> str:
    """Run a scanner to its end, whatever its exit code; what it said."""
    words = [str(word) for word in command]
    process = await asyncio.create_subprocess_exec(
        *words, cwd=folder, env=os.environ | {"HOME": str(folder)} | surroundings,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _ = await asyncio.wait_for(process.communicate(), MOST_SECONDS)
    except TimeoutError:
        raise ScanFailed(f"{Path(words[0]).name} did not end within {MOST_SECONDS} s") from None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return said.decode(errors="replace")


def report_in(path: Path, said: str) -> Any:
    """The JSON that a scanner has written."""
    if not path.is_file():
        raise ScanFailed(f"no report: {said[-1500:]}")
    return json.loads(path.read_text(encoding="utf-8"))


async def wapiti(target: Target, folder: Path) -> list[Finding]:
    """Crawl the pages as a learner who is a lecturer too, and attack each form and argument."""
    report, bounds = folder / "report.json", ["--max-scan-time", 40, "--max-attack-time", 15]
    where = ["--scope", "domain", "-x", f"{target.url}/oauth/sign-out", "--endpoint", target.url]
    where += [part for page in PAGES for part in ("-s", f"{target.url}/{page}")]
    kept = ["--store-session", folder / "session", "--store-config", folder / "config"]
    shown = ["-f", "json", "-o", report, "--no-bugreport", "--verbose", 0]
    asked = ["-u", f"{target.url}/", "-C", target.cookie, "-m", ",".join(ATTACKS)]
    said = await run(folder, WAPITI, *asked, *where, *bounds, *kept, *shown)
    told = report_in(report, said)
    if told["infos"]["crawled_pages_nbr"] < len(PAGES) * 2:
        raise ScanFailed(f"wapiti saw {told['infos']['crawled_pages_nbr']} pages only")
    return [
        Finding("wapiti", f"{kind}: {one['info'].replace(target.url, '')}", f"{one['method']} {one['path']}")
        for group in ("vulnerabilities", "anomalies")
        for kind, ones in told[group].items()
        for one in ones
    ]


async def schemathesis(target: Target, folder: Path) -> list[Finding]:
    """Hold the purchases API against its own document."""
    report = folder / "report.json"
    asked = ["--checks", "all", "--seed", 1, "--max-examples", 60, "--continue-on-failure", "--max-redirects", 0]
    asked += ["-H", f"Authorization: {target.authorization}", "--report", "json", "--report-json-path", report]
    config = ["--config-file", HERE / "schemathesis.toml"]
    hooks = {"SCHEMATHESIS_HOOKS": "schemathesis_hooks", "PYTHONPATH": str(HERE)}
    said = await run(folder, SCHEMATHESIS, *config, "run", f"{target.url}/openapi.json", *asked, **hooks)
    told = report_in(report, said)
    if not told["complete"] or told["errors"] or told["operations"]["tested"] < 3:
        raise ScanFailed(f"schemathesis did not finish: {said[-1500:]}")
    findings = [
        Finding("schemathesis", f"{one['code']} {one['title']}", place)
        for one in told["failures"]
        for place in one["operations"]
    ]
    if findings:
        sys.stdout.write(said)
    return findings
