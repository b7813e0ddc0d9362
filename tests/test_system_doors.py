"""What machines ask: health, metrics, domain proofs, QR pictures, the share signature. No person, no cookie."""

import json

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest

from services.database import MIGRATIONS
from services.limits import LIMITS
from services.qr import svg

gen = pytest.mark.gen_test(timeout=30)
pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])
PROOF = "MP_verify_AbCdEfGh01234567.txt"


async def ask(site, path: str, method: str = "GET", **headers: str):
    """One request by a machine; redirects are not followed."""
    request = HTTPRequest(f"{site.base_url}{path}", method=method, headers=headers, follow_redirects=False)
    return await AsyncHTTPClient().fetch(request, raise_error=False)


@gen
async def test_alive_and_ready_are_said_without_a_cookie(site):
    for path, said in (("/healthz", b"ok"), ("/readyz", b"ready")):
        answer = await ask(site, path)
        assert (answer.code, answer.body) == (200, said)
        assert "Set-Cookie" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"


@gen
async def test_not_ready_while_stopping_but_alive(site):
    site.server.application.settings["stopping"].set()
    assert (await ask(site, "/readyz")).code == 503
    assert (await ask(site, "/healthz")).code == 200


@gen
async def test_not_ready_while_the_database_lacks_a_migration(site, database_url):
    await site.ctx.transact(lambda _env: site.ctx.threads.db.execute_sql("DELETE FROM schema_migration"))
    answer = await ask(site, "/readyz")
    assert (answer.code, answer.body) == (503, b"migrations missing: %d" % len(list(MIGRATIONS.glob("[0-9]*.py"))))


@gen
async def test_metrics_count_pages_and_never_name_an_address(site):
    await ask(site, "/courses/infosec-workplace")
    await ask(site, "/claims/aaaaaaaaaaaaaaaa")
    answer = await ask(site, "/metrics")
    text = answer.body.decode()
    assert 'wxbot_requests_total{method="GET",page="CourseHandler",status="200"}' in text
    assert "infosec-workplace" not in text and "aaaaaaaaaaaaaaaa" not in text


@pytest.fixture
def proving(make_site, tmp_path):
    """A site with a folder of proofs, and what must not be read beside them."""
    folder = tmp_path / "proofs"
    (folder / "MP_verify_dddddddddddddddd.txt").mkdir(parents=True)
    (folder / PROOF).write_text("AbCdEfGh01234567")
    for name in ("secret.txt", f"{PROOF}.bak"):
        (tmp_path / name).write_text("the secret")
        (folder / name).write_text("the secret")
    return make_site(wechat_verify_dir=str(folder))


@gen
async def test_a_proof_of_the_domain_is_served_as_it_is(proving):
    answer = await ask(proving, f"/{PROOF}")
    assert (answer.code, answer.body) == (200, b"AbCdEfGh01234567")
    assert answer.headers["Content-Type"].startswith("text/plain")


TRICKS = [
    "/MP_verify_../secret.txt", "/MP_verify_%2e%2e%2fsecret.txt", "/MP_verify_..%2F..%2Fsecret", f"/{PROOF}%00",
    f"/{PROOF}%0A", f"/x/../{PROOF}", f"//{PROOF}", f"/{PROOF}/", f"/{PROOF.lower()}", "/MP_verify_0.txt",
    f"/{PROOF}.bak", f"/{PROOF[:-4]}", "/MP_verify_%5c..%5csecret.txt", "/MP_verify_abcdefgh0123456%EF%BC%97.txt",
    "/MP_verify_ZZZZZZZZZZZZZZZZ.txt", "/secret.txt", "/MP_verify_%ff%fe.txt",
]  # fmt: skip


@gen
async def test_no_trick_with_the_path_reads_another_file(proving):
    for path in [*TRICKS, "/MP_verify_dddddddddddddddd.txt"]:
        answer = await ask(proving, path)
        assert answer.code in {400, 404} and b"secret" not in answer.body, path


@gen
async def test_without_a_folder_there_is_no_proof(site):
    assert (await ask(site, f"/{PROOF}")).code == 404


@gen
async def test_a_qr_shows_a_page_of_ours(site):
    answer = await ask(site, "/qr.svg?to=/courses/infosec-workplace/planet")
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert answer.body == svg(f"{site.base_url}/courses/infosec-workplace/planet")
    assert "Content-Security-Policy" in answer.headers


@pytest.mark.parametrize(
    "query",
    ["", "?to=", "?to=https://evil.example", "?to=evil", "?to=/a&to=/b", "?to=/a%0d%0aX:1", "?to=/%40evil.example/?x",
     "?to=/a%3Fcode=1", "?to=/%E6%98%9F", f"?to=/{'a' * 181}", "?to=javascript:alert(1)", "?to=/a%23b"],
)  # fmt: skip
@gen
async def test_a_qr_of_anything_else_is_refused(site, query):
    answer = await ask(site, f"/qr.svg{query}", Accept="application/json")
    assert (answer.code, json.loads(answer.body)["code"]) == (422, "wrong_input")


@gen
async def test_a_qr_never_leads_to_another_host(site):
    for path in ("/.evil.example", "/..", "/_"):
        answer = await ask(site, f"/qr.svg?to={path}")
        assert answer.body == svg(f"{site.base_url}{path}"), "whatever stands behind our own origin and a slash"
    assert (await ask(site, "/qr.svg?to=//evil.example")).code == 422


@gen
async def test_pictures_are_limited(site):
    most = LIMITS["picture"].of_address
    codes = [(await ask(site, "/qr.svg?to=/")).code for _ in range(most + 1)]
    assert codes == [200] * most + [429]


@gen
async def test_the_share_signature_is_for_our_own_pages(site):
    answer = await ask(site, "/wx/share?path=/courses/infosec-workplace%3Ffrom%3Dtimeline")
    told = json.loads(answer.body)
    assert answer.code == 200
    assert told["appId"] == site.config.wechat_app_id and len(told["signature"]) == 40
    assert answer.headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("path", ["", "https://evil.example/", "evil", "/a%0ab", "/%E6%98%9F", f"/a%3F{'x' * 500}"])
@gen
async def test_nothing_else_is_signed(site, path):
    answer = await ask(site, f"/wx/share?path={path}", Accept="application/json")
    assert (answer.code, json.loads(answer.body)["code"]) == (422, "wrong_input")


@gen
async def test_while_wechat_is_down_the_signature_waits_for_another_time(site):
    site.world.faults.set("wechat", "down")
    answer = await ask(site, "/wx/share?path=/", Accept="application/json")
    assert (answer.code, json.loads(answer.body)["code"]) == (503, "remote_away")
    assert answer.headers["Retry-After"].isdigit()


@gen
async def test_our_styles_are_served_and_nothing_beside_them(site):
    answer = await ask(site, "/static/site.css")
    assert answer.code == 200 and answer.headers["X-Content-Type-Options"] == "nosniff"
    for path in (
        "/static/../base.py",
        "/static/%2e%2e/base.py",
        "/static/",
        "/static/nothing.css",
        "/weui/../package.json",
    ):
        answer = await ask(site, path)
        assert answer.code in {403, 404} and b"import" not in answer.body, path


@gen
async def test_an_address_that_is_not_ours_is_not_found(site):
    for path in ("/admin.php", "/wx/push/x", "/%00", "/courses/", "/api/v1/purchases/yiling", "/healthz/"):
        answer = await ask(site, path, Accept="application/json")
        assert (answer.code, json.loads(answer.body)["code"]) == (404, "not_found"), path
