"""Who is this person at the planet: `/oauth/authorize` for people, `/oauth/token` for our client."""

from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from sandbox.planet_codes import CHALLENGE, STATE
from sandbox.planet_members import Account, Group, PlanetNo, rfc3339
from sandbox.planet_web import ApiHandler, PageHandler

ACCESS_SECONDS = 600
BEARER = "Bearer"


class SendBack(PlanetNo):
    """A refusal that the client may be told through the browser."""

    def __init__(self, error: str, message: str) -> None:
        super().__init__(400, error, message)


@dataclass
class Ask:
    """A checked request to recognise a member for one group."""

    redirect_uri: str
    state: str
    group: Group
    challenge: str


class AuthorizeHandler(PageHandler):
    """Shows a member what our client asks, and sends him back with his yes or no."""

    operation = "planet.authorize"

    def get(self) -> None:
        """The consent page; in a browser that nobody is known in, first the question who it is."""
        ask = self._ask()
        if not self.person:
            self.show("who", people=list(self.world.people.values()))
            return
        self.form_targets = f"'self' {self._origin_of(ask.redirect_uri)}"
        own = [one for one in self.site.accounts.all_of(self.person) if one is not self.account]
        self.show("authorize", ask=ask, others=own, client=self._origin_of(ask.redirect_uri))

    def post(self) -> None:
        """One tap: 同意 or 不同意."""
        ask = self._ask()
        _, account = self.me()
        self.check_form()
        decision = self.only("decision", body=True)
        if decision == "deny":
            raise SendBack("access_denied", "the member said no")
        if decision != "agree":
            raise PlanetNo(400, "invalid_request", "请选择同意或不同意。")
        if self.site.consent_error:
            raise SendBack(self.site.consent_error, "a switch of the sandbox")
        self._send_back({"code": self._code(ask, account)})

    def refuse(self, no: PlanetNo) -> None:
        """Back to the client where that is safe, else a page here."""
        if isinstance(no, SendBack):
            self._send_back({"error": no.error, "error_description": no.message})
        else:
            super().refuse(no)

    def _ask(self) -> Ask:
        """Check the request; until client and address are known to belong together nothing goes back."""
        is_client = self.only("client_id") == self.site.client_id
        redirect_uri = self.only("redirect_uri")
        if not is_client or redirect_uri not in self.site.redirect_uris:
            raise PlanetNo(400, "invalid_request", "unknown client_id or redirect_uri")
        try:
            return self._rest_of_ask(redirect_uri)
        except SendBack:
            raise
        except PlanetNo as no:
            raise SendBack("invalid_request", no.message) from no

    def _rest_of_ask(self, redirect_uri: str) -> Ask:
        fixed = {"response_type": "code", "scope": "membership", "code_challenge_method": "S256"}
        for name, value in fixed.items():
            if self.only(name) != value:
                raise SendBack("invalid_request", f"{name} must be {value}")
        state, challenge = self.only("state"), self.only("code_challenge")
        if not STATE.fullmatch(state):
            raise SendBack("invalid_request", "state must be 32 to 64 letters or digits")
        if not CHALLENGE.fullmatch(challenge):
            raise SendBack("invalid_request", "code_challenge must be 43 characters of base64url")
        group = self.site.group(self.only("group_id"))
        if not group.is_partner_allowed:
            raise SendBack("invalid_request", "this group is not open to this client")
        return Ask(redirect_uri, state, group, challenge)

    def _code(self, ask: Ask, account: Account) -> str:
        facts = {"group_id": ask.group.group_id, "redirect_uri": ask.redirect_uri}
        return self.site.codes.issue(account, **facts, challenge=ask.challenge, now=self.site.now)

    def _send_back(self, values: dict[str, str]) -> None:
        """Redirect to the client; a state is repeated only when it has the promised form."""
        states = [state for state in self.get_query_arguments("state") if STATE.fullmatch(state)]
        if len(states) == 1:
            values |= {"state": states[0]}
        values |= {"iss": self.site.lies_about_iss or self.origin}
        address = self.get_query_argument("redirect_uri")
        mark = "&" if "?" in address else "?"
        self.set_status(303)
        self.set_header("Cache-Control", "no-store")
        self.set_header("Location", f"{address}{mark}{urlencode(values)}")
        self.finish()

    @staticmethod
    def _origin_of(url: str) -> str:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}"


class TokenHandler(ApiHandler):
    """Our client turns a code into the member's pairwise id."""

    operation = "planet.token"

    def set_default_headers(self) -> None:
        """RFC 6749 asks for both headers."""
        super().set_default_headers()
        self.set_header("Pragma", "no-cache")

    def post(self) -> None:
        """The code exchange; a code is used up by whoever presents it."""
        if self.only("grant_type", body=True) != "authorization_code":
            raise PlanetNo(400, "unsupported_grant_type", "only authorization_code")
        names = ("code", "redirect_uri", "code_verifier")
        code, redirect_uri, verifier = (self.only(name, body=True) for name in names)
        if not (code and redirect_uri and verifier):
            raise PlanetNo(400, "invalid_request", "code, redirect_uri and code_verifier are needed")
        found = self.site.codes.redeem(code, redirect_uri=redirect_uri, verifier=verifier)
        who = {"member_uid": found.account.uid, "display_name": found.account.name}
        answer = {"access_token": self.world.new_id("t", 256), "token_type": BEARER}
        answer |= {"expires_in": ACCESS_SECONDS} | who | {"auth_time": rfc3339(found.agreed_at)}
        self.finish(answer)


routes = [(r"/oauth/authorize", AuthorizeHandler), (r"/oauth/token", TokenHandler)]
