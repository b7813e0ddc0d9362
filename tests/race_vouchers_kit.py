"""For races about vouchers: people who have earned one, and courses to spend it on, as far as rows go."""

from datetime import timedelta

from models.catalogue import Course, Price
from models.vouchers import EARLY_ENROLMENT, Campaign, Voucher
from services import orders, purchases, vouchers
from services.env import Env
from tests.race_kit import RACERS
from tests.race_orders_kit import buyer
from tests.site import COURSE

WORTH_FEN = 3000


def campaign(env: Env, who: str, **limits: int) -> Campaign:
    """A campaign of its own for everybody who enrols now."""
    Campaign.update(ends_at=env.now - timedelta(days=1)).execute()  # those of earlier rounds are over
    start = env.now - timedelta(days=1)
    return Campaign.create(
        slug=who, kind=EARLY_ENROLMENT, amount_fen=WORTH_FEN, starts_at=start, ends_at=env.now + timedelta(days=60),
        **limits,
    )  # fmt: skip


def learner(env: Env, who: str) -> int:
    """Somebody who has paid for the course at the platform; his id."""
    openid = f"oRACER_{who}"
    body = purchases.PurchaseBody(course=COURSE, openid=openid, paid_fen=19900, paid_at=env.now)
    purchases.put(env, platform="yiling", order_no=who, body=body)
    return buyer(env, who)


def with_code(env: Env, who: str) -> Voucher:
    """Somebody's voucher."""
    campaign(env, who)
    person_id = learner(env, who)
    vouchers.claim(env, person_id=person_id)
    return Voucher.get(person=person_id)


def courses(env: Env) -> list[Course]:
    """A course for each racer, all for sale."""
    if found := list(Course.select().where(Course.slug.startswith("race-"))):
        return found
    first = Course.get(slug=COURSE)
    for number in range(RACERS):
        made = Course.create(slug=f"race-{number}", title="赛", lecturer=first.lecturer)
        Price.create(course=made, from_at=env.now - timedelta(days=1), amount_fen=9900)
    return courses(env)


def orders_with(env: Env, *, voucher: Voucher, course: Course, click: str) -> str:
    """He orders a course with it; the order's number."""
    asked = {"person_id": voucher.person_id, "course_slug": course.slug, "click": click, "seen_fen": 9900}
    return orders.begin(env, voucher=voucher.code, **asked)
