"""Signing in inside WeChat: a tap starts it, the callback ends it on a clean address."""

import re

from h5.base import BaseHandler
from models.errors import WrongInput
from services import people

SLUG = r"[a-z0-9][a-z0-9-]{0,63}"
CODE = r"[0-9a-z]{16,64}"
TARGETS = {
    "home": (r"", "/"),
    "me": (r"", "/me"),
    "links": (r"", "/me/links"),
    "access": (r"", "/me/access"),
    "lecturer": (r"", "/lecturer"),
    "planet": (SLUG, "/planets/{}"),
    "course": (SLUG, "/courses/{}"),
    "lesson": (SLUG + r"/[0-9]{1,4}", "/courses/{}"),
    "course_planet": (SLUG, "/courses/{}/planet"),
    "claim": (CODE, "/claims/{}"),
    "invite": (CODE, "/lecturer/invites/{}"),
}


def path_of(target: str) -> str:
    """The page of ours that a target names; raises WrongInput for anything else, above all for addresses."""
    kind, _, name = target.partition(":")
    if kind not in TARGETS or not re.fullmatch(TARGETS[kind][0], name):
        raise WrongInput(what="target")
    return TARGETS[kind][1].format(name.replace("/", "/lessons/"))


class StartHandler(BaseHandler):
    """A tap on 登录: remembers where he wanted to go and sends him to WeChat."""

    async def post(self) -> None:
        await self.limit("sign_in")
        target = self.field("target", most=128)
        path_of(target)
        state = await self.ctx.transact(people.begin_sign_in, browser=self.browser(), target=target)
        self.see(self.ctx.wechat.authorize_url(f"{self.ctx.config.base_url}/oauth/callback", state))


class CallbackHandler(BaseHandler):
    """WeChat sends him back, often twice: the same browser gets the same outcome."""

    async def get(self) -> None:
        returned = {"state": self.asked("state"), "code": self.asked("code"), "browser": self.known_browser()}
        signed_in = await people.finish_sign_in(self.ctx, **returned)
        await self.forget_old_session()
        self.keep("session", signed_in.token)
        self.see(path_of(signed_in.target))

    async def forget_old_session(self) -> None:
        """A session from before the sign-in is worth nothing after it."""
        if old := self.get_cookie(self.cookie("session")):
            await self.ctx.transact(people.sign_out, token=old)


class SignOutHandler(BaseHandler):
    """Ends this browser's session."""

    async def post(self) -> None:
        if token := self.get_cookie(self.cookie("session")):
            await self.ctx.transact(people.sign_out, token=token)
        self.drop("session")
        self.see("/")


routes = [
    (r"/oauth/start", StartHandler),
    (r"/oauth/callback", CallbackHandler),
    (r"/oauth/sign-out", SignOutHandler),
]
