"""How what was paid at planets looks to the person who brought it."""

from dataclasses import dataclass
from datetime import datetime

from peewee import Expression

from models.catalogue import Planet
from models.payments import REFUNDED, PlanetPayment
from models.vouchers import Voucher
from services.env import Env


@dataclass(frozen=True, slots=True)
class PaymentView:
    """One payment and what it gave: `course`, `voucher` (worth so many fen), `nothing`; `is_over` once refunded."""

    planet_slug: str
    planet_title: str
    order_tail: str
    worth_fen: int | None
    gave: str
    since: datetime
    is_over: bool


def payments_of(env: Env, *, person_id: int) -> list[PaymentView]:
    """Everything that he has brought from planets, the latest first."""
    return shown(PlanetPayment.person == person_id)


def payments_of_link(link_id: int) -> list[PaymentView]:
    """What came through one link."""
    return shown(PlanetPayment.link == link_id)


def shown(which: Expression) -> list[PaymentView]:
    """Such payments, with the names of their planets, in one read."""
    same = (Planet.provider == PlanetPayment.provider) & (Planet.group_id == PlanetPayment.group_id)
    rows = PlanetPayment.select(PlanetPayment, Planet).join(Planet, on=same, attr="planet").where(which)
    return [
        PaymentView(
            planet_slug=row.planet.slug, planet_title=row.planet.title, order_tail=row.order_tail,
            worth_fen=worth_of(row), gave=row.gave, since=row.served_at, is_over=row.status == REFUNDED,
        )
        for row in rows.order_by(PlanetPayment.id.desc())
    ]  # fmt: skip


def worth_of(payment: PlanetPayment) -> int | None:
    """What its voucher was given for; what was paid, until there is one."""
    first = Voucher.get_or_none(Voucher.payment == payment, Voucher.left_of.is_null())
    return first.amount_fen if first else payment.paid_fen
