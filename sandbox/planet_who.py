"""The planet's front page, its style sheet, and who is sitting before the screen."""

from pathlib import Path

from sandbox.planet_members import PlanetNo
from sandbox.planet_web import COOKIE, PageHandler, PlanetHandler

STYLE = (Path(__file__).parent / "pages" / "planet.css").read_text(encoding="utf-8")


class HomeHandler(PageHandler):
    """All groups; a browser nobody is known in asks who it is."""

    def get(self) -> None:
        """The list of groups."""
        if not self.person:
            self.show("who", people=list(self.world.people.values()))
            return
        self.show("home", groups=list(self.site.groups.values()))


class SessionHandler(PageHandler):
    """Chooses the person (ordinary browsers), or one of her accounts, or opens a new one."""

    def post(self) -> None:
        """`person`, `account` or `new`; then back to the own page in `next`."""
        self.check_form()
        chosen = self.only("person", body=True)
        if chosen:
            self._become(chosen)
        else:
            self._switch(self.only("account", body=True))
        self.redirect(self.own_path(self.only("next", body=True)), status=303)

    def _become(self, name: str) -> None:
        person = self.world.people.get(name)
        if self.phone or not person:
            raise PlanetNo(403, "not_allowed", "手机上的微信账号不能在这里更换。")
        self.site.browsers[self.get_cookie(COOKIE, "")] = person

    def _switch(self, uid: str) -> None:
        person, _ = self.me()
        if uid == "new":
            self.site.accounts.new(person)
            return
        try:
            self.site.accounts.switch(person, uid)
        except ValueError as foreign:
            raise PlanetNo(403, "not_allowed", "这不是你的账号。") from foreign


class LeaveHandler(PageHandler):
    """An ordinary browser forgets who was before it."""

    def post(self) -> None:
        """Forget, and go to the front page."""
        self.check_form()
        self.site.browsers.pop(self.get_cookie(COOKIE, ""), None)
        self.redirect(self.own_path(self.only("next", body=True)), status=303)


class StyleHandler(PlanetHandler):
    """The one style sheet."""

    operation = "planet.style"
    quiet = True

    def get(self) -> None:
        """The style sheet."""
        self.set_header("Content-Type", "text/css; charset=UTF-8")
        self.finish(STYLE)


routes = [
    (r"/", HomeHandler),
    (r"/session", SessionHandler),
    (r"/leave", LeaveHandler),
    (r"/planet\.css", StyleHandler),
]
