"""Letters of SQL, letters that are none, too many fields, doubled, compressed: in every parameter there is."""

import gzip
import json
from urllib.parse import quote

import pytest

from models.base import database
from tests.attack_kit import TOKEN, ask, check_calm, post, routes_of, session, watched
from tests.shop import basic
from tests.site import COURSE

TAKE_NOTHING = {"/oauth/sign-out$", "/me/vouchers$"}
gen = pytest.mark.gen_test(timeout=60)
JSON = "application/json"
on_one = pytest.mark.parametrize("database_kind", ["sqlite"])  # where the database does not matter


SQL = [
    "'", '"', "\\", "' OR '1'='1", "' OR 1=1 --", '" OR ""="', "1; DROP TABLE person", "') OR ('a'='a", "%' OR '%'='",
    "' UNION SELECT token_hash FROM session --", "1 AND SLEEP(5)", "'||pg_sleep(5)||'", "$$;SELECT 1", "_%", "\x1a",
    "1/**/OR/**/1", "`person`", "?", ":1", "%(x)s",
]  # fmt: skip


PARAMETERS = ("to", "path", "state", "code", "iss", "error", "override", "target", "waiver", "action", "_xsrf", "id")


@gen
async def test_letters_of_sql_are_only_letters_in_every_parameter(roomy):
    site = roomy
    await site.buys("anna")
    mine, before = await session(site), await site.rows()
    tables = await site.ctx.read(lambda _env: sorted(database.get_tables()))
    with watched():
        for text in SQL:
            sent = quote(text, safe="")
            query = "?" + "&".join(f"{name}={sent}" for name in PARAMETERS)
            hostile = {"session": f'"{quote(text)}"', "browser": quote(text)}
            for route in routes_of(site):
                if not route.asks_anything:
                    continue
                answer = await ask(site, route.path + query, cookies=mine, User_Agent=f"x{text.strip()}")
                check_calm(answer, (route.pattern, text))
                check_calm(await ask(site, route.path, cookies=hostile), (route.pattern, text))
                if route.serves("POST") and route.pattern not in TAKE_NOTHING:
                    answer = await post(site, route.path, mine, dict.fromkeys(PARAMETERS[:-2], text))
                    check_calm(answer, (route.pattern, text))
                    assert answer.status >= 400, (route.pattern, text, "nothing was asked for that exists")
            answer = await ask(site, "/api/v1/purchases/yiling/A1", Authorization=basic("yiling", text))
            assert answer.status == 403
            answer = await ask(site, "/api/v1/purchases/yiling/A1", Authorization=basic(text, site.key))
            assert answer.status in {401, 403}
    assert await site.rows() == before
    assert await site.ctx.read(lambda _env: sorted(database.get_tables())) == tables


@pytest.fixture
def roomy(make_site):
    """A site whose limits no list of payloads reaches."""
    return make_site(limits_factor=100_000)


@pytest.mark.parametrize(
    "credentials",
    ["Basic", "Basic ", "Basic \xe9", "Basic \xff\xfe", "Basic ====", "Basic eWlsaW5n", "Basic /////w==", "Basic Og==",
     "Bearer x", "Basic " + "QQ" * 20_000, "basic eTp4", "Negotiate \x7f", "Basic eTp4, Basic eTp4"],
)  # fmt: skip
@on_one
@gen
async def test_doubtful_credentials_are_none(site, credentials):
    before = await site.rows()
    with watched():
        answer = await ask(site, "/api/v1/purchases/yiling/A1", Authorization=credentials)
    assert answer.status in {400, 401, 403}
    assert await site.rows() == before


BROKEN = [
    "%ff",
    "%c3%28",
    "%ed%a0%80",
    "%f0%28%8c%bc",
    "%c0%ae",
    "%00",
    "%0d%0aSet-Cookie:%20a=b",
    "%7f",
    "%e2%80%ae",
    "%",
]


@gen
async def test_letters_that_are_none_are_refused_or_blank(roomy):
    site = roomy
    mine, before = await session(site), await site.rows()
    with watched():
        for text in BROKEN:
            for route in routes_of(site):
                if not route.asks_anything:
                    continue
                path = f"{route.path}?" + "&".join(f"{name}={text}" for name in PARAMETERS)
                answer = await ask(site, path, cookies=mine)
                check_calm(answer, (route.pattern, text))
                assert "a=b" not in answer.headers.get("Set-Cookie", "") and "Set-Cookie: a" not in answer.headers
                if route.serves("POST") and route.pattern not in TAKE_NOTHING:
                    body = f"_xsrf={TOKEN}&" + "&".join(f"{name}={text}" for name in PARAMETERS[:-2])
                    form = {"body": body.encode(), "Content_Type": "application/x-www-form-urlencoded"}
                    answer = await ask(site, route.path, "POST", cookies=mine | {"_xsrf": TOKEN}, **form)
                    check_calm(answer, (route.pattern, text))
                    assert answer.status >= 400, (route.pattern, text)
            for place in (f"/{text}", f"/courses/{text}", f"/static/{text}", f"/claims/{text}", f"/MP_verify_{text}"):
                answer = await ask(site, place, cookies=mine)
                check_calm(answer, place)
                assert answer.status in {400, 403, 404}, place
            for place in (f"{text}/{text}", f"yiling/{text}", f"yiling/A1{text}"):
                for method in ("GET", "PUT", "DELETE"):
                    key = {"Authorization": basic("yiling", site.key)}
                    answer = await ask(site, f"/api/v1/purchases/{place}?override={text}", method, body=b"{}", **key)
                    assert answer.status in {400, 403, 404, 422}, (method, place)
    assert await site.rows() == before


MANY = [(f"f{number}", "x") for number in range(5000)]


@on_one
@gen
async def test_five_thousand_fields_are_refused_at_once(site):
    mine, before = await session(site), await site.rows()
    with watched():
        for path in ("/oauth/start", f"/courses/{COURSE}/planet", f"/claims/{'a' * 16}"):
            answer = await post(site, path, mine, [*MANY, ("waiver", site.waiver), ("target", "nowhere")])
            check_calm(answer, path)
            assert answer.status >= 400
        for path in ("/", "/me", "/oauth/callback", "/qr.svg"):
            check_calm(await ask(site, f"{path}?{'&'.join(f'a{n}=1' for n in range(5000))}", cookies=mine), path)
    assert await site.rows() == before


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip", "x"])
@on_one
@gen
async def test_a_compressed_body_is_not_unpacked(site, coding):
    bomb = gzip.compress(b"_xsrf=" + TOKEN.encode() + b"&target=me" + b"a" * 10_000_000)
    form = {"body": bomb, "Content_Type": "application/x-www-form-urlencoded", "Content_Encoding": coding}
    before = await site.rows()
    with watched():
        answer = await ask(site, "/oauth/start", "POST", cookies={"_xsrf": TOKEN}, **form)
        assert answer.status in {400, 403, 415, 422}
        key = {"Authorization": basic("yiling", site.key), "Content_Encoding": coding, "Content_Type": JSON}
        answer = await ask(site, "/api/v1/purchases/yiling/A1", "PUT", body=gzip.compress(b"{}"), **key)
        assert answer.status in {400, 415, 422}
    check_calm(answer, coding)
    assert await site.rows() == before


@on_one
@gen
async def test_a_doubled_field_is_refused(site):
    await site.buys("anna")
    mine = await session(site)
    before = await site.rows()
    for values in (("2018-01", site.waiver), (site.waiver, "2018-01"), (site.waiver, site.waiver)):
        answer = await post(site, f"/courses/{COURSE}/planet", mine, [("waiver", one) for one in values])
        assert (answer.status, answer.json["code"]) == (422, "wrong_input")
    answer = await post(site, "/oauth/start", {}, [("target", "me"), ("target", "links")])
    assert answer.status == 422
    assert await site.rows() == before


@pytest.mark.parametrize(
    "media", ["application/json", "text/plain", "multipart/form-data", "multipart/form-data; boundary=x", ""]
)
@on_one
@gen
async def test_a_body_in_another_form_is_no_form(site, media):
    await site.buys("anna")
    mine = (await session(site)) | {"_xsrf": TOKEN}
    before = await site.rows()
    body = json.dumps({"waiver": site.waiver, "_xsrf": TOKEN}).encode()
    with watched():
        for token in ({}, {"X_XSRFToken": TOKEN}):
            how = {"body": body, "Content_Type": media} | token
            answer = await ask(site, f"/courses/{COURSE}/planet", "POST", cookies=mine, **how)
            assert answer.status in {400, 403, 422}
    assert await site.rows() == before
