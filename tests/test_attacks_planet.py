"""The way back from the planet, forged in every part: no call out, no link, nothing changed."""

from urllib.parse import quote, urlencode, urlsplit

import pytest

from models.catalogue import Planet
from models.links import Link, LinkAttempt, Membership, RefundWaiver
from models.people import Person
from tests.attack_kit import ask, check_calm, post, session, watched
from tests.departures import JSON, departs, forged_states
from tests.shop import Shop
from tests.site import COURSE, OTHER_COURSE

gen = pytest.mark.gen_test(timeout=60)


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


@pytest.fixture
def roomy(make_site):
    """A site whose limits no list of mutations reaches."""
    return make_site(limits_factor=100_000)


def calls(site) -> int:
    """How many codes were shown to the planet."""
    return len(site.world.journal.entries(operation="planet.token"))


async def links(site) -> int:
    """How many links, memberships and waivers there are."""
    kinds = (Link, Membership, RefundWaiver)
    return await site.ctx.read(lambda _env: sum(kind.select().count() for kind in kinds))


def forged_issuers(iss: str) -> dict[str, object]:
    """Issuers that are not this planet."""
    host = urlsplit(iss).netloc
    return {
        "missing": None, "empty": "", "twice": [iss, iss], "true and evil": [iss, "https://evil.example"],
        "slash": f"{iss}/", "upper case": iss.upper(), "https": f"https://{host}", "path": f"{iss}/x",
        "prefix": f"{iss}.evil.example", "user": f"http://{host}@evil.example", "evil": "https://evil.example",
        "ours": "self", "blank": f"{iss} ", "huge": iss + "a" * 10_000, "star": "\u661f", "NUL": f"{iss}\0",
    }  # fmt: skip


PROVIDERS = [
    "zsxq_owner",
    "discourse",
    "manual",
    "partner_",
    "wechat",
    "PARTNER",
    "partner/",
    "partn%C3%A9r",
    "%00",
    "x" * 33,
]


@gen
async def test_no_forged_way_back_asks_the_planet_or_changes_anything(roomy):
    await roomy.buys("anna")
    anna = await departs(roomy)
    true, before = anna.back(), await roomy.every_row()
    states, issuers = forged_states(true["state"]), forged_issuers(true["iss"])
    tried = [true | {"state": one} for one in states.values()] + [true | {"iss": one} for one in issuers.values()]
    with watched():
        for query in tried:
            answer = await anna.returns({name: value for name, value in query.items() if value is not None})
            check_calm(answer, query)
            assert (answer.status, answer.json["code"]) == (400, "state_invalid"), query
        for provider in PROVIDERS:
            answer = await anna.returns(true, provider=provider)
            check_calm(answer, provider)
            assert answer.status in {400, 404}, provider
        for text in (
            "",
            "&",
            "=",
            "state",
            "state=%ff&iss=%fe&code=%fd",
            "state[]=x",
            ";".join(urlencode(true).split("&")),
        ):
            answer = await anna.returns(text)
            check_calm(answer, text)
            assert answer.status == 400, text
    assert len(tried) + len(PROVIDERS) >= 40
    assert calls(roomy) == 0 and await roomy.every_row() == before
    assert await anna.outcome(await anna.returns(true)) == (200, "linked"), "the true way back is as good as ever"


@gen
async def test_no_other_browser_may_come_back_for_him(roomy):
    for name in ("anna", "bob"):
        await roomy.buys(name)
    anna, bob = await departs(roomy), await departs(roomy, "bob")
    jars = {
        "nobody's": {}, "another person's": bob.cookies, "his own without the browser": await session(roomy),
        "his session in another browser": (await session(roomy)) | {"browser": bob.cookies["browser"]},
        "an empty browser": anna.cookies | {"browser": ""}, "in quotes": {"browser": '"' + "0" * 64 + '"'},
        "upper case": anna.cookies | {"browser": anna.cookies["browser"].upper() + "A"},
    }  # fmt: skip
    true, before = anna.back(), await roomy.every_row()
    for what, cookies in jars.items():
        answer = await anna.returns(true, cookies=cookies)
        assert (answer.status, answer.json["code"]) == (403, "start_from_your_course"), what
        assert "session" not in answer.headers.get("Set-Cookie", ""), what
    assert calls(roomy) == 0 and await roomy.every_row() == before


CLAIMED = {
    "member_uid": "victim", "display_name": "\u5c0f\u660e", "openid": "oVICTIM", "person_id": "99", "grant_id": "99",
    "course": OTHER_COURSE, "group_id": "g2", "order_ref": "o1", "redirect_uri": "https://evil.example",
    "entry_url": "https://evil.example", "next": "//evil.example", "access_token": "t", "id_token": "t",
}  # fmt: skip


@gen
async def test_what_the_browser_claims_about_itself_counts_for_nothing(site):
    for course in (COURSE, OTHER_COURSE):
        await site.buys("anna", course=course)
    await site.buys("bob")
    anna = await departs(site)
    answer = await anna.returns(anna.back() | CLAIMED)
    assert await anna.outcome(answer) == (200, "linked")
    link, membership = await site.ctx.read(lambda _env: (Link.get(), Membership.get()))
    account = site.box.planet.account_of(site.phone("anna").person)
    assert (link.member_uid, link.display_name) == (account.uid, account.name)
    assert link.person_id == await site.person_id("anna")
    names = await site.ctx.read(
        lambda _env: (membership.grant.course.slug, Planet.get_by_id(membership.planet_id).group_id)
    )
    assert names == (COURSE, "g1"), "a hand-over of one course never gives another"
    assert await links(site) == 3
    shown = await ask(site, answer.headers["Location"], cookies=anna.cookies)
    assert b"evil" not in shown.body


@gen
async def test_nobody_starts_a_link_with_the_purchase_of_another(site):
    order_no = await site.buys("anna")
    grant = await site.ctx.read(lambda _env: Person.get().grants.get().id)
    bob, before = await session(site, "bob"), None
    before = await site.rows()
    for extra in ({}, {"grant": grant}, {"grant_id": grant}, {"order_no": order_no}, {"person": 1}, {"person_id": 1}):
        answer = await post(site, f"/courses/{COURSE}/planet", bob, {"waiver": site.waiver, **extra})
        known = answer.told
        assert known == (403, answer.told[1]) and answer.json["code"] == "not_enrolled", extra
        query = urlencode(extra)
        answer = await ask(site, f"/courses/{COURSE}/planet?{query}", cookies=bob, Accept=JSON)
        assert answer.told == known, "looking tells no more than trying"
    assert await site.rows() == before


@gen
async def test_the_way_out_leads_to_the_planet_alone_whatever_is_asked(site):
    await site.buys("anna")
    for name in ("next", "redirect_uri", "planet_url", "return_to", "iss"):
        path = f"/courses/{COURSE}/planet?{name}={quote('https://evil.example', safe='')}"
        mine = await session(site)
        answer = await post(site, path, mine, {"waiver": site.waiver, name: "https://evil.example"})
        assert answer.headers["Location"].startswith(f"{site.box.planet_url}/oauth/authorize?")
        assert "evil" not in answer.headers["Location"]


@gen
async def test_two_people_with_one_name_and_one_phone_stay_two(site):
    for name in ("anna", "bob"):
        site.phone(name).person.nickname = "\u5c0f\u660e"
        site.box.planet.account_of(site.phone(name).person).name = "\u5c0f\u660e"
    claims = [await Shop(site).claimable(f"C{number}", phone="13800000000") for number in (1, 2)]
    await site.signs_in("anna", claims[0].removeprefix(site.base_url))
    await site.signs_in("bob")
    await site.posts("anna", claims[0].removeprefix(site.base_url))
    people = await site.ctx.read(lambda _env: Person.select().count())
    assert people == 2 and await links(site) == 0
    assert (await site.phone("bob").open(f"{site.base_url}/courses/{COURSE}/planet")).status == 403
    await site.links("anna")
    (link,) = await site.ctx.read(lambda _env: list(Link.select()))
    assert link.person_id == await site.person_id("anna")
    assert (await site.phone("bob").open(f"{site.base_url}/me")).find("link-state") is None


@gen
async def test_coming_back_signed_in_links_nothing_without_a_stored_yes(site):
    await site.buys("anna")
    anna = await departs(site)
    await site.ctx.transact(lambda _env: LinkAttempt.delete().execute())
    before = await site.every_row()
    answer = await anna.returns(anna.back())
    assert (answer.status, answer.json["code"]) == (400, "state_invalid")
    assert calls(site) == 0 and await site.every_row() == before


@gen
async def test_a_state_of_signing_in_is_none_of_linking_and_the_other_way_round(site):
    await site.buys("anna")
    anna = await departs(site)
    begun = await post(site, "/oauth/start", anna.cookies, {"target": "me"})
    state = dict(part.split("=", 1) for part in urlsplit(begun.headers["Location"]).query.split("&"))["state"]
    before = await site.every_row()
    assert (await anna.returns(anna.back(state=state))).status == 400
    path = f"/oauth/callback?state={anna.sent['state']}&code=x"
    assert (await ask(site, path, cookies=anna.cookies)).status == 400
    assert calls(site) == 0 and site.world.journal.entries(operation="sns.exchange") == []
    assert await site.every_row() == before
