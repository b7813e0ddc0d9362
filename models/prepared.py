"""Statements of hot paths: their text is made once, and rows are filled without detours.

Building a statement costs peewee several times what the database needs to answer it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from typing import Any

from peewee import BooleanField, DateField, DateTimeField, Insert, PostgresqlDatabase, Select, Update, Value

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

    def __init__(self, build: Callable[[], Select | Insert | Update]) -> None:
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

    def rows(self, /, **values: Any) -> list[tuple[Any, ...]]:
        """All answers: a row for each kind that is selected, in that order."""
        made = self._here()
        return [tuple(part.fill(answer) for part in made.parts) for answer in made.run(values).fetchall()]

    def first(self, /, **values: Any) -> tuple[Any, ...] | None:
        """The first answer."""
        return next(iter(self.rows(**values)), None)

    def run(self, /, **values: Any) -> None:
        """Do it, where there is no answer."""
        self._here().run(values)

    def is_one(self, /, **values: Any) -> bool:
        """Do it; True when it touched one row: of several who want to, one hears that."""
        return self._here().run(values).rowcount == 1

    def new_id(self, /, **values: Any) -> int:
        """Insert; the id of the new row."""
        cursor = self._here().run(values)
        return cursor.fetchone()[0] if isinstance(database.obj, PostgresqlDatabase) else cursor.lastrowid


@cache
def insertion(kind: type[Row], names: tuple[str, ...], is_once: bool) -> Prepared:
    """The statement that inserts such columns of a row."""

    def build() -> Insert:
        query = kind.insert({name: given(name) for name in names})
        if is_once:
            return query.on_conflict_ignore()
        is_told = isinstance(database.obj, PostgresqlDatabase)  # the drivers of the others know the id by themselves
        return query.returning(kind._meta.primary_key) if is_told else query

    return Prepared(build)


@cache
def insertion_of_several(kind: type[Row], names: tuple[str, ...], number: int) -> Prepared:
    """The statement that inserts so many rows; the columns of each are named with its place behind."""
    places = [{name: given(f"{name}{place}") for name in names} for place in range(number)]
    return Prepared(lambda: kind.insert_many(places))


def add_several(kind: type[Row], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows of the same columns, in their order, with ids in the place of rows."""
    named = {f"{name}{place}": value for place, row in enumerate(rows) for name, value in row.items()}
    insertion_of_several(kind, tuple(rows[0]), len(rows)).run(**named)


def add(kind: type[Row], /, **values: Any) -> int:
    """As `create`, with ids in the place of rows; the new id."""
    return insertion(kind, tuple(values), False).new_id(**values)


def add_once(kind: type[Row], /, **values: Any) -> bool:
    """As `Row.add_once`, with ids in the place of rows."""
    return insertion(kind, tuple(values), True).is_one(**values)


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
