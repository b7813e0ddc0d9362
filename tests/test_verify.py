"""`wxbot verify` says yes to what the product makes, and no to each kind of row that breaks a promise."""

import threading
from datetime import timedelta

import pytest
from playhouse.test_utils import count_queries

from models.access import Grant
from models.base import database as bound
from models.catalogue import Course
from models.delivery import InboxItem, OutboxItem
from models.journal import JournalEntry, JournalLine
from models.links import Link, LinkAttempt, Membership, MembershipReminder, RefundWaiver
from models.mismatches import Mismatch, Reconciliation
from models.news import PlanetEvent
from models.orders import Order, Payment, Refund
from models.payments import PlanetPayment
from models.people import Person
from models.purchases import Purchase
from models.scans import Scan
from models.vouchers import Campaign, Redemption, Voucher
from services import purchases, verify
from tests.shop import Shop
from tests.site import COURSE, OTHER_COURSE, START

pytest_plugins = ["tests.commands"]
gen = pytest.mark.gen_test(timeout=60)


def copy(row, **changes):
    """A second row like this one, with changes; keeps no UNIQUE value of the first unless it is among them."""
    values = {name: value for name, value in row.__data__.items() if name != "id"} | changes
    return type(row).create(**values)


def change(row, **values):
    """Change the only row of a kind behind the product's back."""
    row.update(**values).execute()


def second_grant() -> Grant:
    """A right of the same person, from another purchase."""
    return copy(Grant.get(), source_ref="yiling:other")


def link_again(**changes) -> Link:
    """A second link row, which holds no place."""
    return copy(Link.get(), **{"active_person": None, "active_uid": None} | changes)


def membership_without_row(**changes) -> Membership:
    """A second membership without its outbox row."""
    return copy(Membership.get(), **{"ref": "r2", "grant": second_grant(), "active_grant": None} | changes)


def with_row(membership: Membership) -> Membership:
    """The same with its outbox row."""
    copy(OutboxItem.get(kind="membership"), subject=membership.id)
    return membership


def scan(**changes) -> Scan:
    """A PC's scan."""
    plain = {"browser_hash": "b", "purpose": "link", "number": "07", "ip": "", "user_agent": ""}
    moments = {"created_at": START, "changed_at": START, "expires_at": START + timedelta(minutes=2)}
    return Scan.create(public_id="p", code_hash="c", **plain, **moments | changes)


def order(**changes) -> Order:
    """An order that is paid, as far as its own row goes."""
    course = Course.get(slug=COURSE)
    frozen = {"title": "t", "lecturer": course.lecturer, "split_percent": 70, "list_fen": 100, "price_fen": 100}
    moments = dict.fromkeys(("created_at", "expires_at", "paid_at"), START)
    plain = {"no": "n", "click_hash": "c", "person": Person.get(), "course": course, "state": "paid"}
    return Order.create(**frozen | moments | plain | changes)


def money(**changes) -> Payment:
    """A payment of such an order, whose money has come."""
    its_order = changes.pop("order", None) or order()
    plain = {"order": its_order, "out_trade_no": "n", "trade_type": "JSAPI", "amount_fen": 100, "created_at": START}
    came = {"state": "paid", "transaction_id": "t1", "arrived_fen": 100, "arrived_at": START, "paid_at": START}
    return Payment.create(**plain | came | changes)


def refund(**changes) -> Refund:
    """A refund of such a payment."""
    payment = changes.pop("payment", None) or money()
    plain = {"no": "r", "order": payment.order, "payment": payment, "cause": "learner", "amount_fen": 100}
    stands = {"state": "asked", "rights": "kept", "asked_at": START, "asked_by": "p"}
    return Refund.create(**plain | stands | changes)


CAMPAIGN = ("kind", "quota", "issued")


def voucher(**changes) -> Voucher:
    """A voucher of a campaign that has counted it, if `changes` say nothing else."""
    own = {name: changes.pop(name) for name in CAMPAIGN if name in changes}
    counted = {"slug": "c", "kind": "manual", "starts_at": START, "issued": 1, "issued_fen": 100}
    campaign = Campaign.get_or_none() or Campaign.create(**counted | own)
    plain = {"code": "c", "campaign": campaign, "person": Person.get(), "cause": "c", "amount_fen": 100}
    return Voucher.create(**plain | dict.fromkeys(("issued_at", "starts_at", "expires_at"), START) | changes)


def redeemed(its_order: Order, *, amount_fen: int = 100, state: str) -> Redemption:
    """Such a voucher, taken by an order."""
    its = voucher(state=state)
    taken = {"order": its_order, "amount_fen": amount_fen, "held_at": START, "active_voucher": its.id}
    return Redemption.create(voucher=its, used_at=START, **taken)


def waived_refund() -> Refund:
    """A refund of a course whose refund was given up."""
    asked = refund(asked_at=RefundWaiver.get().effective_at)
    right = copy(Grant.get(), source="order", source_ref="n")
    copy(RefundWaiver.get(), grant=right, attempt=copy(LinkAttempt.get(), state_hash="another"))
    return asked


def entry(lines: dict[str, int], **changes) -> JournalEntry:
    """A journal entry with these lines."""
    made = JournalEntry.create(**{"at": START, "kind": "sale", "source": "pay:t1"} | changes)
    for account, fen in lines.items():
        JournalLine.create(entry=made, account=account, amount_fen=fen)
    return made


def drop_unique(table: str, *columns: str) -> None:
    """Take away the constraint that keeps a second row out."""
    (unique,) = (one for one in bound.get_indexes(table) if one.columns == list(columns))
    bound.execute_sql(f"DROP INDEX {unique.name}")


def told_twice() -> Purchase:
    """Two purchases of one number."""
    drop_unique("purchase", "platform_id", "order_no")
    return copy(Purchase.get())


def twice_in_the_inbox() -> None:
    """Two decisions for one message."""
    drop_unique("inbox_item", "source", "key")
    for _ in range(2):
        InboxItem.create(source="push", key="same", received_at=Membership.get().created_at)


def one_event_twice() -> None:
    """Two rows of one event."""
    drop_unique("planet_event", "event_key")
    now = Membership.get().created_at
    for _ in range(2):
        PlanetEvent.create(
            event_key="same", provider="partner", kind="purchased", group_id="g1", member_uid="m", source="paid",
            version=1, starts_at=now, told_at=now, received_at=now,
        )  # fmt: skip


def payment(order_ref: str = "O-9", **changes) -> PlanetPayment:
    """A payment at the planet that was brought by anna and gave nothing yet, or what `changes` say."""
    link = Link.get()
    told = {"provider": "partner", "group_id": "g1", "member_uid": "m", "paid_fen": 1, "status": "active"}
    when = dict.fromkeys(("starts_at", "created_at", "changed_at", "served_at"), link.linked_at)
    served = {"person": link.person, "link": link, "gave": "voucher", "version": 1}
    return PlanetPayment.create(order_ref=order_ref, **told | when | served | changes)


def right_of(order_ref: str = "O-9", **changes) -> Grant:
    """The right that came from such a payment."""
    right = copy(Grant.get(source="purchase"), source="planet", source_ref=f"partner:{order_ref}", **changes)
    payment(order_ref, gave="course", grant=right)
    return right


def two_rights_of_a_payment() -> Grant:
    """A second right that names the same payment."""
    return copy(right_of(), course=Course.get(slug=OTHER_COURSE))


def told_of_one_end_twice() -> None:
    """Two reminders of thirty days."""
    drop_unique("membership_reminder", "membership_id", "days")
    for _ in range(2):
        MembershipReminder.create(membership=Membership.get(), days=30, created_at=Membership.get().created_at)


def one_difference_twice() -> None:
    """Two rows of one difference."""
    drop_unique("mismatch", "provider", "kind", "key")
    now = Membership.get().created_at
    for _ in range(2):
        Mismatch.create(
            kind="gone",
            provider="partner",
            group_id="g1",
            key="zx1",
            member_uid="m",
            first_seen_at=now,
            last_seen_at=now,
        )


def unbelieved_and_acted_upon() -> None:
    """A look that changed something by a list that was too small."""
    now = Membership.get().created_at
    Reconciliation.create(planet=Membership.get().planet, started_at=now, outcome="smaller", repaired=1)


def linked_five_times() -> None:
    """A purchase with more memberships than the rule allows."""
    for number in range(4):
        gone = {"active_grant": None, "revoked_at": Membership.get().created_at, "revoked_reason": "unlink"}
        with_row(copy(Membership.get(), ref=f"r{number}", **gone))


BREAKS = {
    "at most one right for each payment at a planet, ever": two_rights_of_a_payment,
    "a payment at a planet that gave a course has its right, and each such right its payment": lambda: payment(
        gave="course"
    ),
    "a payment at a planet was served to one person, through his link, or to nobody": lambda: payment(link=None),
    "a payment that was refunded at the planet gives no course any more": lambda: (
        right_of() and change(PlanetPayment, status="refunded")
    ),
    "a payment that gave nothing stands in the operator's list": lambda: payment(gave="nothing"),
    "no purchase was linked more often than the rule and an operator allow": linked_five_times,
    "nobody is told of one end twice for the same number of days": told_of_one_end_twice,
    "a list that was not believed changed nothing": unbelieved_and_acted_upon,
    "a difference is kept once, and was first seen before it was last seen": one_difference_twice,
    "one event of a planet for each id": one_event_twice,
    "at most one live membership for each purchase": lambda: with_row(
        copy(Membership.get(), ref="r2", active_grant=None)
    ),
    "a membership that lives holds its purchase's place, and no other does": lambda: change(
        Membership, active_grant=None
    ),
    "at most one active link for each planet account and for each person": link_again,
    "an active link holds its person's and its account's place, and an ended one none": lambda: change(
        Link, active_uid="somebody-else"
    ),
    "a live membership has a right to the course behind it": lambda: change(
        Grant, revoked_at=Grant.starts_at, revoked_reason="refund"
    ),
    "a live membership has a waiver in effect, and an active link": lambda: with_row(membership_without_row()),
    "the words of a waiver are those of its hash": lambda: copy(
        RefundWaiver.get(), attempt=copy(LinkAttempt.get(), state_hash="another"), text="nothing"
    ),
    "a purchase that was refunded gives nothing any more": lambda: change(
        Purchase, refunded_at=Purchase.created_at, refund_override="x"
    ),
    "a waived purchase was refunded only with a recorded override": lambda: change(
        Purchase, refunded_at=Purchase.created_at
    ),
    "a purchase that was granted gives its right": lambda: change(Grant, source_ref="yiling:nowhere"),
    "every membership has its outbox row": membership_without_row,
    "what the planet has not confirmed is still in the outbox": lambda: change(Membership, version=7),
    "a scan has one scanner, who alone confirmed it, and its hand-over is his": lambda: scan(
        attempt=LinkAttempt.get(), scanned_by=Person.create(created_at=START), scanned_at=START
    ),
    "no scan moved on after its life was over": lambda: scan(
        scanned_at=START + timedelta(minutes=2), scanned_by=Person.get()
    ),
    "a scan for linking signs nobody in, and a linked one has its link": lambda: scan(state="done"),
    "an item that is not done is due some time, or stands in the operator's list": lambda: change(
        OutboxItem, done=0, wanted=1, due_at=None
    ),
    "one decision for each inbox id": twice_in_the_inbox,
    "one purchase for each order number of a platform": told_twice,
    "no attempt was linked after its life was over": lambda: change(LinkAttempt, used_at=LinkAttempt.get().expires_at),
    "versions only grow: nothing is confirmed that was never wanted": lambda: change(Membership, delivered_version=9),
    "every entry of the journal sums to 0, and moves something": lambda: entry({"a": 1, "b": -2}),
    "money that arrived is booked once, to the fen": money,
    "a paid order with a price has one payment of that price, and no other order has one": order,
    "a sale is booked for an order whose money it is, or that a voucher has paid, and only for that": lambda: entry(
        {"clearing:wechat": 100, "revenue:platform": -100}, order=order()
    ),
    "an order that a voucher has paid wholly is booked": lambda: order(price_fen=0, voucher_fen=100),
    "a voucher is held or used exactly while one order has it": lambda: voucher(state="used"),
    "a voucher is used when its order is paid, held while that waits, and else free": lambda: redeemed(
        order(state="unpaid", voucher_fen=100, price_fen=0), state="used"
    ),
    "what a voucher takes off an order is kept with it, and never more than it is worth": lambda: redeemed(
        order(voucher_fen=60, price_fen=40), amount_fen=50, state="used"
    ),
    "a campaign has given what it has counted, within its quota and its budget": lambda: voucher(quota=1, issued=2),
    "one voucher for each person and campaign where that is the rule": lambda: [
        voucher(code=cause, cause=cause, kind="price_rise") for cause in ("a", "b")
    ],
    "a refund that is done is booked once, of that amount; no other is": lambda: refund(state="done"),
    "what is set aside of a payment is what its refunds ask for, never more than came": lambda: money(refunded_fen=1),
    "a paid order gives its course, and one that was refunded gives nothing": order,
    "a right rests only while its refund is under way": lambda: change(Grant, suspended_at=START),
    "what was waived is refunded only with a recorded override": waived_refund,
    "a refund that WeChat has not heard of is still in the outbox": lambda: refund(state="agreed"),
    "an order that closes has told WeChat to take no more money for it": lambda: money(
        order=order(state="closing"), state="open", transaction_id=None, arrived_fen=None
    ),
    "an order that closes waits for a payment that WeChat has still to close": lambda: order(
        state="closing", paid_at=None
    ),
    "a sale's shares are those of its order and its voucher, and sum to what was paid": lambda: entry(
        {"clearing:wechat": 100, "revenue:platform": -100}, order=money().order
    ),
    "one attempt made at most one waiver, and one that linked a purchase has it": lambda: copy(
        LinkAttempt.get(), state_hash="another"
    ),
}


@pytest.fixture
def linked(io_loop, site):
    """A site where anna has bought and linked, and everything was delivered."""

    async def story() -> None:
        await site.buys("anna", order_no="A1")
        await site.links("anna")
        await site.delivers()

    io_loop.run_sync(story)
    return site


def test_there_is_a_break_here_for_every_promise():
    assert {promise for _, promise, _ in verify.CHECKS} == set(BREAKS)


@gen
async def test_what_the_product_makes_keeps_every_promise(linked, wxbot_beside):
    await linked.buys("bob")
    shop = Shop(linked)
    await shop.claimable()
    assert (await shop.delete("A1", "?override=goodwill"))[0] == 200
    done = await wxbot_beside("verify", database_url=linked.database_url)
    assert (done.code, done.err) == (0, "")
    assert [line.split()[0] for line in done.out.splitlines()] == ["ok"] * len(verify.CHECKS)


@pytest.mark.parametrize("promise", BREAKS)
@pytest.mark.parametrize("database_kind", ["sqlite"])
@gen
async def test_a_broken_promise_is_named_with_its_row(linked, wxbot_beside, promise):
    await linked.ctx.transact(lambda _env: BREAKS[promise]() and None)
    done = await wxbot_beside("verify", database_url=linked.database_url)
    assert done.code == 1
    named = done.out[done.out.index(promise) :].splitlines()
    assert named[1].startswith("         "), done.out
    name = next(name for name, one, _ in verify.CHECKS if one == promise)
    assert f"BROKEN {name} {promise}" in done.out
    assert COURSE not in done.out


DDL_STAYS_IN_MARIADB = {
    "nobody is told of one end twice for the same number of days",
    "a difference is kept once, and was first seen before it was last seen",
    "one decision for each inbox id",
    "one event of a planet for each id",
    "one purchase for each order number of a platform",
}


@pytest.mark.parametrize("promise", sorted(set(BREAKS) - DDL_STAYS_IN_MARIADB))
@pytest.mark.parametrize("database_kind", ["postgresql", "mariadb"])
@gen
async def test_it_is_found_on_every_database(linked, promise):
    def break_and_look(env):
        BREAKS[promise]()
        found = {one.promise for one in verify.run(env) if one.breaks}
        assert promise in found, found
        raise Undo

    with pytest.raises(Undo):
        await linked.ctx.transact(break_and_look)


class Undo(Exception):
    """Takes the break back, so that the next test finds its tables whole."""


@pytest.mark.parametrize("database_kind", ["sqlite"])
@gen
async def test_of_many_breaks_the_first_twenty_are_named(linked):
    await linked.ctx.transact(
        lambda _env: [link_again(member_uid=f"m{number}") and None for number in range(30)] and None
    )
    found = [one for one in await linked.ctx.read(verify.run) if one.breaks]
    assert max(len(one.breaks) for one in found) == verify.SHOWN


@gen
async def test_more_purchases_take_no_more_queries(linked):
    def queries(env) -> int:
        with count_queries() as counted:
            verify.run(env)
        return sum(one.thread == threading.get_ident() for one in counted.get_queries())  # the site looks round too

    before = await linked.ctx.read(queries)
    for name in ("bob", "cara", "dora"):
        await linked.buys(name)
        await linked.ctx.transact(purchases.refund, platform="yiling", order_no=await linked.buys(name), override="x")
    assert await linked.ctx.read(queries) == before


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_waiver_cannot_even_be_broken_by_hand(io_loop, linked):
    async def tamper():
        await linked.ctx.transact(lambda _env: RefundWaiver.update(text="nothing").execute())

    with pytest.raises(Exception, match="cannot be changed"):
        io_loop.run_sync(tamper)
