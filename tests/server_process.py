"""How a private server of the tests lives: own port, own folder, started, killed, back again, gone at the end.

Each is a direct child, so it can be waited for: a killed PostgreSQL that nobody reaps looks alive to the next
one. And each dies with us, however we die.
"""

import atexit
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

START_SECONDS = 60.0
STOP_SECONDS = 30.0
ROOM = 4 * 1024**3
BELOW_EPHEMERAL = range(20000, 30000)  # no outgoing connection takes such a port between a kill and a restart


class ServerMissing(Exception):
    """This machine lacks a program or an OS user; the text says which, for the summary of what was left out."""


class ServerBroken(Exception):
    """A server did not come up; the text ends with the last lines of its log."""


def free_port() -> int:
    """A loopback port nobody listens on now, outside the range of outgoing connections."""
    for port in random.sample(BELOW_EPHEMERAL, 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ServerBroken("no free loopback port found")


def program(name: str) -> str:
    """The full path of a server program, also where Debian keeps it off the PATH."""
    places = [os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]
    places += [str(place) for place in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        raise ServerMissing(f"{name} is not installed")
    return found


def reachable_temporary() -> str:
    """A folder for temporary folders which another OS user may walk into."""
    for place in (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")):
        if all(above.stat().st_mode & 0o001 for above in (place, *place.parents)):
            return str(place)
    raise ServerMissing("no temporary folder that other users can enter")


def quick_temporary() -> str:
    """The same in memory, where there is room: to empty a table of MariaDB takes a tenth of the time there."""
    shared = Path("/dev/shm")
    has_room = shared.is_dir() and os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > ROOM
    return str(shared) if has_room else reachable_temporary()


@cache
def made_before(kind: str) -> Path:
    """Where this process keeps the data folder that the first server of a kind began with, while it lives."""
    folder = Path(tempfile.mkdtemp(prefix=f"{kind}-first-", dir=quick_temporary()))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder / "data"


class Server:
    """One server: `start()` returns when it answers; `remove()` ends it and deletes its folder.

    `durable=False` leaves out fsync: a killed *server* still loses nothing (the kernel has what it wrote), only
    a killed machine would, and tests that commit a lot go many times faster.
    """

    kind = ""
    programs: tuple[str, ...] = ()
    os_user: str | None = None  # who must run it when we are root
    stop_signal = signal.SIGTERM
    not_yet: tuple[type[Exception], ...] = ()  # what `ping` raises, beside OSError, while it comes up

    def __init__(self, *, durable: bool = True) -> None:
        self.check_available()
        self.durable = durable
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.kind}-", dir=self.base()))
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        if self.runs_as:
            shutil.chown(self.folder, self.runs_as)

    @classmethod
    def check_available(cls) -> None:
        """Raise ServerMissing unless this machine can run such a server."""
        for name in cls.programs:
            program(name)
        if cls.os_user and os.geteuid() == 0:
            try:
                pwd.getpwnam(cls.os_user)
            except KeyError:
                raise ServerMissing(f"as root {cls.kind} needs the OS user {cls.os_user}") from None

    def base(self) -> str:
        """Where its folder stands; on a disk when durability is asked for."""
        if not self.durable:
            return quick_temporary()
        return reachable_temporary() if self.runs_as else tempfile.gettempdir()

    @property
    def runs_as(self) -> str | None:
        """The OS user to change to: only root can, and only some servers refuse to be root."""
        return self.os_user if os.geteuid() == 0 else None

    @property
    def url(self) -> str:
        """Where the product finds it, as the setting says it."""
        raise NotImplementedError

    def create(self) -> None:
        """Fill the data folder, once."""

    def command(self) -> list[str]:
        """What to run in the foreground."""
        raise NotImplementedError

    def ping(self) -> None:
        """Ask one question; any error means not yet."""
        raise NotImplementedError

    def start(self) -> Self:
        """Come up and answer. After a kill this waits until the children of the dead one are gone."""
        if not self.data.exists():
            self._fill()
        deadline = time.monotonic() + START_SECONDS
        self.process = self._spawn(self.command())
        while not self._answers():
            if time.monotonic() > deadline:
                self.kill()
                raise ServerBroken(f"{self.kind} does not answer: {self.last_words()}")
            if self.process.poll() is not None:
                if time.monotonic() > deadline - START_SECONDS + 10:
                    raise ServerBroken(f"{self.kind} ended at its start: {self.last_words()}")
                time.sleep(0.2)
                self.process = self._spawn(self.command())
            time.sleep(0.02)
        return self

    def kill(self) -> None:
        """Pull the plug (SIGKILL); the data folder stays as it is at that instant."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Let it end in order; the data folder stays."""
        self._end(self.stop_signal)

    def restart(self) -> Self:
        """Come back on the same port with the same data, whether it runs or was killed."""
        self.stop()
        return self.start()

    def remove(self) -> None:
        """End it without ceremony and delete all it had."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def last_words(self) -> str:
        """The end of its log."""
        return self.log.read_text("utf-8", "replace")[-2000:] if self.log.exists() else "(no log)"

    def run(self, command: list[str]) -> None:
        """Run one preparing program as the server's OS user, to its end."""
        process = self._spawn(command)
        if process.wait(timeout=START_SECONDS) != 0:
            raise ServerBroken(f"{command[0]} failed: {self.last_words()}")

    def _fill(self) -> None:
        """Create, once for a kind: what was made then is copied, for making it takes seconds of two cores."""
        kept = made_before(self.kind)
        if not kept.exists():
            self.create()
            subprocess.run(["cp", "-a", str(self.data), str(kept)], check=True)
        else:
            subprocess.run(["cp", "-a", str(kept), str(self.data)], check=True)

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        """A child that the kernel ends when we die; setpriv becomes the server, so it stays our child."""
        if setpriv := shutil.which("setpriv"):
            command = [setpriv, "--pdeathsig", "KILL", "--", *command]
        ids = {"user": self.runs_as, "group": self.runs_as, "extra_groups": []} if self.runs_as else {}
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, env=environment, **ids
            )

    def _answers(self) -> bool:
        try:
            self.ping()
        except (OSError, *self.not_yet):
            return False
        return True

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self.remove()
