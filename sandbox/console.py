"""The console: a newcomer at one PC plays everything in it. Pages of people, switches, journal, clock, account."""

from tornado.web import Application, HTTPError

from sandbox import console_pay, console_phones, control, pay_control
from sandbox.console_base import ConsoleHandler
from sandbox.console_proxy import PhoneWebHandler, StrayHandler
from sandbox.control import Wrong, change_settings
from sandbox.desk import Desk
from sandbox.faults import KINDS, offered
from sandbox.pay import OPERATIONS
from sandbox.pushes import Delivery

SIDES = {"wechat": "微信", "planet": "星球", "pay": "微信支付"}


class PeopleHandler(ConsoleHandler):
    """`/`: everybody's phone, and where everything is."""

    def get(self) -> None:
        """The front page."""
        phones = [self.desk.phone(name) for name in self.world.people]
        self.show("people.html", phones=phones, problem="")

    def post(self) -> None:
        """One person more."""
        try:
            self.world.add_person(self.field("name").lower(), self.field("nickname") or None)
        except ValueError:
            self.set_status(422)
            phones = [self.desk.phone(name) for name in self.world.people]
            return self.show("people.html", phones=phones, problem="短名要用没人用过的英文字母或数字。")
        return self.redirect("/", status=303)


class SwitchesHandler(ConsoleHandler):
    """`/switches`: what goes wrong on purpose."""

    def get(self) -> None:
        """What is on, and a form."""
        seen = {(one.side, one.operation) for one in self.world.journal.entries()}
        operations = sorted(seen | {("pay", one) for one in OPERATIONS})
        self.show("switches.html", sides=SIDES, kinds=KINDS, offered=offered, operations=operations)

    def post(self) -> None:
        """On, or (`off`) off."""
        side, kind = self.field("side"), self.field("kind")
        if self.field("off"):
            self.world.faults.clear(side or None, kind or None)
        elif side in SIDES and kind in KINDS:
            times = self.number("times")
            how = {"times": int(times) if times else None, "seconds": self.number("seconds")}
            self.world.faults.set(side, kind, operation=self.field("operation") or "*", **how)
        else:
            raise HTTPError(400)
        self.redirect("/switches", status=303)


class JournalHandler(ConsoleHandler):
    """`/journal`: all traffic, the newest first."""

    def get(self) -> None:
        """Filtered by side."""
        side = self.get_query_argument("side", "")
        entries = self.world.journal.entries(side or None)[-200:][::-1]
        self.show("journal.html", entries=entries, side=side, sides=SIDES)


class ClockHandler(ConsoleHandler):
    """`/clock`: the virtual time."""

    def get(self) -> None:
        """Now, and buttons."""
        self.show("clock.html")

    def post(self) -> None:
        """Forward, freeze or run on."""
        act = self.field("act")
        if act == "freeze":
            self.world.freeze()
        elif act == "thaw":
            self.world.thaw()
        else:
            self.world.forward((self.number("days") or 0) * 86400 + (self.number("minutes") or 0) * 60)
        self.redirect("/clock", status=303)


class AccountHandler(ConsoleHandler):
    """`/account`: what the owner sees in mp.weixin.qq.com."""

    def get(self) -> None:
        """Settings, buttons, and what became of the last pushes."""
        self._show("")

    async def post(self) -> None:
        """Save, verify the callback address, or break the tokens."""
        act, said = self.field("act"), "已保存"
        if act == "verify":
            said = await self.desk.wechat.pushes.verify_url()
            said = f"没有通过：{said}" if said else "验证通过：地址原样答回了 echostr"
        elif act == "break":
            self.desk.wechat.account.break_tokens()
            said = "所有 access_token 都失效了，好像另一个进程刚刚强制刷新过"
        elif act == "flush":
            await self.desk.wechat.pushes.flush()
            said = "压着的消息已经送出"
        else:
            said = self._save()
        self._show(said)

    def _save(self) -> str:
        names = ("callback_url", "mode", "body_format", "token")
        try:
            change_settings(self.desk, {name: self.field(name) for name in names})
        except (Wrong, ValueError) as wrong:
            return f"没有保存：{wrong}"
        return "已保存"

    def _show(self, said: str) -> None:
        last: list[Delivery] = self.desk.wechat.pushes.deliveries[-20:][::-1]
        account = self.desk.wechat.account
        self.show("account.html", account=account, settings=account.settings, said=said, deliveries=last)


class AssetHandler(ConsoleHandler):
    """The one style sheet of the console is in its pages; this is its icon."""

    def get(self) -> None:
        """A small green square."""
        self.set_header("Content-Type", "image/svg+xml")
        shape = '<rect width="16" height="16" rx="4" fill="#07c160"/>'
        self.finish(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">{shape}</svg>')


def console_application(desk: Desk) -> Application:
    """The console as a Tornado application."""
    pages = [
        (r"/", PeopleHandler),
        (r"/switches", SwitchesHandler),
        (r"/journal", JournalHandler),
        (r"/clock", ClockHandler),
        (r"/account", AccountHandler),
        (r"/favicon\.(?:ico|svg)", AssetHandler),
        (r"/phones/[0-9A-Za-z]+/web/.*", PhoneWebHandler),
    ]
    doors = (console_phones, console_pay, control, pay_control)
    pages += [route for door in doors for route in door.routes]
    routes = [(path, handler, {"desk": desk}) for path, handler in pages]
    routes += desk.planet.control_routes
    return Application(routes, default_handler_class=StrayHandler, default_handler_args={"desk": desk})
