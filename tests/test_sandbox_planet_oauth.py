"""The sandbox planet recognises its member, and gives a code for one exchange: contract section 1."""

from collections.abc import Iterator

import pytest
from tornado.ioloop import IOLoop

from tests.planet_kit import CALLBACK, SECRETS, STATE, PlanetKit, running, token_in


@pytest.fixture
def planet(io_loop: IOLoop) -> Iterator[PlanetKit]:
    """A planet on a port of its own."""
    with running(io_loop) as kit:
        yield kit


@pytest.mark.gen_test
async def test_a_member_agrees_and_the_client_learns_his_pairwise_id(planet):
    page = (await planet.fetch("GET", planet.ask(), phone=planet.mei)).body.decode()
    for shown in ("小梅@星球", "信息安全星球", 'data-role="planet-agree"', 'data-role="planet-deny"'):
        assert shown in page
    back = await planet.decide("agree")
    status, answer = await planet.redeem(back["code"])

    assert (back["state"], back["iss"]) == (STATE, planet.url)
    assert status == 200
    assert answer.pop("access_token")
    assert answer == {
        "token_type": "Bearer",
        "expires_in": 600,
        "member_uid": planet.uid,
        "display_name": "小梅@星球",
        "auth_time": "2027-01-15T08:00:00Z",
    }
    assert planet.site.memberships("g1") == []


@pytest.mark.gen_test
async def test_a_member_who_says_no_is_sent_back_without_a_code(planet):
    back = await planet.decide("deny")
    assert back["error"] == "access_denied"
    assert (back["state"], back["iss"]) == (STATE, planet.url)
    assert "code" not in back


@pytest.mark.parametrize(
    "changes",
    [{"client_id": "other"}, {"client_id": None}, {"redirect_uri": None}, {"redirect_uri": CALLBACK + "/"}],
)
@pytest.mark.gen_test
async def test_nothing_is_sent_to_an_address_that_is_not_the_clients(planet, changes):
    response = await planet.fetch("GET", planet.ask(**changes), phone=planet.mei)
    assert response.code == 400
    assert "Location" not in response.headers


@pytest.mark.parametrize(
    "changes",
    [
        {"response_type": "token"},
        {"scope": "everything"},
        {"scope": None},
        {"group_id": "unknown"},
        {"group_id": None},
        {"code_challenge": None},
        {"code_challenge": "short"},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
    ],
)
@pytest.mark.gen_test
async def test_a_wrong_request_goes_back_as_invalid_request(planet, changes):
    response = await planet.fetch("GET", planet.ask(**changes), phone=planet.mei)
    assert response.code == 303
    assert "error=invalid_request" in response.headers["Location"]
    assert f"state={STATE}" in response.headers["Location"]


@pytest.mark.parametrize("state", [None, "", "short", "a" * 65, "a" * 31 + "-", "é" * 32])
@pytest.mark.gen_test
async def test_a_state_out_of_its_form_is_refused_and_not_repeated(planet, state):
    response = await planet.fetch("GET", planet.ask(state=state), phone=planet.mei)
    assert "error=invalid_request" in response.headers["Location"]
    assert "&state=" not in response.headers["Location"]


@pytest.mark.gen_test
async def test_a_doubled_parameter_is_refused(planet):
    doubled = await planet.fetch("GET", planet.ask() + "&scope=membership", phone=planet.mei)
    two_clients = await planet.fetch("GET", planet.ask() + "&client_id=wxbot", phone=planet.mei)
    assert "error=invalid_request" in doubled.headers["Location"]
    assert two_clients.code == 400


@pytest.mark.gen_test
async def test_a_group_that_its_owner_has_not_opened_cannot_be_asked_for(planet):
    planet.group.is_partner_allowed = False
    response = await planet.fetch("GET", planet.ask(), phone=planet.mei)
    assert "error=invalid_request" in response.headers["Location"]


@pytest.mark.gen_test
async def test_a_code_is_good_once(planet):
    code = (await planet.decide("agree"))["code"]
    assert (await planet.redeem(code))[0] == 200
    assert await planet.redeem(code) == (
        400,
        {"error": "invalid_grant", "message": "unknown or used code"},
    )


@pytest.mark.gen_test
async def test_a_code_lives_sixty_seconds(planet):
    code = (await planet.decide("agree"))["code"]
    planet.world.forward(60)
    status, answer = await planet.redeem(code)
    assert (status, answer["error"]) == (400, "invalid_grant")


@pytest.mark.parametrize(
    "changes", [{"code_verifier": "w" * 43}, {"code_verifier": "short"}, {"redirect_uri": "http://x.example"}]
)
@pytest.mark.gen_test
async def test_a_code_presented_wrongly_is_refused_and_used_up(planet, changes):
    code = (await planet.decide("agree"))["code"]
    status, answer = await planet.redeem(code, **changes)
    assert (status, answer["error"]) == (400, "invalid_grant")
    assert (await planet.redeem(code))[0] == 400


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"code": ""}, 400, "invalid_request"),
        ({"code_verifier": ""}, 400, "invalid_request"),
        ({"code": "never given"}, 400, "invalid_grant"),
        ({"auth": None}, 401, "invalid_client"),
        ({"auth": ("wxbot", "wrong")}, 401, "invalid_client"),
        ({"auth": ("other", SECRETS[0])}, 401, "invalid_client"),
    ],
)
@pytest.mark.gen_test
async def test_the_token_call_refuses_what_is_wrong(planet, changes, status, error):
    code = (await planet.decide("agree"))["code"]
    answered, answer = await planet.redeem(changes.pop("code", code), **changes)
    assert (answered, answer["error"]) == (status, error)
    assert set(answer) == {"error", "message"}


@pytest.mark.gen_test
async def test_both_secrets_open_the_door_while_they_are_rotated(planet):
    for secret in SECRETS:
        code = (await planet.decide("agree"))["code"]
        assert (await planet.redeem(code, auth=("wxbot", secret)))[0] == 200


@pytest.mark.gen_test
async def test_a_person_chooses_which_of_her_accounts_is_recognised(planet):
    first = planet.site.account_of(planet.mei)
    second = planet.site.accounts.new(planet.mei, "工作号")
    page = await planet.fetch("GET", planet.ask(), phone=planet.mei)
    form = {"token": token_in(page), "account": first.uid, "next": planet.ask()}
    switched = await planet.fetch("POST", "/session", form=form, phone=planet.mei)
    stale = {"token": token_in(page), "decision": "agree"}
    refused = await planet.fetch("POST", planet.ask(), form=stale, phone=planet.mei)
    _, answer = await planet.redeem((await planet.decide("agree"))["code"])

    assert switched.headers["Location"] == planet.ask()
    assert refused.code == 403, "the page had shown the other account"
    assert answer["member_uid"] == first.uid != second.uid


@pytest.mark.gen_test
async def test_an_ordinary_browser_first_says_who_it_is(planet):
    page = await planet.fetch("GET", planet.ask())
    cookie = page.headers["Set-Cookie"].split(";")[0]
    assert "你是谁" in page.body.decode()
    assert (await planet.fetch("POST", planet.ask(), form={"decision": "agree"}, cookie=cookie)).code == 403
    form = {"token": token_in(page), "person": "mei", "next": planet.ask()}
    assert (await planet.fetch("POST", "/session", form=form, cookie=cookie)).code == 303
    known = await planet.fetch("GET", planet.ask(), cookie=cookie)
    form = {"token": token_in(known), "decision": "agree"}
    assert "code=" in (await planet.fetch("POST", planet.ask(), form=form, cookie=cookie)).headers["Location"]


@pytest.mark.parametrize("token", ["", "wrong"])
@pytest.mark.gen_test
async def test_a_tap_that_the_page_did_not_ask_for_is_refused(planet, token):
    form = {"token": token, "decision": "agree"}
    response = await planet.fetch("POST", planet.ask(), form=form, phone=planet.mei)
    assert response.code == 403
    assert "Location" not in response.headers


@pytest.mark.gen_test
async def test_another_persons_token_and_account_are_refused(planet):
    theirs = token_in(await planet.fetch("GET", planet.ask(), phone=planet.owner))
    form = {"token": theirs, "decision": "agree"}
    assert (await planet.fetch("POST", planet.ask(), form=form, phone=planet.mei)).code == 403
    own = token_in(await planet.fetch("GET", planet.ask(), phone=planet.mei))
    foreign = {"token": own, "account": planet.group.owner.uid, "next": "/"}
    assert (await planet.fetch("POST", "/session", form=foreign, phone=planet.mei)).code == 403


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example", ""])
@pytest.mark.gen_test
async def test_choosing_an_account_leads_only_to_own_pages(planet, path):
    token = token_in(await planet.fetch("GET", planet.ask(), phone=planet.mei))
    form = {"token": token, "account": "new", "next": path}
    response = await planet.fetch("POST", "/session", form=form, phone=planet.mei)
    assert response.headers["Location"] == "/"


@pytest.mark.gen_test
async def test_the_planet_can_lie_about_who_it_is_and_fail_after_the_yes(planet):
    planet.site.lies_about_iss = "https://other.example"
    assert (await planet.decide("agree"))["iss"] == "https://other.example"
    planet.site.consent_error = "temporarily_unavailable"
    back = await planet.decide("agree")
    assert back["error"] == "temporarily_unavailable"
    assert "code" not in back


@pytest.mark.gen_test
async def test_the_consent_page_cannot_be_framed_and_leads_only_to_the_client(planet):
    response = await planet.fetch("GET", planet.ask(), phone=planet.mei)
    policy = response.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:8000" in policy
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.gen_test
async def test_a_name_with_markup_is_only_a_name(planet):
    rude = planet.world.add_person("rude", "<script>alert(1)</script>")
    page = (await planet.fetch("GET", planet.ask(), phone=rude)).body.decode()
    assert "<script" not in page
