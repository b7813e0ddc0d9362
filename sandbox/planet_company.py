"""A pretend 知识星球 as an object, before any HTTP: its groups, members, payments, and what it tells us."""

import heapq
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sandbox.planet_accounts import Accounts
from sandbox.planet_codes import Codes
from sandbox.planet_events import Events
from sandbox.planet_members import Account, Group, Membership, PlanetNo, moment
from sandbox.planet_money import Payment, Payments
from sandbox.world import SandboxPerson, World

LIST_LIES = {
    "empty": "nobody",
    "half": "the cursor ends in the middle",
    "smaller": "30 % less",
    "stale": "of two days ago",
    "doubled": "everybody twice",
    "circle": "the cursor leads back",
    "lost_cursor": "no cursor is known any more",
}


class PlanetCompany:
    """One planet company with one client (us). Times are the world's virtual clock.

    `redirect_uris`, `client_secrets` and the attributes below may be changed while it runs.
    """

    client_name = "微课"
    lies_about_iss: str | None = None
    """what the redirect says as `iss` instead of the truth"""
    consent_error: str | None = None
    """`server_error` or `temporarily_unavailable`: what a yes comes back as"""
    list_lie: str | None = None
    """one of LIST_LIES: what the member list pretends"""

    def __init__(
        self,
        world: World,
        *,
        client_id: str,
        client_secrets: list[str],
        redirect_uris: list[str],
        webhook_url: str | None = None,
        webhook_secret: str | None = None,
        base_url: str | None = None,
    ) -> None:
        self.world = world
        self.client_id = client_id
        self.client_secrets = client_secrets
        self.redirect_uris = redirect_uris
        self.base_url = base_url
        """own origin; None takes it from each request"""
        self.accounts = Accounts(world, client_id)
        self.codes = Codes(world)
        self.payments = Payments()
        self.events = Events(world, webhook_url, webhook_secret)
        self.groups: dict[str, Group] = {}
        self.form_key = world.new_id(bits=256).encode()
        self.browsers: dict[str, SandboxPerson] = {}
        self._ends: list[tuple[datetime, int, Group, Membership]] = []
        self._count = 0

    @property
    def now(self) -> datetime:
        """The planet's time, whole seconds."""
        return moment(self.world.now())

    def add_group(self, group_id: str, title: str, price_fen: int, owner: SandboxPerson, *, days: int = 365) -> Group:
        """Open a planet of `owner`; an id that exists gives ValueError."""
        if group_id in self.groups:
            raise ValueError(f"group {group_id!r} exists")
        self.groups[group_id] = Group(group_id, title, price_fen, self.account_of(owner), days)
        return self.groups[group_id]

    def set_pinned_post(self, group_id: str, text: str, link: str) -> None:
        """What stands on top of the group's page: words, and an address shown as link and QR."""
        if urlsplit(link).scheme not in ("http", "https"):
            raise ValueError("the pinned link is an http(s) address")
        group = self.group(group_id)
        group.pinned_text, group.pinned_link = text, link

    def group(self, group_id: str) -> Group:
        """A group by its id, with everything that has ended marked so."""
        self.sweep()
        if group_id not in self.groups:
            raise PlanetNo(404, "not_found", "no such group")
        return self.groups[group_id]

    def account_of(self, who: SandboxPerson | Account) -> Account:
        """The person's own planet account that is in use; made when the planet first sees her."""
        return who if isinstance(who, Account) else self.accounts.of(who)

    def member_buys(self, who: SandboxPerson | Account, group_id: str, paid_fen: int | None = None) -> str:
        """Pay for a membership (price of the group unless told); returns the `order_ref`."""
        group, account = self.group(group_id), self.account_of(who)
        if self._paid_until(group, account):
            raise PlanetNo(409, "already_member", "paid already; renew instead")
        return self._sell(group, account, paid_fen, self.now, "membership.purchased")

    def member_renews(self, who: SandboxPerson | Account, group_id: str, paid_fen: int | None = None) -> str:
        """Pay for the next span, which starts at the old end (or now); a payment of its own."""
        group, account = self.group(group_id), self.account_of(who)
        until = self._paid_until(group, account)
        if until is None:
            raise PlanetNo(409, "not_a_member", "nothing to renew")
        return self._sell(group, account, paid_fen, until, "membership.renewed")

    def refund(self, order_ref: str, *, by_member: bool = False) -> Membership:
        """Give the money back and end the membership; a member himself can within 72 hours only."""
        self.sweep()
        payment = self.payments.find(order_ref)
        if payment.refunded_at or (by_member and not payment.can_refund(self.now)):
            raise PlanetNo(409, "cannot_refund", "refunded already, or too late")
        payment.refunded_at = self.now
        payment.membership.change(status="refunded")
        self.tell("membership.refunded", payment.group, payment.membership)
        return payment.membership

    def joins_free(self, who: SandboxPerson | Account, group_id: str) -> Membership:
        """The owner invites somebody (a guest, 嘉宾) for nothing and for ever."""
        group = self.group(group_id)
        return group.add(Membership(self.account_of(who), "free", self.now, None))

    def remove(self, who: SandboxPerson | Account, group_id: str) -> None:
        """The owner puts a member out, whatever he paid and whoever granted."""
        group = self.group(group_id)
        for membership in group.remove(self.account_of(who).uid):
            self.tell("membership.removed", group, membership)

    def readmit(self, who: SandboxPerson | Account, group_id: str) -> None:
        """The owner allows a removed member to come again; this alone gives no membership."""
        self.group(group_id).find(self.account_of(who).uid).is_removed = False

    def memberships(self, group_id: str) -> list[Membership]:
        """Every membership of the group, also those that are over."""
        return [one for member in self.group(group_id).order for one in member.memberships]

    def statement(self, group_id: str, month: str) -> dict[str, Any]:
        """The group's statement of `YYYY-MM`."""
        return self.payments.statement(self.group(group_id), month, self.now)

    def sweep(self) -> None:
        """Mark what has ended by the clock, and tell it."""
        now = self.now
        while self._ends and self._ends[0][0] <= now:
            _, _, group, membership = heapq.heappop(self._ends)
            if membership.status == "active" and membership.is_over(now):
                membership.change(status="expired")
                self.tell("membership.expired", group, membership)

    def watch_end(self, group: Group, membership: Membership) -> None:
        """Remember when a membership ends; to be called whenever that moment changes."""
        if membership.ends_at:
            self._count += 1
            heapq.heappush(self._ends, (membership.ends_at, self._count, group, membership))

    def tell(self, kind: str, group: Group, membership: Membership) -> None:
        """Send one event about a membership."""
        self.events.emit(kind, group.group_id, membership)

    def _paid_until(self, group: Group, account: Account) -> datetime | None:
        member = group.members.get(account.uid)
        ends = [one.ends_at for one in member.active if one.source == "paid"] if member else []
        return max((end for end in ends if end), default=None)

    def _sell(self, group: Group, account: Account, paid_fen: int | None, starts_at: datetime, kind: str) -> str:
        if group.member_of(account).is_removed:
            raise PlanetNo(409, "removed_by_owner", "the owner of the group removed this member")
        order_ref = self.world.new_id("zx", 80)
        fen = group.price_fen if paid_fen is None else paid_fen
        ends_at = starts_at + timedelta(days=group.days)
        sold = Membership(account, "paid", starts_at, ends_at, order_ref=order_ref, paid_fen=fen)
        self.watch_end(group, group.add(sold))
        self.payments.add(order_ref, group, sold, self.now)
        self.tell(kind, group, sold)
        return order_ref

    def payments_of(self, account: Account, group: Group) -> list[Payment]:
        """What this account paid in this group, newest first."""
        member = group.members.get(account.uid)
        paid = [one.order_ref for one in member.memberships if one.order_ref] if member else []
        return [self.payments.find(ref) for ref in reversed(paid)]
