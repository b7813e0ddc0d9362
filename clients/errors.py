"""What a call to another company can come to, in words that carry no secret."""


class RemoteError(Exception):
    """Another company said no, or nothing; the text names only the peer and a code.

    `code` is theirs where the contract knows it, else ours; `status` is the HTTP status if one came.
    """

    def __init__(self, peer: str, code: str, *, status: int | None = None) -> None:
        super().__init__(f"{peer}: {code}")
        self.peer = peer
        self.code = code
        self.status = status


class RemoteDown(RemoteError):
    """Ask again later. `unknown` when they may have done it all the same: then only ask what is idempotent."""

    def __init__(
        self,
        peer: str,
        code: str,
        *,
        status: int | None = None,
        unknown: bool = False,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(peer, code, status=status)
        self.unknown = unknown
        self.retry_after = retry_after


class RemoteRefused(RemoteError):
    """Asking the same again is useless."""


class CodeRefused(RemoteRefused):
    """The one-time code of an authorisation is used, old or unknown: the person has to begin again."""


class ConfigRefused(RemoteRefused):
    """Our settings or the account's are wrong: a person has to act, and the text says on what."""
