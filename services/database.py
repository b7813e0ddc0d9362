"""The one way to rows: plain functions on database threads, so that the event loop never waits."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import structlog
from peewee import Database, InterfaceError, MySQLDatabase, OperationalError, PeeweeException, PostgresqlDatabase
from peewee import SqliteDatabase as Sqlite
from playhouse.migrations import Runner
from prometheus_client import Counter, Gauge
from pymysql.constants import CLIENT

from models.base import database as bound
from models.errors import RowsAway, TooBusy
from services.turns import Turns

MIGRATIONS = Path(__file__).parent.parent / "models" / "migrations"
TRIES = {"deadlock": 4, "gone": 4, "locked": 2, "slow": 1}  # the last two have kept a thread for 5 to 20 s each time
DEADLOCKS = {"40001", "40P01", 1213, 1020}
LOCKED = {"55P03", 1205}
CANCELLED = "57014"
MARIADB_LOST = 2013
MARIADB_GONE = {2002, 2003, 2006, MARIADB_LOST, 4031}
COLLATION = "utf8mb4_nopad_bin"  # the default one takes oUSER1 and ouser1 for the same
LOCK_NAME = 7_719_451
SOCKET_LIMITS = {"read_timeout", "write_timeout"}
A_DAY = 86_400
BUSY = "another `wxbot migrate` is at work on this database: wait for its end, then run this again"
log = structlog.get_logger()
retried = Counter("wxbot_database_retries", "transactions run again", ["why"])
waiting = Gauge("wxbot_database_waiting", "calls that wait for a database thread", multiprocess_mode="livesum")


def connect(url: str) -> Database:
    """The database behind a URL, closed until it is opened (no row does that); its settings the suite proves."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        path = url.removeprefix("sqlite:///")
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        pragmas = {"journal_mode": "wal", "foreign_keys": 1, "synchronous": "full", "cache_size": -16_000}
        return Sqlite(path, pragmas=pragmas, timeout=5, check_same_thread=False, autoconnect=False)
    where: dict[str, Any] = {"host": parts.hostname, "user": unquote(parts.username or "") or None}
    where |= {"password": unquote(parts.password or "") or None} | dict(parse_qsl(parts.query))
    name = unquote(parts.path.lstrip("/"))
    if parts.scheme == "postgresql":
        limits = "-c lock_timeout=5s -c statement_timeout=20s -c idle_in_transaction_session_timeout=30s"
        where |= {"port": parts.port or 5432, "connect_timeout": 3, "options": limits}
        return PostgresqlDatabase(name, autoconnect=False, **where)
    where = {key: value for key, value in where.items() if value is not None}
    return MariaDB(
        name, port=parts.port or 3306, connect_timeout=3, read_timeout=20, write_timeout=20,
        sql_mode="STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION", client_flag=CLIENT.FOUND_ROWS,
        collation=COLLATION, autoconnect=False, **where,
    )  # fmt: skip


class MariaDB(MySQLDatabase):
    """MariaDB that answers like the others: a duplicate insert sees what the first one wrote, and locks end soon."""

    def _initialize_connection(self, conn: Any) -> None:
        with conn.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            cursor.execute("SET SESSION innodb_lock_wait_timeout = 5")


def migrate(db: Database, *, folder: Path = MIGRATIONS, wait_seconds: int = 60) -> list[str]:
    """Apply what is missing, one process at a time, however long it takes; the names of what was applied.

    Raises TimeoutError while another one has been at work for so long.
    """
    limited = db.connect_params
    db.connect_params = {name: value for name, value in limited.items() if name not in SOCKET_LIMITS}
    try:
        with db.connection_context():
            lock(db, seconds=wait_seconds)
            try:
                return Runner(db, str(folder)).up()
            finally:
                unlock(db)
    finally:
        db.connect_params = limited


def lock(db: Database, *, seconds: int) -> None:
    """Keep a second migration out (the runner itself takes no lock), and lift the limits of a page's statements.

    SQLite has one writer anyway.
    """
    if isinstance(db, PostgresqlDatabase):
        set_limits(db, statement_timeout=0, idle_in_transaction_session_timeout=0, lock_timeout=seconds * 1000)
        try:
            db.execute_sql("SELECT pg_advisory_lock(%s)", (LOCK_NAME,))
        except OperationalError as problem:
            if trouble(problem) == "locked":
                raise TimeoutError(BUSY) from None
            raise
        set_limits(db, lock_timeout=0)
    elif isinstance(db, MySQLDatabase):
        if db.execute_sql("SELECT GET_LOCK(%s, %s)", (lock_name(db), seconds)).fetchone() != (1,):
            raise TimeoutError(BUSY)
        set_limits(db, innodb_lock_wait_timeout=A_DAY)
        # nosemgrep: sql-put-together - a constant of ours; such a statement takes no parameters
        db.execute_sql(f"ALTER DATABASE CHARACTER SET utf8mb4 COLLATE {COLLATION}")


def set_limits(db: Database, **limits: int) -> None:
    """Set limits of this session."""
    for name, value in limits.items():
        # nosemgrep: sql-put-together - names and numbers of ours; such a statement takes no parameters
        db.execute_sql(f"SET SESSION {name} = {value}")


def lock_name(db: Database) -> str:
    """MariaDB's locks are the whole server's, so this one carries the name of the database."""
    return f"wxbot {db.database}"[:64]


def unlock(db: Database) -> None:
    """Let the next migration in."""
    if isinstance(db, PostgresqlDatabase):
        db.execute_sql("SELECT pg_advisory_unlock(%s)", (LOCK_NAME,))
    elif isinstance(db, MySQLDatabase):
        db.execute_sql("SELECT RELEASE_LOCK(%s)", (lock_name(db),))


def missing_migrations(db: Database) -> list[str]:
    """The names of migrations that this code has and the database has not; a kept connection stays open."""
    with db.connection_context() if db.is_closed() else nullcontext():
        return [entry.name for entry in Runner(db, str(MIGRATIONS)).status() if not entry.applied]


class DatabaseThreads:
    """A bounded pool of threads, each with a kept connection.

    SQLite gets readers and a single writer of their own: readers then never wait for a write lock.
    """

    def __init__(self, db: Database, *, threads: int, queue: int, turns: Turns) -> None:
        self.db = db
        self.queue = queue
        self.inside = 0
        self.is_sqlite = isinstance(db, Sqlite)
        number = max(1, threads // 2 if self.is_sqlite else threads)
        self.readers = ThreadPoolExecutor(number, "rows")
        self.writers = ThreadPoolExecutor(1, "writer") if self.is_sqlite else self.readers
        self.turns = turns
        self.connections: list[Any] = []
        self.lock = threading.Lock()
        bound.initialize(db)

    async def read(self, call: Callable[[], Any]) -> Any:
        """Run a function that only reads; raises TooBusy when the queue is full."""
        return await self._run(self.readers, self._reading, call)

    async def write(self, call: Callable[[], Any]) -> Any:
        """Run a function in one transaction: a raise rolls back, a return commits; raises TooBusy."""
        return await self._run(self.writers, self._writing, call)

    async def _run(self, pool: ThreadPoolExecutor, how: Callable, call: Callable[[], Any]) -> Any:
        if self.inside >= self.queue:
            raise TooBusy
        self.inside += 1
        waiting.set(self.inside)
        try:
            found = await asyncio.get_running_loop().run_in_executor(pool, self._repeat, how, call)
            await self.turns.mine()
            return found
        finally:
            self.inside -= 1
            waiting.set(self.inside)

    def _repeat(self, how: Callable, call: Callable[[], Any]) -> Any:
        """Again after a deadlock, a lock that was waited for too long, or a lost connection; RowsAway in the end."""
        for tries in count(1):
            try:
                self._open()
                return how(call)
            except PeeweeException as problem:
                why = trouble(problem)
                if why is None:
                    raise
                if why in {"gone", "slow"}:
                    self._drop()
                if tries >= TRIES[why]:
                    raise RowsAway from problem
                retried.labels(why).inc()

    def _open(self) -> None:
        if self.db.connect(reuse_if_open=True):
            with self.lock:
                self.connections.append(self.db.connection())

    def _drop(self) -> None:
        """Forget the lost connection of this thread; it may be too dead to be closed."""
        dead = self.db._state.conn
        self.db._state.reset()
        with suppress(Exception):  # a driver's own kind of error; what matters is that nobody uses it again
            dead.close()
        with self.lock:
            self.connections = [conn for conn in self.connections if conn is not dead]

    def _reading(self, call: Callable[[], Any]) -> Any:
        return call()

    def _writing(self, call: Callable[[], Any]) -> Any:
        begin = ("IMMEDIATE",) if self.is_sqlite else ()
        with self.db.atomic(*begin):
            return call()

    def close(self) -> None:
        """End the threads and their connections; waits for what runs."""
        for pool in {self.readers, self.writers}:
            pool.shutdown(wait=True)
        for connection in self.connections:
            connection.close()


def trouble(problem: PeeweeException) -> str | None:
    """What keeps the rows away, and is not the function's fault: a key of TRIES; None for anything else."""
    origin = problem.__cause__ or problem.__context__ or problem
    numbers = [args[0] for args in (problem.args, origin.args) if args and isinstance(args[0], int)]
    code = next(filter(None, numbers), None)
    state = getattr(origin, "sqlstate", None)
    if {state, code} & DEADLOCKS:
        return "deadlock"
    if {state, code} & LOCKED or (isinstance(problem, OperationalError) and "locked" in str(problem)):
        return "locked"
    if state == CANCELLED or is_cut(problem):
        return "slow"
    lost = state is None or state.startswith(("08", "57P"))
    is_server = isinstance(problem, OperationalError | InterfaceError) and not isinstance(bound.obj, Sqlite)
    return "gone" if is_server and (code in MARIADB_GONE or (code is None and lost)) else None


def is_cut(problem: BaseException | None) -> bool:
    """Whether MariaDB's driver hung up because the answer took too long; the failed rollback comes on top of that."""
    while problem is not None:
        if problem.args[:1] == (MARIADB_LOST,) and "timed out" in str(problem):
            return True
        problem = problem.__context__
    return False
