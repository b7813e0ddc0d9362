"""The console's grip on the planet: JSON calls below `/control/planet/`, for people and test scripts."""

import json
from dataclasses import asdict
from typing import Any

from tornado.web import RequestHandler

from sandbox.letters import Letter
from sandbox.planet_company import PlanetCompany
from sandbox.planet_members import PlanetNo
from sandbox.world import SandboxPerson


class ControlHandler(RequestHandler):
    """One call of the console; no switch touches it and no journal shows it."""

    def initialize(self, site: PlanetCompany) -> None:
        """Called by Tornado with the route's kwargs."""
        self.site = site

    def asked(self) -> dict[str, Any]:
        """The JSON object of the call. Its content type keeps forms of other sites out."""
        is_json = self.request.headers.get("Content-Type", "").startswith("application/json")
        try:
            body = json.loads(self.request.body) if is_json else None
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise PlanetNo(400, "invalid_request", "send one JSON object as application/json")
        return body

    def text(self, name: str) -> str:
        """A needed text of the call."""
        value = self.asked().get(name)
        if not isinstance(value, str) or not value:
            raise PlanetNo(400, "invalid_request", f"{name} is missing")
        return value

    def fen(self, name: str) -> int | None:
        """An optional sum of the call."""
        value = self.asked().get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
            raise PlanetNo(400, "invalid_request", f"{name} must be whole fen")
        return value

    def who(self, name: str = "person") -> SandboxPerson:
        """The person the call names."""
        person = self.site.world.people.get(self.text(name))
        if not person:
            raise PlanetNo(404, "not_found", "no such person")
        return person

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """A refusal is an answer."""
        if not isinstance(value, PlanetNo):
            super().log_exception(typ, value, tb)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Refusals in the same form as the planet's own API."""
        no = kwargs.get("exc_info", (None, None))[1]
        if not isinstance(no, PlanetNo):
            no = PlanetNo(status_code, "server_error" if status_code == 500 else "invalid_request", "")
        self.set_status(no.status)
        self.finish({"error": no.error, "message": no.message})


class GroupsHandler(ControlHandler):
    """Lists groups; opens one."""

    def get(self) -> None:
        """All groups."""
        groups = [group.shown(f"/groups/{key}") for key, group in self.site.groups.items()]
        self.finish({"groups": groups})

    def post(self) -> None:
        """A new group: group_id, title, price_fen, owner."""
        facts = (self.text("group_id"), self.text("title"), self.fen("price_fen") or 0, self.who("owner"))
        try:
            group = self.site.add_group(*facts)
        except ValueError as taken:
            raise PlanetNo(409, "exists", str(taken)) from taken
        self.finish(group.shown(f"/groups/{group.group_id}"))


class MembersHandler(ControlHandler):
    """Who is in a group, with the person behind each account."""

    def get(self, group_id: str) -> None:
        """All members, past ones too."""
        members = self.site.group(group_id).order
        shown = [member.shown() | {"person": member.account.person} for member in members]
        self.finish({"members": shown})


class DoHandler(ControlHandler):
    """buy, renew, refund, remove, readmit, free: what a person at the planet would do."""

    def post(self, action: str) -> None:
        """Do it; the answer names the order where there is one."""
        if action == "refund":
            order_ref = self.text("order_ref")
            self.site.refund(order_ref)
            self.finish({"order_ref": order_ref})
        elif action in ("buy", "renew"):
            doing = {"buy": self.site.member_buys, "renew": self.site.member_renews}[action]
            self.finish({"order_ref": doing(self.who(), self.text("group_id"), self.fen("paid_fen"))})
        else:
            doing = {"remove": self.site.remove, "readmit": self.site.readmit, "free": self.site.joins_free}
            doing[action](self.who(), self.text("group_id"))
            self.finish({"done": action})


class PinnedHandler(ControlHandler):
    """Writes the pinned post of a group."""

    def post(self) -> None:
        """group_id, text, link."""
        try:
            self.site.set_pinned_post(self.text("group_id"), self.text("text"), self.text("link"))
        except ValueError as wrong:
            raise PlanetNo(400, "invalid_request", str(wrong)) from wrong
        self.finish({"done": "pinned"})


class LiesHandler(ControlHandler):
    """The switches that are no transport faults; null switches one off, what is not named stays."""

    names = ("lies_about_iss", "consent_error", "list_lie")

    def post(self) -> None:
        """lies_about_iss, consent_error, list_lie."""
        for name, value in self.asked().items():
            if name not in self.names or not isinstance(value, str | None):
                raise PlanetNo(400, "invalid_request", f"known: {', '.join(self.names)}")
            setattr(self.site, name, value)
        self.finish({name: getattr(self.site, name) for name in self.names})


class EventsHandler(ControlHandler):
    """What the planet told, or is trying to tell."""

    def get(self) -> None:
        """The last hundred events, oldest first."""
        self.finish({"events": [self._shown(event) for event in list(self.site.events.history)[-100:]]})

    @staticmethod
    def _shown(event: Letter) -> dict[str, Any]:
        shown = asdict(event)
        return shown | {"event_id": shown.pop("id"), "body": shown.pop("content")}


control_routes = [
    (r"/control/planet/groups", GroupsHandler),
    (r"/control/planet/groups/([^/]+)/members", MembersHandler),
    (r"/control/planet/(buy|renew|refund|remove|readmit|free)", DoHandler),
    (r"/control/planet/pinned", PinnedHandler),
    (r"/control/planet/lies", LiesHandler),
    (r"/control/planet/events", EventsHandler),
]
