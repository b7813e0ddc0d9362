"""What is bought here: orders, the payments made for them at WeChat, refunds; and the moves that each may make (B1)."""

from datetime import datetime, timedelta
from functools import cache
from typing import Any, Self

from peewee import BigIntegerField, CharField, Check, ForeignKeyField, IntegerField

from models.access import Grant
from models.base import DigestField, Row, UtcField
from models.catalogue import Course, Lecturer
from models.people import Person
from models.prepared import Prepared, given

UNPAID, CLOSING, CLOSED, PAID, REFUNDED = "unpaid", "closing", "closed", "paid", "refunded"
OPEN, SURPLUS, HELD = "open", "surplus", "held"
ASKED, REFUSED, AGREED, PROCESSING = "asked", "refused", "agreed", "processing"
DONE, ABNORMAL, FAILED = "done", "abnormal", "failed"
KEPT, SUSPENDED, GIVEN_BACK, REVOKED = "kept", "suspended", "given_back", "revoked"
BY_PLATFORM, BY_LECTURER = "platform", "lecturer"
JSAPI, NATIVE = "JSAPI", "NATIVE"
BY_LEARNER, BY_OPERATOR, LATE_MONEY = "learner", "operator", "late_money"

Moves = dict[str, tuple[str, ...]]
ORDER_MOVES: Moves = {
    UNPAID: (PAID, CLOSING),
    CLOSING: (PAID, CLOSED),
    CLOSED: (PAID,),  # money that came late re-opens it
    PAID: (REFUNDED,),
}
PAYMENT_MOVES: Moves = {
    OPEN: (PAID, SURPLUS, HELD, CLOSED),
    CLOSED: (PAID, SURPLUS, HELD),  # WeChat's word of a payment may come after its word of the close
    HELD: (SURPLUS,),
}
REFUND_MOVES: Moves = {
    ASKED: (AGREED, REFUSED),
    AGREED: (PROCESSING, DONE, ABNORMAL, FAILED),
    PROCESSING: (DONE, ABNORMAL, FAILED),
    ABNORMAL: (DONE, FAILED),  # a person has settled it at WeChat's own console
    FAILED: (AGREED, REFUSED),  # once more, under a new number; or a person leaves it at that
}
MOST_TRIES_DIGITS = 4
SHORTEST_PAYABLE = timedelta(seconds=60)  # WeChat takes no `time_expire` that is nearer


class Moving(Row):
    """A row whose `state` moves by one conditional UPDATE, and only as its table allows."""

    moves: Moves

    def move(self, state: str, *, only_from: tuple[str, ...] = (), **values: Any) -> bool:
        """Go on to `state`; True for the one who did it, False where the row is not in a state that leads there."""
        return moving(type(self), state, only_from, tuple(values)).is_one(id=self.id, **values)


@cache
def moving(kind: type[Moving], state: str, only_from: tuple[str, ...], names: tuple[str, ...]) -> Prepared:
    """The statement of a move, made once for the columns that change with it."""
    before = [one for one, then in kind.moves.items() if state in then and one in (only_from or kind.moves)]
    changes = {"state": state} | {name: given(name) for name in names}
    return Prepared(lambda: kind.update(changes).where(kind.id == given("id"), kind.state.in_(before)))


class Order(Moving):
    """订单: one course for one person, at the price and the split of the moment it was made (C2, M1).

    A voucher has taken `voucher_fen` off the list price, at the cost of its `voucher_bearer`.
    `active_person` is filled until it is paid or closed and NULL after: at most one live order for person and course.
    `click_hash` is of the page's own button, so that the same click makes one order.
    """

    moves = ORDER_MOVES
    no = CharField(max_length=32, unique=True)
    click_hash = DigestField(unique=True)
    person = ForeignKeyField(Person, backref="orders")
    course = ForeignKeyField(Course, backref="orders")
    title = CharField(max_length=128)
    lecturer = ForeignKeyField(Lecturer)
    split_percent = IntegerField()
    list_fen = IntegerField()
    price_fen = IntegerField()
    voucher_fen = IntegerField(null=True)
    voucher_bearer = CharField(max_length=16, null=True)
    state = CharField(max_length=16, default=UNPAID)
    created_at = UtcField()
    expires_at = UtcField()
    paid_at = UtcField(null=True)
    closed_at = UtcField(null=True)
    active_person = IntegerField(null=True)

    class Meta:
        table_name = "course_order"
        indexes = ((("course", "active_person"), True), (("state", "expires_at"), False), (("person", "state"), False))

    def is_payable(self, *, now: datetime) -> bool:
        """Whether a payment may still begin."""
        return self.state == UNPAID and now < self.expires_at - SHORTEST_PAYABLE

    @property
    def tail(self) -> str:
        """Enough of the number for its owner to know it by."""
        return f"…{self.no[-4:]}"


class Payment(Moving):
    """支付: one way to pay an order at WeChat, under its own `out_trade_no` (商户单号).

    `paid`: this money pays the order. `surplus`: the order needed it no more, it goes back. `held`: it is not what was
    asked for, a person decides. `active_type` is filled while it is open: one open payment of a kind for each order.
    `paid_at` is WeChat's word, `arrived_at` when we heard it; `billed_on` the day of the bill that had it.
    """

    moves = PAYMENT_MOVES
    order = ForeignKeyField(Order, backref="payments")
    out_trade_no = CharField(max_length=32, unique=True)
    trade_type = CharField(max_length=8)
    openid = CharField(max_length=128, null=True)
    amount_fen = IntegerField()
    state = CharField(max_length=16, default=OPEN)
    created_at = UtcField()
    prepay_id = CharField(max_length=64, null=True)
    code_url = CharField(max_length=512, null=True)
    transaction_id = CharField(max_length=32, null=True, unique=True)
    arrived_fen = BigIntegerField(null=True)
    arrived_at = UtcField(null=True)
    paid_at = UtcField(null=True)
    closed_at = UtcField(null=True)
    refunded_fen = BigIntegerField(default=0, constraints=[Check("refunded_fen >= 0")])
    active_type = CharField(max_length=8, null=True)
    billed_on = CharField(max_length=10, null=True)
    looks = IntegerField(default=0)
    look_at = UtcField(null=True, index=True)

    class Meta:
        indexes = ((("order", "active_type"), True),)

    def arrive(self, state: str, **came: Any) -> bool:
        """Its money has come, and goes this way; True for the one who brought it first."""
        return ARRIVAL.is_one(id=self.id, state=state, **came)

    def reserve(self, fen: int) -> bool:
        """Set so much of it aside for a refund; False when no more than that is left."""
        enough = Payment.refunded_fen + fen <= Payment.arrived_fen
        return Payment.change_if(Payment.id == self.id, enough, refunded_fen=Payment.refunded_fen + fen)

    def let_go(self, fen: int) -> None:
        """The refund came to nothing."""
        Payment.update(refunded_fen=Payment.refunded_fen - fen).where(Payment.id == self.id).execute()


CAME = ("transaction_id", "arrived_fen", "arrived_at", "paid_at")
ARRIVAL = Prepared(
    lambda: Payment.update(
        state=given("state"), active_type=None, look_at=None, **{name: given(name) for name in CAME}
    ).where(Payment.id == given("id"), Payment.transaction_id.is_null(), Payment.state.in_([OPEN, CLOSED]))
)


class Refund(Moving):
    """退款: `state` is how the money stands, `rights` how the course does; each can be tried again by itself (B3).

    A refund of a part leaves the course as it is (`kept`), one of all that is left takes it.

    Empty `payment` for an order of price 0. `active_order` is filled while it is open: at most one for each order,
    beside those that only send late money back. `tries` counts the numbers under which WeChat was asked.
    """

    moves = REFUND_MOVES
    no = CharField(max_length=32, unique=True)
    order = ForeignKeyField(Order, backref="refunds")
    payment = ForeignKeyField(Payment, null=True, backref="refunds")
    grant = ForeignKeyField(Grant, null=True)
    cause = CharField(max_length=16)
    amount_fen = BigIntegerField()
    reason = CharField(max_length=255, default="")
    override = CharField(max_length=255, null=True)
    state = CharField(max_length=16)
    rights = CharField(max_length=16)
    asked_at = UtcField()
    asked_by = CharField(max_length=64)
    decided_at = UtcField(null=True)
    decided_by = CharField(max_length=64, null=True)
    decision = CharField(max_length=255, null=True)
    tries = IntegerField(default=1)
    refund_id = CharField(max_length=64, null=True)
    done_at = UtcField(null=True)
    active_order = IntegerField(null=True, unique=True)
    billed_on = CharField(max_length=10, null=True)
    look_at = UtcField(null=True, index=True)

    @property
    def out_refund_no(self) -> str:
        """The number of the present try: WeChat takes a closed one never again."""
        return f"{self.no}-{self.tries}"

    @classmethod
    def by_out_no(cls, out_refund_no: str) -> Self | None:
        """Whose present number this is."""
        no, _, tries = out_refund_no.rpartition("-")
        is_number = tries.isascii() and tries.isdigit() and len(tries) <= MOST_TRIES_DIGITS
        return cls.get_or_none(no=no, tries=int(tries)) if is_number else None


class PayDifference(Row):
    """支付差异: what WeChat says of money and our rows do not; a person decides (never smoothed over).

    `key` is the number at WeChat. Money that came and is not what was asked for: `unknown_order`, `amount`, `payer`,
    `twice`. Money that went: `unknown_refund`, `refund_amount`, `refund_late`. What a day's bill says: `only_here`,
    `only_there`, `bill_amount`, `balance`.
    """

    kind = CharField(max_length=16)
    key = CharField(max_length=64)
    payment = ForeignKeyField(Payment, null=True)
    detail = CharField(max_length=255, default="")
    first_seen_at = UtcField()
    last_seen_at = UtcField()
    resolved_at = UtcField(null=True)
    resolved_by = CharField(max_length=64, null=True)
    reason = CharField(max_length=255, null=True)

    class Meta:
        indexes = ((("kind", "key"), True),)


class PayBill(Row):
    """对账单: one Shanghai day of WeChat's bills beside our rows. `outcome` is `ok` or `differs`, empty until done."""

    day = CharField(max_length=10, unique=True)
    tried_at = UtcField()
    finished_at = UtcField(null=True)
    lines = IntegerField(default=0)
    differences = IntegerField(default=0)
    fees_fen = BigIntegerField(default=0)
    outcome = CharField(max_length=16, null=True)
