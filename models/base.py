"""What every row shares: the database, finding, moments in UTC and days in Shanghai."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo

from peewee import CharField, DatabaseProxy, DateTimeField, Model

from models.errors import NotFound

SHANGHAI = ZoneInfo("Asia/Shanghai")
COUNTED_DOWN = timedelta(days=30)
database = DatabaseProxy()


def shanghai_day(moment: datetime) -> date:
    """The calendar day that people in China see for `moment`."""
    return moment.astimezone(SHANGHAI).date()


def shanghai_words(moment: datetime) -> str:
    """That day as people read it: 2027年11月22日."""
    on = shanghai_day(moment)
    return f"{on.year}年{on.month}月{on.day}日"


def days_left(until: datetime, *, now: datetime) -> int | None:
    """The countdown of an end, from 30 days on, in days as people in China see them; None before and after."""
    return (shanghai_day(until) - shanghai_day(now)).days if timedelta(0) < until - now <= COUNTED_DOWN else None


class UtcField(DateTimeField):
    """An aware UTC moment, kept to the microsecond on all three databases.

    The column is a plain timestamp that holds UTC; MariaDB would drop the microseconds without `(6)`.
    """

    def get_modifiers(self) -> list[int]:
        return [6]

    def db_value(self, value: datetime | None) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment must be aware")
        return value.astimezone(UTC).replace(tzinfo=None)

    def python_value(self, value: Any) -> datetime | None:
        naive = datetime.fromisoformat(value) if isinstance(value, str) else value  # SQLite has text
        return None if naive is None else naive.replace(tzinfo=UTC)


class DigestField(CharField):
    """The SHA-256 of a secret, in hex: the secret itself is never stored."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": 64} | options)


class Row(Model):
    """A row of ours; finding one proves that it is there (and, by the asked owner, the right to see it)."""

    class Meta:
        database = database
        legacy_table_names = False

    @classmethod
    def find(cls, **equals: Any) -> Self:
        """The one row with these values; raises NotFound, the same for what is missing and what is another's."""
        row = cls.get_or_none(**equals)
        if row is None:
            raise NotFound
        return row

    @classmethod
    def filled(cls, values: dict[str, Any]) -> Self:
        """A row with these columns as they were read; see models/prepared.py."""
        row = cls.__new__(cls)
        row.__data__, row.__rel__, row._dirty = values, {}, set()
        return row

    @classmethod
    def add_once(cls, **values: Any) -> bool:
        """Insert unless a UNIQUE constraint already holds such a row; True for the one that came first."""
        return cls.insert(**values).on_conflict_ignore().as_rowcount().execute() == 1

    @classmethod
    def change_if(cls, *conditions: Any, **values: Any) -> bool:
        """One conditional UPDATE of one row; True when the conditions still held, so that one of many wins."""
        return cls.update(**values).where(*conditions).execute() == 1
