"""Joins everything: clients, rows, handlers, the push door; starts, drains and stops."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from tornado.httputil import HTTPServerConnectionDelegate
from tornado.web import Application

from clients import pay as pay_client
from clients import redis as redis_client
from clients import wechat as wechat_client
from clients.http import Peer
from clients.pay_keys import PlatformKeys
from clients.planets import PlanetProvider
from clients.planets import partner as partner_client
from clients.wechat_crypto import PushCodec
from h5 import courses, lecturers, links, me, oauth, orders, planets, purchases, scans, system, vouchers, webhooks
from h5.base import MissingHandler
from h5.pages import ROOT, WEUI
from h5.streams import Lines
from services import jobs
from services.catalogue import CatalogueMemory
from services.config import Config
from services.context import Context
from services.database import DatabaseThreads, connect
from services.env import Clock
from services.limits import Limits
from services.turns import Turns
from services.waiting import Waiting
from wxbot.callback import PushDoor
from wxbot.delegate import PUSH_PATH, PushSite
from wxbot.draining import DrainingServer
from wxbot.replies import Conversation

BODY_MOST = 256 * 1024
BODY_SECONDS = 5
IDLE_SECONDS = 60  # also for the head of a request to arrive
LOOK_EVERY_SECONDS = 1.0
MEASURE_EVERY_SECONDS = 15.0
MOVED_EVERY_SECONDS = 2.0
CERTIFICATES_EVERY_SECONDS = 60.0
DRAIN_SECONDS = 6.5  # together with the three below not above 9: ten is promised
SETTLE_SECONDS = 1.0
LAST_SECONDS = 0.25
CLOSE_SECONDS = 1.0
IN_ONE_TURN = 2  # requests begun or gone on with in one turn of the loop: some milliseconds
GIL_SECONDS = 0.0005  # how long a database thread may keep the loop from running; Python's own choice is ten times that
YEAR_SECONDS = 31_536_000
JWEIXIN = "https://res.wx.qq.com"
log = structlog.get_logger()
HANDLERS = [courses, orders, links, me, oauth, lecturers, planets, purchases, scans, system, vouchers, webhooks]


def build_context(
    config: Config, *, clock: Clock, monotonic: Callable[[], float], new_code: Callable[[int], str]
) -> Context:
    """Everything a process holds, connected to nothing as yet. `new_code(bits)` gives so many bits of chance in hex."""
    redis = redis_client.connect(config.redis_url)
    api = Peer("wechat", config.wechat_api_url, monotonic=monotonic, **wechat_client.LIMITS)
    wechat = wechat_client.WeChat(
        app_id=config.wechat_app_id, app_secret=config.wechat_app_secret, api=api, open_url=config.wechat_open_url,
        base_url=config.base_url, redis=redis, now=lambda: clock.now().timestamp(), new_nonce=lambda: new_code(64),
    )  # fmt: skip
    planet = Peer("planet", config.planet_url, monotonic=monotonic, **partner_client.LIMITS)
    pay = Peer("pay", config.pay_api_url, monotonic=monotonic, **pay_client.LIMITS)
    bills = Peer("pay_bills", config.pay_api_url, monotonic=monotonic, **pay_client.BILL_LIMITS)
    turns = Turns(IN_ONE_TURN)
    bounds = {"threads": config.database_threads, "queue": config.database_queue}
    threads = DatabaseThreads(connect(config.database_url), turns=turns, **bounds)
    return Context(
        config=config, clock=clock, new_code=new_code, threads=threads, redis=redis, wechat=wechat,
        pay=pay_of(config, clock, new_code, pay, bills), planets=planets_of(config, planet),
        limits=Limits(redis, clock, config.limits_factor),
        turns=turns, waiting=Waiting(redis, is_shared=bool(config.redis_url)),
        catalogue=CatalogueMemory(), process_id=new_code(64), peers=[api, planet, pay, bills],
    )  # fmt: skip


def pay_of(
    config: Config, clock: Clock, new_code: Callable[[int], str], api: Peer, bills: Peer
) -> pay_client.WeChatPay | None:
    """The client of WeChat Pay; None where nothing is sold."""
    if not config.pay_mch_id:
        return None
    public_key = Path(config.pay_public_key_file).read_bytes() if config.pay_public_key_file else None
    certificates = [Path(name).read_bytes() for name in config.pay_platform_cert_files]
    return pay_client.WeChatPay(
        app_id=config.wechat_app_id, mch_id=config.pay_mch_id, serial=config.pay_cert_serial,
        private_key=Path(config.pay_private_key_file).read_bytes(), api_v3_key=config.pay_apiv3_key,
        platform_keys=PlatformKeys.of(config.pay_public_key_id, public_key, certificates), api=api, bills=bills,
        notify_url=f"{config.base_url}/wechatpay/notify",
        refund_notify_url=f"{config.base_url}/wechatpay/refund-notify",
        now=lambda: clock.now().timestamp(), new_nonce=lambda: new_code(128),
    )  # fmt: skip


def planets_of(config: Config, peer: Peer) -> dict[str, PlanetProvider]:
    """The planet providers that are set up, by the name that the catalogue uses."""
    if not config.planet_url:
        return {}
    keys = (config.planet_client_id, config.planet_client_secret)
    secrets = {"webhook_secrets": config.planet_webhook_secrets}
    return {"partner": partner_client.Partner(config.planet_url, *keys, peer, **secrets)}


def safe_headers(config: Config) -> dict[str, str]:
    """What every answer of ours carries."""
    away = " ".join({origin_of(url) for url in (config.wechat_open_url, config.planet_url) if url})
    styles = f"'self' {origin_of(config.weui_url)}" if config.weui_url else "'self'"
    policy = (
        f"default-src 'none'; script-src 'self' {JWEIXIN}; style-src {styles}; img-src 'self' data:; "
        f"connect-src 'self'; form-action 'self' {away}; frame-ancestors 'none'; base-uri 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
        "Server": "wxbot",
    }
    secure = {"Strict-Transport-Security": f"max-age={YEAR_SECONDS}; includeSubDomains"} if config.is_https else {}
    return headers | secure


def sixteens(new_code: Callable[[int], str]) -> Iterator[bytes]:
    """16 bytes of chance, again and again; drawn 64 at a time, for a draw asks the system."""
    while True:
        drawn = bytes.fromhex(new_code(64 * 128))
        yield from (drawn[start : start + 16] for start in range(0, len(drawn), 16))


def origin_of(url: str) -> str:
    """Scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def build_application(ctx: Context, *, metrics_dir: str = "") -> Application:
    """Every page and machine door but the push door."""
    weui = "/weui/weui.min.css" if WEUI.is_file() else ctx.config.weui_url
    routes = [
        (r"/static/(.*)", system.AssetHandler, {"path": str(ROOT / "h5" / "static")}),
        (r"/weui/(weui\.min\.css)", system.AssetHandler, {"path": str(WEUI.parent)}),
        *(route for module in HANDLERS for route in module.routes),
    ]
    return Application(
        routes,
        ctx=ctx,
        weui=weui,
        metrics_dir=metrics_dir,
        stopping=asyncio.Event(),
        lines=Lines(),
        safe_headers=safe_headers(ctx.config),
        default_handler_class=MissingHandler,
        xsrf_cookies=True,
        xsrf_cookie_kwargs={"secure": ctx.config.is_https, "samesite": "Lax", "httponly": True},
        log_function=system.count_request,
        debug=False,
    )


async def again_and_again(seconds: float, look: Callable[[], Awaitable[None]]) -> None:
    """Look, wait, look again, for ever; a failure is logged."""
    while True:
        try:
            await look()
        except Exception as problem:  # noqa: BLE001 - the last resort of a loop that must go on; it is logged
            log.warning("could not look", what=look.__name__, why=type(problem).__name__)
        await asyncio.sleep(seconds)


class Server:
    """One serving process: pages, push door, and the jobs if it is a worker too."""

    def __init__(self, ctx: Context, *, metrics_dir: str = "", with_worker: bool = True) -> None:
        self.ctx = ctx
        self.conversation = Conversation(ctx)
        self.door = PushDoor(self.codec(), self.conversation, self.unix_now) if ctx.config.wechat_app_id else None
        self.application = build_application(ctx, metrics_dir=metrics_dir)
        patience = {"idle_seconds": IDLE_SECONDS, "body_timeout": BODY_SECONDS}
        self.http = DrainingServer(
            self.site(), quick_path=PUSH_PATH, turns=ctx.turns, max_body_size=BODY_MOST, **patience
        )
        self.with_worker = with_worker
        self.tasks: list[asyncio.Task[None]] = []
        self.working: asyncio.Task[None] | None = None

    def site(self) -> HTTPServerConnectionDelegate:
        """All that is served: the application, before it the push door when an account is set up."""
        if self.door is None:
            return self.application
        safe = self.application.settings["safe_headers"]
        return PushSite(self.application, self.door, self.unix_now, safe_headers=safe)

    def codec(self) -> PushCodec:
        """Opens and seals pushes with the account's keys."""
        c = self.ctx.config
        return PushCodec(
            c.wechat_token, list(c.wechat_aes_keys), c.wechat_app_id, c.wechat_mode,
            sixteens(self.ctx.new_code).__next__,
        )  # fmt: skip

    def unix_now(self) -> float:
        """Unix seconds, for the push door."""
        return self.ctx.clock.now().timestamp()

    async def start(self, sockets: list[socket.socket]) -> None:
        """Serve; raises what the database raises when it is away."""
        await self.ctx.clock.refresh()
        await self.ctx.catalogue.refresh(self.ctx.read)
        await self.conversation.renew()
        self.http.add_sockets(sockets)
        rounds = [
            (LOOK_EVERY_SECONDS, self.look_round),
            (MEASURE_EVERY_SECONDS, self.measure),
            (self.apart(MOVED_EVERY_SECONDS), self.look_for_scans),
            (CERTIFICATES_EVERY_SECONDS, self.renew_certificates),
        ]
        self.tasks = [asyncio.create_task(again_and_again(*one)) for one in rounds]
        self.tasks.append(asyncio.create_task(self.ctx.waiting.listen()))
        if self.with_worker:
            self.working = asyncio.create_task(jobs.work(self.ctx, self.application.settings["stopping"]))

    async def look_round(self) -> None:
        """Keep the memories of this process fresh."""
        await self.ctx.clock.refresh()
        await self.ctx.catalogue.refresh(self.ctx.read)
        await self.conversation.renew()

    def apart(self, seconds: float) -> float:
        """About so many seconds, other ones in each process: so that not all of them ask at once."""
        return seconds * (0.8 + 0.4 * int(self.ctx.new_code(32), 16) / 2**32)

    async def look_for_scans(self) -> None:
        """Find for the PCs that wait here what Redis did not tell."""
        await self.ctx.waiting.look(self.ctx.read)

    async def renew_certificates(self) -> None:
        """Keep the certificates of WeChat Pay fresh, where there are any; most often there is nothing to do."""
        if self.ctx.pay:
            await self.ctx.pay.refresh_certificates()

    async def measure(self) -> None:
        """Keep the gauges of this process fresh, whoever does the work that they show."""
        await jobs.measure(self.ctx)

    def is_idle(self) -> bool:
        """Whether no request, push or delivery is under way."""
        is_working = self.working is not None and not self.working.done()
        is_door_idle = self.door is None or self.door.is_idle
        return self.http.is_idle and not self.ctx.in_flight and not is_working and is_door_idle

    async def stop(self) -> None:
        """Let in and begin nothing new, finish what is under way, then close: all of it within 9 s."""
        self.application.settings["stopping"].set()
        self.http.leave()
        self.ctx.waiting.leave()
        await wind_down(self.ctx, self.is_idle)
        if self.door:
            await self.door.drain(0)
        tasks = [*self.tasks, *([self.working] if self.working else [])]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=LAST_SECONDS)
        with suppress(TimeoutError):
            await asyncio.wait_for(self.http.close_all_connections(), LAST_SECONDS)
        await close_context(self.ctx)


async def wind_down(ctx: Context, is_idle: Callable[[], bool]) -> None:
    """Wait for what is under way; calls that hang are then cut, and who waits for them has a moment to settle."""
    until = asyncio.get_running_loop().time() + DRAIN_SECONDS
    await quiet(is_idle, until)
    for peer in ctx.peers:
        await peer.close(0)
    await quiet(is_idle, until + SETTLE_SECONDS)


async def quiet(is_idle: Callable[[], bool], until: float) -> None:
    """Return when nothing is under way, at the latest at that moment of the loop's clock."""
    while not is_idle() and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110 - many ways to end
        await asyncio.sleep(0.02)


async def close_context(ctx: Context) -> None:
    """Give back connections and threads; what does not end within a second is left to the end of the process."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await ctx.wechat.close()
            for peer in ctx.peers:
                await peer.close(0)
            await ctx.redis.aclose()
            closing = threading.Thread(target=ctx.threads.close, daemon=True)  # one of a pool would be waited for
            closing.start()
            while closing.is_alive():  # noqa: ASYNC110 - a thread sets no event of the loop
                await asyncio.sleep(0.005)
    except TimeoutError:
        log.warning("left behind what did not end in time")
