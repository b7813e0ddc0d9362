"""Signing in inside WeChat: a tap starts it, the callback ends it on a clean address."""

from h5.base import BaseHandler
from h5.heads import GetUsesUp
from h5.targets import path_of
from services import people, scans, scans_at_pc

ARRIVALS = {scans.TARGET: scans.arrived}


class StartHandler(BaseHandler):
    """A tap on 登录: remembers where he wanted to go and sends him to WeChat."""

    acts = "sign_in"

    async def post(self) -> None:
        target = self.field("target", most=128)
        path_of(target)
        state = await self.ctx.transact(people.begin_sign_in, browser=self.browser(), target=target)
        self.see(self.ctx.wechat.authorize_url(f"{self.ctx.config.base_url}/oauth/callback", state))


class CallbackHandler(GetUsesUp, BaseHandler):
    """WeChat sends him back, often twice: the same browser gets the same outcome."""

    looks = "return"

    async def get(self) -> None:
        returned = {"state": self.asked("state"), "code": self.asked("code"), "browser": self.known_browser()}
        signed_in = await people.finish_sign_in(self.ctx, **returned)
        await self.forget_old_session()
        self.keep("session", signed_in.token)
        await self.arrive(signed_in)
        self.see(path_of(signed_in.target))

    async def arrive(self, signed_in: people.SignedIn) -> None:
        """Who came by a QR has now scanned it."""
        kind = signed_in.target.partition(":")[0]
        if kind in ARRIVALS:
            await self.ctx.transact(ARRIVALS[kind], target=signed_in.target, person_id=signed_in.person_id)

    async def forget_old_session(self) -> None:
        """A session from before the sign-in is worth nothing after it."""
        if old := self.get_cookie(self.cookie("session")):
            await self.ctx.transact(people.sign_out, token=old)


class SignOutHandler(BaseHandler):
    """Ends this browser's session."""

    acts = "page"

    async def post(self) -> None:
        if token := self.get_cookie(self.cookie("session")):
            await self.ctx.transact(people.sign_out, token=token)
            await self.ctx.transact(scans_at_pc.end_of_browser, browser=self.known_browser())
        self.drop("session")
        self.see("/")


routes = [
    (r"/oauth/start", StartHandler),
    (r"/oauth/callback", CallbackHandler),
    (r"/oauth/sign-out", SignOutHandler),
]
