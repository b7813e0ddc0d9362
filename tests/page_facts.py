"""Hand-made facts for every branch of every page, and a stand-in for the request that they are shown to."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from types import SimpleNamespace
from typing import Any

from h5 import pages
from models.orders import Payment
from services import scan_pages
from services.access import CourseState, Reason
from services.arrivals import Arrived
from services.catalogue import CourseCard, LessonCard, LessonContent, PlanetCard
from services.lecturers import CONSENT_TEXT, PairingView, PosterView
from services.link_views import Arrival, LinkView, MembershipView, Outcome
from services.links import Offer
from services.order_views import EarnedView, OrderLine, OrderView, RefundView, WaiverView
from services.orders import Checkout
from services.payment_views import PaymentView
from services.people import Visitor
from services.purchases import Claim
from services.scans_at_pc import Progress
from services.voucher_views import Buys, Choice, Choices, VoucherView, Wallet
from services.vouchers import No

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
YEAR = timedelta(days=365)
XSRF = '<input type="hidden" name="_xsrf" value="x"/>'
SCAN_STATES = (
    "waiting", "scanned", "confirmed", "linked", "done", "declined", "expired", "superseded", "cancelled",
)  # fmt: skip
ORDER_STATES = ("unpaid", "closing", "closed", "paid", "refunded")
STATES = ("unlinked", "pending", "refused", "linked", "over")
NAMES = {
    "course": "信息安全职场培训", "planet": "信息安全星球", "lecturer": "讲师甲", "guest": "嘉宾甲",
    "account": "夜行的灯塔", "article": "密码不是越怪越好。\n\n长一点，好记一点，每个网站不一样。", "lesson": "密码",
}  # fmt: skip


def render(template: str, facts: dict[str, Any], shared: dict[str, Any] | None = None) -> str:
    """A page as h5/pages.py makes it; `shared` may set person, in_wechat, path, method, weui."""
    asked = {"person": None, "in_wechat": True, "path": "/me", "method": "GET", "weui": ""} | (shared or {})
    ctx = SimpleNamespace(
        config=SimpleNamespace(base_url="https://bridge.example", is_https=False),
        clock=SimpleNamespace(now=lambda: NOW),
    )
    handler = SimpleNamespace(
        settings={"ctx": ctx, "weui": asked["weui"]}, person=asked["person"], in_wechat=asked["in_wechat"],
        target="course_planet:infosec", xsrf_form_html=lambda: XSRF,
        request=SimpleNamespace(path=asked["path"], method=asked["method"], query=""),
    )  # fmt: skip
    return pages.render(handler, template, **facts)


SIGNED_IN = {"person": Visitor(id=1, wants_touch=False)}


def planet(n: dict[str, str], **changes: Any) -> PlanetCard:
    """A planet's card."""
    card = PlanetCard(
        slug="infosec", title=n["planet"], provider="partner", owner=n["lecturer"], guests=(n["guest"], n["guest"]),
        price_fen=19900, days=365, mode="same_price", is_live=True,
    )  # fmt: skip
    return replace(card, **changes)


def course(n: dict[str, str], **changes: Any) -> CourseCard:
    """A course's card, with a rise to come."""
    lessons = (LessonCard(1, "开课", True), LessonCard(2, n["lesson"], False), LessonCard(3, "钓鱼邮件", False))
    card = CourseCard(
        id=1, slug="infosec", title=n["course"], lecturer=n["lecturer"], ended_on=date(2026, 8, 1),
        audience="想提升基础信息安全认知的职场人", not_for="研发安全培训、攻防技术培训",
        prices=((NOW - YEAR, 16900), (NOW + timedelta(days=9), 19950)), lessons=lessons, planet=planet(n),
    )  # fmt: skip
    return replace(card, **changes)


def bare_course(n: dict[str, str]) -> CourseCard:
    """A course of which little is known."""
    return course(n, slug="bare", planet=None, lessons=(), prices=(), audience="", not_for="", ended_on=None)


def state(n: dict[str, str], word: str) -> CourseState:
    """A course of a person."""
    known = word != "unlinked"
    return CourseState("infosec", n["course"], word, NOW + YEAR if known else None, NOW if known else None)


def arrived(n: dict[str, str], word: str) -> Arrived:
    """What somebody has from his payments at the planet."""
    has_course = word == "course"
    return Arrived(
        state=word, course_slug="infosec" if has_course else "", course_title=n["course"] if has_course else "",
        worth_fen=(19900, 19950) if word == "voucher" else (), is_linked=word not in {"none", "voucher"},
        account=n["account"] if word != "none" else "",
    )  # fmt: skip


ARRIVED = ("none", "nothing", "voucher", "course")


def planet_pages(n: dict[str, str]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """The page behind the pinned post, in every branch."""
    found, waiver = [], {"waiver_text": "同时我放弃这门课程的退款权利。", "waiver_version": "2026-11"}
    for mode, is_live in product(("same_price", "shared"), (True, False)):
        door = course(n, planet=planet(n, mode=mode, is_live=is_live, guests=() if is_live else (n["guest"],)))
        facts = {"door": door, "planet": door.planet, "courses": [door]} | waiver
        found += [("planet.html", facts | {"arrived": None}, {"in_wechat": yes}) for yes in (True, False)]
        found += [("planet.html", facts | {"arrived": arrived(n, word)}, SIGNED_IN) for word in ARRIVED]
    return found


def payment(n: dict[str, str], gave: str, **changes: Any) -> PaymentView:
    """A payment at the planet."""
    return replace(PaymentView("infosec", n["planet"], "…0719", 19900, gave, NOW, is_over=False), **changes)


def payments(n: dict[str, str]) -> list[PaymentView]:
    """A payment of each kind."""
    return [*(payment(n, gave) for gave in ARRIVED[1:]), payment(n, "voucher", is_over=True)]


def course_pages(n: dict[str, str]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Catalogue, course, lesson and planet, in every branch."""
    free = course(n, slug="free", prices=((NOW - YEAR, 0),), planet=planet(n, is_live=False, guests=(), days=90))
    fallen = course(n, prices=((NOW - YEAR, 100), (NOW + YEAR, 50)))
    found = [
        ("catalogue.html", {"courses": [course(n), free, bare_course(n)], "number": 2, "count": 3}, {"path": "/"}),
        ("catalogue.html", {"courses": [], "number": 1, "count": 1}, {"path": "/"}),
        *planet_pages(n),
    ]
    cards = (course(n), free, bare_course(n), fallen)
    for card, in_wechat in product(cards, (True, False)):
        facts = {"course": card, "state": None, "sells": in_wechat}
        found.append(("course.html", facts, {"in_wechat": in_wechat}))
    for card, word in product(cards, (None, *STATES, "paid_there")):
        facts = {"course": card, "state": state(n, word) if word else None, "sells": True}
        found.append(("course.html", facts, SIGNED_IN))
    contents = [(n["article"], "https://media.example/2.mp4"), ("", ""), (n["article"], "javascript:alert(1)")]
    for (article, media), lesson in product(contents, course(n).lessons):
        content = LessonContent(title=n["lesson"], article=article, media_url=media)
        found.append(("lesson.html", {"course": course(n), "card": lesson, "lesson": content}, {}))
    return found


def offer(n: dict[str, str], **changes: Any) -> Offer:
    """What the confirm page shows."""
    shown = Offer(
        course_slug="infosec", course_title=n["course"], planet_title=n["planet"], lecturer_name=n["lecturer"],
        order_tail="…0719", days=365, waiver_text="我已了解：关联后即可进入星球，同时我放弃这门课程的退款权利。",
        waiver_version="2026-11", linked_as=None,
    )  # fmt: skip
    return replace(shown, **changes)


def outcome(n: dict[str, str], word: str, entry_url: str = "https://planet.example/g1") -> Outcome:
    """How a link came out."""
    made = word != "working"
    return Outcome(
        state=word, error=None, age=timedelta(0), course_slug="infosec", course_title=n["course"],
        planet_title=n["planet"], entry_url=entry_url, display_name=n["account"] if made else "",
        until=NOW + YEAR if made else None,
    )  # fmt: skip


def membership(n: dict[str, str], word: str, **changes: Any) -> MembershipView:
    """A membership that a course has given."""
    view = MembershipView(word, NOW + YEAR, n["account"], n["planet"], "https://planet.example/g1", 4)
    return replace(view, **changes)


def link(n: dict[str, str], **changes: Any) -> LinkView:
    """A link with a membership in each state."""
    words = ("linked", "pending", "refused", "over", "revoked")
    rows = [(n["course"], n["planet"], word, NOW + YEAR) for word in words]
    return replace(LinkView(4, n["account"], "partner", NOW, None, rows, payments(n)), **changes)


def link_pages(n: dict[str, str]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Everything about linking, in every branch."""
    offers = [offer(n), offer(n, linked_as=n["account"], days=90)]
    found = [("confirm_link.html", {"offer": each}, SIGNED_IN) for each in offers]
    for word in ("working", "pending", "refused", "linked", "over"):
        found.append(("outcome.html", {"outcome": outcome(n, word)}, {}))
    for address in ("", "javascript:alert(1)"):
        found.append(("outcome.html", {"outcome": outcome(n, "linked", address)}, {}))
    for word in ("working", *ARRIVED):
        came = Arrival(word, None, timedelta(0), n["planet"], arrived(n, word))
        found.append(("arrival.html", {"outcome": came}, {}))
    for word in ("pending", "refused", "linked"):
        found.append(("planet_state.html", {"course": course(n), "membership": membership(n, word)}, SIGNED_IN))
    nameless = membership(n, "linked", account="", entry_url="")
    found.append(("planet_state.html", {"course": course(n), "membership": nameless}, SIGNED_IN))
    gone = link(n, id=3, unlinked_at=NOW, planet_account="", memberships=[], payments=[])
    found += [("my_links.html", {"links": links}, SIGNED_IN) for links in ([link(n), gone], [])]
    only_past = link(n, memberships=link(n).memberships[-1:])
    return found + [
        ("unlink.html", {"link": each}, SIGNED_IN) for each in (link(n), only_past, link(n, memberships=[]))
    ]


def reason(n: dict[str, str], **changes: Any) -> Reason:
    """A right, live for good."""
    row = Reason("infosec", n["course"], "purchase", "…0719", NOW - YEAR, None, None, None, True, False)
    return replace(row, **changes)


def own_pages(n: dict[str, str]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """The learner's own pages, the lecturer's, and what comes by one-time links."""
    reasons = [
        reason(n), reason(n, source="seat", ends_at=NOW + YEAR),
        reason(n, source="new kind", ends_at=NOW, is_live=False),
        reason(n, revoked_at=NOW, revoked_reason="refund", is_live=False), reason(n, since=NOW + YEAR, is_live=False),
        reason(n, revoked_at=NOW, revoked_reason="another", is_live=False),
        reason(n, source="order", is_live=False, is_resting=True),
        reason(n, source="planet", revoked_at=NOW, revoked_reason="planet_refund", is_live=False),
    ]  # fmt: skip
    pairings = [
        PairingView(7, n["course"], n["planet"], "same_price", "live", NOW, 128),
        PairingView(8, n["course"], n["planet"], "shared", "paused", NOW, 0),
        PairingView(9, n["course"], n["planet"], "shared", "waiting", None, 31),
    ]
    posters = [PosterView("infosec", n["planet"])]
    claim = Claim(
        course_slug="infosec",
        course_title=n["course"],
        platform=n["lecturer"],
        order_tail="…0719",
        paid_at=NOW,
        is_mine=False,
    )
    mine, paid = [state(n, word) for word in (*STATES, "paid_there")], payments(n)
    found = [
        ("me.html", {"courses": mine, "payments": paid, "is_lecturer": True}),
        ("me.html", {"courses": [], "payments": [], "is_lecturer": False}),
        ("access.html", {"reasons": reasons, "payments": paid}), ("access.html", {"reasons": [], "payments": []}),
        ("lecturer.html", {"name": n["lecturer"], "pairings": pairings, "posters": posters, "consent": CONSENT_TEXT}),
        ("lecturer.html", {"name": n["lecturer"], "pairings": [], "posters": [], "consent": CONSENT_TEXT}),
        ("invite.html", {"name": n["lecturer"], "code": "0" * 32}), ("claim.html", {"claim": claim, "code": "0" * 16}),
    ]  # fmt: skip
    return [(template, facts, SIGNED_IN) for template, facts in found]


def every_page(n: dict[str, str]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(template, facts, request) of every page but the refusals, with these names in them."""
    return [*course_pages(n), *link_pages(n), *scan_pages_of(n), *own_pages(n), *order_pages(n)]


def order(n: dict[str, str], state: str, **changes: Any) -> OrderView:
    """An order in WeChat that could be paid, were it still unpaid."""
    is_paid = state in {"paid", "refunded"}
    ready = Payment(id=1, prepay_id="wx1", trade_type="JSAPI")
    view = OrderView(
        no="20261122" + "0" * 24, tail="…0719", course_slug="infosec", title=n["course"], lecturer=n["lecturer"],
        state=state, list_fen=19900, price_fen=19900, voucher_fen=0, voucher_code="", left_fen=19900,
        earned=EarnedView((), 0, is_held=False), created_at=NOW, expires_at=NOW + timedelta(minutes=30),
        paid_at=NOW if is_paid else None, closed_at=NOW if state == "closed" else None, is_payable=state == "unpaid",
        is_held=False, is_resting=False, payments={"JSAPI": ready} if state == "unpaid" else {},
        refund_until=NOW + timedelta(days=7) if state == "paid" else None, waiver=None, refunds=(),
        window_end=NOW + timedelta(days=7) if is_paid else None,
    )  # fmt: skip
    return replace(view, **changes)


def refund(n: dict[str, str], state: str, **changes: Any) -> RefundView:
    """A refund of all of it."""
    done_at, decision = NOW if state == "done" else None, n["article"] if state == "refused" else ""
    view = RefundView(
        state=state,
        amount_fen=19900,
        asked_at=NOW,
        done_at=done_at,
        decision=decision,
        is_late=False,
        takes_course=True,
    )
    return replace(view, **changes)


def order_views(n: dict[str, str]) -> list[OrderView]:
    """Orders in every state, with every kind of refund, waived, held, and for nothing."""
    waiver = WaiverView(n["article"], "2026-11", NOW)
    code = {"NATIVE": Payment(id=2, code_url="weixin://wxpay/bizpayurl?pr=" + n["account"], trade_type="NATIVE")}
    late = refund(n, "agreed", is_late=True, takes_course=False)
    states = ("asked", "agreed", "processing", "abnormal", "failed", "refused")
    earned_vouchers = ((("2345-6789-ABCD",), 0, False), ((), 3000, False), ((), 20000, False), ((), 0, True))
    return [
        *(order(n, state) for state in ORDER_STATES), *(order(n, state, price_fen=0) for state in ("paid", "refunded")),
        order(n, "unpaid", payments={}), order(n, "unpaid", payments=code), order(n, "unpaid", is_held=True),
        order(n, "paid", waiver=waiver, refund_until=None), order(n, "paid", refund_until=None),
        order(n, "closed", refunds=(late,)), order(n, "unpaid", is_payable=False),
        *(order(n, "paid", refunds=(refund(n, one),), is_resting=True, refund_until=None) for one in states),
        order(n, "refunded", refunds=(refund(n, "done"), refund(n, "done", amount_fen=0))),
        order(n, "paid", price_fen=16900, left_fen=16900, voucher_fen=3000, voucher_code="2345-6789-ABCD"),
        *(order(n, "paid", earned=EarnedView(*some)) for some in earned_vouchers),
    ]  # fmt: skip


def wallets(n: dict[str, str]) -> list[Wallet]:
    """Vouchers in every state, campaigns that give nothing for every reason, and an empty wallet."""
    buys = (Buys("infosec", n["course"], 19900),)
    plain = VoucherView(
        "2345-6789-ABCD", n["course"], 3000, "open", NOW, NOW + YEAR, False, 9, 100, buys, 3, *[None] * 2
    )
    order_of = {"order": "20261122" + "0" * 24, "order_title": n["course"], "buys": ()}
    held = [replace(plain, state=state, **order_of) for state in ("held", "used")]
    over = [replace(plain, state=state, buys=(), days_left=None) for state in ("resting", "dead", "expired", "open")]
    early = replace(plain, is_early=True, days_left=None, min_fen=0, more=0)
    whys = ("not_paid", "before_rise", "too_early", "too_late", "exhausted")
    noes = tuple(No(n["course"], why, 3000, "infosec", n["course"], 19900, NOW + YEAR) for why in whys)
    wide = No(n["course"], "not_paid", 3000, None, None, None, NOW)
    return [
        Wallet((plain, *held, *over, early), ((n["course"], 3000),), (*noes, wide, replace(noes[1], rise_fen=None))),
        Wallet((), (), ()),
    ]  # fmt: skip


def order_pages(n: dict[str, str]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Everything about buying, in every branch."""
    offer = Checkout("infosec", n["course"], n["lecturer"], 19900, 7, None)
    offers = [offer, replace(offer, price_fen=0, refund_days=0), replace(offer, live_order="20261122" + "0" * 24)]
    good = tuple(Choice("2345-6789-ABC" + last, n["course"], 3000, 16900, NOW + YEAR) for last in "DE")
    some = Choices(good, (n["article"],))
    found = [
        ("buy.html", {"offer": one, "choices": choices, "click": "0" * 32}, SIGNED_IN)
        for one in offers
        for choices in (some, Choices())
    ]
    found += [("vouchers.html", {"wallet": one}, SIGNED_IN) for one in wallets(n)]
    for view, in_wechat in product(order_views(n), (True, False)):
        bridge = '{"package": "prepay_id=wx1"}' if in_wechat and view.prepay_id and view.is_payable else ""
        facts = {"order": view, "bridge": bridge, "moves": True, "sandbox": not in_wechat}
        found.append(("order.html", facts, SIGNED_IN | {"in_wechat": in_wechat}))
    found += [("refund.html", {"order": view}, SIGNED_IN) for view in order_views(n)]
    lines = [OrderLine("20261122" + "0" * 24, "…0719", n["course"], one, 19900, NOW, False) for one in ORDER_STATES]
    resting = replace(lines[3], is_resting=True)
    return found + [("my_orders.html", {"orders": some}, SIGNED_IN) for some in ([*lines, resting], [])]


def scan_pages_of(n: dict[str, str]) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """The PC's page in every state, for both purposes, and the phone's steps."""
    pc = Progress(
        public_id="0" * 32, version=1, state="waiting", ttl=120, mask=n["account"], until=None, purpose="link",
        number="07", course_slug="infosec", target="me", said="", can_renew=True,
    )  # fmt: skip
    said = {"declined": {"said": n["account"]}, "linked": {"until": NOW + YEAR}}
    at_pc = [replace(pc, state=word, **said.get(word, {})) for word in SCAN_STATES]
    phone = scan_pages.Page("confirm", "link", "07", n["course"], "203.0.113.1", "", NOW, offer=offer(n), page="x")
    steps = [phone, replace(phone, step="open"), replace(phone, offer=offer(n, linked_as=n["account"]))]
    other = [replace(phone, purpose="sign_in", offer=None), replace(phone, step="digits", digits="012345")]
    where = {"code": "0" * 32, "host": "bridge.example", "pc": n["account"], "place": "203.0.*.*"}
    return [
        *(("scan.html", {"scan": one, "course": course(n), "go_on": "/me", "entry": ""}, {"in_wechat": False})
          for one in at_pc),
        *(("scan.html", {"scan": replace(one, purpose="sign_in", course_slug="", target=n["account"]), "course": None,
                         "go_on": "/me", "entry": "http://127.0.0.1"}, {"in_wechat": False}) for one in at_pc),
        *(("scan_phone.html", {"scan": one, **where}, shared) for one in [*steps, *other]
          for shared in ({}, SIGNED_IN)),
    ]  # fmt: skip
