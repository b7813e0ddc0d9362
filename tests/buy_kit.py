"""For tests of buying: somebody who orders and pays, what WeChat Pay tells, and the rows that come of it."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Any

import pytest

from clients.pay import RemoteRefund, Transaction
from models.access import Grant
from models.catalogue import Course, Price
from models.journal import JournalEntry, JournalLine
from models.orders import JSAPI, Order, PayDifference, Payment, Refund
from sandbox.browser import Browser
from sandbox.phone_page import Page
from services import catalogue, money_in, outbox, paying, people
from services.orders import begin, close
from tests.site import COURSE, OTHER_COURSE, Site

PRICES = {COURSE: 19900, OTHER_COURSE: 9900}


async def stands_at_checkout(site: Site, name: str = "anna", *, course: str = COURSE) -> Page:
    """Somebody has signed in and sees what he would order."""
    return await site.signs_in(name, f"/courses/{course}/buy")


async def orders(site: Site, name: str = "anna", *, course: str = COURSE) -> Page:
    """Somebody orders a course in WeChat; the order's page."""
    await stands_at_checkout(site, name, course=course)
    return await site.phone(name).submit("buy")


async def pays(site: Site, name: str = "anna") -> str:
    """He taps 微信支付 and pays; what WeChat's cashier says."""
    return await site.phone(name).pay("ok")


async def buys(site: Site, name: str = "anna", *, course: str = COURSE) -> Order:
    """Somebody orders, pays, and WeChat tells of it; his order."""
    await orders(site, name, course=course)
    assert await pays(site, name) == "get_brand_wcpay_request:ok"
    await hears(site)
    return await order_of(site, name)


async def opens(site: Site, name: str = "anna", *, kind: str = JSAPI, course: str = COURSE) -> Payment:
    """Somebody has ordered and may pay, as far as rows go; the payment."""
    person_id = await site.person_id(name)
    asked = {"course_slug": course, "click": site.new_code(128), "seen_fen": PRICES[course]}
    no = await site.ctx.transact(begin, person_id=person_id, **asked)
    ready = await site.ctx.transact(paying.open_payment, person_id=person_id, no=no, trade_type=kind)
    return await payment_of(site, ready.payment_id)


async def payment_of(site: Site, payment_id: int) -> Payment:
    """A payment as it stands, with its order."""
    found = Payment.select(Payment, Order).join(Order).where(Payment.id == payment_id)
    return await site.ctx.read(lambda _env: found.get())


async def comes(site: Site, payment: Payment, **changes: Any) -> None:
    """Its money comes, as WeChat tells of it."""
    await site.ctx.transact(money_in.hear, told=told(payment, **changes))


async def closes(site: Site, payment: Payment) -> None:
    """Its order is over, and WeChat has confirmed the close."""
    await site.ctx.transact(lambda env: close(env, Order.get_by_id(payment.order_id)))
    await site.ctx.transact(money_in.note_closed, payment_id=payment.id)


async def signed_in_pc(site: Site, name: str = "anna") -> Browser:
    """A PC's browser in which somebody is signed in."""
    browser = Browser(site.world, kind="pc")
    token = await site.ctx.transact(people.new_session, person_id=await site.person_id(name))
    browser.jar.store(site.base_url, f"session={token}; Path=/")
    return browser


async def mark(site: Site, browser: Browser) -> str:
    """What the order's page asks for again and again."""
    answer = await browser.fetch("GET", browser.page.url, headers={"Accept": "application/json"})
    return site.json(answer)["mark"]


async def reprice(site: Site, slug: str, fen: int, *, from_at: datetime | None = None) -> None:
    """From a moment on (now, if none is said) a course costs so much."""

    def change(env: Any) -> None:
        Price.create(course=Course.get(slug=slug), from_at=from_at or env.now, amount_fen=fen)
        catalogue.changed()

    await site.ctx.transact(change)
    await site.ctx.catalogue.refresh(site.ctx.read)


async def hears(site: Site) -> None:
    """Every notice of WeChat Pay that is due reaches us."""
    await site.box.pay.notices.deliver_due()


async def order_of(site: Site, name: str = "anna") -> Order:
    """Somebody's latest order."""
    person_id = await site.person_id(name)
    return await site.ctx.read(
        lambda _env: Order.select().where(Order.person == person_id).order_by(Order.id.desc()).get()
    )


async def rows(site: Site, row: Any) -> list[Any]:
    """All of a kind, in order."""
    return await site.ctx.read(lambda _env: list(row.select().order_by(row.id)))


async def states(site: Site) -> dict[str, list[str]]:
    """How orders, payments, refunds and rights stand."""
    found = {"orders": Order, "payments": Payment, "refunds": Refund}
    told = {name: [one.state for one in await rows(site, row)] for name, row in found.items()}
    rights = ["over" if g.revoked_at else "rests" if g.suspended_at else "lives" for g in await rows(site, Grant)]
    return told | {"rights": rights}


async def journal(site: Site) -> dict[str, int]:
    """What stands on each account."""

    def sums(_env: Any) -> dict[str, int]:
        found: dict[str, int] = {}
        for line in JournalLine.select():
            found[line.account] = found.get(line.account, 0) + line.amount_fen
        return {account: fen for account, fen in found.items() if fen}

    return await site.ctx.read(sums)


async def entries(site: Site) -> list[str]:
    """The kinds of the journal's entries, in order."""
    return [one.kind for one in await rows(site, JournalEntry)]


async def differences(site: Site) -> list[str]:
    """The kinds of open differences."""
    return [one.kind for one in await rows(site, PayDifference) if one.resolved_at is None]


async def passes(site: Site, **span: float) -> None:
    """So much time passes; the job of payments and the outbox have had their round."""
    site.clock.forward(**span)
    await paying.look_due(site.ctx)
    await outbox.deliver_due(site.ctx)


def told(payment: Payment, **changes: Any) -> Transaction:
    """What WeChat would tell of this payment's money."""
    facts: dict[str, Any] = {
        "out_trade_no": payment.out_trade_no, "state": "SUCCESS", "transaction_id": f"42{payment.id:026}",
        "trade_type": payment.trade_type, "payer_openid": payment.openid or "oSPOUSE",
        "total_fen": payment.amount_fen, "currency": "CNY", "paid_at": None,
    }  # fmt: skip
    return Transaction(**facts | changes)


def told_refund(refund: Refund, status: str = "SUCCESS", **changes: Any) -> RemoteRefund:
    """What WeChat would tell of this refund."""
    facts: dict[str, Any] = {
        "out_refund_no": refund.out_refund_no, "refund_id": f"50{refund.id:026}",
        "out_trade_no": refund.payment.out_trade_no, "transaction_id": refund.payment.transaction_id,
        "status": status, "refund_fen": refund.amount_fen, "total_fen": refund.payment.arrived_fen,
        "succeeded_at": None,
    }  # fmt: skip
    return RemoteRefund(**facts | changes)


def at(text: str) -> datetime:
    """A moment."""
    return datetime.fromisoformat(text)


async def refused(site: Site, doing: Awaitable[Any], error: type[Exception]) -> Exception:
    """It is refused, and nothing has changed; the "no"."""
    before = await site.rows()
    with pytest.raises(error) as no:
        await doing
    assert await site.rows() == before
    return no.value
