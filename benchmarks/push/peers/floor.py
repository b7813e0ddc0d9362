"""The floor with rows: a Tornado handler that runs the product's own statements with raw asyncpg, and no more.

It neither proves nor reads nor seals a push: the openid stands in the address.
"""

import asyncio
import sys
import time
from datetime import UTC, datetime

import asyncpg
from tornado.web import Application, RequestHandler

IDENTITY = "SELECT id, person_id FROM identity WHERE side = 'oa' AND provider = 'wechat' AND uid = $1"
GRANTS = (
    "SELECT g.id, g.source, g.source_ref, g.starts_at, g.ends_at, g.course_id, c.slug, c.title FROM course_grant g "
    "JOIN course c ON c.id = g.course_id WHERE g.person_id = $1 AND g.starts_at <= $2 "
    "AND (g.ends_at IS NULL OR g.ends_at > $2) AND g.revoked_at IS NULL ORDER BY g.starts_at, g.id"
)
MEMBERSHIPS = "SELECT m.* FROM membership m JOIN link l ON l.id = m.link_id WHERE l.person_id = $1 ORDER BY m.id"
INBOX = "INSERT INTO inbox_item (source, key, received_at) VALUES ('push', $1, $2) ON CONFLICT DO NOTHING"
LINKS = "SELECT * FROM link WHERE active_person = $1 ORDER BY id"
QUESTION = (
    "INSERT INTO chat_question (identity_id, topic, choices, asked_at, expires_at) VALUES ($1, 'unlink', $2, $3, $3) "
    "ON CONFLICT DO NOTHING"
)
AGAIN = "UPDATE chat_question SET topic = 'unlink', choices = $2, asked_at = $3, expires_at = $3 WHERE identity_id = $1"
REPLY = "UPDATE inbox_item SET reply = $2 WHERE source = 'push' AND key = $1"
ANSWER = b"x" * 900


class Push(RequestHandler):
    """One message."""

    pool: asyncpg.Pool
    number = time.time_ns()

    async def post(self) -> None:
        openid, now = self.get_query_argument("openid"), datetime.now(UTC).replace(tzinfo=None)
        async with self.pool.acquire() as connection:
            await self.work(connection, openid, now)
        self.finish(ANSWER)


class Planets(Push):
    """星球: reads."""

    async def work(self, connection: asyncpg.Connection, openid: str, now: datetime) -> None:
        who = await connection.fetchrow(IDENTITY, openid)
        await connection.fetch(GRANTS, who["person_id"], now)
        await connection.fetch(MEMBERSHIPS, who["person_id"])


class Unlink(Push):
    """解绑: remembers the message, and what was asked."""

    async def work(self, connection: asyncpg.Connection, openid: str, now: datetime) -> None:
        Push.number += 1
        key = f"{Push.number:064d}"
        async with connection.transaction():
            await connection.execute(INBOX, key, now)
            who = await connection.fetchrow(IDENTITY, openid)
            found = await connection.fetch(LINKS, who["person_id"])
            if (await connection.execute(QUESTION, who["id"], f"[{found[0]['id']}]", now)).endswith("0"):
                await connection.execute(AGAIN, who["id"], f"[{found[0]['id']}]", now)
            await connection.execute(REPLY, key, "x" * 200)


async def serve(port: int, dsn: str) -> None:
    """For ever; as many connections as the product has."""
    Push.pool = await asyncpg.create_pool(dsn, min_size=8, max_size=8)
    routes = [("/planets", Planets), ("/unlink", Unlink)]
    Application(routes, log_function=lambda handler: None).listen(port, "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
