"""A PC's browser in a test: its cookies, the scan it asked for, and what it may know of it."""

from typing import Any

from tests.attack_kit import Answer, ask, post
from tests.departures import given_cookies
from tests.site import Site

JSON = "application/json"


class PC:
    """One browser at a desk."""

    agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"

    def __init__(self, site: Site) -> None:
        self.site = site
        self.cookies: dict[str, str] = {}
        self.id = ""

    def keep(self, answer: Answer) -> Answer:
        """Take the cookies that an answer sets."""
        jar = self.cookies | given_cookies(answer)
        self.cookies = {name: value for name, value in jar.items() if value and name != "_xsrf"}
        return answer

    async def ask(self, path: str, **headers: str) -> Answer:
        """GET."""
        sent = {"Accept": JSON, "User_Agent": self.agent} | headers
        return self.keep(await ask(self.site, path, cookies=self.cookies, **sent))

    async def post(self, path: str, fields: dict[str, Any]) -> Answer:
        """POST a form, with the right token."""
        return self.keep(await post(self.site, path, self.cookies, fields, User_Agent=self.agent))

    async def asks(self, purpose: str, **fields: str) -> Answer:
        """It wants a phone."""
        answer = await self.post("/scans", {"purpose": purpose, **fields})
        if answer.status == 201:
            self.id = answer.json["id"]
        return answer

    async def state(self) -> dict[str, Any]:
        """Where its scan stands."""
        answer = await self.ask(f"/scans/{self.id}")
        assert answer.status == 200, answer
        return answer.json

    async def types(self, digits: str) -> Answer:
        """Six digits."""
        return await self.post(f"/scans/{self.id}/code", {"code": digits})

    @property
    def is_signed_in(self) -> bool:
        """Whether it holds a session."""
        return "session" in self.cookies
