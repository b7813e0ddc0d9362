"""Private PostgreSQL, MariaDB and Redis servers: `with PostgreSQL() as server: server.url`.

None opens a Unix socket in a long path, none reads the machine's own configuration, none needs a service.
"""

import signal
from pathlib import Path

import psycopg
import pymysql
import redis

from tests.server_process import Server, ServerMissing, program

OWN_LOGIN = """\
CREATE USER IF NOT EXISTS wxbot@127.0.0.1 IDENTIFIED BY 'wxbot';
GRANT ALL ON *.* TO wxbot@127.0.0.1;
"""


class PostgreSQL(Server):
    """PostgreSQL with its own defaults of durability."""

    kind = "postgresql"
    programs = ("initdb", "postgres")
    os_user = "postgres"
    not_yet = (psycopg.OperationalError,)
    stop_signal = signal.SIGINT  # "fast": SIGTERM would wait until every client has gone

    @property
    def url(self) -> str:
        return f"postgresql://wxbot@127.0.0.1:{self.port}/postgres"

    def create(self) -> None:
        options = ["--username=wxbot", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        self.run([program("initdb"), f"--pgdata={self.data}", *options])

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "on" if self.durable else "off",
            "max_connections": 200,
            "shared_buffers": "64MB",
            "autovacuum": "off",
            "jit": "on" if self.durable else "off",
            "full_page_writes": "on" if self.durable else "off",
            "dynamic_shared_memory_type": "mmap",  # one that is killed leaves nothing behind in the memory of all
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [program("postgres"), "-D", str(self.data), *options]

    def ping(self) -> None:
        with psycopg.connect(self.url, connect_timeout=2) as connection:
            connection.execute("SELECT 1")


class MariaDB(Server):
    """MariaDB with its own defaults of durability (log flushed at each commit) and strictness."""

    kind = "mariadb"
    programs = ("mariadb-install-db", "mariadbd")
    os_user = "mysql"
    not_yet = (pymysql.MySQLError,)

    @property
    def first(self) -> Path:
        """The statements that every start runs: our login must be there."""
        return self.folder / "first.sql"

    @property
    def url(self) -> str:
        return f"mysql://wxbot:wxbot@127.0.0.1:{self.port}/mysql"

    def create(self) -> None:
        options = ["--no-defaults", f"--datadir={self.data}", "--skip-test-db", "--skip-name-resolve"]
        self.run([program("mariadb-install-db"), *options])

    def command(self) -> list[str]:
        self.first.write_text(OWN_LOGIN, "utf-8")
        self.first.chmod(0o644)
        return [
            program("mariadbd"),
            "--no-defaults",
            f"--datadir={self.data}",
            f"--tmpdir={self.folder}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            f"--init-file={self.first}",
            "--socket=socket",  # relative to the data folder, so no long path
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_general_ci",  # what Debian ships: a table must ask for better itself
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=16M",
            "--max-connections=200",
            "--log-warnings=1",
            f"--innodb-flush-method={'O_DIRECT' if self.durable else 'nosync'}",
        ]

    def ping(self) -> None:
        login = {"host": "127.0.0.1", "port": self.port, "user": "wxbot", "password": "wxbot"}
        pymysql.connect(**login, connect_timeout=2, read_timeout=2).close()


class Redis(Server):
    """Redis with an append-only file, so that a kill loses nothing it has answered."""

    kind = "redis"
    programs = ("redis-server",)
    not_yet = (redis.RedisError,)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def create(self) -> None:
        self.data.mkdir()

    def command(self) -> list[str]:
        place = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.data)]
        return [program("redis-server"), *place, "--save", "", "--appendonly", "yes"]

    def ping(self) -> None:
        with redis.Redis.from_url(self.url, socket_timeout=2) as client:
            client.ping()


SERVERS: dict[str, type[Server]] = {server.kind: server for server in (PostgreSQL, MariaDB, Redis)}


def available() -> dict[str, str]:
    """For each kind: an empty string if it can run here, else why not."""
    answers = {}
    for kind, server in SERVERS.items():
        try:
            server.check_available()
        except ServerMissing as missing:
            answers[kind] = str(missing)
        else:
            answers[kind] = ""
    return answers
