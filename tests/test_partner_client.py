"""The partner contract, our side: against the sandbox's planet, and against one that answers nonsense."""

import json
import logging
import time
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qs, urlsplit

import pytest
from tornado.ioloop import IOLoop

from clients.errors import CodeRefused, RemoteDown, RemoteRefused
from clients.http import Peer
from clients.planets import NotThere, Reason, RefConflict, RemovedByOwner, RevokeReason, WrongIssuer
from clients.planets.partner import LIMITS, Partner, code_challenge
from tests.planet_kit import CALLBACK, SECRETS, STATE, VERIFIER, PlanetKit, running
from tests.stand_in import CUT, HANG, answer, stand_in

YEAR_ON = datetime(2028, 1, 15, 8, tzinfo=UTC)
UID = "canary-member-1"
NAME = "canary-name"
CODE = "canary-code"


@pytest.fixture
def planet(io_loop: IOLoop) -> Iterator[PlanetKit]:
    """A planet on a port of its own."""
    with running(io_loop) as kit:
        yield kit


@asynccontextmanager
async def partner_of(url: str, secret: str = SECRETS[0], **limits) -> AsyncIterator[Partner]:
    """Our client of the planet at `url`."""
    peer = Peer("planet", url, monotonic=time.monotonic, **LIMITS | limits)
    yield Partner(url, "wxbot", secret, peer)
    await peer.close()


async def grant(partner: Partner, uid: str, **changes):
    """A membership of a year under r1, with changes."""
    asked = {"group_id": "g1", "ref": "r1", "ends_at": YEAR_ON, "reason": Reason.COURSE_PURCHASE}
    return await partner.grant(member_uid=uid, **asked | changes)


@pytest.mark.gen_test
async def test_a_person_who_agrees_there_is_recognised_here(planet: PlanetKit) -> None:
    async with partner_of(planet.url) as partner:
        challenge = code_challenge(VERIFIER)
        asked = {"group_id": "g1", "state": STATE, "code_challenge": challenge}
        url = partner.authorize_url(redirect_uri=CALLBACK, **asked)
        back = await planet.decide("agree", url.removeprefix(planet.url))
        assert back["state"] == STATE
        partner.check_issuer(back["iss"])
        found = await partner.exchange(code=back["code"], verifier=VERIFIER, redirect_uri=CALLBACK)
        assert (found.member_uid, found.display_name) == (planet.uid, planet.site.account_of(planet.mei).name)
        assert found.auth_time == planet.site.now
        assert planet.uid not in repr(found)
        with pytest.raises(CodeRefused):
            await partner.exchange(code=back["code"], verifier=VERIFIER, redirect_uri=CALLBACK)


@pytest.mark.gen_test
async def test_the_authorise_address_says_all_that_the_contract_asks() -> None:
    async with partner_of("https://planet.example") as partner:
        url = partner.authorize_url(redirect_uri=CALLBACK, group_id="g&1", state=STATE, code_challenge="c" * 43)
        with pytest.raises(ValueError):
            partner.authorize_url(redirect_uri=CALLBACK, group_id="g1", state="short", code_challenge="c")
    assert url.startswith("https://planet.example/oauth/authorize?")
    assert parse_qs(urlsplit(url).query) == {
        "response_type": ["code"],
        "client_id": ["wxbot"],
        "redirect_uri": [CALLBACK],
        "scope": ["membership"],
        "group_id": ["g&1"],
        "state": [STATE],
        "code_challenge": ["c" * 43],
        "code_challenge_method": ["S256"],
    }


def test_the_challenge_is_that_of_rfc_7636() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    with pytest.raises(ValueError):
        code_challenge("too short")


@pytest.mark.gen_test
@pytest.mark.parametrize("iss", [None, "", "https://planet.example/", "https://evil.example", "HTTPS://planet.example"])
async def test_an_answer_of_another_planet_is_not_taken(iss: str | None) -> None:
    async with partner_of("https://planet.example") as partner:
        with pytest.raises(WrongIssuer):
            partner.check_issuer(iss)
        partner.check_issuer("https://planet.example")


@pytest.mark.gen_test
@pytest.mark.parametrize("code", ["", "a b", "星", "x" * 3000, "a\r\nb"])
async def test_what_cannot_be_a_code_is_refused_without_asking(code: str) -> None:
    async with stand_in(lambda _: answer()) as remote, partner_of(remote.url) as partner:
        with pytest.raises(CodeRefused):
            await partner.exchange(code=code, verifier=VERIFIER, redirect_uri=CALLBACK)
    assert not remote.seen


@pytest.mark.gen_test
async def test_a_membership_is_granted_repeated_extended_revoked_and_revived(planet: PlanetKit) -> None:
    async with partner_of(planet.url) as partner:
        first = await grant(partner, planet.uid)
        assert (first.ref, first.status, first.ends_at, first.source) == ("r1", "active", YEAR_ON, "partner")
        assert (await grant(partner, planet.uid)).ends_at == YEAR_ON
        later = (YEAR_ON + timedelta(days=1)).astimezone(timezone(timedelta(hours=8)))
        assert (await grant(partner, planet.uid, ends_at=later)).ends_at == later
        off = {"group_id": "g1", "ref": "r1", "reason": RevokeReason.UNLINK}
        version = await partner.revoke(**off)
        assert version == await partner.revoke(**off), "again the same"
        assert (await grant(partner, planet.uid)).version > version
        assert len(planet.site.memberships("g1")) == 1


@pytest.mark.gen_test
async def test_revoking_what_is_not_there_is_done_already(planet: PlanetKit) -> None:
    async with partner_of(planet.url) as partner:
        assert await partner.revoke(group_id="g1", ref="r9", reason=RevokeReason.REFUND) is None


@pytest.mark.gen_test
async def test_a_proxys_404_page_revokes_nothing_and_says_nobody_is_no_member() -> None:
    async with stand_in(lambda _: answer(b"<html>404</html>", status=404)) as remote:
        async with partner_of(remote.url) as partner:
            for call in (
                partner.revoke(group_id="g1", ref="r1", reason=RevokeReason.REFUND),
                partner.member("g1", UID),
            ):
                with pytest.raises(RemoteRefused) as caught:
                    await call
                assert caught.value.code == "http_404"


@pytest.mark.gen_test
async def test_each_refusal_of_a_grant_has_its_kind(planet: PlanetKit) -> None:
    wang = planet.site.account_of(planet.world.add_person("wang")).uid
    async with partner_of(planet.url) as partner:
        await grant(partner, planet.uid)
        with pytest.raises(RefConflict) as conflict:
            await grant(partner, wang)
        assert (conflict.value.code, conflict.value.status) == ("ref_conflict", 409)
        planet.site.remove(planet.mei, "g1")
        with pytest.raises(RemovedByOwner):
            await grant(partner, planet.uid)
        with pytest.raises(NotThere):
            await grant(partner, "nobody")
        with pytest.raises(RemoteRefused) as past:
            await grant(partner, wang, ref="r2", ends_at=datetime(2020, 1, 1, tzinfo=UTC))
        assert past.value.code == "http_422"
        planet.group.is_partner_allowed = False
        with pytest.raises(RemoteRefused) as shut:
            await grant(partner, wang, ref="r2")
        assert shut.value.code == "not_allowed"


@pytest.mark.gen_test
async def test_both_secrets_work_during_rotation_and_a_wrong_one_is_refused(planet: PlanetKit) -> None:
    for secret in SECRETS:
        async with partner_of(planet.url, secret) as partner:
            assert (await partner.group("g1")).price_fen == 19900
    async with partner_of(planet.url, "canary-secret") as partner:
        with pytest.raises(RemoteRefused) as caught:
            await partner.group("g1")
    assert caught.value.code == "invalid_client" and "canary" not in str(caught.value)


@pytest.mark.gen_test
async def test_a_planet_and_its_member_are_read(planet: PlanetKit) -> None:
    order_ref = planet.site.member_buys(planet.mei, "g1")
    planet.site.joins_free(planet.world.add_person("guest"), "g1")
    async with partner_of(planet.url) as partner:
        group = await partner.group("g1")
        assert (group.title, group.member_count) == ("信息安全星球", 2)
        with pytest.raises(NotThere):
            await partner.group("g9")
        await grant(partner, planet.uid)
        member = await partner.member("g1", planet.uid)
        assert [right.source for right in member.memberships] == ["paid", "partner"]
        assert member.memberships[0].order_ref == order_ref and member.memberships[1].ref == "r1"
        assert await partner.member("g1", "nobody") is None
        assert [len(one.memberships) async for one in partner.members("g1")] == [2, 1]


@pytest.mark.gen_test
async def test_the_member_list_is_read_to_its_end(planet: PlanetKit) -> None:
    for number in range(430):
        planet.site.joins_free(planet.world.add_person(f"p{number}"), "g1")
    async with partner_of(planet.url) as partner:
        pages = [page async for page in partner.pages("g1")]
    assert [len(page.members) for page in pages] == [200, 200, 30]
    assert {page.total for page in pages} == {430}
    assert len({member.member_uid for page in pages for member in page.members}) == 430


@pytest.mark.gen_test
async def test_a_list_whose_cursors_go_in_a_circle_is_no_list() -> None:
    page = {"members": [], "next_cursor": "again", "total": 9, "as_of": "2027-01-15T08:00:00Z"}
    async with stand_in(lambda _: answer(page)) as remote, partner_of(remote.url) as partner:
        with pytest.raises(RemoteDown):
            [member async for member in partner.members("g1")]
    assert len(remote.seen) == 2


@pytest.mark.gen_test
async def test_a_months_statement_is_read(planet: PlanetKit) -> None:
    order_ref = planet.site.member_buys(planet.mei, "g1")
    async with partner_of(planet.url) as partner:
        statement = await partner.statement("g1", "2027-01")
        assert [(line.order_ref, line.paid_fen) for line in statement.lines] == [(order_ref, 19900)]
        assert not statement.is_closed
        with pytest.raises(ValueError):
            await partner.statement("g1", "2027-13")


@pytest.mark.gen_test
@pytest.mark.parametrize(
    ("kind", "done"), [("timeout_after_commit", 1), ("half", 1), ("down", 0), ("error", 0), ("junk", 0)]
)
async def test_when_the_answer_is_lost_nobody_knows_and_the_same_ref_settles_it(
    planet: PlanetKit, kind: str, done: int
) -> None:
    planet.world.faults.set("planet", kind, operation="planet.grant", times=1)
    async with partner_of(planet.url) as partner:
        with pytest.raises(RemoteDown) as caught:
            await grant(partner, planet.uid, within=0.3)
        assert caught.value.unknown
        assert len(planet.site.memberships("g1")) == done
        await grant(partner, planet.uid)
    assert len(planet.site.memberships("g1")) == 1


@pytest.mark.gen_test
async def test_a_busy_planet_has_surely_not_done_it(planet: PlanetKit) -> None:
    planet.world.faults.set("planet", "busy", operation="planet.grant", times=1, seconds=7)
    async with partner_of(planet.url) as partner:
        with pytest.raises(RemoteDown) as caught:
            await grant(partner, planet.uid)
    assert (caught.value.unknown, caught.value.retry_after) == (False, 7)


GRANTED = {
    "ref": "r1",
    "member_uid": UID,
    "status": "active",
    "starts_at": "2027-01-15T08:00:00Z",
    "ends_at": "2028-01-15T08:00:00Z",
    "version": 1,
}
WRONG_GRANTS = {
    "empty": b"",
    "html": b"<html>canary</html>",
    "half": json.dumps(GRANTED).encode()[:60],
    "list": [GRANTED],
    "null": b"null",
    "no version": {name: value for name, value in GRANTED.items() if name != "version"},
    "another ref": GRANTED | {"ref": "r2"},
    "another member": GRANTED | {"member_uid": "canary-member-2"},
    "revoked": GRANTED | {"status": "revoked"},
    "unknown status": GRANTED | {"status": "canary"},
    "no time": GRANTED | {"ends_at": None},
    "unix time": GRANTED | {"ends_at": 1831536000},
    "naive time": GRANTED | {"ends_at": "2028-01-15T08:00:00"},
    "out of the calendar": GRANTED | {"ends_at": "9999-12-31T23:59:59-12:00"},
    "version as text": GRANTED | {"version": "1"},
    "version beyond any database": GRANTED | {"version": 2**63},
    "version true": GRANTED | {"version": True},
    "ref with a newline": GRANTED | {"ref": "r1\n"},
}


@pytest.mark.gen_test
@pytest.mark.parametrize("wrong", WRONG_GRANTS)
async def test_a_200_with_a_wrong_or_half_body_is_no_success(wrong: str, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    async with stand_in(lambda _: answer(WRONG_GRANTS[wrong])) as remote, partner_of(remote.url) as partner:
        with pytest.raises(RemoteDown) as caught:
            await grant(partner, UID)
    assert (caught.value.code, caught.value.unknown) == ("wrong_body", True)
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__context__) + caplog.text
    assert "canary" not in told


@pytest.mark.gen_test
@pytest.mark.parametrize("fault", [HANG, CUT, answer(b"canary", status=500), answer(b"x" * (1024 * 1024 + 1))])
async def test_a_failed_exchange_tells_no_code_secret_or_name(fault: bytes | None, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    async with stand_in(lambda _: fault) as remote, partner_of(remote.url, "canary-secret") as partner:
        with pytest.raises(RemoteDown) as caught:
            await partner.exchange(code=CODE, verifier=VERIFIER, redirect_uri=CALLBACK, within=0.2)
    assert caught.value.unknown
    told = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__context__) + caplog.text
    assert "canary" not in told and VERIFIER not in told


@pytest.mark.gen_test
async def test_an_unknown_word_in_an_error_is_not_repeated() -> None:
    for body in ({"error": "canary"}, {"error": ["canary"]}, ["canary"], {"error": None}):
        async with stand_in(lambda _, body=body: answer(body, status=409)) as remote:
            async with partner_of(remote.url) as partner:
                with pytest.raises(RemoteRefused) as caught:
                    await grant(partner, UID)
        assert str(caught.value) == "planet: http_409"


@pytest.mark.gen_test
async def test_names_are_cleaned_and_ids_are_not_believed() -> None:
    who = {"member_uid": "u1", "display_name": "小\u202e梅\x00", "auth_time": "2027-01-15T08:00:00+08:00"}
    async with stand_in(lambda _: answer(who)) as remote, partner_of(remote.url) as partner:
        asked = {"code": CODE, "verifier": VERIFIER, "redirect_uri": CALLBACK}
        found = await partner.exchange(**asked)
        assert found.display_name == "小梅" and found.auth_time == datetime(2027, 1, 15, tzinfo=UTC)
        for uid in ("", "a b", "u\x00", "星", "x" * 129, 7, None):
            remote.script = lambda _, uid=uid: answer(who | {"member_uid": uid})
            with pytest.raises(RemoteDown):
                await partner.exchange(**asked)


@pytest.mark.gen_test
async def test_an_id_cannot_leave_its_place_in_the_path() -> None:
    async with stand_in(lambda _: answer({"error": "not_found"}, status=404)) as remote:
        async with partner_of(remote.url) as partner:
            assert await partner.member("g1", "../x?y#z%2f") is None
            for bad in ("", ".", ".."):
                with pytest.raises(ValueError):
                    await partner.member("g1", bad)
    assert [one.target for one in remote.seen] == ["/v1/groups/g1/members/..%2Fx%3Fy%23z%252f"]
