"""Bare Tornado handlers beside the product: `peer.py PORT DATABASE_URL FILE`; FILE is the page they answer with.

`/floor` touches no database; `/page` and `/link` make the same reads and writes as the product, with raw asyncpg, or
with plain `sqlite3` in the loop. Nothing is checked, rendered, limited, counted or logged.
"""

import asyncio
import secrets
import sqlite3
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from tornado.web import Application, RequestHandler

CONNECTIONS = 8  # as many as the product keeps
SESSION = "SELECT id, token_hash, person_id, created_at, seen_at FROM session WHERE token_hash = $1"
HELD = """
SELECT g.*, c.id, c.slug, c.title, m.* FROM course_grant g JOIN course c ON c.id = g.course_id
LEFT JOIN membership m ON m.grant_id = g.id
WHERE g.person_id = $1 AND g.starts_at <= $2 AND (g.ends_at IS NULL OR g.ends_at > $2) AND g.revoked_at IS NULL
AND g.course_id = $3 ORDER BY g.starts_at, g.id, m.id"""
PAIRING = """
SELECT c.id, c.slug, c.title, cp.*, p.* FROM course c LEFT JOIN course_planet cp ON cp.course_id = c.id
LEFT JOIN planet p ON p.id = cp.planet_id WHERE c.slug = $1"""
IDENTITY = "SELECT * FROM identity WHERE person_id = $1 AND side = 'oa' AND provider = 'wechat'"
COLUMNS = (
    "state_hash, browser_hash, created_at, expires_at, person_id, grant_id, planet_id, provider, code_verifier, "
    "text_version, text_hash, openid, ip, user_agent, said"
)
ATTEMPT = f"INSERT INTO link_attempt ({COLUMNS}) VALUES ({', '.join(f'${n}' for n in range(1, 16))})"
Rows = Sequence[Sequence[Any]]


class Postgres:
    """Raw asyncpg."""

    def __init__(self, pool: Any) -> None:
        self.pool = pool

    async def page(self, token_hash: str, now: datetime, course_id: int) -> None:
        """The two reads of the course page."""
        async with self.pool.acquire() as rows:
            session = await rows.fetchrow(SESSION, token_hash)
            assert await rows.fetch(HELD, session[2], now, course_id)

    async def link(self, token_hash: str, now: datetime, course_id: int, slug: str) -> None:
        """The four reads and the row of the link's start, the last four of them in one transaction."""
        async with self.pool.acquire() as rows:
            session = await rows.fetchrow(SESSION, token_hash)
            async with rows.transaction():
                pairing = await rows.fetchrow(PAIRING, slug)
                held = await rows.fetch(HELD, session[2], now, course_id)
                identity = await rows.fetchrow(IDENTITY, session[2])
                await rows.execute(ATTEMPT, *attempt(now, session[2], held[0][0], pairing[5], identity[4]))


class Sqlite:
    """Plain `sqlite3`, called in the loop: the quickest way as long as nobody else writes."""

    def __init__(self, path: str) -> None:
        self.rows = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = wal", "synchronous = full", "foreign_keys = on", "cache_size = -16000"):
            self.rows.execute(f"PRAGMA {pragma}")

    def ask(self, sql: str, *values: Any) -> Rows:
        """One statement."""
        plain = [str(one) if isinstance(one, datetime) else one for one in values]
        return self.rows.execute(sql.replace("$", "?"), plain).fetchall()

    async def page(self, token_hash: str, now: datetime, course_id: int) -> None:
        """The two reads of the course page."""
        ((_, _, person_id, *_),) = self.ask(SESSION, token_hash)
        assert self.ask(HELD, person_id, now, course_id)

    async def link(self, token_hash: str, now: datetime, course_id: int, slug: str) -> None:
        """The four reads and the row of the link's start, the last four of them in one transaction."""
        ((_, _, person_id, *_),) = self.ask(SESSION, token_hash)
        self.rows.execute("BEGIN IMMEDIATE")
        (pairing,) = self.ask(PAIRING, slug)
        held = self.ask(HELD, person_id, now, course_id)
        (identity,) = self.ask(IDENTITY, person_id)
        self.ask(ATTEMPT, *attempt(now, person_id, held[0][0], pairing[5], identity[4]))
        self.rows.execute("COMMIT")


def attempt(now: datetime, person_id: int, grant_id: int, planet_id: int, openid: str) -> list[Any]:
    """A row of `link_attempt`."""
    mine = [secrets.token_hex(32), "b" * 64, now, now + timedelta(seconds=600), person_id, grant_id, planet_id]
    return [*mine, "partner", secrets.token_hex(32), "2026-11", "t" * 64, openid, "127.0.0.1", "benchmark", ""]


class Bare(RequestHandler):
    """What all of them share."""

    def initialize(self, store: Any = None, page: str = "", course_id: int = 0) -> None:
        self.store, self.body, self.course_id = store, page, course_id

    @property
    def asked(self) -> tuple[str, datetime, int]:
        """Whose session, when, which course."""
        token = self.get_cookie("__Host-session", "")
        return sha256(token.encode()).hexdigest(), datetime.now(UTC).replace(tzinfo=None), self.course_id


class Floor(Bare):
    """The page, without a database."""

    async def get(self) -> None:
        self.finish(self.body)


class Page(Bare):
    """The page, after its reads."""

    async def get(self) -> None:
        await self.store.page(*self.asked)
        self.finish(self.body)


class Link(Bare):
    """On to the planet, after the reads and the row."""

    async def post(self) -> None:
        await self.store.link(*self.asked, "infosec-workplace")
        self.redirect(f"https://planet.example.com/oauth/authorize?state={secrets.token_hex(16)}", status=303)


async def serve(port: int, url: str, page: str) -> None:
    """Serve until killed."""
    if url.startswith("sqlite:"):
        store: Any = Sqlite(url.removeprefix("sqlite:///"))
        ((course_id,),) = store.ask("SELECT id FROM course WHERE slug = $1", "infosec-workplace")
    else:
        import asyncpg  # noqa: PLC0415 - only where it is installed

        pool = await asyncpg.create_pool(url, min_size=CONNECTIONS, max_size=CONNECTIONS)
        store = Postgres(pool)
        course_id = await pool.fetchval("SELECT id FROM course WHERE slug = $1", "infosec-workplace")
    with_rows = {"store": store, "page": page, "course_id": course_id}
    routes = [("/floor", Floor, {"page": page}), ("/page", Page, with_rows), ("/link", Link, with_rows)]
    Application(routes).listen(port, "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]).read_text("utf-8")))
