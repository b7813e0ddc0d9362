"""Every page in every branch: it renders, it is safe, and it carries what others look for in it."""

from collections import Counter
from html.parser import HTMLParser

import pytest

from h5.pages import PAGE_OF_ERROR, ROOT
from models.errors import BusinessError
from tests.page_facts import NAMES, SIGNED_IN, STATES, course, every_page, link, offer, outcome, planet, render, state

HOSTILE = "<script>alert(1)</script>\"'&{{ 7*7 }}"
VOID = {"meta", "link", "img", "input", "br"}
SVG_ALONE = {"path", "circle", "rect"}
CODES = sorted({kind.code for kind in BusinessError.__subclasses__()} | {"failed", "http_400", "http_403", "http_405"})


class Page(HTMLParser):
    """A page's elements with their attributes; raises when tags are not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute stands twice: {tag} {attrs}"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID | SVG_ALONE, f"<{tag}/>"
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def role(self, name: str) -> list[dict[str, str | None]]:
        """The elements of a data-role."""
        return [attributes for _, attributes in self.elements if attributes.get("data-role") == name]

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The elements of a tag."""
        return [attributes for found, attributes in self.elements if found == tag]

    @property
    def words(self) -> str:
        """What a person reads."""
        return " ".join("".join(self.text).split())


def page(template: str, facts: dict, **shared: object) -> Page:
    return Page(render(template, facts, shared))


def refusals() -> list[tuple[str, dict, dict]]:
    """Every refusal, as a page for somebody in and outside WeChat, by GET and by POST."""
    found = []
    for code in CODES:
        facts = {"code": code, "message": HOSTILE, "rid": "r1"}
        for shared in ({"in_wechat": True}, {"in_wechat": False, "method": "POST"}, SIGNED_IN):
            found.append((PAGE_OF_ERROR.get(code, "error.html"), facts, shared))
    return found


def test_no_page_has_script_style_or_handlers_in_it_and_every_name_is_escaped():
    hostile = dict.fromkeys(NAMES, HOSTILE)
    for template, facts, shared in [*every_page(NAMES), *every_page(hostile), *refusals()]:
        html = render(template, facts, shared)
        assert "<script>" not in html, template
        for tag, attributes in Page(html).elements:
            assert tag != "style" and (tag != "script" or attributes["src"].startswith("/static/")), template
            assert not [name for name in attributes if name == "style" or name.startswith("on")], template
            assert not any((value or "").startswith("javascript:") for value in attributes.values()), template


def test_hostile_names_are_shown_as_they_are():
    hostile = dict.fromkeys(NAMES, HOSTILE)
    for template, facts, shared in every_page(hostile):
        is_empty = "wallet" in facts and not facts["wallet"].vouchers
        if [] not in [facts.get(name) for name in ("courses", "links", "reasons", "orders")] and not is_empty:
            assert HOSTILE in page(template, facts, **shared).words, template


def test_every_page_can_be_read_by_machine_and_screen_reader():
    for template, facts, shared in [*every_page(NAMES), *refusals()]:
        html = render(template, facts, shared)
        shown = Page(html)
        assert html.startswith("<!doctype html>") and shown.all("html")[0]["lang"] == "zh-CN", template
        assert len(shown.all("h1")) == len(shown.all("main")) == len(shown.all("title")) == 1, template
        ids = Counter(attributes["id"] for _, attributes in shown.elements if "id" in attributes)
        assert not [name for name, times in ids.items() if times > 1], template
        for _, attributes in shown.elements:
            for pointer in ("aria-labelledby", "aria-describedby", "for", "data-copy"):
                assert attributes.get(pointer) is None or attributes[pointer] in ids, (template, pointer)
        assert all("alt" in picture for picture in shown.all("img")), template


def test_every_form_of_ours_carries_the_token_against_forgery():
    for template, facts, shared in [*every_page(NAMES), *refusals()]:
        shown = page(template, facts, **shared)
        tokens = [field for field in shown.all("input") if field.get("name") == "_xsrf"]
        assert len(tokens) == len(shown.all("form")), template
        assert all(form["method"] == "post" and form["action"].startswith("/") for form in shown.all("form")), template


def test_every_template_is_looked_at_here():
    seen = {template for template, _, _ in [*every_page(NAMES), *refusals()]}
    parts = {"base.html", "parts.html", "planet_card.html", "planet_hosts.html", "course_outline.html"}
    parts |= {"wechat_ways.html"}
    assert {path.name for path in (ROOT / "templates").glob("*.html")} == seen | parts


def test_weui_comes_before_our_own_styles_and_may_be_missing():
    with_weui = page("catalogue.html", {"courses": [], "number": 1, "count": 1}, weui="/weui/weui.min.css")
    styles = [entry["href"] for entry in with_weui.all("link") if entry["rel"] == "stylesheet"]
    assert styles == ["/weui/weui.min.css", "/static/site.css"]
    alone = page("catalogue.html", {"courses": [], "number": 1, "count": 1})
    assert [entry["href"] for entry in alone.all("link") if entry["rel"] == "stylesheet"] == ["/static/site.css"]


@pytest.mark.parametrize("word", STATES)
def test_a_course_page_tells_where_this_person_stands_with_the_planet(word):
    shown = page("course.html", {"course": course(NAMES), "state": state(NAMES, word), "sells": True}, **SIGNED_IN)
    assert [entry["data-state"] for entry in shown.role("link-state")] == [word]
    assert [entry["href"] for entry in shown.role("link-planet")] == ["/courses/infosec/planet"]
    assert "/courses/infosec/lessons/2" in [entry.get("href") for entry in shown.all("a")]


def test_a_course_page_keeps_what_was_not_bought_locked_and_the_free_lesson_open():
    for shared in ({}, SIGNED_IN):
        shown = page("course.html", {"course": course(NAMES), "state": None, "sells": True}, **shared)
        lessons = [entry["href"] for entry in shown.all("a") if "/lessons/" in entry["href"]]
        assert lessons == ["/courses/infosec/lessons/1"]
        assert shown.role("link-state")[0]["data-state"] == ("not_enrolled" if shared else "signed_out")
        assert "另一边不会自动开通" in shown.words


def test_a_course_page_sells_to_who_has_it_not_where_money_is_taken():
    facts = {"course": course(NAMES), "state": None, "sells": True}
    assert [entry["href"] for entry in page("course.html", facts).role("buy")] == ["/courses/infosec/buy"]
    for changes in ({"sells": False}, {"state": state(NAMES, "unlinked")}, {"course": course(NAMES, prices=())}):
        assert not page("course.html", facts | changes, **SIGNED_IN).role("buy")


def test_an_order_is_paid_by_the_button_in_wechat_and_by_a_qr_anywhere_else():
    for template, facts, shared in every_page(NAMES):
        if template == "order.html":
            pays, view = page(template, facts, **shared).role("pay"), facts["order"]
            assert bool(pays) == (view.is_payable and not view.is_held)
            if pays and facts["bridge"]:
                assert pays[0]["data-pay"] == facts["bridge"]
            elif pays and view.code_url and not shared["in_wechat"]:
                assert pays[0]["src"] == f"/orders/{view.no}/qr.svg"


def test_a_refund_is_offered_in_time_and_never_after_the_waiver():
    for template, facts, shared in every_page(NAMES):
        if template == "refund.html":
            shown, view = page(template, facts, **shared), facts["order"]
            is_kept = view.earned.is_held or view.earned.spent_fen >= view.left_fen
            may = view.refund_until is not None and view.open_refund is None and not is_kept
            assert bool(shown.role("refund")) == may
            assert bool(shown.role("waiver-text")) == (view.waiver is not None)


def test_a_course_page_says_what_it_costs_now_and_later():
    words = page("course.html", {"course": course(NAMES), "state": None, "sells": True}).words
    assert "¥169 2026年12月1日起涨至 ¥199.50" in words


def test_a_pairing_that_is_not_live_offers_no_way_in():
    closed = course(NAMES, planet=planet(NAMES, is_live=False))
    for known in (None, state(NAMES, "unlinked")):
        shown = page("course.html", {"course": closed, "state": known, "sells": True}, **SIGNED_IN)
        assert shown.role("link-state")[0]["data-state"] == "not_live" and not shown.role("link-planet")
    kept = page("course.html", {"course": closed, "state": state(NAMES, "linked"), "sells": True}, **SIGNED_IN)
    assert kept.role("link-planet"), "existing rights stay while a pairing is paused"


def test_the_confirm_page_has_an_unticked_box_and_a_no_beside_the_yes():
    shown = page("confirm_link.html", {"offer": offer(NAMES)}, **SIGNED_IN)
    (box,) = shown.role("waiver-agree")
    assert box["type"] == "checkbox" and box["name"] == "waiver" and box["value"] == "2026-11"
    assert "checked" not in box and "required" in box
    (yes,), (no,) = shown.role("confirm"), shown.role("decline")
    assert yes["type"] == "submit" and no["href"] == "/courses/infosec"
    assert offer(NAMES).waiver_text in shown.words and len(shown.role("waiver-text")) == 1
    assert [form["action"] for form in shown.all("form")] == ["/courses/infosec/planet"]


def test_the_confirm_page_names_the_planet_account_when_it_is_known():
    assert "下一步由星球显示" in page("confirm_link.html", {"offer": offer(NAMES)}, **SIGNED_IN).words
    known = page("confirm_link.html", {"offer": offer(NAMES, linked_as="夜行的灯塔")}, **SIGNED_IN)
    assert "夜行的灯塔" in known.words and "下一步由星球显示" not in known.words


@pytest.mark.parametrize(
    ("word", "says"),
    [("working", "处理中"), ("pending", "公众号会通知您"), ("refused", "需要人工处理"), ("over", "已经结束"),
     ("linked", "有效期至 2027年11月22日")],
)  # fmt: skip
def test_the_outcome_says_how_it_stands_and_what_is_next(word, says):
    shown = page("outcome.html", {"outcome": outcome(NAMES, word)})
    assert says in shown.words and shown.role("link-state")[0]["data-state"] == word
    enters = "https://planet.example/g1" in [entry["href"] for entry in shown.all("a")]
    assert enters == (word == "linked")


def test_a_link_is_unlinked_only_by_a_post_after_reading_what_it_means():
    listed = page("my_links.html", {"links": [link(NAMES)]}, **SIGNED_IN)
    assert [entry["href"] for entry in listed.role("unlink")] == ["/me/links/4/unlink"]
    asked = page("unlink.html", {"link": link(NAMES)}, **SIGNED_IN)
    assert asked.role("unlink")[0]["type"] == "submit" and "不会因为解除而恢复" in asked.words


def test_a_lecturer_has_one_form_for_each_pairing():
    facts = next(facts for template, facts, _ in every_page(NAMES) if template == "lecturer.html")
    shown = page("lecturer.html", facts, **SIGNED_IN)
    assert [form["action"] for form in shown.all("form")] == [f"/lecturer/pairings/{n}" for n in (7, 8, 9)]
    actions = [field["value"] for field in shown.all("input") if field["name"] == "action"]
    assert actions == ["pause", "authorise", "authorise"]
    assert len(shown.role("pause")) == 1 and len(shown.role("authorise")) == 2


def test_one_time_links_are_taken_by_a_tap():
    facts = {template: facts for template, facts, _ in every_page(NAMES)}
    claim = page("claim.html", facts["claim.html"], **SIGNED_IN)
    assert claim.role("claim")[0]["type"] == "submit" and claim.all("form")[0]["action"] == "/claims/" + "0" * 16
    invite = page("invite.html", facts["invite.html"], **SIGNED_IN)
    assert invite.role("accept-invite")[0]["type"] == "submit"


def test_signing_in_goes_back_to_where_he_was():
    shown = page("sign_in.html", {"code": "not_signed_in", "message": "", "rid": "r1"})
    assert shown.all("form")[0]["action"] == "/oauth/start" and shown.role("sign-in")[0]["type"] == "submit"
    assert [field["value"] for field in shown.all("input") if field["name"] == "target"] == ["course_planet:infosec"]


def test_another_browser_is_told_how_to_get_into_wechat():
    facts = {"code": "open_in_wechat", "message": "", "rid": "r1"}
    shown = page("open_in_wechat.html", facts, in_wechat=False, path="/courses/infosec/planet")
    assert shown.role("open-in-wechat") and shown.role("copy-link")
    assert "/qr.svg?to=/courses/infosec/planet" in [picture["src"] for picture in shown.all("img")]
    field = next(field for field in shown.all("input") if field.get("id") == "address")
    assert field["value"] == "https://bridge.example/courses/infosec/planet" and "readonly" in field


@pytest.mark.parametrize("code", CODES)
def test_a_refusal_shows_its_code_and_a_way_on(code):
    facts = {"code": code, "message": "不行，因为这样。", "rid": "r1"}
    shown = page(PAGE_OF_ERROR.get(code, "error.html"), facts, in_wechat=code == "not_signed_in")
    assert len(shown.role("error-code")) == 1 and code in shown.words and "r1" in shown.words
    main = render(PAGE_OF_ERROR.get(code, "error.html"), facts, {}).split("<main", 1)[1].split("</main>", 1)[0]
    assert "<a " in main or "<form" in main or shown.role("copy-link")


def test_only_what_may_be_asked_again_is_offered_again():
    facts = {"code": "busy", "message": "", "rid": ""}
    assert "再试一次" in page("error.html", facts, path="/courses/infosec").words
    assert "再试一次" not in page("error.html", facts, path="/courses/infosec", method="POST").words
