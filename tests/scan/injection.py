"""sqlmap over every argument, cookie, path, form field and JSON field that reaches a row."""

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path

from tests.scan.findings import Finding
from tests.scan.target import Target
from tests.scan.tools import ROOT, ScanFailed, run

SQLMAP = ROOT / ".venv-check" / "bin" / "sqlmap"
AT_ONCE = 2
TOKEN = "ab12" * 8
BROWSER = "cd34" * 16
CLEAN = "all tested parameters do not appear to be injectable"
HELD = "does not seem to be injectable"
FOUND = "identified the following injection point"
BODY = {
    "course": "infosec-workplace*", "openid": "oNobodyKnowsThisOne*", "phone": "13800000000*", "email": "a@b.example*",
    "paid_fen": "1*", "paid_at": "2026-11-22T17:00:00+08:00*",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to try; what is to be tried is marked by `*`."""

    method: str
    path: str
    data: str = ""
    cookies: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def marks(self) -> int:
        """How many places are to be tried."""
        return " ".join([self.path, self.data, self.cookies, *self.headers.values()]).count("*")


def form(**fields: str) -> str:
    """A form with its token."""
    return "&".join(f"{name}={value}" for name, value in {"_xsrf": TOKEN, **fields}.items())


PAGES = [
    "/courses/x*", "/courses/infosec-workplace/buy?x=1*", "/orders/20261122000000000000000000000000*",
    "/orders/20261122000000000000000000000000*/refund", "/orders/20261122000000000000000000000000*/qr.svg",
    "/courses/infosec-workplace/lessons/1*", "/courses/x*/planet", "/planets/x*",
    "/lecturer/planets/x*/qr.svg",
    "/me/links/1*/unlink", "/links/attempts/1*", "/claims/aaaaaaaaaaaaaaaa*",
    "/lecturer/invites/0123456789abcdef0123456789abcdef*",
    "/scans/0123456789abcdef0123456789abcdef*", "/scans/0123456789abcdef0123456789abcdef*/qr.svg",
    "/scans/0123456789abcdef0123456789abcdef*/events", "/scans/0123456789abcdef0123456789abcdef/wait?v=1*",
    "/s/0123456789abcdef0123456789abcdef*",
    "/qr.svg?to=/courses/x*", "/wx/share?path=/courses/x*",
    "/oauth/callback?state=0123456789abcdef0123456789abcdef*&code=x*",
    "/links/callback/partner*?state=0123456789abcdef0123456789abcdef*&code=x*&iss=x*&error=x*",
]  # fmt: skip
FORMS = [
    ("/oauth/start", form(target="me*")), ("/courses/infosec-workplace/planet", form(waiver="2026-11*")),
    ("/courses/infosec-workplace/buy", form(click="0123456789abcdef0123456789abcdef*", price_fen="19900*")),
    *((f"/orders/20261122000000000000000000000000*/{act}", form()) for act in ("pay", "check", "cancel")),
    ("/orders/20261122000000000000000000000000/refund", form(reason="x*")),
    ("/planets/infosec", form(waiver="2026-11*")),
    ("/lecturer/pairings/1*", form(action="pause*")), ("/me/links/99*/unlink", form()),
    ("/scans", form(purpose="link*", course="infosec-workplace*", target="me*", renews="0123456789abcdef*")),
    ("/scans/0123456789abcdef0123456789abcdef*/cancel", form()),
    ("/scans/0123456789abcdef0123456789abcdef/code", form(code="123456*")),
    ("/s/0123456789abcdef0123456789abcdef", form(action="confirm*", page="x*", waiver="2026-11*")),
    ("/claims/aaaaaaaaaaaaaaaa*", form()), ("/lecturer/invites/0123456789abcdef0123456789abcdef*", form()),
]  # fmt: skip
EVENT = {"webhook-id": "evt_1*", "webhook-timestamp": "1795600000*", "webhook-signature": "v1,eA==*"}
NOTICE = {  # sqlmap leaves alone whatever is called a nonce
    "Wechatpay-Timestamp": "1795600000*", "Wechatpay-Nonce": "x", "Wechatpay-Serial": "x*",
    "Wechatpay-Signature": "eA==*",
}  # fmt: skip


def asks(target: Target) -> list[Ask]:
    """Every door that takes something of the visitor's."""
    signed_in = f"{target.cookie}; browser={BROWSER}; _xsrf={TOKEN}"
    where, json_type = f"/api/v1/purchases/yiling*/{target.order_no}*", {"Content-Type": "application/json"}
    key = json_type | {"Authorization": target.authorization}
    return [
        Ask("GET", "/me", cookies=f"{target.cookie}*; browser={BROWSER}*; _xsrf={TOKEN}*"),
        *(Ask("GET", path, cookies=signed_in) for path in PAGES),
        *(Ask("POST", path, data, signed_in) for path, data in FORMS),
        Ask("GET", where, headers=key),
        Ask("DELETE", f"{where}?override=x*", headers=key),
        Ask("PUT", where.replace("*", ""), json.dumps(BODY), headers=key),
        Ask("POST", "/planets/partner*/events", "{}", headers=json_type | EVENT),
        Ask("POST", "/wechatpay/notify", "{}", headers=json_type | NOTICE),
    ]


async def sqlmap(target: Target, folder: Path) -> list[Finding]:
    """Level 2 on each; a request whose test does not come to its end is an error, not a pass."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, ask: Ask) -> list[Finding]:
        async with turns:
            return await attack(target, ask, folder, number)

    found = await asyncio.gather(*(one(*each) for each in enumerate(asks(target))))
    return [finding for findings in found for finding in findings]


async def attack(target: Target, ask: Ask, folder: Path, number: int) -> list[Finding]:
    """One request, tried at every mark."""
    command = [SQLMAP, "-u", f"{target.url}{ask.path}", "--method", ask.method, "--level", 2, "--dbms", "SQLite"]
    command += ["--batch", "--disable-coloring", "--flush-session", "--ignore-code", "*", "--threads", 1, "--skip-waf"]
    command += ["--output-dir", folder / str(number), "--ignore-redirects"]
    command += ["--data", ask.data] if ask.data else []
    command += ["--cookie", ask.cookies] if ask.cookies else []
    command += [part for name, value in ask.headers.items() for part in ("-H", f"{name}: {value}")]
    said = await run(folder, *command)
    if FOUND in said:
        return [Finding("sqlmap", "SQL injection", f"{ask.method} {ask.path}")]
    if CLEAN not in said or said.count(HELD) < ask.marks:
        raise ScanFailed(f"sqlmap did not try {ask.method} {ask.path}: {said[-1500:]}")
    return []
