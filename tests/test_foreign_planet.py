"""Authlib, a stock OAuth client, works against the sandbox's planet: PKCE, `iss`, and each refusal of the RFCs."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from authlib.common.errors import AuthlibBaseError
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc6749.errors import MismatchingStateException, MissingCodeException
from authlib.oauth2.rfc9207 import IssuerParameter

from sandbox.planet_members import rfc3339
from sandbox.planet_oauth import TokenHandler
from sandbox.server import Sandbox


class Client:
    """The site of a stock client, and the phone of somebody who is sent through it."""

    def __init__(self, box: Sandbox, client_secret: str) -> None:
        self.box, self.issuer = box, box.planet_url
        self.basic = (box.planet.client_id, client_secret)
        how = {"scope": "membership", "redirect_uri": box.planet.redirect_uris[0], "code_challenge_method": "S256"}
        self.session = OAuth2Session(*self.basic, **how, token_endpoint=f"{self.issuer}/oauth/token")
        self.session.trust_env = False
        self.state, self.verifier = generate_token(48), generate_token(48)

    def address(self, **changes: str) -> str:
        """Where the browser is sent to."""
        asked = {"state": self.state, "code_verifier": self.verifier, "group_id": "g1"} | changes
        return self.session.create_authorization_url(f"{self.issuer}/oauth/authorize", **asked)[0]

    async def back(self, tap: str = "planet-agree", **changes: str) -> str:
        """The address that the phone comes back to after the tap."""
        phone = self.box.phone("anna")
        await phone.open(self.address(**changes))
        return (await phone.tap(tap)).url

    async def redeem(self, response: str, **changes: Any) -> dict[str, Any]:
        """Look at `iss` as RFC 9207 asks a client to, then exchange the code."""
        told = dict(parse_qsl(urlsplit(response).query))
        if told.get("iss") != self.issuer:
            raise MixedUp(told.get("iss"))
        asked = {"state": self.state, "code_verifier": self.verifier} | changes
        fetch = self.session.fetch_token
        return await asyncio.to_thread(lambda: fetch(authorization_response=response, **asked))

    async def call(self, method: str, path: str, **more: Any) -> requests.Response:
        """One REST call with the client's own Basic header."""
        how = {"withhold_token": True, "auth": self.basic} | more
        return await asyncio.to_thread(lambda: self.session.request(method, self.issuer + path, **how))


class MixedUp(Exception):
    """The answer names another issuer than the one that was asked."""


@pytest.fixture
def planet(box: Sandbox) -> Sandbox:
    """The sandbox with one group that the client may ask for; the client's callback is some page of this machine."""
    box.planet.redirect_uris = [f"{box.wechat_api_url}/back"]
    box.planet.add_group("g1", "信息安全星球", 19900, box.phone("caoz").person)
    return box


@pytest.fixture
def client(planet: Sandbox) -> Iterator[Client]:
    client = Client(planet, planet.planet.client_secrets[0])
    yield client
    client.session.close()


def exchanges(box: Sandbox) -> int:
    """How often the token call was made."""
    return len([one for one in box.world.journal.entries(side="planet") if one.operation == TokenHandler.operation])


async def refusal(client: Client, response: str, kind: type[AuthlibBaseError] = OAuthError, **changes: Any) -> str:
    """The error that the client raises; nobody has become a member by it."""
    with pytest.raises(kind) as refused:
        await client.redeem(response, **changes)
    assert client.session.token is None and client.box.planet.memberships("g1") == []
    return refused.value.error


@pytest.mark.gen_test
async def test_a_member_who_agrees_is_recognised_and_gets_his_membership(client: Client, planet: Sandbox) -> None:
    token = await client.redeem(await client.back())
    anna = planet.planet.account_of(planet.phone("anna").person)
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 600)
    assert (token["member_uid"], token["display_name"]) == (anna.uid, anna.name)
    ends_at = rfc3339(planet.planet.now + timedelta(days=365))
    wanted = {"member_uid": token["member_uid"], "ends_at": ends_at, "reason": "course_purchase"}
    made = await client.call("PUT", "/v1/groups/g1/memberships/r1", json=wanted)
    assert (made.status_code, made.json()["member_uid"], made.json()["status"]) == (201, anna.uid, "active")
    shown = (await client.call("GET", f"/v1/groups/g1/members/{anna.uid}")).json()
    (only,) = shown["memberships"]
    assert (only["source"], only["ref"], only["ends_at"]) == ("partner", "r1", ends_at)
    assert (await client.call("PUT", "/v1/groups/g1/memberships/r1", json=wanted)).status_code == 200


@pytest.mark.gen_test
async def test_the_members_token_opens_no_door_of_the_client(client: Client, planet: Sandbox) -> None:
    token = await client.redeem(await client.back())
    path = f"/v1/groups/g1/members/{token['member_uid']}"
    answer = await client.call("GET", path, withhold_token=False, auth=None)
    assert answer.request.headers["Authorization"] == f"Bearer {token['access_token']}"
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.gen_test
async def test_the_answer_is_the_one_that_authlibs_own_issuer_makes(client: Client) -> None:
    class Issuer(IssuerParameter):
        def get_issuer(self) -> str:
            return client.issuer

    for tap in ("planet-agree", "planet-deny"):
        response = await client.back(tap)
        without, _, _ = response.rpartition("&iss=")
        made = SimpleNamespace(location=without)
        Issuer().add_issuer_parameter(None, made)
        assert made.location == response


@pytest.mark.gen_test
@pytest.mark.parametrize("lie", ["https://other.example", "http://LOCALHOST"])
async def test_an_answer_of_another_issuer_is_dropped_before_any_call(
    client: Client, planet: Sandbox, lie: str
) -> None:
    planet.planet.lies_about_iss = lie
    response = await client.back()
    with pytest.raises(MixedUp, match=lie):
        await client.redeem(response)
    assert exchanges(planet) == 0


@pytest.mark.gen_test
async def test_a_no_comes_back_without_a_code_and_with_the_issuer(client: Client, planet: Sandbox) -> None:
    response = await client.back("planet-deny")
    told = dict(parse_qsl(urlsplit(response).query))
    assert (told["error"], told["state"], told["iss"]) == ("access_denied", client.state, client.issuer)
    with pytest.raises(MissingCodeException):
        await client.redeem(response, grant_type="authorization_code", code=None)
    assert exchanges(planet) == 0


@pytest.mark.gen_test
async def test_a_strange_state_is_dropped_by_the_client_itself(client: Client, planet: Sandbox) -> None:
    error = await refusal(client, await client.back(), MismatchingStateException, state=generate_token(48))
    assert (error, exchanges(planet)) == ("mismatching_state", 0)


@pytest.mark.gen_test
@pytest.mark.parametrize("change", [{"code_verifier": generate_token(48)}, {"redirect_uri": "http://127.0.0.1:8000/x"}])
async def test_a_code_with_another_verifier_or_address_is_refused_and_spent(client: Client, change: dict) -> None:
    response = await client.back()
    assert await refusal(client, response, **change) == "invalid_grant"
    assert await refusal(client, response) == "invalid_grant"


@pytest.mark.gen_test
async def test_a_code_without_its_verifier_is_refused(client: Client) -> None:
    assert await refusal(client, await client.back(), code_verifier=None) == "invalid_request"


@pytest.mark.gen_test
async def test_a_code_that_is_used_or_older_than_a_minute_is_refused(client: Client, planet: Sandbox) -> None:
    response = await client.back()
    await client.redeem(response)
    with pytest.raises(OAuthError, match="invalid_grant"):
        await client.redeem(response)
    late = await client.back()
    planet.world.forward(60)
    with pytest.raises(OAuthError, match="invalid_grant"):
        await client.redeem(late)


@pytest.mark.gen_test
async def test_a_client_with_another_secret_is_refused_and_the_code_is_left(client: Client, planet: Sandbox) -> None:
    stranger, response = Client(planet, "another-secret"), await client.back()
    changes = {"code_verifier": client.verifier, "state": client.state}
    assert await refusal(stranger, response, **changes) == "invalid_client"
    assert (await client.redeem(response))["member_uid"]
    stranger.session.close()


@pytest.mark.gen_test
async def test_nobody_is_sent_to_an_address_that_is_not_the_clients(client: Client, planet: Sandbox) -> None:
    page = await planet.phone("anna").open(client.address(redirect_uri=f"{planet.wechat_api_url}/elsewhere"))
    assert page.status == 400 and page.url.startswith(client.issuer)


@pytest.mark.gen_test
@pytest.mark.parametrize("change", [{"scope": "everything"}, {"response_type": "token"}, {"state": generate_token()}])
async def test_a_request_out_of_the_contract_goes_back_as_invalid(
    client: Client, planet: Sandbox, change: dict
) -> None:
    page = await planet.phone("anna").open(client.address(**change))
    told = dict(parse_qsl(urlsplit(page.url).query))
    assert page.url.startswith(planet.planet.redirect_uris[0])
    assert (told["error"], told["iss"], "code" in told) == ("invalid_request", client.issuer, False)
    assert ("state" in told) == ("state" not in change), "the library's own 30 letters are too few for the contract"


@pytest.mark.gen_test
async def test_no_answer_of_the_token_call_may_be_kept_on_the_way(client: Client, planet: Sandbox) -> None:
    response, kept = await client.back(), []
    client.session.register_compliance_hook("access_token_response", lambda one: kept.append(one.headers) or one)
    await client.redeem(response)
    with pytest.raises(OAuthError):
        await client.redeem(response)
    assert [(one["Cache-Control"], one["Pragma"]) for one in kept] == [("no-store", "no-cache")] * 2
