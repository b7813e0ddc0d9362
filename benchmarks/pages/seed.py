"""Learners through the front doors of the services: each signed in, half of them linked, half free to link."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from models.base import database as bound
from models.delivery import OutboxItem
from models.links import WAIVER_VERSION, Link, LinkAttempt, Membership
from services import catalogue_file, catalogue_load, database, links, people, purchases
from services.config import Config
from services.env import Env

COURSE = "infosec-workplace"
LEARNERS = 256
CATALOGUE = Path(__file__).parents[2] / "deploy" / "catalogue.example.yaml"


@dataclass(frozen=True, slots=True)
class Seeded:
    """The sessions' secrets, by what their learners can do."""

    linked: list[str]
    free: list[str]


def new_code(bits: int) -> str:
    """So many bits of chance, in hex."""
    return secrets.token_hex(bits // 8)


def seed(config: Config) -> Seeded:
    """Migrate, load the catalogue, and bring the learners in."""
    db = database.connect(config.database_url)
    database.migrate(db)
    bound.initialize(db)
    env = Env(now=datetime.now(UTC), new_code=new_code, config=config)
    file, lines = catalogue_file.read(CATALOGUE)
    with db.connection_context(), db.atomic():
        catalogue_load.load(env, file=file, lines=lines)
        purchases.add_platform(env, name="shop")
        seeded = Seeded(linked=[linked(env) for _ in range(LEARNERS)], free=[signed_in(env) for _ in range(LEARNERS)])
        OutboxItem.update(done=OutboxItem.wanted, done_at=env.now, due_at=None).execute()
        Membership.update(delivered_version=1, delivered_at=env.now).execute()
    with db.connection_context():
        db.execute_sql("ANALYZE")
    return seeded


def buys(env: Env) -> int:
    """A new person, who has bought the course; his id."""
    openid = f"o{env.new_code(128)[:27]}"
    told = {"course": COURSE, "openid": openid, "paid_fen": 19900, "paid_at": env.now}
    purchases.put(env, platform="shop", order_no=env.new_code(64), body=purchases.PurchaseBody(**told))
    return people.person_with_openid(env, openid).id


def signed_in(env: Env) -> str:
    """A person with a free purchase; the secret of his session."""
    return people.new_session(env, buys(env))


def linked(env: Env) -> str:
    """A person who has linked his purchase; the secret of his session."""
    person_id = buys(env)
    where = {"browser": env.new_code(256), "ip": "127.0.0.1", "user_agent": "benchmark"}
    links.begin(env, person_id=person_id, course_slug=COURSE, agreed=WAIVER_VERSION, **where)
    attempt = LinkAttempt.select().order_by(LinkAttempt.id.desc()).first()
    links.complete(env, attempt_id=attempt.id, member_uid=env.new_code(64), display_name="小明")
    assert Link.get_or_none(active_person=person_id)
    return people.new_session(env, person_id)
