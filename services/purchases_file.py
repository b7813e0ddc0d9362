"""Purchases by CSV: each line as a PUT of its own, each bad line reported, the good ones kept."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from models.catalogue import Course
from models.errors import BusinessError, WrongInput
from models.orders import ORDER_NO, Platform
from services import purchases
from services.context import Context
from services.env import Env

COLUMNS = ["platform", "order_no", "course", "openid", "phone", "email", "paid_fen", "paid_at"]


class BadFile(Exception):
    """The file as a whole cannot be read; its text says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file, by its number in it."""

    number: int
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LineReport:
    """What became of one line: `new`, `same`, or why not."""

    number: int
    outcome: str
    problem: str = ""


def read_lines(path: Path) -> list[Line]:
    """Every line below the header; raises BadFile."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if reader.fieldnames != COLUMNS:
                raise BadFile(f"line 1: the columns must be {','.join(COLUMNS)}")
            return [Line(reader.line_num, values) for values in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise BadFile(f"{path.name}: {problem}") from None


def body_of(line: Line) -> purchases.PurchaseBody:
    """The line as the body of a PUT; raises WrongInput."""
    values = {name: line.values.get(name) or None for name in COLUMNS[2:]}
    amount = values["paid_fen"] or ""
    if not (amount.isascii() and amount.isdecimal()):
        raise WrongInput(what="paid_fen: whole fen")
    try:
        values["paid_at"] = datetime.fromisoformat(values["paid_at"] or "")
    except ValueError:
        raise WrongInput(what="paid_at: a time with its zone, as 2026-01-01T08:00:00+08:00") from None
    return purchases.parse_body(values | {"paid_fen": int(amount)})


def check_line(env: Env, *, line: Line) -> None:
    """All that can be known of a line without writing it; raises WrongInput."""
    body = body_of(line)
    if not ORDER_NO.fullmatch(line.values["order_no"] or ""):
        raise WrongInput(what="order_no: 1 to 64 of letters, digits, _ . -")
    if Platform.get_or_none(name=line.values["platform"]) is None:
        raise WrongInput(what=f"platform: unknown platform {line.values['platform']}")
    if Course.get_or_none(slug=body.course) is None:
        raise WrongInput(what=f"course: unknown course {body.course}")


def put_line(env: Env, *, line: Line) -> bool:
    """Register one line; True when it is new."""
    check_line(env, line=line)
    where = {"platform": line.values["platform"], "order_no": line.values["order_no"]}
    return purchases.put(env, body=body_of(line), **where)[1]


async def bring_in(ctx: Context, line: Line, *, dry_run: bool) -> LineReport:
    """One line, in a transaction of its own, so that a bad one keeps no good one out."""
    try:
        if None in line.values or None in line.values.values():
            raise WrongInput(what="too many or too few columns")
        if dry_run:
            await ctx.read(check_line, line=line)
            return LineReport(line.number, "checked")
        return LineReport(line.number, "new" if await ctx.transact(put_line, line=line) else "same")
    except BusinessError as no:
        return LineReport(line.number, "bad", no.facts.get("what", no.message))


def bad_lines(reports: list[LineReport]) -> Iterator[str]:
    """One sentence for each line that was not taken."""
    return (f"line {report.number}: {report.problem}" for report in reports if report.outcome == "bad")
