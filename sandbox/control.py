"""`/control/…`: everything the console can do, as JSON, for acceptance runs and virtual clocks."""

import json
from dataclasses import asdict, fields
from typing import Any

from sandbox.console_base import ConsoleHandler
from sandbox.desk import Desk
from sandbox.faults import KINDS, Fault
from sandbox.phone import Phone
from sandbox.pushes import Delivery
from sandbox.wechat_account import AccountSettings


class Wrong(Exception):
    """A call that makes no sense; becomes 400 with these words."""


class ControlHandler(ConsoleHandler):
    """One JSON call."""

    def asked(self) -> dict[str, Any]:
        """The JSON object of the body."""
        try:
            body = json.loads(self.request.body or b"{}")
        except (ValueError, RecursionError):
            raise Wrong("the body is no JSON") from None
        if not isinstance(body, dict):
            raise Wrong("the body is no JSON object")
        return body

    def person_phone(self, name: Any) -> Phone:
        """The phone of a person that exists."""
        if name not in self.world.people:
            raise Wrong(f"no person {name!r}; there are {list(self.world.people)}")
        return self.desk.phone(name)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """A refusal is an answer."""
        if not isinstance(value, Wrong | ValueError | TypeError):
            super().log_exception(typ, value, tb)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say what was wrong."""
        value = kwargs.get("exc_info", (None, None))[1]
        if isinstance(value, Wrong | ValueError | TypeError):
            self.set_status(400)
        self.finish({"error": str(value)})


class IndexHandler(ControlHandler):
    """What there is."""

    def get(self) -> None:
        """Addresses and calls."""
        paths = [rule.matcher.regex.pattern.rstrip("$") for rule in self.application.wildcard_router.rules]
        calls = [path for path in paths if path.startswith("/control")]
        self.finish({"addresses": self.desk.addresses, "calls": calls})


class ClockHandler(ControlHandler):
    """The virtual clock."""

    def get(self) -> None:
        """`{"now": unix seconds}`."""
        self.finish({"now": self.world.now(), "frozen": self.world.is_frozen})

    def post(self) -> None:
        """`{"forward": seconds}`, `{"freeze": unix seconds or null}` or `{"thaw": true}`."""
        asked = self.asked()
        if "forward" in asked:
            self.world.forward(float(asked["forward"]))
        if "freeze" in asked:
            self.world.freeze(None if asked["freeze"] is None else float(asked["freeze"]))
        if asked.get("thaw"):
            self.world.thaw()
        self.get()


class FaultsHandler(ControlHandler):
    """The switches."""

    def get(self) -> None:
        """What is on, and which kinds exist."""
        self.finish({"faults": [asdict(fault) for fault in self.world.faults.active()], "kinds": KINDS})

    def post(self) -> None:
        """`{"side", "kind", "operation", "times", "seconds", "after"}`: the last four may be left out."""
        asked = self.asked()
        known = {one.name for one in fields(Fault)}
        if not {"side", "kind"} <= set(asked) <= known:
            raise Wrong(f"a fault has {sorted(known)}")
        self.world.faults.set(asked.pop("side"), asked.pop("kind"), **asked)
        self.get()

    def delete(self) -> None:
        """All off, or those of `?side=`."""
        self.world.faults.clear(self.get_query_argument("side", None))
        self.get()


class PeopleHandler(ControlHandler):
    """Who lives in this world."""

    def get(self) -> None:
        """Everybody with their ids and switches."""
        self.finish({"people": [self._shown(person.name) for person in self.world.people.values()]})

    def post(self) -> None:
        """`{"name", "nickname", "unionid", "snapshot", "callback_twice", "kind"}`: adds or changes."""
        asked = self.asked()
        name = str(asked.get("name", ""))
        if name not in self.world.people:
            self.world.add_person(name, asked.get("nickname"), unionid=asked.get("unionid"))
        phone = self.desk.phone(name)
        for switch in ("snapshot", "callback_twice"):
            setattr(phone.person, switch, bool(asked.get(switch, getattr(phone.person, switch))))
        phone.kind = asked.get("kind", phone.kind)
        self.finish(self._shown(name))

    def _shown(self, name: str) -> dict[str, Any]:
        phone = self.desk.phone(name)
        shown = {"openid": phone.openid, "kind": phone.kind, "phone_header": self.world.phone_header(phone.person)}
        return asdict(phone.person) | shown | {"follows": self.desk.wechat.account.chats.fan(phone.person).follows}


class PushHandler(ControlHandler):
    """Something that a person does in WeChat, pushed to the bot."""

    async def post(self) -> None:
        """`{"person", "do": say | follow | unfollow | click | revoke | cancel | event, …}` → what the bot did."""
        asked = self.asked()
        phone, wechat = self.person_phone(asked.get("person")), self.desk.wechat
        before = len(phone.inbox)
        doing = {
            "say": lambda: wechat.say(phone.person, str(asked["text"])),
            "follow": lambda: wechat.follow(phone.person, asked.get("scene"), paid=asked.get("paid", "")),
            "unfollow": lambda: wechat.unfollow(phone.person),
            "click": lambda: wechat.click(phone.person, str(asked["key"])),
            "revoke": lambda: wechat.revoke(phone.person, str(asked.get("info", "205"))),
            "cancel": lambda: wechat.revoke(phone.person, cancel=True),
            "event": lambda: wechat.event(phone.person, str(asked["event"]), **asked.get("fields", {})),
        }
        if asked.get("do") not in doing:
            raise Wrong(f"do is one of {sorted(doing)}")
        try:
            delivery: Delivery = await doing[asked["do"]]()
        except KeyError as missing:
            raise Wrong(f"{missing} is missing") from None
        heard = [one.text for one in phone.inbox[before:] if one.via == "passive"]
        tries = [one.status for one in delivery.tries]
        self.finish({"replies": heard, "tries": tries, "malformed": delivery.malformed, "held": delivery.held})


class InboxHandler(ControlHandler):
    """One person's chat."""

    def get(self, name: str) -> None:
        """All bubbles and the links in them."""
        phone = self.person_phone(name)
        self.finish({"bubbles": [asdict(one) for one in phone.inbox], "links": phone.chat_links()})


class JournalHandler(ControlHandler):
    """All traffic."""

    def get(self) -> None:
        """`?side=&operation=&direction=&after=`: entries with a number above `after`."""
        wanted = {name: self.get_query_argument(name, None) for name in ("side", "operation", "direction")}
        after = int(self.get_query_argument("after", "0"))
        found = [asdict(one) for one in self.world.journal.entries(**wanted) if one.number > after]
        self.finish({"entries": found})

    def delete(self) -> None:
        """Forget it all."""
        self.world.journal.clear()
        self.finish({"entries": []})


class AccountHandler(ControlHandler):
    """The Official Account's console."""

    def get(self) -> None:
        """Its settings and counters."""
        account = self.desk.wechat.account
        counts = {"token_fetches": account.token_fetches, "menu": account.menu}
        self.finish(asdict(account.settings) | counts)

    def post(self) -> None:
        """Change settings by name; `{"break_tokens": 40001}` and `{"always_40001": true}` too."""
        asked, account = self.asked(), self.desk.wechat.account
        if "break_tokens" in asked:
            account.break_tokens(int(asked.pop("break_tokens")))
        account.always_40001 = bool(asked.pop("always_40001", account.always_40001))
        change_settings(self.desk, asked)
        self.get()


class VerifyHandler(ControlHandler):
    """The console's buttons that look whether the bot's site is ready."""

    async def post(self) -> None:
        """`{}` asks for the echostr; `{"base_url", "name"}` for MP_verify_name.txt → `{"problem": ""}`."""
        asked, pushes = self.asked(), self.desk.wechat.pushes
        if "name" in asked:
            problem = await pushes.verify_domain(str(asked.get("base_url", "")), str(asked["name"]))
        else:
            problem = await pushes.verify_url()
        self.finish({"problem": problem})


class JsSdkHandler(ControlHandler):
    """What a page's `wx.config` would hear."""

    def post(self) -> None:
        """`{"url", "timestamp", "noncestr", "signature"}` → `{"said": "config:ok"}` or `config:invalid signature`."""
        asked = {name: str(value) for name, value in self.asked().items()}
        self.finish({"said": self.desk.wechat.account.check_jssdk(asked.pop("url", ""), **asked)})


def change_settings(desk: Desk, changes: dict[str, Any]) -> None:
    """Take over known settings; the account's id cannot change while people know it."""
    settings = desk.wechat.account.settings
    if unknown := set(changes) - {one.name for one in fields(AccountSettings)} | ({"app_id"} & set(changes)):
        raise Wrong(f"cannot change {sorted(unknown)}")
    AccountSettings(**(asdict(settings) | changes)).check()
    for name, value in changes.items():
        setattr(settings, name, value)


routes = [
    (r"/control", IndexHandler),
    (r"/control/clock", ClockHandler),
    (r"/control/faults", FaultsHandler),
    (r"/control/people", PeopleHandler),
    (r"/control/push", PushHandler),
    (r"/control/inbox/([0-9A-Za-z]+)", InboxHandler),
    (r"/control/journal", JournalHandler),
    (r"/control/account", AccountHandler),
    (r"/control/verify", VerifyHandler),
    (r"/control/jssdk", JsSdkHandler),
]
