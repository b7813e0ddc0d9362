"""What machines ask: alive, ready, metrics, domain proofs, QR pictures, the signature for sharing a page."""

import asyncio
import re
from http import HTTPStatus
from pathlib import Path
from typing import Any

import structlog
from peewee import PeeweeException
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from tornado.web import HTTPError, RequestHandler, StaticFileHandler

from h5.base import BaseHandler
from h5.heads import HeadAsGet, methods_of
from models.errors import BusinessError, WrongInput
from services import openapi, qr, ready, sharing
from services.context import Context

VERIFY_FILE = re.compile(r"MP_verify_[0-9A-Za-z]{16}\.txt")
OWN_PATH = re.compile(r"/(?!/)[0-9A-Za-z/_.-]{0,180}")
FILE_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,80}")
READY_SECONDS = 3


requests = Counter("wxbot_requests", "answers by page, method and status", ["page", "method", "status"])
seconds = Histogram("wxbot_request_seconds", "time to answer, by page", ["page"])
log = structlog.get_logger()


def count_request(handler: RequestHandler) -> None:
    """The access log and its metrics; the page's name stands for its address, which may hold a code."""
    page, status = type(handler).__name__, handler.get_status()
    method = handler.request.method if handler.request.method in RequestHandler.SUPPORTED_METHODS else "other"
    took = handler.request.request_time()
    requests.labels(page, method, str(status)).inc()
    seconds.labels(page).observe(took)
    log.info("answered", page=page, method=method, status=status, ms=round(took * 1000, 1))


class Plain:
    """How machines and files are told "no": in a word, and the log gets no address with its query."""

    def set_default_headers(self: RequestHandler) -> None:
        for name, value in self.settings["safe_headers"].items():
            self.set_header(name, value)

    def write_error(self: RequestHandler, status_code: int, **_kwargs: object) -> None:
        """A missing file says so, and no more."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", methods_of(self))
        self.finish("not found" if status_code == 404 else "refused" if status_code < 500 else "failed")

    def log_exception(self: RequestHandler, kind: Any, problem: Any, trace: Any) -> None:
        """One line for a refusal; a fault of ours with where it happened."""
        if isinstance(problem, HTTPError):
            log.info("refused", code=problem.status_code, page=type(self).__name__)
        else:
            log.error("request failed", page=type(self).__name__, exc_info=(kind, problem, trace))


class MachineHandler(Plain, HeadAsGet, RequestHandler):
    """An answer for machines: no person, no cookie, nothing cached."""

    @property
    def ctx(self) -> Context:
        """What the process holds."""
        return self.settings["ctx"]

    def text(self, words: str, status: int = 200) -> None:
        """A plain answer."""
        self.set_status(status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(words)


class HealthHandler(MachineHandler):
    """Alive: the loop turns."""

    async def get(self) -> None:
        self.text("ok")


class ReadyHandler(MachineHandler):
    """Able to serve: the database answers and has every migration, and nobody has asked us to stop."""

    async def get(self) -> None:
        if self.settings["stopping"].is_set():
            self.text("stopping", 503)
            return
        try:
            lacks = await asyncio.wait_for(self.ctx.read(ready.missing), READY_SECONDS)
        except (PeeweeException, BusinessError, TimeoutError):
            self.text("no database", 503)
        else:
            self.text(f"migrations missing: {len(lacks)}" if lacks else "ready", 503 if lacks else 200)


class MetricsHandler(MachineHandler):
    """For Prometheus; of all processes when there are several."""

    async def get(self) -> None:
        folder = self.settings["metrics_dir"]
        registry = CollectorRegistry() if folder else REGISTRY
        if folder:
            MultiProcessCollector(registry, path=folder)
        self.set_header("Content-Type", CONTENT_TYPE_LATEST)
        self.finish(await asyncio.to_thread(generate_latest, registry))


class DomainProofHandler(MachineHandler):
    """The file by which WeChat proves that a domain is ours."""

    async def get(self, name: str) -> None:
        folder = self.ctx.config.wechat_verify_dir
        path = Path(folder) / name
        if not folder or not VERIFY_FILE.fullmatch(name) or not path.is_file():
            self.text("not found", 404)
            return
        self.text(await asyncio.to_thread(path.read_text, encoding="ascii", errors="replace"))


class OpenApiHandler(MachineHandler):
    """What an existing course platform may call."""

    async def get(self) -> None:
        self.write(openapi.document(self.ctx.config.base_url))


class QrHandler(BaseHandler):
    """The QR of one of our own pages, drawn off the loop."""

    looks = "picture"

    async def get(self) -> None:
        path = self.asked("to")
        if not OWN_PATH.fullmatch(path):
            raise WrongInput(what="to")
        picture = await asyncio.to_thread(qr.svg, f"{self.ctx.config.base_url}{path}")
        self.set_header("Content-Type", "image/svg+xml")
        self.finish(picture)


class ShareHandler(BaseHandler):
    """The JS-SDK signature for one of our own pages, and no other."""

    looks = "picture"

    async def get(self) -> None:
        path = self.asked("path")
        if not OWN_PATH.fullmatch(path.partition("?")[0]) or len(path) > 500:
            raise WrongInput(what="path")
        self.write(await sharing.signature(self.ctx, path=path))


class AssetHandler(Plain, StaticFileHandler):
    """Our own styles and scripts; all lie in one folder, so that no path is needed."""

    def parse_url_path(self, url_path: str) -> str:
        if not FILE_NAME.fullmatch(url_path):
            raise HTTPError(404)
        return super().parse_url_path(url_path)

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Cache-Control", "public, max-age=3600")


routes = [
    (r"/healthz", HealthHandler),
    (r"/readyz", ReadyHandler),
    (r"/metrics", MetricsHandler),
    (r"/(MP_verify_[^/]{1,64})", DomainProofHandler),
    (r"/openapi\.json", OpenApiHandler),
    (r"/qr\.svg", QrHandler),
    (r"/wx/share", ShareHandler),
]
