"""The transaction that gives a voucher, in bare psycopg: `… DSN SECONDS FIRST`, on as many connections as the product.

The same statements with the same rows, and no product: no HTTP, no XML, no rule, no sentence. Prints how many a
second, as JSON with the CPU of each.
"""

import json
import secrets
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import count

import psycopg

from benchmarks.vouchers.followers import openid

THREADS = 8
SEEN = "INSERT INTO inbox_item (source, key, received_at) VALUES ('push', %s, %s) ON CONFLICT DO NOTHING"
IDENTITY = "SELECT * FROM identity WHERE side = 'oa' AND provider = 'wechat' AND uid = %s"
MINE = (
    "SELECT * FROM voucher v JOIN campaign c ON c.id = v.campaign_id WHERE v.person_id = %s ORDER BY v.expires_at, v.id"
)
ASKED = (
    "SELECT * FROM campaign WHERE kind IN ('price_rise', 'early_enrolment') AND starts_at <= %s ORDER BY starts_at, id"
)
LIVE = (
    "g.person_id = %s AND g.starts_at <= %s AND (g.ends_at IS NULL OR g.ends_at > %s)"
    " AND g.suspended_at IS NULL AND g.revoked_at IS NULL"
)
HERE = (
    "SELECT g.id, o.course_id, o.list_fen, o.paid_at FROM course_grant g JOIN course_order o"
    f" ON g.source = 'order' AND g.source_ref = o.no WHERE {LIVE} AND o.state = 'paid' AND o.price_fen > 0"
    " AND o.voucher_fen IS NULL"
)
ELSEWHERE = (
    "SELECT g.id, p.course_id, p.paid_fen, p.paid_at FROM course_grant g JOIN purchase p ON p.person_id = g.person_id"
    " JOIN platform f ON f.id = p.platform_id WHERE g.source = 'purchase' AND g.course_id = p.course_id"
    f" AND g.source_ref = f.name || ':' || p.order_no AND {LIVE} AND p.paid_fen > 0"
)
COUNT = (
    "UPDATE campaign SET issued = issued + 1, issued_fen = issued_fen + %s WHERE id = %s"
    " AND (quota IS NULL OR issued < quota) AND (budget_fen IS NULL OR issued_fen + %s <= budget_fen)"
)
GIVE = (
    "INSERT INTO voucher (code, campaign_id, person_id, cause, amount_fen, state, issued_at, starts_at, expires_at,"
    " earned_by_id) VALUES (%s, %s, %s, %s, 3000, 'open', %s, %s, %s, %s) ON CONFLICT DO NOTHING"
)
NOTICES = (
    "SELECT n.* FROM chat_notice n JOIN identity i ON i.id = n.identity_id WHERE i.uid = %s AND i.side = 'oa'"
    " AND n.held_at IS NOT NULL AND n.shown_at IS NULL ORDER BY n.id"
)
REPLY = "UPDATE inbox_item SET reply = %s WHERE source = 'push' AND key = %s"


class Floor:
    """Gives vouchers to one follower after the other."""

    def __init__(self, dsn: str, seconds: str, first: str) -> None:
        self.dsn, self.seconds = dsn, float(seconds)
        self.numbers, self.given, self.lock = count(int(first)), 0, threading.Lock()

    def give(self, rows: psycopg.Connection, number: int) -> None:
        """One of them."""
        now, key, uid = datetime.now(UTC).replace(tzinfo=None), secrets.token_hex(48), openid(number)
        with rows.transaction():
            rows.execute(SEEN, (key, now))
            person = rows.execute(IDENTITY, (uid,)).fetchone()[1]
            rows.execute(MINE, (person,)).fetchall()
            campaign = rows.execute(ASKED, (now,)).fetchall()[0][0]
            rows.execute(HERE, (person, now, now)).fetchall()
            grant = rows.execute(ELSEWHERE, (person, now, now)).fetchall()[0][0]
            if rows.execute(COUNT, (3000, campaign, 3000)).rowcount != 1:
                raise SystemExit("the quota is exhausted")
            code, ends = secrets.token_hex(7), now + timedelta(days=60)
            rows.execute(GIVE, (code, campaign, person, f"person:{person}", now, now, ends, grant))
            rows.execute(NOTICES, (uid,)).fetchall()
            rows.execute(REPLY, (code, key))

    def work(self) -> None:
        """One thread with its connection, until the time is over."""
        given = 0
        with psycopg.connect(self.dsn, autocommit=True) as rows:
            end = time.monotonic() + self.seconds
            while time.monotonic() < end:
                self.give(rows, next(self.numbers))
                given += 1
        with self.lock:
            self.given += given

    def run(self) -> dict[str, float]:
        """All of them."""
        threads = [threading.Thread(target=self.work) for _ in range(THREADS)]
        began, cpu = time.monotonic(), time.process_time()
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        took, spent = time.monotonic() - began, time.process_time() - cpu
        return {"rate": self.given / took, "cpu_us": spent / self.given * 1e6, "given": self.given}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(Floor(*sys.argv[1:]).run()) + "\n")
