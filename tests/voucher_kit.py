"""For tests of vouchers: campaigns, who has which codes, and the rows that come of spending them."""

from datetime import datetime, timedelta
from typing import Any

from models.catalogue import Course, CoursePlanet, Price
from models.orders import JSAPI, Order, Payment
from models.vouchers import Campaign, Redemption, Voucher
from sandbox.phone_page import Page
from services import catalogue_load, paying, voucher_views, vouchers
from services.catalogue_file import parse
from services.orders import begin
from tests.buy_kit import PRICES, payment_of, rows
from tests.site import COURSE, OTHER_COURSE, START, Site

PLAIN = {
    "slug": "thanks", "kind": "early_enrolment", "amount_fen": 3000, "starts": START - timedelta(days=1),
    "ends": START + timedelta(days=60),
}  # fmt: skip


def as_yaml(facts: dict[str, Any]) -> str:
    """A campaign as the catalogue file has it."""
    shown = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in facts.items()}
    inside = ", ".join(f"{name}: {value}" for name, value in shown.items() if value is not None)
    return f"campaigns:\n  - {{{inside}}}\n"


async def campaign(site: Site, **changes: Any) -> list[str]:
    """Load a campaign, everybody who enrols gets 30 yuan if nothing else is said; what the loading told."""
    file, lines = parse(as_yaml(PLAIN | changes))
    return await site.ctx.transact(catalogue_load.load, file=file, lines=lines)


async def rises(site: Site, *, course: str = COURSE, fen: int, before_days: float) -> None:
    """So many days ago a course has become dearer."""

    def change(env: Any) -> None:
        row = Course.get(slug=course)
        Price.delete().where(Price.course == row).execute()
        for days, amount_fen in ((400, fen - 3000), (before_days, fen)):
            Price.create(course=row, from_at=env.now - timedelta(days=days), amount_fen=amount_fen)

    await site.ctx.transact(change)


async def claims(site: Site, name: str = "anna") -> list[str]:
    """Somebody asks for what he has earned; why other campaigns gave nothing."""
    person_id = await site.person_id(name)
    return [no.why for no in (await site.ctx.transact(vouchers.claim, person_id=person_id)).noes]


async def mine(site: Site, name: str = "anna") -> list[Voucher]:
    """Somebody's vouchers, in the order in which they were given."""
    person_id = await site.person_id(name)
    return await site.ctx.read(
        lambda _env: list(
            Voucher.select(Voucher, Campaign).join(Campaign).where(Voucher.person == person_id).order_by(Voucher.id)
        )
    )


async def wallet(site: Site, name: str = "anna") -> voucher_views.Wallet:
    """What somebody's wallet shows."""
    person_id = await site.person_id(name)
    return await site.ctx.read(voucher_views.wallet, person_id=person_id)


async def has_code(site: Site, name: str = "anna", *, fen: int = 3000, **changes: Any) -> str:
    """Somebody has been given a voucher by hand; its code."""
    slug = changes.setdefault("slug", f"by-hand-{fen}")
    await campaign(site, **({"kind": "manual", "amount_fen": fen} | changes))
    person_id = await site.person_id(name)
    given = await site.ctx.transact(
        lambda env: (
            vouchers.issue(
                env, campaign=Campaign.get(slug=slug), person_id=person_id, cause=f"hand:{person_id}", amount_fen=fen
            ).code
        )
    )
    return given


async def begins(site: Site, name: str = "anna", *, voucher: str, course: str = OTHER_COURSE, **more: Any) -> Order:
    """Somebody orders a course with a voucher, as far as rows go; the order."""
    asked = {"course_slug": course, "click": site.new_code(128), "seen_fen": PRICES[course]} | more
    person_id = await site.person_id(name)
    no = await site.ctx.transact(begin, person_id=person_id, voucher=voucher, **asked)
    return await site.ctx.read(lambda _env: Order.get(no=no))


async def opened(site: Site, order: Order) -> Payment:
    """The way to pay an order at WeChat, as far as rows go; the payment."""
    asked = {"person_id": order.person_id, "no": order.no, "trade_type": JSAPI}
    ready = await site.ctx.transact(paying.open_payment, **asked)
    return await payment_of(site, ready.payment_id)


async def state_of(site: Site, code: str) -> str:
    """How a voucher stands."""
    return await site.ctx.read(lambda _env: Voucher.get(code=code).state)


async def redemptions(site: Site) -> list[tuple[bool, bool, bool]]:
    """Of each redemption: whether it holds, was used, was freed."""
    found = await rows(site, Redemption)
    return [(one.active_voucher is not None, one.used_at is not None, one.freed_at is not None) for one in found]


async def shares(site: Site) -> None:
    """The planet of the course is shared: what is paid there gives a voucher."""
    await site.ctx.transact(lambda _env: CoursePlanet.update(mode="shared").execute())
    await site.ctx.catalogue.refresh(site.ctx.read)


async def tries(site: Site, code: str, name: str = "anna", *, course: str = OTHER_COURSE) -> Page:
    """Somebody types a code at the check-out, as a form that no page shows."""
    fields = {"click": site.new_code(128), "price_fen": str(PRICES[course]), "typed": code}
    return await site.posts(name, f"/courses/{course}/buy", **fields)
