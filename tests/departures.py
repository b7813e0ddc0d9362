"""A person on the way to the planet or to WeChat, each parameter of the way back in the test's own hands."""

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
    return departed(site, name, jar, await post(site, f"/courses/{course}/planet", jar, {"waiver": site.waiver}))


def departed(site: Site, name: str, jar: dict[str, str], answer: Answer) -> Departure:
    """Where somebody stands after the answer that sent him on."""
    to = answer.headers["Location"]
    return Departure(site, name, jar | given_cookies(answer), dict(parse_qsl(urlsplit(to).query)) | {"to": to})


def given_cookies(answer: Answer) -> dict[str, str]:
    """The cookies that an answer sets."""
    given = SimpleCookie()
    for line in answer.headers.get("Set-Cookie", "").split("\n"):
        given.load(line)
    return {one: given[one].value for one in given}


@dataclass
class SigningIn:
    """A browser that was sent to WeChat, and what it has to bring back."""

    site: Site
    name: str
    cookies: dict[str, str]
    state: str

    def code(self) -> str:
        """A code of WeChat for the person."""
        return self.site.box.account.oauth.new_code(self.site.phone(self.name).person, "snsapi_base")

    def back(self, **changes: Any) -> dict[str, Any]:
        """The arguments of the true way back, some of them changed; None leaves one out, a list doubles it."""
        found = {"state": self.state} | ({} if "code" in changes else {"code": self.code()}) | changes
        return {name: value for name, value in found.items() if value is not None}

    async def returns(self, query: dict[str, Any] | str, *, cookies: Any = None) -> Answer:
        """The browser comes back; `query` may be text as it stands in the address."""
        text = query if isinstance(query, str) else urlencode(query, doseq=True)
        jar = self.cookies if cookies is None else cookies
        return await ask(self.site, f"/oauth/callback?{text}", cookies=jar, Accept=JSON)


async def begins_to_sign_in(site: Site, name: str = "anna", *, cookies: Any = ()) -> SigningIn:
    """Somebody taps 登录 in a browser with these cookies, and is sent to WeChat."""
    answer = await post(site, "/oauth/start", dict(cookies), {"target": "me"})
    sent = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
    return SigningIn(site, name, dict(cookies) | given_cookies(answer), sent["state"])


def forged_states(state: str) -> dict[str, object]:
    """States that are not this one, by what is wrong."""
    return {
        "missing": None, "empty": "", "twice": [state, state], "true and another": [state, "0" * 32],
        "another and true": ["0" * 32, state], "upper case": state.upper() + "A", "one short": state[:-1],
        "one more": state + "0", "blank before": f" {state}", "blank inside": f"{state[:16]} {state[16:]}",
        "newline": f"{state}\n", "NUL": f"{state}\0", "full width": "\uff10" * 32, "star": "\u661f" * 32,
        "10 kB": "a" * 10_000, "unknown": "f" * 32, "SQL": "' OR 1=1 --" + state[:20], "percent": "%" * 32,
        "no hex": "g" * 32, "list": f"[{state}]", "zeros": "0" * 32,
    }  # fmt: skip
