"""Purchases by CSV: each line as a PUT of its own, each bad line reported, the good ones kept."""

import csv
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from models.errors import BusinessError, WrongInput
from models.purchases import CLAIMABLE, Platform
from services import purchase_body, purchases
from services.context import Context
from services.env import Env

COLUMNS = ["platform", "order_no", "course", "openid", "phone", "email", "paid_fen", "paid_at"]
CLAIM_COLUMNS = ["platform", "order_no", "phone", "email", "claim_url"]
FORMULA = re.compile(r"[=+\-@](?![0-9]+$)")
FEN = re.compile(r"[0-9]{1,9}")


class BadFile(Exception):
    """The file as a whole cannot be read; its text says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file, by its number in it."""

    number: int
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LineReport:
    """What became of one line: `new`, `same`, `checked` (nothing was changed) or `bad`, and why.

    `claim_url` is None unless somebody may still claim it, and empty when the key that made its link is gone.
    """

    number: int
    outcome: str
    problem: str = ""
    claim_url: str | None = None


def read_lines(path: Path) -> list[Line]:
    """Every line below the header; raises BadFile."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if reader.fieldnames != COLUMNS:
                raise BadFile(f"line 1: the columns must be {','.join(COLUMNS)}")
            return numbered(reader)
    except UnicodeDecodeError:
        raise BadFile(f"{path.name} is not UTF-8: save it again as CSV UTF-8") from None
    except (OSError, csv.Error) as problem:
        raise BadFile(f"{path.name}: {problem}") from None


def numbered(reader: "csv.DictReader[str]") -> list[Line]:
    """Every line with its number; raises BadFile where a quote makes nonsense of the rest."""
    lines: list[Line] = []
    try:
        for values in reader:
            lines.append(Line(reader.line_num, values))
    except csv.Error as problem:
        begins_at = (lines[-1].number if lines else 1) + 1
        raise BadFile(f"line {begins_at}: {problem}") from None
    return lines


def body_of(line: Line) -> purchase_body.PurchaseBody:
    """The line as the body of a PUT; raises WrongInput."""
    values = {name: line.values.get(name) or None for name in COLUMNS[2:]}
    amount = values["paid_fen"] or ""
    if not FEN.fullmatch(amount):
        raise WrongInput(what="paid_fen: whole fen")
    try:
        values["paid_at"] = datetime.fromisoformat(values["paid_at"] or "")
    except ValueError:
        raise WrongInput(what="paid_at: a time with its zone, as 2026-01-01T08:00:00+08:00") from None
    return purchase_body.parse_body(values | {"paid_fen": int(amount)})


def put_line(env: Env, *, line: Line) -> LineReport:
    """Register one line. Raises what a PUT of it would."""
    platform = line.values["platform"]
    if not purchases.PLATFORM_NAME.fullmatch(platform) or Platform.get_or_none(name=platform) is None:
        raise WrongInput(what="platform: unknown")
    where = {"platform": platform, "order_no": line.values["order_no"]}
    told, is_new = purchases.put(env, body=body_of(line), **where)
    claim_url = (told.claim_url or "") if told.status == CLAIMABLE else None
    return LineReport(line.number, "new" if is_new else "same", claim_url=claim_url)


class Rehearsed(Exception):
    """Rolls a line back that would have been taken."""


def rehearse_line(env: Env, *, line: Line) -> None:
    """Register one line and take it back: always raises Rehearsed, or what a PUT of it would."""
    put_line(env, line=line)
    raise Rehearsed


async def bring_in(ctx: Context, line: Line, *, dry_run: bool) -> LineReport:
    """One line, in a transaction of its own, so that a bad one keeps no good one out."""
    try:
        if None in line.values or None in line.values.values():
            raise WrongInput(what="too many or too few columns")
        return await ctx.transact(rehearse_line if dry_run else put_line, line=line)
    except Rehearsed:
        return LineReport(line.number, "checked")
    except BusinessError as no:
        return LineReport(line.number, "bad", no.facts.get("what", no.message))


def bad_lines(reports: list[LineReport]) -> Iterator[str]:
    """One sentence for each line that was not taken."""
    return (f"line {report.number}: {report.problem}" for report in reports if report.outcome == "bad")


def claims_file(path: Path) -> TextIO:
    """A new file that its owner alone may read: a link in it gives a course to whoever has it."""
    return open(path, "w", encoding="utf-8", newline="", opener=partial(os.open, mode=0o600))


def write_claims(file: TextIO, lines: list[Line], reports: list[LineReport]) -> int:
    """Write to whom each claim link has to be sent; how many. What came twice is written once."""
    found = {}
    for line, report in zip(lines, reports, strict=True):
        if report.claim_url is not None:
            row = [*(line.values[name] for name in CLAIM_COLUMNS[:-1]), report.claim_url]
            found[tuple(row[:2])] = [harmless(cell) for cell in row]
    csv.writer(file).writerows([CLAIM_COLUMNS, *found.values()])
    return len(found)


def harmless(cell: str) -> str:
    """As a spreadsheet shows it and does not run it; a number with its + is no formula."""
    return f"'{cell}" if FORMULA.match(cell) else cell
