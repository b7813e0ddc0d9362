"""One call to another company: bounded in time, size and number, and silent about what it carried."""

import asyncio
import base64
import json as jsonlib
import logging
import ssl
from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import urlencode

import pycurl
from prometheus_client import Counter, Histogram
from tornado.curl_httpclient import CurlAsyncHTTPClient, CurlError
from tornado.httpclient import HTTPRequest, HTTPResponse
from tornado.httputil import HTTPHeaders

from clients.answer import Answer
from clients.breaker import Breaker
from clients.errors import CodeRefused, RemoteDown, RemoteError, RemoteRefused

__all__ = ["Answer", "CodeRefused", "Peer", "RemoteDown", "RemoteError", "RemoteRefused"]

CALLS = Counter("wxbot_remote_calls", "Calls to other companies", ["peer", "operation", "outcome"])
SECONDS = Histogram(
    "wxbot_remote_seconds",
    "How long other companies took to answer",
    ["peer", "operation"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10),
)
CONNECTION_MAX_IDLE_SECONDS = 30  # shorter than any usual server's, so that we seldom write into a closing one
CA_FILE = ssl.get_default_verify_paths().cafile  # libcurl's own wheel does not know where the system keeps it

# libcurl's errors after the connection stood; all others before it are "connect", after it "cut"
OUTCOMES = {
    pycurl.E_OPERATION_TIMEDOUT: "timeout",
    pycurl.E_WRITE_ERROR: "too_big",  # our own refusal to take more than max_body
}

# Tornado writes whole URLs, and with them secrets, at DEBUG: no level setting may bring those lines out.
logging.getLogger("tornado.curl_httpclient").addFilter(lambda record: record.levelno >= logging.WARNING)


class Client(CurlAsyncHTTPClient):
    """Closes cleanly while calls are in flight, too: Tornado's own leaves a timer behind that runs into nothing."""

    def _handle_timeout(self) -> None:
        if self._multi is not None:
            super()._handle_timeout()


class Peer:
    """Another company's machine: one pool of connections, one breaker, one bulkhead.

    `base_url` has no slash at the end. Times are seconds; `monotonic` only measures, it never waits.
    """

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        monotonic: Callable[[], float],
        connect_seconds: float = 1.0,
        total_seconds: float = 3.0,
        max_body: int = 65536,
        max_in_flight: int = 32,
        ca_file: str | None = CA_FILE,
    ) -> None:
        self.name = name
        self.base_url = base_url
        self.breaker = Breaker(monotonic)
        self._monotonic = monotonic
        self._connect_seconds = connect_seconds
        self._total_seconds = total_seconds
        self._max_body = max_body
        self._max_in_flight = max_in_flight
        self._ca_file = ca_file
        self._in_flight: set[asyncio.Future[HTTPResponse]] = set()
        self._client: Client | None = None
        self._closed = False

    def __repr__(self) -> str:
        return f"<Peer {self.name}>"

    async def call(
        self,
        method: str,
        path: str,
        *,
        operation: str,
        query: Mapping[str, str] | None = None,
        json: object = None,
        form: Mapping[str, str] | None = None,
        raw: bytes | None = None,
        basic_auth: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        within: float | None = None,
    ) -> Answer:
        """One request, never repeated, no redirect followed; `operation` is its name in the metrics.

        A `raw` body goes out byte by byte as it is, for the caller has signed it; its type is among `headers`.
        Raises RemoteDown on no answer, 429, 5xx, and at once while the breaker is open or the bulkhead full.
        """
        url = self.base_url + path + (f"?{urlencode(query)}" if query else "")
        body, sent = _body(method, json, form) if raw is None else raw, []
        request = self._request(method, url, body, within or self._total_seconds, sent)
        request.headers.update(_headers(json, form, basic_auth, headers))
        self._check_gates(operation)
        return await self._fly(request, operation, sent)

    async def close(self, seconds: float | None = None) -> None:
        """Lets calls in flight end (each has its limit), then frees the connections.

        After `seconds` they are cut: RemoteDown for who waits, as if the line had gone.
        """
        self._closed = True
        if self._in_flight:
            await asyncio.wait(set(self._in_flight), timeout=seconds)
        if self._client is not None:
            self._client.close()
            self._client = None
        for flight in [one for one in self._in_flight if not one.done()]:
            flight.set_exception(CurlError(pycurl.E_ABORTED_BY_CALLBACK, "closed"))

    def _request(self, method: str, url: str, body: bytes | None, seconds: float, sent: list[bool]) -> HTTPRequest:
        return HTTPRequest(
            url,
            method=method,
            body=body,
            connect_timeout=min(self._connect_seconds, seconds),
            request_timeout=seconds,
            follow_redirects=False,
            allow_nonstandard_methods=True,
            ca_certs=self._ca_file,
            prepare_curl_callback=partial(_prepare, method, sent),
        )

    def _check_gates(self, operation: str) -> None:
        """Raises for what must not even be tried; the breaker comes last, for a yes of it must be used."""
        gate = "closed" if self._closed else ""
        if not gate and len(self._in_flight) >= self._max_in_flight:
            gate = "full"
        if not gate and not self.breaker.admit():
            gate = "breaker"
        if gate:
            CALLS.labels(self.name, operation, gate).inc()
            raise RemoteDown(self.name, gate)

    async def _fly(self, request: HTTPRequest, operation: str, sent: list[bool]) -> Answer:
        flight = self._curl().fetch(request, raise_error=False)
        self._in_flight.add(flight)
        flight.add_done_callback(partial(self._landed, operation, self._monotonic(), sent))
        code = ""
        try:
            response = await asyncio.shield(flight)  # who stops waiting does not stop libcurl: it keeps its place
        except CurlError as error:
            code = _outcome(error, sent)
        if code:  # outside the except, so that libcurl's text is not even the context of ours
            raise RemoteDown(self.name, code, unknown=bool(sent))
        if response.code == 429 or response.code >= 500:
            raise RemoteDown(
                self.name,
                f"http_{response.code}",
                status=response.code,
                unknown=response.code != 429,
                retry_after=_retry_after(response.headers),
            )
        return Answer(self.name, response.code, response.body, response.headers)

    def _landed(self, operation: str, began: float, sent: list[bool], flight: asyncio.Future[HTTPResponse]) -> None:
        self._in_flight.discard(flight)
        failure = asyncio.CancelledError() if flight.cancelled() else flight.exception()
        outcome = _outcome(failure, sent) if failure else _outcome_of_status(flight.result().code)
        self.breaker.record(failed=outcome not in {"ok", "refused"})
        CALLS.labels(self.name, operation, outcome).inc()
        SECONDS.labels(self.name, operation).observe(self._monotonic() - began)

    def _curl(self) -> Client:
        if self._client is None:  # made in the loop that uses it; as many handles as flights: nothing ever queues
            self._client = Client(force_instance=True, max_clients=self._max_in_flight, max_body_size=self._max_body)
        return self._client


def _prepare(method: str, sent: list[bool], curl: pycurl.Curl) -> None:
    """Sets what Tornado leaves to libcurl's taste; `sent` gets an entry just before the request goes out."""

    def mark(*_addresses: object) -> int:
        sent.append(True)
        return pycurl.PREREQFUNC_OK

    curl.setopt(pycurl.PREREQFUNCTION, mark)
    curl.setopt(pycurl.PROXY, "")  # else libcurl takes one from the environment
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.PATH_AS_IS, 1)
    curl.setopt(pycurl.MAXAGE_CONN, CONNECTION_MAX_IDLE_SECONDS)
    if method != "GET":  # libcurl silently repeats on a kept connection that dies: a message would go out twice
        curl.setopt(pycurl.SEEKFUNCTION, lambda _offset, _origin: pycurl.SEEKFUNC_FAIL)


def _headers(json: object, form: object, basic: tuple[str, str] | None, more: object) -> dict[str, str]:
    headers = {"Accept": "application/json", "User-Agent": "wxbot"}
    if json is not None:
        headers["Content-Type"] = "application/json; charset=utf-8"
    elif form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    if basic:
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(basic).encode()).decode()
    return headers | dict(more or {})


def _body(method: str, json: object, form: Mapping[str, str] | None) -> bytes | None:
    if json is not None:  # real UTF-8: WeChat shows \u escapes to people as they are
        return jsonlib.dumps(json, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    if form is not None:
        return urlencode(form).encode()
    return b"" if method in {"POST", "PUT", "PATCH"} else None


def _outcome(failure: BaseException | None, sent: list[bool]) -> str:
    code = OUTCOMES.get(getattr(failure, "errno", 0), "cut")
    return code if sent or code == "too_big" else "connect"


def _outcome_of_status(status: int) -> str:
    if status == 429:
        return "limited"
    return "ok" if status < 300 else "refused" if status < 500 else "error"


def _retry_after(headers: HTTPHeaders) -> int | None:
    """Seconds, when they say so as a number (the date form is not worth a parser); at most an hour."""
    asked = headers.get("Retry-After", "")
    return min(int(asked), 3600) if asked.isascii() and asked.isdigit() and len(asked) < 8 else None
