"""Requests at a steady pace, whether or not they are answered: how long does each wait? `… PORT FILE RATE LANES`.

A line of the file is a push, its query and its body; or the path of a page.
"""

import asyncio
import json
import sys
from pathlib import Path

from benchmarks.notices.steady import Steady


def request(line: str, port: int) -> bytes:
    """One of them, as it goes over the wire."""
    if line.startswith("/"):
        return f"GET {line} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    query, _, body = line.partition(" ")
    sent = body.encode()
    head = [
        f"POST /wx/push?{query} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Content-Type: text/xml",
        f"Content-Length: {len(sent)}",
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + sent


def main() -> None:
    """Print what was seen as JSON."""
    port, file, rate, lanes = int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    requests = [request(line, port) for line in file.read_text("utf-8").split("\n")]
    steady = Steady(port, requests, rate, answer=b"200", lanes=lanes)
    sys.stdout.write(json.dumps(asyncio.run(steady.run())) + "\n")


if __name__ == "__main__":
    main()
