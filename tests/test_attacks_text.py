"""Hostile words in every text that others choose, and fields that no form has: plain text, or refused."""

import json
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from peewee import fn

from models.catalogue import Course, Guest, Lecturer, Lesson, Planet
from models.links import Link, LinkAttempt
from models.people import Identity, Person
from services import catalogue
from tests.attack_kit import ask, jar_of
from tests.shop import Shop
from tests.site import COURSE, OTHER_COURSE

gen = pytest.mark.gen_test(timeout=60)
JSON = "application/json"


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


MARK = "@@"


PAYLOADS = [
    "<script>alert(1)</script>", "<ScRiPt/x>alert(1)</sCrIpT>", "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "<svg><script>alert&#40;1)</script>",
    "\"><script>alert(1)</script>", "'><script>alert(1)</script>", "\" onmouseover=\"alert(1)",
    "' onfocus='alert(1)' autofocus='", "` onload=`alert(1)", "javascript:alert(1)", "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>", "<a href=javascript:alert(1)>x</a>", "<iframe src=//evil.example>",
    "<object data=//evil.example>", "<embed src=//evil.example>", "<base href=//evil.example/>",
    "<link rel=stylesheet href=//evil.example>", "<style>*{background:url(//evil.example)}</style>",
    "<form action=//evil.example><input name=a>", "<meta http-equiv=refresh content=0;url=//evil.example>",
    "</title><script>alert(1)</script>", "</textarea><script>alert(1)</script>", "</p></div></main><h1>x</h1>",
    "<!--", "--><script>alert(1)</script>", "<![CDATA[<script>alert(1)</script>]]>", "<?php echo 1 ?>",
    "&lt;script&gt;alert(1)&lt;/script&gt;", "&#60;script&#62;", "\\u003cscript\\u003e", "\uff1cscript\uff1ealert(1)",
    "<x onclick=alert(1)>", "<details open ontoggle=alert(1)>", "<math><mtext></p><script>alert(1)</script>",
    "%3Cscript%3Ealert(1)%3C/script%3E", "\u202e<script>\u200b", "<a\thref=x>", "]]><MsgType>x</MsgType>",
    "{{7*7}}", "{%if 1%}x{%endif%}", "${7*7}", "#{7*7}", "{{config}}", "{0.__class__}", "{what}", "%(code)s", "%s%n",
]  # fmt: skip


@pytest.fixture
def roomy(make_site):
    """A site whose limits no list of payloads reaches."""
    return make_site(limits_factor=100_000)


class Shape(HTMLParser):
    """The elements and attributes of a page, and what is written on it, a payload shown as MARK."""

    def __init__(self, page: str, payload: str) -> None:
        super().__init__(convert_charrefs=True)
        self.payload, self.told, self.found = payload, [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        is_token = ("name", "_xsrf") in attrs
        shown = [(name, "" if is_token else (value or "").replace(self.payload, MARK)) for name, value in attrs]
        self.found.append((tag, shown))

    def handle_data(self, data):
        self.told.append(data)

    def handle_comment(self, data):
        self.found.append((f"comment {data}", []))

    handle_decl = handle_pi = unknown_decl = handle_comment

    @property
    def text(self) -> str:
        """Everything between the tags."""
        return "".join(self.told)


def write_everywhere(_env, *, text: str, person_id: int) -> None:
    """Every text that others can choose becomes this one; the person is every lecturer."""
    Course.update(title=text, audience=text, not_for=text).execute()
    Lecturer.update(name=text, person=person_id).execute()
    Planet.update(title=text).execute()
    Guest.update(name=text).where(Guest.id == Guest.select(fn.MIN(Guest.id))).execute()
    Lesson.update(title=text, article=text).execute()
    Link.update(display_name=text).execute()
    Identity.update(nickname=text).execute()
    catalogue.changed()


async def every_page(site) -> list[str]:
    """The addresses of all pages that show a text of others, for anna who has each."""
    await site.buys("anna")
    await site.links("anna")
    await site.buys("anna", course=OTHER_COURSE)
    claim = await Shop(site).claimable(course=OTHER_COURSE)
    link, attempt = await site.ctx.read(lambda _env: (Link.get(), LinkAttempt.get()))
    await site.buys("anna", order_no="second")
    other, mine = f"/courses/{OTHER_COURSE}", f"/courses/{COURSE}"
    own = [
        "/me",
        "/me/links",
        "/me/access",
        f"/me/links/{link.id}/unlink",
        f"/links/attempts/{attempt.id}",
        "/lecturer",
    ]
    shown = ["/", mine, other, f"{mine}/lessons/1", f"{mine}/lessons/2", "/planets/infosec", f"{mine}/planet"]
    return [*shown, *own, claim.removeprefix(site.base_url)]


async def shapes(site, pages: list[str], text: str) -> dict[str, Shape]:
    """Every page with this text in it."""
    await site.ctx.transact(write_everywhere, text=text, person_id=await site.person_id())
    await site.ctx.catalogue.refresh(site.ctx.read)
    found = {}
    for path in pages:
        answer = await ask(site, path, cookies=jar_of(site, "anna"))
        assert answer.status == 200, (path, answer.body)
        found[path] = Shape(answer.body.decode(), text)
        assert text in found[path].text, (path, "shows the text as it is")
    return found


@gen
async def test_no_text_of_others_becomes_part_of_a_page(roomy):
    pages = await every_page(roomy)
    plain = await shapes(roomy, pages, "harmless")
    for payload in PAYLOADS:
        hostile = await shapes(roomy, pages, payload)
        for path in pages:
            assert hostile[path].found == plain[path].found, (payload, path)
            assert "49" not in hostile[path].text.replace(payload, "") or "49" in plain[path].text, (payload, path)


@gen
async def test_no_page_has_a_script_or_a_handler_of_its_own_or_asks_another_host(site):
    for path, page in (await shapes(site, await every_page(site), "harmless")).items():
        for tag, attrs in page.found:
            names = dict(attrs)
            assert not [name for name in names if name.startswith("on") or name == "style"], (path, tag)
            assert tag not in {"style", "iframe", "object", "embed", "base"}, path
            if tag == "script":
                assert names["src"].startswith(("/static/", "https://res.wx.qq.com/")), path
            elif tag in {"img", "link"}:
                assert names.get("src", names.get("href")).startswith("/"), path


@gen
async def test_a_hostile_name_at_the_planet_is_plain_text_in_the_chat(site):
    await site.buys("anna")
    await site.links("anna")
    await site.phone("anna").follow()
    for payload in (*PAYLOADS[:20], '<a href="https://evil.example">\u70b9\u6211</a>'):
        text = payload[:128]
        await site.ctx.transact(lambda _env, text=text: Link.update(display_name=text).execute())
        (reply,) = await site.phone("anna").say("\u89e3\u7ed1")
        assert "<a" not in reply and "<" not in reply.replace("<a ", ""), reply


@pytest.mark.parametrize("field", ["course", "openid", "phone", "email", "paid_fen", "paid_at", "extra"])
@gen
async def test_hostile_fields_of_a_purchase_are_refused_or_never_shown(site, field):
    shop, before = Shop(site), None
    await site.person_id()
    before = await site.rows()
    for payload in PAYLOADS:
        status, answer = await shop.put("X1", **{field: payload})
        assert (status, answer["code"]) == (422, "wrong_input"), payload
    assert await site.rows() == before


@gen
async def test_hostile_addresses_of_a_purchase_are_unknown(roomy):
    site = roomy
    shop, before = Shop(site), await site.rows()
    for payload in PAYLOADS:
        for platform, order_no in ((payload, "A1"), ("yiling", payload)):
            for method in ("GET", "PUT", "DELETE"):
                data = json.dumps(shop.body()) if method == "PUT" else None
                how = {"platform": quote(platform, safe="")}
                answer = await shop.call(method, quote(order_no, safe=""), data, **how)
                assert answer.code in {403, 404, 422}, (method, payload, answer.body)
                assert "<" not in payload or payload.encode() not in answer.body, payload
    assert await site.rows() == before


EXTRA = {
    "person_id": "1", "person": "1", "openid": "oVICTIM", "role": "admin", "is_admin": "1", "price": "1",
    "paid_fen": "1", "grant": "1", "grant_id": "1", "source": "gift", "days": "9999", "ends_at": "2099-01-01",
    "outcome": "linked", "member_uid": "u1", "provider": "evil", "state": "0" * 32, "ip": "1.2.3.4",
    "who": "operator", "link_id": "1",
}  # fmt: skip


@gen
async def test_fields_that_no_form_has_change_nothing(site):
    for name in ("bob", "anna"):
        await site.buys(name)
    victim = await site.person_id("bob")
    extra = EXTRA | {"person_id": str(victim), "person": str(victim), "openid": site.phone("bob").openid}
    await site.signs_in("anna", f"/courses/{COURSE}/planet")
    await site.posts("anna", f"/courses/{COURSE}/planet", waiver=site.waiver, **extra)
    (attempt,) = await site.ctx.read(lambda _env: list(LinkAttempt.select()))
    assert attempt.person_id == await site.person_id("anna") and attempt.openid == site.phone("anna").openid
    assert (attempt.outcome, attempt.provider, attempt.ip) == (None, "partner", "127.0.0.1")
    before = await site.rows()
    for field, value in extra.items():
        assert (await Shop(site).put("X1", **{field: value}))[0] in {409, 422} or field in {"openid", "paid_fen"}
    assert await site.ctx.read(lambda _env: Person.select().count()) == 2
    assert {name for name, rows in (await site.rows()).items() if rows != before[name]} <= {
        "purchase",
        "grant",
        "course_grant",
    }
