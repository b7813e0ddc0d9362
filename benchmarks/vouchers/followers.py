"""Followers who have paid for a course, each with a voucher to come; and the pushes by which they ask for it."""

from datetime import UTC, datetime, timedelta

from benchmarks.pages.seed import CATALOGUE, COURSE, new_code
from models.access import PURCHASE, Grant
from models.base import database as bound
from models.catalogue import Course
from models.people import OA, WECHAT, Identity, Person
from models.purchases import Platform, Purchase
from models.vouchers import EARLY_ENROLMENT, Campaign
from services import catalogue_file, catalogue_load, database, purchases
from services.config import Config
from services.env import Env

CHUNK = 500


def openid(number: int) -> str:
    """Of one of them."""
    return f"oVOUCHER{number:020}"


def furnish(config: Config, followers: int) -> None:
    """Migrate, load the catalogue and a campaign without a limit, and bring so many followers in."""
    db = database.connect(config.database_url)
    database.migrate(db)
    bound.initialize(db)
    now = datetime.now(UTC)
    env = Env(now=now, new_code=new_code, config=config)
    file, lines = catalogue_file.read(CATALOGUE)
    file.campaigns.clear()
    with db.connection_context():
        with db.atomic():
            catalogue_load.load(env, file=file, lines=lines)
            purchases.add_platform(env, name="shop")
            span = {"starts_at": now - timedelta(days=1), "ends_at": now + timedelta(days=60)}
            Campaign.create(slug="flash", kind=EARLY_ENROLMENT, amount_fen=3000, quota=10_000_000, **span)
            for first in range(0, followers, CHUNK):
                come(now, range(first, min(first + CHUNK, followers)))
        db.execute_sql("VACUUM ANALYZE")


def come(now: datetime, numbers: range) -> None:
    """Some of them: each with a purchase at the platform, and the right that it gave."""
    course, shop = Course.get(slug=COURSE), Platform.get(name="shop")
    Person.insert_many([{"created_at": now}] * len(numbers)).execute()
    last = Person.select(Person.id).order_by(Person.id.desc()).first().id
    each = list(zip(numbers, range(last - len(numbers) + 1, last + 1), strict=True))
    who = {"side": OA, "provider": WECHAT, "created_at": now}
    Identity.insert_many([who | {"person": person, "uid": openid(number)} for number, person in each]).execute()
    paid = {"platform": shop, "course": course, "paid_fen": 19900, "paid_at": now, "created_at": now}
    bought = [paid | {"person": person, "order_no": f"B{number}", "body_digest": "0" * 64} for number, person in each]
    Purchase.insert_many(bought).execute()
    right = {"course": course, "source": PURCHASE, "starts_at": now}
    Grant.insert_many(
        [right | {"person": person, "source_ref": f"shop:B{number}"} for number, person in each]
    ).execute()
