"""A running sandbox planet for a test, and a caller that speaks to it as our client or as a person."""

import base64
import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tornado.escape import json_decode, json_encode
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.testing import bind_unused_port

from sandbox.planet import PlanetSite
from sandbox.planet_codes import challenge_of
from sandbox.world import SandboxPerson, World

NOW = 1_800_000_000  # 2027-01-15T08:00:00Z
SECRETS = ["new-secret", "old-secret"]
CALLBACK = "http://127.0.0.1:8000/links/callback/partner"
VERIFIER = "v" * 43
STATE = "0123456789abcdefABCDEF0123456789"
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"a webhook secret of 32 bytes !!!").decode()


class PlanetKit:
    """One planet with the owner `lin` of group g1 (199 yuan), and the person `mei`."""

    def __init__(self) -> None:
        self.world = World(seed=1)
        self.world.freeze(NOW)
        self.site = PlanetSite(
            self.world,
            client_id="wxbot",
            client_secrets=list(SECRETS),
            redirect_uris=[CALLBACK],
            webhook_secret=WEBHOOK_SECRET,
        )
        self.owner = self.world.add_person("lin", "林老师")
        self.mei = self.world.add_person("mei", "小梅")
        self.group = self.site.add_group("g1", "信息安全星球", 19900, self.owner)
        self.url = ""

    @property
    def uid(self) -> str:
        """What our client knows mei as."""
        return self.site.account_of(self.mei).uid

    async def fetch(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        form: dict[str, str] | str | None = None,
        auth: tuple[str, str] | None = None,
        phone: SandboxPerson | None = None,
        cookie: str = "",
        body: bytes | None = None,
    ) -> HTTPResponse:
        """One call; redirects are not followed."""
        headers = self.world.phone_header(phone) if phone else {}
        headers |= {"Cookie": cookie} if cookie else {}
        if auth:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(auth).encode()).decode()
        if form is not None:
            body = (form if isinstance(form, str) else urlencode(form)).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if json is not None:
            body, headers["Content-Type"] = json_encode(json).encode(), "application/json"
        return await self._send(self.url + path, method=method, headers=headers, body=body)

    @staticmethod
    async def _send(url: str, **options: Any) -> HTTPResponse:
        options |= {"follow_redirects": False, "request_timeout": 5, "allow_nonstandard_methods": True}
        client = AsyncHTTPClient(force_instance=True)
        try:
            return await client.fetch(url, raise_error=False, **options)
        finally:
            client.close()

    async def api(self, method: str, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
        """One call as our client: status and answer."""
        more.setdefault("auth", ("wxbot", SECRETS[0]))
        response = await self.fetch(method, path, **more)
        return response.code, json_decode(response.body)

    async def grant(self, ref: str = "r1", **changes: Any) -> tuple[int, dict[str, Any]]:
        """PUT a membership of one year for mei, with changes."""
        body = {"member_uid": self.uid, "ends_at": "2028-01-15T08:00:00Z", "reason": "course_purchase"}
        return await self.api("PUT", f"/v1/groups/g1/memberships/{ref}", json=body | changes)

    def ask(self, **changes: str | None) -> str:
        """The address of a good authorisation request, with changes (None leaves one out)."""
        asked = {"response_type": "code", "client_id": "wxbot", "redirect_uri": CALLBACK}
        asked |= {"scope": "membership", "group_id": "g1", "state": STATE}
        asked |= {"code_challenge": challenge_of(VERIFIER), "code_challenge_method": "S256"}
        kept = {name: value for name, value in (asked | changes).items() if value is not None}
        return f"/oauth/authorize?{urlencode(kept)}"

    async def decide(
        self, decision: str, path: str | None = None, phone: SandboxPerson | None = None
    ) -> dict[str, str]:
        """Open the consent page on a phone, tap, and return what the browser is sent back with."""
        path, phone = path or self.ask(), phone or self.mei
        page = await self.fetch("GET", path, phone=phone)
        form = {"token": token_in(page), "decision": decision}
        response = await self.fetch("POST", path, form=form, phone=phone)
        assert response.code == 303, response.body
        return sent_back(response)

    async def redeem(self, code: str, **changes: Any) -> tuple[int, dict[str, Any]]:
        """Exchange a code, with changes to the form."""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
        form |= {"code_verifier": VERIFIER}
        auth = changes.pop("auth", ("wxbot", SECRETS[0]))
        return await self.api("POST", "/oauth/token", form=form | changes, auth=auth)


def token_in(page: HTTPResponse) -> str:
    """The hidden token of a page's form."""
    found = re.search(r'name="token" value="([^"]+)"', page.body.decode())
    assert found, page.body.decode()
    return html.unescape(found[1])


def sent_back(response: HTTPResponse) -> dict[str, str]:
    """The query a redirect to our callback carries."""
    location = response.headers["Location"]
    assert location.split("?")[0] == CALLBACK
    return dict(parse_qsl(urlsplit(location).query))


@contextmanager
def running(io_loop: IOLoop) -> Iterator[PlanetKit]:
    """A kit whose site is served on a free port of this machine."""
    kit = PlanetKit()
    sock, port = bind_unused_port()

    async def serve() -> HTTPServer:
        """Servers start on the running loop."""
        server = HTTPServer(kit.site.application())
        server.add_sockets([sock])
        return server

    server = io_loop.run_sync(serve)
    kit.url = f"http://127.0.0.1:{port}"
    yield kit
    server.stop()
    io_loop.run_sync(server.close_all_connections)
