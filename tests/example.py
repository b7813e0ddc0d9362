"""The catalogue of the example in the database of every test that asks for a site; loaded once for a run."""

import secrets
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from models.base import database as bound
from models.catalogue import CatalogueVersion
from services import catalogue_file, catalogue_load
from services.database import connect
from services.env import Env
from tests.databases import Migrate

CATALOGUE = Path(__file__).parent.parent / "deploy" / "catalogue.example.yaml"
START = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@cache
def example() -> tuple[catalogue_file.CatalogueFile, catalogue_file.Lines]:
    """The file without its campaigns: each test has those that it is about."""
    file, lines = catalogue_file.read(CATALOGUE)
    file.campaigns.clear()
    return file, lines


def load_example(env: Env) -> None:
    """Fill a catalogue, unless there is one."""
    if not CatalogueVersion.select().exists():
        file, lines = example()
        catalogue_load.load(env, file=file, lines=lines)


@pytest.fixture(scope="session")
def with_example(migrate: Migrate) -> Migrate:
    """Our migrations, and the catalogue as a site at START would load it: a quarter of the work of a site's start."""

    def run(url: str) -> None:
        migrate(url)
        db = connect(url)
        bound.initialize(db)
        with db.connection_context(), db.atomic():
            load_example(Env(now=START, new_code=lambda bits: secrets.token_hex(bits // 8), config=None))

    return run


@pytest.fixture
def furnish(request: pytest.FixtureRequest, migrate: Migrate, with_example: Migrate) -> Migrate:
    """Who asks for no site finds empty tables."""
    return with_example if "make_site" in request.fixturenames else migrate
