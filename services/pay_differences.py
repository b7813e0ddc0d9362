"""What WeChat says of money and our rows do not: kept with its age, until it is gone or a person has decided."""

from dataclasses import dataclass
from datetime import datetime

import structlog
from peewee import fn
from prometheus_client import Gauge

from models import audit
from models.errors import WrongInput
from models.orders import PayDifference, Payment
from services.env import Env

log = structlog.get_logger()
open_ones = Gauge(
    "wxbot_pay_differences", "open differences with WeChat Pay", ["kind"], multiprocess_mode="mostrecent"
)  # fmt: skip
BY_BILL = "bill"
KINDS = (
    "unknown_order", "amount", "payer", "twice", "unknown_refund", "refund_amount", "refund_late",
    "only_here", "only_there", "bill_amount", "balance",
)  # fmt: skip


def note(env: Env, *, kind: str, key: str, detail: str, payment: Payment | None = None) -> None:
    """Keep one, by its number at WeChat; one that was seen before keeps its age, and a person's decision stands.

    What is closed opens again when the news is another, or when only a bill had closed it.
    """
    seen = {"last_seen_at": env.now, "detail": detail[:255]}
    same = (PayDifference.kind == kind, PayDifference.key == key[:64])
    closed = PayDifference.resolved_at.is_null(False)
    other = (PayDifference.detail != detail[:255]) | (PayDifference.resolved_by == BY_BILL)
    anew = {"first_seen_at": env.now, "resolved_at": None, "resolved_by": None, "reason": None}
    if PayDifference.change_if(*same, closed, other, **anew, **seen):
        log.error("money differs again", kind=kind)
    elif PayDifference.change_if(*same, **seen):
        return
    elif PayDifference.add_once(kind=kind, key=key[:64], payment=payment, first_seen_at=env.now, **seen):
        log.error("money differs", kind=kind, order=payment.order_id if payment else None)


@dataclass(frozen=True, slots=True)
class Line:
    """One open difference, as the operator reads it."""

    id: int
    kind: str
    key: str
    detail: str
    order: str
    since: datetime


def listed(env: Env) -> list[Line]:
    """Every open difference, oldest first."""
    rows = PayDifference.select().where(PayDifference.resolved_at.is_null())
    return [
        Line(row.id, row.kind, row.key, row.detail, row.payment.order.no if row.payment else "-", row.first_seen_at)
        for row in rows.order_by(PayDifference.first_seen_at, PayDifference.id)
    ]


def resolve(env: Env, *, difference_id: int, reason: str, who: str = "command") -> PayDifference:
    """A person has looked and decided; the row. Raises WrongInput when there is no such open difference."""
    open_still = (PayDifference.id == difference_id, PayDifference.resolved_at.is_null())
    if not PayDifference.change_if(*open_still, resolved_at=env.now, resolved_by=who, reason=reason[:255]):
        raise WrongInput(what=f"there is no open difference {difference_id}")
    row = PayDifference.get_by_id(difference_id)
    subject = f"pay difference:{row.id}"
    audit.record(
        at=env.now, who=who, action="resolve pay difference", subject=subject, old=row.kind, reason=reason[:255]
    )
    return row


def resolve_gone(env: Env, *, kind: str, key: str) -> None:
    """What WeChat has said meanwhile is what we have."""
    same = (PayDifference.kind == kind, PayDifference.key == key[:64], PayDifference.resolved_at.is_null())
    PayDifference.change_if(*same, resolved_at=env.now, resolved_by=BY_BILL)


def measure(env: Env) -> None:
    """Renew the gauge that raises the alarm."""
    rows = PayDifference.select(PayDifference.kind, fn.COUNT(PayDifference.id)).where(
        PayDifference.resolved_at.is_null()
    )
    found = dict(rows.group_by(PayDifference.kind).tuples())
    for kind in KINDS:
        open_ones.labels(kind).set(found.get(kind, 0))
