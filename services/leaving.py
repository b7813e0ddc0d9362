"""Who takes back an authorisation, or leaves WeChat: his personal data goes, the business keeps a pseudonym."""

from models.bounty import Report
from models.delivery import ChatNotice, ChatQuestion
from models.errors import StateInvalid
from models.links import Link, LinkAttempt, RefundWaiver
from models.orders import BY_LEARNER, Order, Payment, Refund
from models.people import ERASED, Identity, Person, Session, SignInState
from models.purchases import Purchase
from models.scans import Scan
from services import inbox, line
from services.env import Env
from services.people import ours

NICKNAME_REVOKED = "205"


def forget(env: Env, *, openid: str, what: str) -> None:
    """Delete the personal data that a WeChat user took back; `what` is the platform's RevokeInfo number."""
    if what == NICKNAME_REVOKED:
        Identity.update(nickname=None).where(ours(openid)).execute()


def erase(env: Env, *, openid: str) -> None:
    """Delete what tells who he is; purchases, waivers and memberships stay, under a pseudonym."""
    inbox.forget_answers(env, sender=openid)
    line.forget(env, openid=openid)
    identity = Identity.of_openid(openid)
    if identity is None:
        return
    person = identity.person
    for row in (ChatNotice, ChatQuestion):
        row.delete().where(row.identity == identity).execute()
    for row in (Session, SignInState):
        row.delete().where(row.person == person).execute()
    Scan.delete().where((Scan.scanned_by == person) | (Scan.pc_person == person)).execute()
    Purchase.update(phone=None, email=None).where(Purchase.person == person).execute()
    Report.update(text="").where(Report.person == person).execute()
    erase_links(env, person)
    erase_orders(person)
    gone = {"uid": f"{ERASED}:{identity.id}", "nickname": None, "unfollowed_at": env.now}
    Identity.update(**gone).where(Identity.id == identity.id).execute()
    Person.update(erased_at=env.now).where(Person.id == person.id).execute()


def erase_orders(person: Person) -> None:
    """Orders stay; his own words and the openid that paid go. Money of his that still comes waits for a person."""
    his = Order.select(Order.id).where(Order.person == person)
    Payment.update(openid=person.pseudonym).where(Payment.order.in_(his), Payment.openid.is_null(False)).execute()
    Refund.update(reason="").where(Refund.order.in_(his), Refund.cause == BY_LEARNER).execute()


def erase_links(env: Env, person: Person) -> None:
    """Links and waivers lose what names him; a hand-over that is under way comes to nothing."""
    under_way = (LinkAttempt.person == person, LinkAttempt.outcome.is_null())
    nothing = {"outcome": StateInvalid.code, "said": StateInvalid().message, "finished_at": env.now}
    LinkAttempt.update(**nothing).where(*under_way).execute()
    marks = {"openid": person.pseudonym, "ip": ERASED, "user_agent": ERASED}
    LinkAttempt.update(**marks).where(LinkAttempt.person == person).execute()
    RefundWaiver.update(**marks).where(RefundWaiver.person == person).execute()
    Link.update(display_name="").where(Link.person == person).execute()
