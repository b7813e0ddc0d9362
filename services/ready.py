"""Whether this process can serve: the database answers, and its tables are those of this code."""

from playhouse.migrations import Runner

from models.base import database
from services.database import MIGRATIONS
from services.env import Env


def missing(env: Env) -> list[str]:
    """Names of migrations that the database lacks; raises whatever the database raises when it is away."""
    return [entry.name for entry in Runner(database.obj, str(MIGRATIONS)).status() if not entry.applied]
