"""The PCs and the phones: sockets of this process, so that what each of them hears is known to the microsecond."""

import asyncio
import json
import time
from dataclasses import dataclass, field

HEAD_ENDS, FRAME_ENDS = b"\r\n\r\n", b"\n\n"
AT_ONCE = 200


@dataclass
class Pc:
    """One PC with its line: when it heard which version."""

    port: int
    public_id: str
    cookie: str = ""
    heard: dict[int, float] = field(default_factory=dict)
    lines: int = 0
    again_seconds: float = 1.0
    refused: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        """Open a line and hear; where it ends, open it again, as a browser does."""
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=4096)
                writer.write(request("GET", f"/scans/{self.public_id}/events", self.cookie))
                head = await reader.readuntil(HEAD_ENDS)
                if not head.startswith(b"HTTP/1.1 200"):
                    self.refused.append(head[:12].decode())
                    raise ConnectionError  # the page's script would go on with long polls
                self.lines += 1
                while True:
                    self.take(await reader.readuntil(FRAME_ENDS))
            except (ConnectionError, asyncio.IncompleteReadError):
                await asyncio.sleep(self.again_seconds)
            finally:
                if "writer" in locals():
                    writer.close()

    def take(self, frame: bytes) -> None:
        """Note when a version came."""
        now = time.perf_counter()
        for line in frame.split(b"\n"):
            if line.startswith(b"retry: "):
                self.again_seconds = int(line[7:]) / 1000
            if line.startswith(b"data: "):
                self.heard.setdefault(json.loads(line[6:])["v"], now)
                self.news.set()

    async def poll(self, known: int) -> float:
        """Ask each second instead; when it saw something newer."""
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(request("GET", f"/scans/{self.public_id}", self.cookie, "Connection: close"))
            body = (await reader.read()).partition(HEAD_ENDS)[2]
            writer.close()
            if json.loads(body)["v"] > known:
                return time.perf_counter()
            await asyncio.sleep(1.0)


def request(method: str, path: str, cookie: str, *headers: str, body: str = "") -> bytes:
    """One request as a browser behind a proxy sends it."""
    lines = [f"{method} {path} HTTP/1.1", "Host: learn.example.com", "User-Agent: Mozilla/5.0 Chrome/130.0"]
    lines += [f"Cookie: {cookie}"] if cookie else []
    if method == "POST":
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "", body]).encode()


async def gather(pcs: list[Pc]) -> list[asyncio.Task[None]]:
    """All of them wait; a few hundred come at once."""
    tasks = []
    for start in range(0, len(pcs), AT_ONCE):
        some = pcs[start : start + AT_ONCE]
        tasks += [asyncio.create_task(pc.listen()) for pc in some]
        await asyncio.wait_for(asyncio.gather(*(pc.news.wait() for pc in some)), 60)
    return tasks


@dataclass(frozen=True, slots=True)
class Phone:
    """What one phone sends to say yes."""

    path: str
    cookie: str = ""
    body: str = ""


class Line:
    """One kept connection, over which phones speak one after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> "Line":
        """Open it."""
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def says_yes(self, phone: Phone) -> tuple[float, float]:
        """When it was sent and when it was answered; RuntimeError when that was no yes."""
        sent = time.perf_counter()
        self.writer.write(request("POST", phone.path, phone.cookie, body=phone.body))
        head = await self.reader.readuntil(HEAD_ENDS)
        answered = time.perf_counter()
        if not head.startswith(b"HTTP/1.1 303"):
            raise RuntimeError(head[:200])
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        await self.reader.readexactly(length)
        return sent, answered
