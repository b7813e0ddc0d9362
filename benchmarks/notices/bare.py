"""The floor's work behind a bare Tornado handler: how much of it any such process can keep; `… PORT DSN PEM APIV3_KEY`.

It proves and decrypts on its loop and inserts on as many threads as the floor has, each with a kept connection.
"""

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from benchmarks.notices.floor import INSERT, TABLE, THREADS, Proof
from benchmarks.notices.orders import PATH


class Rows:
    """The threads and their connections."""

    def __init__(self, dsn: str) -> None:
        self.own = threading.local()
        self.threads = ThreadPoolExecutor(THREADS, initializer=self.connect, initargs=(dsn,))
        with psycopg.connect(dsn, autocommit=True) as rows:
            rows.execute(TABLE)

    def connect(self, dsn: str) -> None:
        """Each thread has its own."""
        self.own.rows = psycopg.connect(dsn, autocommit=True)

    def insert(self, key: str, told: str) -> None:
        """One row, committed."""
        self.own.rows.execute(INSERT, (key, told))


class NoticeHandler(RequestHandler):
    """Takes a notice."""

    def initialize(self, proof: Proof, rows: Rows) -> None:
        """What all requests share."""
        self.proof, self.rows = proof, rows

    async def post(self) -> None:
        """204 when it is kept."""
        told = self.proof.opened(self.request.headers, self.request.body)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self.rows.threads, self.rows.insert, self.proof.next_key(), told)
        self.set_status(204)


async def serve(port: str, dsn: str, pem: str, api_v3_key: str) -> None:
    """For ever."""
    shared = {"proof": Proof(pem, api_v3_key), "rows": Rows(dsn)}
    HTTPServer(Application([(PATH, NoticeHandler, shared)], log_function=lambda _handler: None)).listen(
        int(port), "127.0.0.1"
    )
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
