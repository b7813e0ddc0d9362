"""Sends notices at a steady pace, whether or not they are answered: how long does each wait? `… PORT FILE RATE`."""

import asyncio
import json
import re
import sys
import time
from pathlib import Path

from benchmarks.notices.orders import PATH

LANES = 64
LENGTH = re.compile(rb"(?i)content-length: ([0-9]+)")


def request(line: str, port: int) -> bytes:
    """One notice, as it goes over the wire."""
    *headers, body = line.split("\t")
    sent = body.encode()
    head = [f"POST {PATH} HTTP/1.1", f"Host: 127.0.0.1:{port}", *headers, f"Content-Length: {len(sent)}"]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + sent


class Steady:
    """A few kept connections; a notice takes the next free one, and its time runs from when it was due."""

    def __init__(
        self, port: int, requests: list[bytes], rate: float, *, answer: bytes = b"204", lanes: int = LANES
    ) -> None:
        self.port, self.requests, self.rate, self.answer, self.lanes = port, requests, rate, answer, lanes
        self.free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self.waits: list[float] = []

    async def send(self, sent: bytes, due: float) -> None:
        """One notice and its acknowledgement."""
        reader, writer = await self.free.get()
        writer.write(sent)
        answer = await reader.readuntil(b"\r\n\r\n")
        if length := LENGTH.search(answer):
            await reader.readexactly(int(length[1]))
        self.waits.append((time.perf_counter() - due) * 1000)
        if not answer.startswith(b"HTTP/1.1 " + self.answer):
            raise SystemExit(f"not acknowledged: {answer[:100]!r}")
        self.free.put_nowait((reader, writer))

    async def run(self) -> dict[str, float]:
        """All of them; milliseconds."""
        for _ in range(self.lanes):
            self.free.put_nowait(await asyncio.open_connection("127.0.0.1", self.port))
        began, sending = time.perf_counter(), []
        for number, sent in enumerate(self.requests):
            due = began + number / self.rate
            await asyncio.sleep(due - time.perf_counter())
            sending.append(asyncio.create_task(self.send(sent, due)))
        await asyncio.gather(*sending)
        waits = sorted(self.waits)
        return {"p50": waits[len(waits) // 2], "p99": waits[len(waits) * 99 // 100], "most": waits[-1]}


def main() -> None:
    """Print what was seen as JSON."""
    port, file, rate = int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    requests = [request(line, port) for line in file.read_text("utf-8").split("\n")]
    sys.stdout.write(json.dumps(asyncio.run(Steady(port, requests, rate).run())) + "\n")


if __name__ == "__main__":
    main()
