"""The planet's REST API, section 2 of the contract."""

import base64
import hmac
import json
import re
from datetime import datetime, timedelta
from math import ceil
from typing import Any, ClassVar

from sandbox.planet_members import REASONS, REVOKE_REASONS, Group, Member, PlanetNo, rfc3339
from sandbox.planet_web import ApiHandler

REF = re.compile(r"[0-9A-Za-z._:-]{1,64}")
UTC_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)")
MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
PAGE_MOST = 200
LARGEST = 65536


def read_moment(text: Any, name: str) -> datetime:
    """An RFC 3339 moment in UTC, as the contract writes all of them."""
    if not isinstance(text, str) or not UTC_MOMENT.fullmatch(text):
        raise PlanetNo(400, "invalid_request", f"{name} must be RFC 3339 in UTC")
    try:
        return datetime.fromisoformat(text)
    except ValueError as wrong:
        raise PlanetNo(400, "invalid_request", f"{name} is no real moment") from wrong


class GroupApiHandler(ApiHandler):
    """What all calls about a group share."""

    def open_group(self, group_id: str) -> Group:
        """The group, when its owner has opened it to our client."""
        group = self.site.group(group_id)
        if not group.is_partner_allowed:
            raise PlanetNo(403, "not_allowed", "the owner has not opened this group to you")
        return group

    def json_body(self) -> dict[str, Any]:
        """The body as one JSON object."""
        try:
            body = json.loads(self.request.body) if len(self.request.body) <= LARGEST else None
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise PlanetNo(400, "invalid_request", "the body must be one JSON object")
        return body


class GroupHandler(GroupApiHandler):
    """What the group is and costs."""

    operation = "planet.group"

    def get(self, group_id: str) -> None:
        """The group's facts."""
        self.finish(self.open_group(group_id).shown(f"{self.origin}/groups/{group_id}"))


class MembershipHandler(GroupApiHandler):
    """Grants and revokes a membership under our own reference."""

    operations: ClassVar[dict[str, str]] = {"PUT": "planet.grant", "DELETE": "planet.revoke"}

    def put(self, group_id: str, ref: str) -> None:
        """Make, repeat, extend or revive."""
        group = self.open_group(group_id)
        body = self.json_body()
        uid, reason = body.get("member_uid"), body.get("reason")
        if not REF.fullmatch(ref) or not isinstance(uid, str) or reason not in REASONS:
            raise PlanetNo(400, "invalid_request", "ref, member_uid or reason is not in its form")
        ends_at = read_moment(body.get("ends_at"), "ends_at")
        account = self.site.accounts.find(uid)
        if not account:
            raise PlanetNo(404, "not_found", "no such member_uid")
        times = {"ends_at": ends_at, "now": self.site.now}
        membership, is_new = group.grant(ref, account, reason=reason, **times)
        self.site.watch_end(group, membership)
        self.set_status(201 if is_new else 200)
        self.finish(membership.granted())

    def delete(self, group_id: str, ref: str) -> None:
        """End it, with a reason for the planet's books."""
        group = self.open_group(group_id)
        if self.only("reason") not in REVOKE_REASONS:
            raise PlanetNo(400, "invalid_request", "reason must be refund, unlink or operator")
        membership = group.revoke(ref)
        self.finish({"ref": ref, "status": membership.status, "version": membership.version})


class MemberHandler(GroupApiHandler):
    """One member, of now or of the past."""

    operation = "planet.member"

    def get(self, group_id: str, uid: str) -> None:
        """The member with all reasons why he is or was in."""
        self.finish(self.open_group(group_id).find(uid).shown())


class MembersHandler(GroupApiHandler):
    """The whole list in the order of joining, page by page; it may change while it is read."""

    operation = "planet.members"

    def get(self, group_id: str) -> None:
        """One page; a member who joins meanwhile comes at the end, and nobody moves."""
        group = self.open_group(group_id)
        limit = self.only("limit") or str(PAGE_MOST)
        if not re.fullmatch(r"[0-9]{1,3}", limit) or not 1 <= int(limit) <= PAGE_MOST:
            raise PlanetNo(400, "invalid_request", "limit must be 1 to 200")
        seen, total, as_of = self._pretended(group)
        lie, after = self.site.list_lie, self._after(group_id)
        page: list[Member] = group.order[after : min(after + int(limit), seen)]
        end = after + len(page)
        cursor = self._cursor(group_id, end) if page and end < seen else None
        if lie == "circle":
            cursor = self._cursor(group_id, int(limit))
        shown = [member.shown() for member in page for _ in range(2 if lie == "doubled" else 1)]
        answer = {"members": shown, "next_cursor": cursor}
        self.finish(answer | {"total": total, "as_of": rfc3339(as_of)})

    def _pretended(self, group: Group) -> tuple[int, int, datetime]:
        """How many members are shown, how many are said to be, and of when: true unless a switch lies."""
        count, now = len(group.order), self.site.now
        lies = {
            "empty": (0, 0, now),
            "half": (count // 2, count, now),
            "smaller": (count - ceil(count * 0.3), count - ceil(count * 0.3), now),
            "stale": (count, count, now - timedelta(days=2)),
        }
        return lies.get(self.site.list_lie or "", (count, count, now))

    def _cursor(self, group_id: str, after: int) -> str:
        mark = hmac.digest(self.site.form_key, f"cursor {group_id} {after}".encode(), "sha256").hex()[:16]
        return base64.urlsafe_b64encode(f"{after}.{mark}".encode()).decode().rstrip("=")

    def _after(self, group_id: str) -> int:
        """The place where the page begins; a cursor that is not ours for this list is refused."""
        given = self.only("cursor")
        if not given:
            return 0
        try:
            text = base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True).decode()
            after = int(text.partition(".")[0])
        except ValueError:
            after = -1
        is_known = hmac.compare_digest(self._cursor(group_id, after).encode(), given.encode())
        if not is_known or self.site.list_lie == "lost_cursor":
            raise PlanetNo(400, "invalid_request", "unknown cursor")
        return after


class StatementHandler(GroupApiHandler):
    """What members paid the planet in one Shanghai month."""

    operation = "planet.statement"

    def get(self, group_id: str, month: str) -> None:
        """The month's lines; `closed` says that they will not change any more."""
        self.open_group(group_id)
        if not MONTH.fullmatch(month) or month < "2000":
            raise PlanetNo(400, "invalid_request", "a month is YYYY-MM")
        self.finish(self.site.statement(group_id, month))


routes = [
    (r"/v1/groups/([^/]+)", GroupHandler),
    (r"/v1/groups/([^/]+)/memberships/([^/]+)", MembershipHandler),
    (r"/v1/groups/([^/]+)/members", MembersHandler),
    (r"/v1/groups/([^/]+)/members/([^/]+)", MemberHandler),
    (r"/v1/groups/([^/]+)/statements/([^/]+)", StatementHandler),
]
