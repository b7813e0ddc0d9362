"""Scan-to-confirm: the PC asks and follows, the phone looks, confirms or declines."""

import asyncio
import json
import re
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from h5 import devices
from h5.base import BaseHandler, signed_in
from h5.heads import GetUsesUp
from h5.streams import Line
from h5.targets import path_of
from models import scans as states
from models.errors import Declined, OpenInWechat, WrongInput
from services import handshake, qr, scan_pages, scans, scans_at_pc

WAIT_SECONDS = 25.0
VERSION = re.compile(r"[0-9]{1,9}")
EVENT_HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no", "Connection": "close"}
PICTURES = {"svg": (qr.svg, "image/svg+xml"), "png": (qr.png, "image/png")}


class ScanHandler(BaseHandler):
    """What a scan's pages share: the owner's browser is known by its cookie, and by nothing else."""

    looks = "wait"

    def owned(self, public_id: str) -> dict[str, Any]:
        """Which scan, and whose."""
        return {"public_id": public_id, "browser": self.known_browser()}

    async def progress(self, public_id: str) -> scans_at_pc.Progress:
        """Where it stands; raises NotFound for another browser's."""
        return await self.ctx.read(scans_at_pc.progress, **self.owned(public_id))

    def write_progress(self, now: scans_at_pc.Progress) -> None:
        """For the page's own script, and other programs."""
        until = now.until.isoformat().replace("+00:00", "Z") if now.until else None
        shown = {"v": now.version, "state": now.state, "ttl": now.ttl, "mask": now.mask, "until": until}
        self.write(shown | {"said": now.said})

    async def show(self, public_id: str) -> None:
        """The state after a change: as JSON, or on the page."""
        if self.wants_json:
            self.write_progress(await self.progress(public_id))
        else:
            self.see(f"/scans/{public_id}")


class AskHandler(BaseHandler):
    """The PC asks for a phone's yes."""

    acts = "scan"

    def check_xsrf_cookie(self) -> None:
        """The fields may come as JSON too, the token among them."""
        if self.request.headers.get("Content-Type", "").startswith("application/json"):
            self.take_json()
        super().check_xsrf_cookie()

    def take_json(self) -> None:
        """Read a JSON object of words like a form; anything else leaves the form empty, and so without its token."""
        with suppress(ValueError, AttributeError):
            words = {name: value for name, value in json.loads(self.request.body).items() if isinstance(value, str)}
            fields = {name: [value.encode()] for name, value in words.items()}
            self.request.body_arguments = fields
            self.request.arguments = self.request.query_arguments | fields

    async def post(self) -> None:
        fields = {name: self.field(name, "", most=128) for name in ("purpose", "course", "target", "renews")}
        if fields["target"]:
            path_of(fields["target"])
        who = {"browser": self.browser(), "person_id": self.person.id if self.person else None}
        where = {"ip": self.ip, "user_agent": self.user_agent}
        made = await scans_at_pc.begin(self.ctx, course_slug=fields.pop("course"), **fields, **who, **where)
        if self.wants_json:
            self.set_status(201)
            self.write({"id": made.public_id, "qr_url": made.entry, "number": made.number, "ttl": made.ttl})
        else:
            self.see(f"/scans/{made.public_id}")


class FollowHandler(ScanHandler):
    """The PC's page; for programs, where the scan stands."""

    async def get(self, public_id: str) -> None:
        now = await self.progress(public_id)
        if "text/html" not in self.request.headers.get("Accept", ""):
            self.write_progress(now)
            return
        course = self.ctx.catalogue.course(now.course_slug) if now.course_slug else None
        entry = "" if self.ctx.config.is_https else await self.ctx.read(scans_at_pc.entry_of, **self.owned(public_id))
        self.page("scan.html", scan=now, course=course, go_on=path_of(now.target or "me"), entry=entry)


class PictureHandler(ScanHandler):
    """The QR, drawn off the loop."""

    looks = "picture"

    async def get(self, public_id: str, kind: str) -> None:
        entry = await self.ctx.read(scans_at_pc.entry_of, **self.owned(public_id))
        draw, content_type = PICTURES[kind]
        picture = await asyncio.to_thread(draw, entry)
        self.set_header("Content-Type", content_type)
        self.finish(picture)


class EventsHandler(GetUsesUp, ScanHandler):
    """A line to the PC that says when something has changed; the browser opens it again by itself."""

    async def get(self, public_id: str) -> None:
        line = Line()
        line.forget = self.ctx.waiting.watch(public_id, line.hear)
        try:
            line.hear(await self.ctx.read(scans_at_pc.version_of, **self.owned(public_id)))
        except BaseException:
            line.forget()
            raise
        self.hand_over(line)

    def hand_over(self, line: Line) -> None:
        """Take the connection out of Tornado's hands: what a waiting PC needs no more must not stay in memory."""
        for name, value in EVENT_HEADERS.items():
            self.set_header(name, value)
        lines = [f"{name}: {value}" for name, value in self._headers.get_all()]
        head = "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode("latin1")
        self.settings["lines"].open(line, self.detach(), head)
        self.application.log_request(self)
        self.on_finish()


class WaitHandler(GetUsesUp, ScanHandler):
    """The same where lines do not get through: answers when there is a newer version, or after 25 s with nothing."""

    async def get(self, public_id: str) -> None:
        known = self.asked("v") or "0"
        if not VERSION.fullmatch(known):
            raise WrongInput(what="v")
        heard: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        with self.ctx.waiting.watched(public_id, lambda version: heard.done() or heard.set_result(version)):
            version = await self.ctx.read(scans_at_pc.version_of, **self.owned(public_id))
            if version <= int(known):
                version = await self.newer(heard)
        if version is None:
            self.set_status(204)
        else:
            self.write({"v": version})

    async def newer(self, heard: asyncio.Future[int | None]) -> int | None:
        """The next version, or None when there is none in time, or this process leaves."""
        with suppress(TimeoutError):
            return await asyncio.wait_for(heard, WAIT_SECONDS)
        return None


class CancelHandler(ScanHandler):
    """The PC calls it off."""

    async def post(self, public_id: str) -> None:
        await self.ctx.transact(scans_at_pc.cancel, **self.owned(public_id))
        await self.show(public_id)


class DigitsHandler(ScanHandler):
    """The six digits of the phone, typed at the PC that asked for a session."""

    acts = "code"

    async def post(self, public_id: str) -> None:
        digits = self.field("code", "", most=16).strip()
        came = await scans_at_pc.finish_sign_in(self.ctx, digits=digits, **self.owned(public_id))
        self.keep("session", came.token)
        if self.wants_json:
            self.write({"state": states.DONE})
        else:
            self.see(path_of(came.target or "me"))


class PhoneHandler(BaseHandler):
    """The phone's side: GET changes nothing, for previews and crawlers look too; each step is a tap."""

    looks, acts = "phone", "link"

    @property
    def target(self) -> str:
        return f"scan:{self.path_args[0]}"

    async def get(self, code: str) -> None:
        seen = await self.ctx.read(scan_pages.page, code=code, person_id=self.person.id if self.person else None)
        if self.person is None and not self.in_wechat:
            raise OpenInWechat
        if seen.step == "done":
            self.see(f"/links/attempts/{seen.attempt_id}" if seen.attempt_id else "/me")
            return
        where = {"pc": devices.named(seen.user_agent), "place": devices.place(seen.ip, self.ip)}
        host = urlsplit(self.ctx.config.base_url).netloc
        self.page("scan_phone.html", scan=seen, code=code, host=host, **where)

    @signed_in
    async def post(self, code: str) -> None:
        steps = {"open": self.opened, "confirm": self.confirmed, "decline": self.declined}
        step = steps.get(self.field("action", ""))
        if step is None:
            raise WrongInput(what="action")
        await step(code)

    async def opened(self, code: str) -> None:
        """He has scanned it, and now reads what it is about."""
        await self.ctx.transact(scans.opened, code=code, person_id=self.person.id)
        self.see(f"/s/{code}")

    async def confirmed(self, code: str) -> None:
        """His yes: on to the planet, or to the digits for the PC."""
        said = {"page": self.field("page", "", most=96), "agreed": self.field("waiver", "", most=32)}
        where = {"ip": self.ip, "user_agent": self.user_agent, "browser": self.browser()}
        departure = await self.ctx.transact(scans.confirm, code=code, person_id=self.person.id, **said, **where)
        self.see(handshake.way_out(self.ctx, departure) if departure else f"/s/{code}")

    async def declined(self, code: str) -> None:
        """His no."""
        await self.ctx.transact(scans.decline, code=code, person_id=self.person.id, no=Declined())
        self.see(f"/s/{code}")


SCAN = r"/scans/([0-9a-f]{32})"
routes = [
    (r"/scans", AskHandler),
    (SCAN, FollowHandler),
    (rf"{SCAN}/qr\.(svg|png)", PictureHandler),
    (rf"{SCAN}/events", EventsHandler),
    (rf"{SCAN}/wait", WaitHandler),
    (rf"{SCAN}/cancel", CancelHandler),
    (rf"{SCAN}/code", DigitsHandler),
    (r"/s/([0-9a-f]{32})", PhoneHandler),
]
