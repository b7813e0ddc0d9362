"""Many unpaid orders at once, as rows, and the notices by which WeChat Pay tells that they are paid."""

from datetime import timedelta
from typing import Any

from models.catalogue import Course
from models.orders import JSAPI, Order, Payment
from models.people import OA, WECHAT, Identity, Person, digest
from sandbox import pay_times
from sandbox.pay_settings import PaySettings
from sandbox.world import World
from services import orders
from services.env import Env
from tests.site import COURSE

PRICE_FEN = 19900


def unpaid(env: Env, *, times: int) -> list[tuple[str, str]]:
    """So many people, each before the cashier with an order of his own; its number, and who will pay it."""
    course, now = Course.get(slug=COURSE), env.now
    Person.insert_many([{"created_at": now}] * times).execute()
    people = Person.select().order_by(Person.id.desc()).limit(times)
    made = [(person.id, orders.new_number(env), f"o{env.new_code(112)[:27]}") for person in people]
    account = {"side": OA, "provider": WECHAT, "created_at": now}
    Identity.insert_many([account | {"person": person, "uid": openid} for person, _, openid in made]).execute()
    sold = {"course": course, "title": course.title, "lecturer": course.lecturer, "list_fen": PRICE_FEN}
    sold |= {"split_percent": 70, "price_fen": PRICE_FEN, "created_at": now, "expires_at": now + timedelta(minutes=30)}
    Order.insert_many(
        [sold | {"no": no, "click_hash": digest(no), "person": who, "active_person": who} for who, no, _ in made]
    ).execute()
    numbers = dict(Order.select(Order.no, Order.id).where(Order.no.in_([no for _, no, _ in made])).tuples())
    asked = {"trade_type": JSAPI, "active_type": JSAPI, "amount_fen": PRICE_FEN, "created_at": now, "prepay_id": "wx"}
    Payment.insert_many(
        [asked | {"order": numbers[no], "out_trade_no": no, "openid": openid} for _, no, openid in made]
    ).execute()
    return [(no, openid) for _, no, openid in made]


def transaction(world: World, merchant: PaySettings, app_id: str, *, number: str, openid: str) -> dict[str, Any]:
    """What WeChat Pay tells of an order that has been paid."""
    amount = {"total": PRICE_FEN, "payer_total": PRICE_FEN, "currency": "CNY", "payer_currency": "CNY"}
    told = {"appid": app_id, "mchid": merchant.mch_id, "out_trade_no": number, "trade_type": JSAPI, "attach": ""}
    told |= {"transaction_id": f"4200{world.random.randrange(10**24):024}", "bank_type": "OTHERS", "amount": amount}
    told |= {"trade_state": "SUCCESS", "trade_state_desc": "支付成功", "payer": {"openid": openid}}
    return told | {"success_time": pay_times.written(world.now()), "promotion_detail": []}
