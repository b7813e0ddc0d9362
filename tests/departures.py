"""A person on the way to the planet, each parameter of the way back in the test's own hands."""

from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from sandbox.planet_members import Account
from tests.attack_kit import Answer, ask, post, session
from tests.site import COURSE, Site

JSON = "application/json"


@dataclass
class Departure:
    """What the browser holds and what the planet was sent."""

    site: Site
    name: str
    cookies: dict[str, str]
    sent: dict[str, str]

    def code(self, account: Account | None = None, **facts: Any) -> str:
        """A code of the planet for the person's own account, or another, or with other facts."""
        planet = self.site.box.planet
        asked = {"group_id": self.sent["group_id"], "redirect_uri": self.sent["redirect_uri"]}
        asked |= {"challenge": self.sent["code_challenge"], "now": planet.now} | facts
        return planet.codes.issue(account or planet.account_of(self.site.phone(self.name).person), **asked)

    def back(self, **changes: Any) -> dict[str, Any]:
        """The arguments of the true way back, some of them changed; None leaves one out, a list doubles it."""
        true = {"state": self.sent["state"], "iss": urlsplit(self.to).scheme + "://" + urlsplit(self.to).netloc}
        found = true | ({} if "code" in changes else {"code": self.code()}) | changes
        return {name: value for name, value in found.items() if value is not None}

    @property
    def to(self) -> str:
        """The planet's address that the browser was sent to."""
        return self.sent["to"]

    async def returns(self, query: dict[str, Any] | str, *, cookies: Any = None, provider: str = "partner") -> Answer:
        """The browser comes back; `query` may be text as it stands in the address."""
        text = query if isinstance(query, str) else urlencode(query, doseq=True)
        jar = self.cookies if cookies is None else cookies
        return await ask(self.site, f"/links/callback/{provider}?{text}", cookies=jar, Accept=JSON)

    async def outcome(self, answer: Answer) -> tuple[int, str]:
        """Status and code of the page that the way back led to; a page without a refusal is `linked`."""
        assert answer.status == 303 and answer.headers["Location"].startswith("/links/attempts/"), answer
        shown = await ask(self.site, answer.headers["Location"], cookies=self.cookies, Accept=JSON)
        is_page = shown.headers["Content-Type"].startswith("text/html")
        return shown.status, "linked" if is_page else shown.json["code"]


async def departs(site: Site, name: str = "anna", *, course: str = COURSE, cookies: Any = None) -> Departure:
    """Somebody with the course has agreed, and is sent to the planet."""
    jar = dict(cookies or await session(site, name))
    answer = await post(site, f"/courses/{course}/planet", jar, {"waiver": site.waiver})
    assert answer.status == 303, answer
    given = SimpleCookie()
    for line in answer.headers["Set-Cookie"].split("\n"):
        given.load(line)
    to = answer.headers["Location"]
    sent = dict(parse_qsl(urlsplit(to).query)) | {"to": to}
    return Departure(site, name, jar | {one: given[one].value for one in given}, sent)
