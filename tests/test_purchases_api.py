"""An existing platform tells us of its purchases (B4): once, by a key, and whatever it sends by mistake."""

import asyncio
import json

import pytest
from tornado.httpclient import HTTPClientError

from models.audit import AuditEntry
from models.links import Membership
from services import config, purchases
from services.limits import LIMITS
from tests.shop import Shop, basic
from tests.site import COURSE, OTHER_COURSE

gen = pytest.mark.gen_test(timeout=30)


@pytest.fixture
def shop(site):
    """The platform `yiling`."""
    return Shop(site)


@gen
async def test_a_purchase_with_an_openid_opens_the_course_at_once(site, shop):
    status, told = await shop.put("A1")
    assert status == 201
    assert told == {
        "platform": "yiling", "order_no": "A1", "course": COURSE, "status": "granted", "claim_url": None,
        "waived_at": None,
    }  # fmt: skip
    await site.signs_in("anna")
    assert (await site.phone("anna").open(f"{site.base_url}/courses/{COURSE}/lessons/2")).status == 200


@gen
async def test_told_twice_is_told_once(site, shop):
    first = (await shop.put("A1"))[1]
    before = await site.rows()
    assert await shop.put("A1") == (200, first)
    same = {"paid_at": "2026-11-22T09:00:00.000Z"}
    assert await shop.put("A1", **same) == (200, first), "the same instant, written in another zone"
    assert await site.rows() == before


@gen
async def test_told_by_eight_at_once_is_told_once(site, shop):
    answers = await asyncio.gather(*(shop.put("A1") for _ in range(8)))
    assert sorted(status for status, _ in answers) == [200] * 7 + [201]
    assert len({json.dumps(told, sort_keys=True) for _, told in answers}) == 1
    assert len(await shop.grants()) == 1


@pytest.mark.parametrize(
    "changes",
    [{"course": OTHER_COURSE}, {"openid": "oAnotherPersonsOpenid0000000"}, {"paid_fen": 1}, {"phone": "13800000000"},
     {"paid_at": "2026-11-22T17:00:01+08:00"}],
)  # fmt: skip
@gen
async def test_the_same_number_with_another_body_is_a_conflict(site, shop, changes):
    await shop.put("A1")
    before = await site.rows()
    status, told = await shop.put("A1", **changes)
    assert (status, told["code"]) == (409, "order_conflict")
    assert await site.rows() == before


@gen
async def test_a_number_belongs_to_its_platform(site, shop):
    await shop.put("A1")
    other = Shop(site)
    other.authorization = basic("other", await site.ctx.transact(purchases.add_platform, name="other"))
    answer = await other.call("PUT", "A1", json.dumps(other.body(paid_fen=1)), platform="other")
    assert answer.code == 201


@gen
async def test_a_purchase_can_be_looked_at(site, shop):
    told = (await shop.put("A1"))[1]
    assert await shop.get("A1") == (200, told)
    status, no = await shop.get("A2")
    assert (status, no["code"]) == (404, "not_found")


@gen
async def test_a_refund_at_the_platform_ends_the_right_and_the_membership(site, shop):
    await shop.put("A1")
    await shop.put("A2")
    await site.links("anna")
    status, told = await shop.delete("A2")
    assert (status, told["status"]) == (200, "refunded"), "the second one was never linked, so nothing was waived"
    assert (await shop.delete("A1", "?override=goodwill"))[0] == 200
    assert [grant.revoked_reason for grant in await shop.grants()] == ["refund", "refund"]
    await site.delivers()
    assert [one.status for one in site.box.planet.memberships("g1")] == ["revoked"]
    page = await site.phone("anna").open(f"{site.base_url}/courses/{COURSE}/lessons/2")
    assert (page.status, page.find("error-code").text) == (403, "not_enrolled")
    assert await site.broken() == []


@gen
async def test_a_refund_told_twice_is_one_refund(site, shop):
    await shop.put("A1")
    first = await shop.delete("A1")
    before = await site.rows()
    assert await shop.delete("A1") == first
    assert (await shop.put("A1")) == first, "the old purchase told again is still refunded"
    assert await site.rows() == before
    assert (await shop.delete("A9"))[0] == 404


@gen
async def test_a_waived_purchase_is_refunded_only_with_a_reason(site, shop):
    await shop.put("A1")
    await site.links("anna")
    waived_at = (await shop.get("A1"))[1]["waived_at"]
    assert waived_at == "2026-11-22T09:30:00Z"
    before = await site.rows()
    for query in ("", "?override=", "?override=%20", "?override=a&override=b"):
        status, told = await shop.delete("A1", query)
        assert (status, told["code"]) == (409, "waived"), query
    assert await site.rows() == before
    status, told = await shop.delete("A1", "?override=%E8%AF%AF%E8%B4%AD")
    assert (status, told["status"], told["waived_at"]) == (200, "refunded", waived_at)
    (entry,) = await site.ctx.read(
        lambda _env: list(AuditEntry.select().where(AuditEntry.action == "refunded at the platform"))
    )
    assert (entry.who, entry.reason) == ("platform:yiling", "误购")
    assert await site.ctx.read(lambda _env: Membership.get().revoked_reason) == "refund"
    assert await site.broken() == []


@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
@gen
async def test_without_the_right_key_nothing_is_told_and_nothing_happens(site, shop, method):
    await shop.put("A1")
    right, before = shop.authorization, await site.rows()
    body = json.dumps(shop.body(paid_fen=1)) if method == "PUT" else None
    for wrong in (None, "", "Basic", "Basic !!", "Basic eGl4", "Bearer x", basic("yiling", ""), basic("", site.key)):
        shop.authorization = wrong
        answer = await shop.call(method, "A1", body)
        assert (answer.code, json.loads(answer.body)["code"]) == (401, "invalid_key"), wrong
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    for name, key in (("yiling", "wrong"), ("yiling", site.key + "0"), ("other", site.key), ("y\0", "x"), ("é", "é")):
        shop.authorization = basic(name, key)
        answer = await shop.call(method, "A1", body)
        assert (answer.code, json.loads(answer.body)["code"]) == (403, "not_allowed"), name
    shop.authorization = right
    for platform in ("other", "YILING", "%00", "yiling%20"):
        assert (await shop.call(method, "A1", body, platform=platform)).code == 403
    assert await site.rows() == before


@gen
async def test_a_new_key_ends_the_old_one(site, shop):
    new = await site.ctx.transact(purchases.add_platform, name="yiling")
    assert (await shop.put("A1"))[0] == 403
    shop.authorization = basic("yiling", new)
    assert (await shop.put("A1"))[0] == 201


@gen
async def test_guesses_are_limited_and_do_not_use_up_what_the_platform_may_ask(site, shop):
    guesser = Shop(site)
    guesser.authorization = basic("yiling", "guess")
    most = LIMITS["api_key"].most
    codes = [(await guesser.get())[0] for _ in range(most + 1)]
    assert codes == [403] * most + [429]
    assert (await guesser.call("GET", "A1")).headers["Retry-After"].isdigit()
    assert (await shop.put("A1"))[0] == 201


WRONG = [
    {"paid_fen": -1}, {"paid_fen": 199.5}, {"paid_fen": 199.0}, {"paid_fen": "19900"}, {"paid_fen": "１９９"},
    {"paid_fen": None}, {"paid_fen": True}, {"paid_fen": 10**18}, {"paid_fen": 1e18}, {"paid_fen": float("nan")},
    {"paid_fen": float("inf")}, {"paid_fen": [1]}, {"paid_at": "2026-11-22T17:00:00"}, {"paid_at": "2026-11-22"},
    {"paid_at": 1_764_000_000}, {"paid_at": "1764000000"}, {"paid_at": float("nan")}, {"paid_at": "soon"},
    {"paid_at": "2026-02-30T00:00:00Z"}, {"paid_at": "0001-01-01T00:00:00+23:59"}, {"paid_at": None},
    {"paid_at": "9999-12-31T23:59:59-23:59"}, {"paid_at": "２０２６-11-22T17:00:00Z"}, {"course": "nothing-of-ours"},
    {"course": ""}, {"course": "../x"}, {"course": None}, {"course": 7}, {"course": f"{COURSE}\0"},
    {"openid": "short"}, {"openid": "o" * 65}, {"openid": "o'; DROP TABLE person; --"}, {"openid": "o\0aaaaaaaaa"},
    {"openid": None}, {"openid": None, "phone": ""}, {"openid": None, "phone": "１３８００００００００"},
    {"openid": None, "phone": "138 0000 0000"}, {"openid": None, "email": "nobody"}, {"openid": None, "email": "a@b\0"},
    {"openid": None, "email": "a\n@b"}, {"openid": None, "email": "a" * 300 + "@b"}, {"extra": 1}, {"unionid": "u"},
]  # fmt: skip


@gen
async def test_what_is_out_of_shape_is_refused_by_the_name_of_the_field(site, shop):
    before = await site.rows()
    for changes in WRONG:
        status, told = await shop.put("A1", **changes)
        assert (status, told["code"]) == (422, "wrong_input"), (changes, told)
        assert next(reversed(changes)) in told["message"] or "openid" in told["message"], told
    assert await site.rows() == before


@gen
async def test_what_is_no_json_object_is_refused(site, shop):
    before = await site.rows()
    deep = b"[" * 20_000
    for raw in (b"", b"{", b"null", b"[]", b'"x"', b"7", b"paid_fen=1", b"\xff\xfe{}", b'{"course": "\\ud800"}', deep):
        answer = await shop.call("PUT", "A1", raw)
        assert (answer.code, json.loads(answer.body)["code"]) == (422, "wrong_input"), raw[:20]
    assert await site.rows() == before


@gen
async def test_a_huge_body_is_cut_off(site, shop):
    before = await site.rows()
    with pytest.raises((HTTPClientError, OSError)):
        answer = await shop.call("PUT", "A1", b'{"course": "' + b"a" * 1_000_000 + b'"}')
        answer.rethrow()
    assert await site.rows() == before
    assert (await shop.put("A1"))[0] == 201, "and the next call is served"


@gen
async def test_an_order_number_has_its_letters(site, shop):
    assert (await shop.put("2018.08-19_A"))[0] == 201
    assert (await shop.put("x" * 64))[0] == 201
    before = await site.rows()
    for number in ("x" * 65, "A%201", "%EF%BC%91", "A%00", "A%0A", "..%2FA", "A%3F"):
        assert (await shop.put(number))[0] == 422, number
        assert (await shop.get(number))[0] == 404, number
    assert await site.rows() == before


@gen
async def test_other_methods_are_refused_as_json(site, shop):
    await shop.put("A1")
    before = await site.rows()
    for method in ("POST", "PATCH"):
        answer = await shop.call(method, "A1", json.dumps(shop.body()))
        assert (answer.code, json.loads(answer.body)["code"]) == (405, "http_405")
    assert await site.rows() == before


@gen
async def test_new_secret_keys_leave_the_claim_link_and_the_number_as_they_were(site, shop):
    told = {"openid": None, "phone": "13800000000"}
    first = (await shop.put("C1", **told))[1]
    assert first["status"] == "claimable"
    site.ctx.config = config.load(_env_file=None, **site.settings() | {"secret_keys": ["n" * 40, "k" * 40]})
    assert await shop.put("C1", **told) == (200, first)
    assert (await shop.put("C1", **told | {"paid_fen": 1}))[0] == 409
    assert (await shop.put("C2", **told))[1]["claim_url"] != first["claim_url"]
