"""Statements that are made once: they find what peewee itself finds, on every database."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from peewee import JOIN

from models.base import Row
from models.base import database as bound
from models.catalogue import Course, Lecturer, Lesson
from models.people import Person, SignInState
from models.prepared import Prepared, given
from services import database

NOW = datetime(2026, 11, 22, 9, 30, 0, 123456, tzinfo=UTC)


@pytest.fixture
def rows(database_url):
    db = database.connect(database_url)
    bound.initialize(db)
    with db.connection_context():
        yield db


def columns(row: Row | None) -> dict | None:
    """What a row holds, column by column."""
    return None if row is None else row.__data__


def test_a_prepared_read_gives_the_very_rows_that_peewee_gives(rows):
    lecturer = Lecturer.create(slug="caoz", name="讲师甲", split_percent=70)
    ended = Course.create(slug="a", title="甲", lecturer=lecturer, ended_on=date(2018, 8, 1))
    Course.create(slug="b", title="乙", lecturer=lecturer)
    Lesson.create(course=ended, position=1, title="开课", free=True)
    wanted = Course.select(Course, Lesson).join(Lesson, JOIN.LEFT_OUTER).order_by(Course.id)
    asked = Prepared(lambda: wanted.where(Course.lecturer == given("lecturer")))

    found = asked.rows(lecturer=lecturer.id)

    truth = [(course, getattr(course, "lesson", None)) for course in wanted]
    assert [[columns(one) for one in line] for line in found] == [[columns(one) for one in line] for line in truth]
    assert found[0][0].ended_on == date(2018, 8, 1) and found[0][1].free is True and found[1][1] is None
    assert asked.first(lecturer=lecturer.id + 1) is None


def test_a_moment_comes_back_to_the_microsecond_whatever_zone_it_was_told_in(rows):
    states = {"state_hash": "s", "browser_hash": "b", "target": "home"}
    names = [*states, "created_at", "expires_at"]
    add = Prepared(lambda: SignInState.insert({name: given(name) for name in names}))
    add.run(**states, created_at=NOW.astimezone(timezone(timedelta(hours=8))), expires_at=NOW + timedelta(seconds=1))
    since = Prepared(lambda: SignInState.select().where(SignInState.created_at >= given("now")))

    ((row,),) = since.rows(now=NOW)

    assert columns(row) == columns(SignInState.get()), "what peewee reads, defaults included"
    assert (row.created_at, row.used_at, row.said) == (NOW, None, "")
    assert since.rows(now=NOW + timedelta(microseconds=1)) == []


def test_a_row_that_was_read_by_a_prepared_statement_can_be_saved(rows):
    person = Person.create(created_at=NOW)
    ((row,),) = Prepared(lambda: Person.select().where(Person.id == given("id"))).rows(id=person.id)
    row.erased_at = NOW
    row.save()

    assert Person.get_by_id(person.id).erased_at == NOW
