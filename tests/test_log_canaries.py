"""Whatever goes wrong on the line to WeChat or the planet, nothing that is said of it tells a secret or a person."""

import asyncio
import socket
import ssl
import struct
import time
from contextlib import asynccontextmanager

import pytest

from clients.http import Peer
from clients.planets import partner
from models.delivery import OutboxItem
from models.links import Link, LinkAttempt
from services import check, unserved
from tests.attack_kit import ask, jar_of, post, session, watched
from tests.departures import begins_to_sign_in, departs, given_cookies
from tests.shop import Shop, basic
from tests.stand_in import CUT, HANG, answer, self_signed, stand_in
from tests.wechat_stand_in import wechat_at

gen = pytest.mark.gen_test(timeout=60)
PHONE, EMAIL, NICKNAME = "13812345678", "canary@learner.example", "\u91d1\u4e1d\u96c0"
QUICK = {"connect_seconds": 0.3, "total_seconds": 0.3}


@pytest.fixture
def database_kind() -> str:
    """Which database it is does not matter here."""
    return "sqlite"


@asynccontextmanager
async def nobody_listens(_folder):
    """An address that refuses connections."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"


@asynccontextmanager
async def resets(_folder):
    """A machine that takes the request and resets the line."""

    async def serve(reader, writer):
        await reader.read(100)
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def untrusted(folder):
    """A machine behind TLS whose certificate nobody trusts."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(str(self_signed(folder)))
    async with stand_in(lambda _: answer(), tls=tls) as remote:
        yield remote.url


@asynccontextmanager
async def resets_tls(folder):
    """A machine that resets the line while TLS begins."""
    async with resets(folder) as url:
        yield url.replace("http:", "https:")


def echo(asked) -> bytes:
    """An error page that repeats all that it was asked."""
    headers = "\n".join(f"{name}: {value}" for name, value in asked.headers.items())
    return answer(f"{asked.target}\n{headers}\n".encode() + asked.body, status=500)


def refusing(asked) -> bytes:
    """A refusal whose words repeat what it was asked."""
    words = asked.target + asked.body.decode() + asked.headers.get("authorization", "")
    status = 200 if asked.path.startswith(("/sns", "/cgi-bin")) else 400
    return answer({"errcode": 40125, "errmsg": words, "error": words, "error_description": words}, status=status)


def says(script):
    """A machine that answers so."""

    @asynccontextmanager
    async def machine(_folder):
        async with stand_in(script) as remote:
            yield remote.url

    return machine


FAULTS = {
    "nobody listens": nobody_listens,
    "a reset": resets,
    "silence": says(lambda _: HANG),
    "a cut line": says(lambda _: CUT),
    "half an answer": says(lambda _: b"HTTP/1.1 200 OK\r\nX-Half: 1\r\nContent-Length: 90\r\n\r\n{"),
    "no HTTP": says(lambda _: b"SSH-2.0-X-Half\r\n\r\n"),
    "an untrusted certificate": untrusted,
    "a reset while TLS begins": resets_tls,
    "an error that repeats the request": says(echo),
    "a refusal that repeats the request": says(refusing),
}


class Impatient(Peer):
    """Waits for nobody as long as it is told to."""

    async def call(self, *asked, **how):
        return await super().call(*asked, **how | {"within": QUICK["total_seconds"]})


@asynccontextmanager
async def everybody_away(site, fault, folder):
    """Put the fault in the place of WeChat's machine and of the planet's."""
    before = site.ctx.wechat, site.ctx.planets["partner"]
    async with fault(folder) as url:
        peer = Impatient("planet", url, monotonic=time.monotonic, **partner.LIMITS | QUICK)
        keys = site.config.planet_client_id, site.config.planet_client_secret
        site.ctx.wechat, site.ctx.planets["partner"] = wechat_at(site, url, **QUICK), partner.Partner(url, *keys, peer)
        try:
            yield
        finally:
            await site.ctx.wechat.close()
            await peer.close(0)
            site.ctx.wechat, site.ctx.planets["partner"] = before


class Told:
    """What was said to people and operators, and what must not be in it."""

    def __init__(self, site) -> None:
        c = site.config
        self.words: list[str] = []
        self.secrets = {c.wechat_app_secret, c.wechat_token, c.planet_client_secret, *c.secret_keys, *c.wechat_aes_keys}
        self.secrets |= {site.key, basic("yiling", site.key), PHONE, EMAIL, NICKNAME}
        self.secrets |= {site.phone(name).openid for name in ("anna", "bob")}

    def hears(self, answer, *, secrets=()) -> None:
        """An answer's body; it may hold nothing that was sent, nor may the log."""
        self.words.append(answer.body.decode())
        self.secrets |= set(secrets) | set(given_cookies(answer).values())

    def leaks(self, *texts: str) -> set[str]:
        """Which of the secrets stand in any of it."""
        return {one for one in self.secrets if one and one in "\n".join([*self.words, *texts])}


async def goes_wrong(site, told: Told) -> None:
    """All that reaches out, while nobody can be reached."""
    bob = await begins_to_sign_in(site, "bob")
    back = bob.back()
    told.hears(await bob.returns(back), secrets={*back.values(), *bob.cookies.values()})
    mine = await session(site, "bob")
    away = await departs(site, "bob", cookies=mine)
    back = away.back()
    verifier = await site.ctx.read(lambda _env: LinkAttempt.select().order_by(-LinkAttempt.id).get().code_verifier)
    came = await away.returns(back)
    told.hears(came, secrets={back["state"], back["code"], verifier, *away.cookies.values()})
    told.hears(await ask(site, came.headers["Location"], cookies=away.cookies))
    link = await site.ctx.read(lambda _env: Link.get())
    told.secrets |= {link.member_uid, link.display_name}
    told.hears(await post(site, f"/me/links/{link.id}/unlink", await session(site, "anna")))
    told.hears(await ask(site, "/wx/share?path=/", cookies=mine))
    told.hears(await ask(site, f"/me?code={'c' * 32}&state={'d' * 32}", cookies=jar_of(site, "anna")))
    await site.phone("anna").say("\u661f\u7403")
    for _ in range(2):
        site.clock.forward(minutes=10)
        await site.delivers()
    told.words += [f"{line.part} {line.words}" for line in await check.run(site.ctx)]
    told.words += [repr(line) for line in await site.ctx.read(unserved.lines)]
    told.words += await site.ctx.read(lambda _env: [row.error or "" for row in OutboxItem.select()])


@pytest.mark.parametrize("fault", FAULTS)
@gen
async def test_no_fault_of_the_line_makes_us_tell_a_secret_or_a_person(site, fault, tmp_path):
    for name in ("anna", "bob"):
        site.phone(name).person.nickname = NICKNAME
        site.box.planet.account_of(site.phone(name).person).name = NICKNAME
        await site.buys(name)
    await Shop(site).claimable("C1", phone=PHONE, email=EMAIL)
    await site.phone("anna").follow()
    await site.links("anna")
    told = Told(site)
    with watched("debug") as lines:
        async with everybody_away(site, FAULTS[fault], tmp_path):
            await goes_wrong(site, told)
    text = lines.getvalue()
    assert "WeChat did not say who this is" in text and "outbox item tried" in text, "it did go wrong"
    assert not told.leaks(text)
