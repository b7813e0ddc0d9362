"""A company's machine on a loopback port that answers byte by byte as a test wants: also half, late or never."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Asked:
    """One request as it came in."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """Without the query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The first value of each name."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def json(self) -> dict:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        """The body as a form, the first value of each name."""
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


CUT = b""  # close without a word
HANG = None  # keep the line open and say nothing


def answer(body: object = b"", *, status: int = 200, headers: str = "") -> bytes:
    """A whole HTTP answer; dicts become JSON, as WeChat sends it: text/plain."""
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: text/plain\r\nContent-Length: {len(raw)}\r\n{headers}\r\n"
    return head.encode() + raw


@dataclass
class StandIn:
    """`script` gets each request and gives the raw answer, CUT or HANG; replace it in mid-test at will."""

    script: Callable[[Asked], bytes | None]
    url: str = ""
    seen: list[Asked] = field(default_factory=list)
    connections: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    lines: dict[asyncio.Task, asyncio.StreamWriter] = field(default_factory=dict)

    async def has_seen(self, number: int) -> None:
        """Returns once so many requests have come in."""
        while len(self.seen) < number:
            self.asked.clear()
            await self.asked.wait()

    async def close(self) -> None:
        """Hangs up on everybody and waits until each line is down."""
        self.release.set()
        for writer in self.lines.values():
            writer.close()
        if self.lines:
            await asyncio.wait(list(self.lines))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side has had enough."""
        self.connections += 1
        self.lines[asyncio.current_task()] = writer
        try:
            while asked := await read_request(reader):
                self.seen.append(asked)
                self.asked.set()
                raw = self.script(asked)
                if raw is HANG:
                    await self.release.wait()
                if not raw:
                    break
                writer.write(raw)
                await writer.drain()
                if b"X-Half" in raw:
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the caller has lost patience: that is what the test is about
        finally:
            writer.close()
            del self.lines[asyncio.current_task()]


async def read_request(reader: asyncio.StreamReader) -> Asked | None:
    """The next request of a connection; None when the caller has closed it."""
    line = await reader.readline()
    if not line:
        return None
    method, target, _ = line.decode().split(" ")
    headers: dict[str, str] = {}
    while (line := await reader.readline()) not in {b"\r\n", b""}:
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, target, headers, body)


@asynccontextmanager
async def stand_in(
    script: Callable[[Asked], bytes | None], *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[StandIn]:
    """The machine, for as long as the block lasts."""
    remote = StandIn(script)
    server = await asyncio.start_server(remote.serve, "127.0.0.1", 0, ssl=tls)
    remote.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield remote
    finally:
        server.close()
        await remote.close()


def self_signed(folder: Path) -> Path:
    """A certificate of localhost with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    start, end = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 1))
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(start).not_valid_after(end)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "localhost.pem"
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(form[0]) + key.private_bytes(*form))
    return path
