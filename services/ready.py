"""Whether this process can serve: the database answers, and its tables are those of this code."""

from models.base import database
from services.database import missing_migrations
from services.env import Env


def missing(env: Env) -> list[str]:
    """Names of migrations that the database lacks; raises whatever the database raises when it is away."""
    return missing_migrations(database.obj)
