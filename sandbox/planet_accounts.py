"""The planet's own accounts: a person may have several, and our client knows each by a pairwise id."""

import hmac

from sandbox.planet_members import Account
from sandbox.world import SandboxPerson, World


class Accounts:
    """All accounts of one planet, and which of them a person is using now."""

    def __init__(self, world: World, client_id: str) -> None:
        self._world = world
        self._client_id = client_id
        self._key = world.new_id(bits=256).encode()
        self._by_uid: dict[str, Account] = {}
        self._of_person: dict[str, list[Account]] = {}
        self._current: dict[str, Account] = {}

    def of(self, person: SandboxPerson) -> Account:
        """The account the person is using; her first one is made when she is first seen."""
        if person.name not in self._current:
            self.new(person, f"{person.nickname}@星球")
        return self._current[person.name]

    def all_of(self, person: SandboxPerson) -> list[Account]:
        """Every account of the person, oldest first; at least one."""
        self.of(person)
        return list(self._of_person[person.name])

    def new(self, person: SandboxPerson, name: str | None = None) -> Account:
        """One more account for the person, who uses it from now on."""
        own = self._of_person.setdefault(person.name, [])
        name = name or f"{person.nickname}@星球{len(own) + 1}"
        account = Account(self._pairwise(self._world.new_id("u")), name[:40], person.name)
        own.append(account)
        self._by_uid[account.uid] = account
        self._current[person.name] = account
        return account

    def switch(self, person: SandboxPerson, uid: str) -> Account:
        """Let the person use another account of her own; ValueError when it is not hers."""
        account = self._by_uid.get(uid)
        if account is None or account.person != person.name:
            raise ValueError("not an account of this person")
        self._current[person.name] = account
        return account

    def lend(self, account: Account, person: SandboxPerson) -> None:
        """Let a person use somebody else's account from now on, as people who share a login do."""
        self._of_person.setdefault(person.name, []).append(account)
        self._current[person.name] = account

    def find(self, uid: str) -> Account | None:
        """Whose `member_uid` this is, at our client."""
        return self._by_uid.get(uid)

    def _pairwise(self, inner_id: str) -> str:
        """What one client is told: nothing by which two clients could compare their lists."""
        return "m" + hmac.digest(self._key, f"{self._client_id} {inner_id}".encode(), "sha256").hex()[:32]
