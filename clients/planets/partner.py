"""The partner contract v1, our side: OAuth with PKCE, memberships by our own `ref`, the member list, statements.

Its Peer is made with LIMITS and the same base URL.
"""

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import quote, urlencode

from clients.errors import CodeRefused, RemoteDown, RemoteRefused
from clients.http import Answer, Peer
from clients.planets import (
    BACKGROUND_SECONDS,
    PERSON_WAITS_SECONDS,
    Capabilities,
    GroupInfo,
    Member,
    MemberPage,
    NotThere,
    PlanetNews,
    Reason,
    Recognised,
    RefConflict,
    RemoteMembership,
    RemovedByOwner,
    RevokeReason,
    Statement,
    WrongIssuer,
    partner_events,
)
from clients.planets.partner_wire import (
    GrantedWire,
    GroupWire,
    MemberWire,
    PageWire,
    RevokedWire,
    StatementWire,
    TokenWire,
)

Found = TypeVar("Found")
LIMITS = {"connect_seconds": 1.0, "total_seconds": PERSON_WAITS_SECONDS, "max_body": 1024 * 1024}
PAGE_SIZE = 200
MOST_PAGES = 10_000  # two million members; a list without an end must not hold the worker for ever
CODE = re.compile(r"[\x21-\x7e]{1,2000}")
MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
CODES: dict[str, type[RemoteRefused]] = {  # the contract's own; whatever else they say is only a status to us
    "invalid_request": RemoteRefused,
    "invalid_client": RemoteRefused,
    "invalid_grant": CodeRefused,
    "not_allowed": RemoteRefused,
    "not_found": NotThere,
    "ref_conflict": RefConflict,
    "removed_by_owner": RemovedByOwner,
}


def code_challenge(verifier: str) -> str:
    """PKCE's S256 of a verifier (43–128 characters of RFC 7636's alphabet, else ValueError)."""
    if not re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", verifier):
        raise ValueError("verifier")
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class Partner:
    """A planet that keeps the whole contract; see PlanetProvider for what each method promises."""

    capabilities = Capabilities(
        can_recognise=True,
        can_grant=True,
        can_revoke=True,
        has_events=True,
        has_members=True,
        has_statements=True,
    )

    def __init__(
        self, base_url: str, client_id: str, client_secret: str, peer: Peer, *, webhook_secrets: Sequence[str] = ()
    ) -> None:
        self._base_url = base_url
        self._client_id = client_id
        self._client_secret = client_secret
        self._peer = peer
        self._proof = partner_events.Proof(webhook_secrets)

    def authorize_url(self, *, redirect_uri: str, group_id: str, state: str, code_challenge: str) -> str:
        """Where to send the browser; `state` is 32–64 letters and digits, else ValueError."""
        if not re.fullmatch(r"[0-9a-zA-Z]{32,64}", state):
            raise ValueError("state")
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "scope": "membership",
            "group_id": group_id,
            "state": state,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._base_url}/oauth/authorize?{urlencode(query)}"

    def check_issuer(self, iss: str | None) -> None:
        """Raises WrongIssuer unless the browser came back from this planet (RFC 9207: equal to the character)."""
        if iss != self._base_url:
            raise WrongIssuer(self._peer.name, "wrong_issuer")

    def read_event(self, headers: dict[str, list[str]], body: bytes, now: float) -> tuple[str, PlanetNews | None]:
        """An event's id and what it tells, None for a kind that is new to us; EventForged, EventMalformed."""
        event_id = self._proof.check(headers, body, now)
        return event_id, partner_events.read(body)

    async def exchange(
        self, *, code: str, verifier: str, redirect_uri: str, within: float = PERSON_WAITS_SECONDS
    ) -> Recognised:
        """Who came back; CodeRefused when the code is used, old, or none at all."""
        if not CODE.fullmatch(code):
            raise CodeRefused(self._peer.name, "invalid_grant")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        answer = await self._call("POST", "/oauth/token", "exchange", form=form, within=within)
        return self._expect(answer, 200).read(TokenWire).row()

    async def group(self, group_id: str, *, within: float = PERSON_WAITS_SECONDS) -> GroupInfo:
        """The planet's own description; NotThere."""
        answer = await self._call("GET", _path(group_id), "group", within=within)
        return self._own(self._expect(answer, 200).read(GroupWire).row(), group_id=group_id)

    async def grant(
        self,
        *,
        group_id: str,
        ref: str,
        member_uid: str,
        ends_at: datetime,
        reason: Reason,
        within: float = BACKGROUND_SECONDS,
    ) -> RemoteMembership:
        """Makes, repeats, extends or revives the membership `ref`; RefConflict, RemovedByOwner."""
        body = {"member_uid": member_uid, "ends_at": _rfc3339(ends_at), "reason": Reason(reason).value}
        path = _path(group_id, "memberships", ref)
        answer = await self._call("PUT", path, "grant", json=body, within=within)
        granted = self._expect(answer, 200, 201).read(GrantedWire).row()
        return self._own(granted, ref=ref, member_uid=member_uid)

    async def revoke(
        self, *, group_id: str, ref: str, reason: RevokeReason, within: float = BACKGROUND_SECONDS
    ) -> int | None:
        """Ends the membership `ref`, again the same; its version, None when there is none there."""
        path, query = _path(group_id, "memberships", ref), {"reason": RevokeReason(reason).value}
        answer = await self._call("DELETE", path, "revoke", query=query, within=within)
        with suppress(NotThere):  # only their own not_found: a proxy's 404 page ends nothing
            return self._own(self._expect(answer, 200).read(RevokedWire), ref=ref).version
        return None

    async def member(self, group_id: str, member_uid: str, *, within: float = PERSON_WAITS_SECONDS) -> Member | None:
        """One member with all memberships, None when he is none."""
        answer = await self._call("GET", _path(group_id, "members", member_uid), "member", within=within)
        with suppress(NotThere):
            return self._own(self._expect(answer, 200).read(MemberWire).row(), member_uid=member_uid)
        return None

    async def pages(self, group_id: str) -> AsyncIterator[MemberPage]:
        """The member list to its end; RemoteDown (`list_without_end`) when its cursors go in a circle."""
        query, seen = {"limit": str(PAGE_SIZE)}, set()
        for _ in range(MOST_PAGES):
            answer = await self._call(
                "GET", _path(group_id, "members"), "members", query=query, within=BACKGROUND_SECONDS
            )
            page = self._expect(answer, 200).read(PageWire)
            yield page.row()
            if page.next_cursor is None:
                return
            if page.next_cursor in seen:
                break
            seen.add(page.next_cursor)
            query["cursor"] = page.next_cursor
        raise RemoteDown(self._peer.name, "list_without_end")

    async def members(self, group_id: str) -> AsyncIterator[Member]:
        """The member list to its end."""
        async for page in self.pages(group_id):
            for member in page.members:
                yield member

    async def statement(self, group_id: str, month: str) -> Statement:
        """The sales of a month, `YYYY-MM` (else ValueError)."""
        if not MONTH.fullmatch(month):
            raise ValueError("month")
        path = _path(group_id, "statements", month)
        answer = await self._call("GET", path, "statement", within=BACKGROUND_SECONDS)
        return self._expect(answer, 200).read(StatementWire).row()

    async def _call(
        self,
        method: str,
        path: str,
        operation: str,
        *,
        within: float,
        query: Mapping[str, str] | None = None,
        json: object = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        return await self._peer.call(
            method,
            path,
            operation=operation,
            query=query,
            json=json,
            form=form,
            basic_auth=(self._client_id, self._client_secret),
            within=within,
        )

    def _expect(self, answer: Answer, *statuses: int) -> Answer:
        """The answer if its status is one of these; else the contract's error, or the bare status, is raised."""
        if answer.status in statuses:
            return answer
        error = None
        with suppress(RemoteDown):
            found = answer.json()
            error = found.get("error") if isinstance(found, dict) else None
        if isinstance(error, str) and error in CODES:
            raise CODES[error](self._peer.name, error, status=answer.status)
        raise RemoteRefused(self._peer.name, f"http_{answer.status}", status=answer.status)

    def _own(self, found: Found, **asked: str) -> Found:
        """`found`, if it is about what was asked."""
        if any(getattr(found, name) != value for name, value in asked.items()):
            raise RemoteDown(self._peer.name, "wrong_body", unknown=True)
        return found


def _path(group_id: str, *more: str) -> str:
    parts = (group_id, *more)
    if not all(parts) or {".", ".."} & set(parts):
        raise ValueError("an id that is no path segment")
    return "/v1/groups/" + "/".join(quote(part, safe="") for part in parts)


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
