"""Statements of hot paths: their text is made once, and rows are filled without detours.

Building a statement costs peewee several times what the database needs to answer it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from peewee import BooleanField, DateField, DateTimeField, Insert, Select, Value

from models.base import Row, database

TOLD_APART_BY_US = (DateTimeField, DateField, BooleanField)  # the drivers give all others as they are
Given = Callable[[str], Value]


@dataclass(frozen=True, slots=True)
class Later:
    """Stands in the parameters for a value that comes when the statement is run."""

    name: str


def given(name: str) -> Value:
    """A value that comes later, wherever a query takes one; moments may be aware ones."""
    return Value(Later(name), converter=False)


def plain(value: Any) -> Any:
    """As the drivers take it."""
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value


@dataclass(frozen=True, slots=True)
class Part:
    """The columns of one kind of row within an answer; the first of them is never NULL in a row that is there."""

    kind: type[Row]
    columns: slice
    names: tuple[str, ...]
    converters: tuple[tuple[str, Callable[[Any], Any]], ...]

    def fill(self, answer: Sequence[Any]) -> Row | None:
        """The row; None where an outer join found none."""
        if answer[self.columns.start] is None:
            return None
        values = dict(zip(self.names, answer[self.columns], strict=True))
        for name, convert in self.converters:
            values[name] = convert(values[name])
        return self.kind.filled(values)


@dataclass(frozen=True, slots=True)
class Made:
    """The statement for one kind of database."""

    sql: str
    params: tuple[Any, ...]
    parts: tuple[Part, ...]

    def run(self, values: dict[str, Any]) -> Any:
        """Send it; returns the cursor."""
        params = [plain(values[one.name]) if isinstance(one, Later) else one for one in self.params]
        return database.execute_sql(self.sql, params)


class Prepared:
    """A statement whose values come later: `Prepared(lambda: Row.select().where(Row.id == given("id")))`."""

    def __init__(self, build: Callable[[], Select | Insert]) -> None:
        self.build = build
        self.made: dict[type, Made] = {}

    def _here(self) -> Made:
        kind = type(database.obj)
        if kind not in self.made:
            query = self.build()
            sql, params = query.sql()
            parts = parts_of(query) if isinstance(query, Select) else ()
            self.made[kind] = Made(sql, tuple(params), parts)
        return self.made[kind]

    def rows(self, **values: Any) -> list[tuple[Any, ...]]:
        """All answers: a row for each kind that is selected, in that order."""
        made = self._here()
        return [tuple(part.fill(answer) for part in made.parts) for answer in made.run(values).fetchall()]

    def first(self, **values: Any) -> tuple[Any, ...] | None:
        """The first answer."""
        return next(iter(self.rows(**values)), None)

    def run(self, **values: Any) -> None:
        """Do it, where there is no answer."""
        self._here().run(values)


def parts_of(query: Select) -> tuple[Part, ...]:
    """How the selected columns belong to kinds of rows."""
    parts, start = [], 0
    for kind, columns in groupby(query._returning, lambda field: field.model):
        fields = list(columns)
        end = start + len(fields)
        converters = [(one.name, one.python_value) for one in fields if isinstance(one, TOLD_APART_BY_US)]
        parts.append(Part(kind, slice(start, end), tuple(one.name for one in fields), tuple(converters)))
        start = end
    return tuple(parts)
