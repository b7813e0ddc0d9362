"""The tables: what the models say and what the migrations make agree, on every database."""

import contextlib
from datetime import UTC, datetime, timedelta

import peewee
import pytest
from playhouse.schema_diff import diff_models

from models.all import ROWS
from models.audit import AuditEntry, record
from models.base import database as bound
from models.people import Person
from services import database
from tests.databases import ask, connect

NOW = datetime(2026, 11, 22, 9, 30, 0, 123456, tzinfo=UTC)


@pytest.fixture
def rows(database_url):
    """The models, bound to a migrated database and connected in this thread."""
    db = database.connect(database_url)
    bound.initialize(db)
    with db.connection_context():
        yield db


def test_models_and_migrations_agree(rows):
    assert not diff_models(rows, ROWS)


def test_migrating_twice_changes_nothing(database_url):
    db = database.connect(database_url)
    assert database.migrate(db) == []
    assert database.missing_migrations(db) == []


LIMITS = {
    "postgresql": {"options": "-c statement_timeout=200ms -c lock_timeout=200ms"},
    "mariadb": {"read_timeout": 0.2, "write_timeout": 0.2},
}
LONG = "def up(migrator, db):\n    db.execute_sql({})\n"
servers = pytest.mark.parametrize("database_kind", ["postgresql", "mariadb"])


@pytest.fixture
def limited(database_kind, fresh_database, tmp_path):
    """An empty database whose connections have little patience, and a folder with one migration that takes long."""
    url = fresh_database(database_kind)
    db = database.connect(url)
    db.connect_params |= LIMITS[database_kind]
    statement = {"postgresql": "SELECT pg_sleep(0.4)", "mariadb": "SELECT SLEEP(0.4)"}[database_kind]
    (tmp_path / "0001_long.py").write_text(LONG.format(repr(statement)), "utf-8")
    return db, url, tmp_path


@servers
def test_a_migration_may_take_longer_than_any_page(limited):
    db, _, folder = limited
    before = dict(db.connect_params)
    assert database.migrate(db, folder=folder) == ["0001_long"]
    assert db.connect_params == before, "the limits are for everything else"


TAKES = {
    "postgresql": f"SELECT pg_advisory_lock({database.LOCK_NAME})",
    "mariadb": "SELECT GET_LOCK(CONCAT('wxbot ', DATABASE()), 0)",
}


@servers
def test_a_second_migration_waits_for_the_first_and_then_says_so(limited, database_kind):
    db, url, folder = limited
    with contextlib.closing(connect(url)) as other:
        ask(other, TAKES[database_kind])
        with pytest.raises(TimeoutError, match="another `wxbot migrate` is at work"):
            database.migrate(db, folder=folder, wait_seconds=1)
        with db.connection_context():
            assert db.get_tables() == []
    assert database.migrate(db, folder=folder, wait_seconds=1) == ["0001_long"]


def test_looking_for_what_is_missing_keeps_a_kept_connection(rows):
    assert database.missing_migrations(rows) == []
    assert not rows.is_closed()


def test_an_empty_database_lacks_every_migration(fresh_database, tmp_path):
    db = database.connect(f"sqlite:///{tmp_path}/empty.db")
    all_of_them = sorted(file.stem for file in database.MIGRATIONS.glob("[0-9]*.py"))
    assert database.missing_migrations(db) == all_of_them and len(all_of_them) >= 4


def test_a_moment_keeps_its_microseconds_and_its_order(rows):
    person = Person.create(created_at=NOW)
    assert Person.get_by_id(person.id).created_at == NOW
    assert Person.select().where(Person.created_at < NOW + timedelta(microseconds=1)).count() == 1
    assert Person.select().where(Person.created_at < NOW).count() == 0
    whole = Person.create(created_at=NOW.replace(microsecond=0))
    assert list(Person.select().order_by(Person.created_at)) == [whole, person]


def test_a_naive_moment_is_refused(rows):
    with pytest.raises(ValueError, match="aware"):
        Person.create(created_at=NOW.replace(tzinfo=None))


@pytest.mark.parametrize("change", [AuditEntry.update(who="x"), AuditEntry.delete()], ids=["update", "delete"])
def test_nobody_rewrites_the_audit_log(rows, change):
    record(at=NOW, who="command", action="test", subject="course:a")
    with pytest.raises(peewee.PeeweeException, match="cannot be changed"):
        change.execute()
    assert AuditEntry.get().who == "command"


def test_openids_that_differ_in_case_are_two(rows):
    people = [Person.create(created_at=NOW) for _ in range(2)]
    identity = ROWS[1]
    for person, uid in zip(people, ["oUSER1", "ouser1"], strict=True):
        assert identity.add_once(person=person, side="oa", provider="wechat", uid=uid, created_at=NOW)
    assert not identity.add_once(person=people[0], side="oa", provider="wechat", uid="oUSER1", created_at=NOW)
    assert identity.get(uid="ouser1").person == people[1]
