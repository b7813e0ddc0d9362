"""Several serving processes on the same sockets: started, watched, told to stop."""

import os
import signal
import socket
import subprocess  # nosec B404 - it starts our own command alone
import sys
import tempfile
import threading
from contextlib import suppress

import structlog
from prometheus_client import multiprocess

from wxbot import reality

log = structlog.get_logger()
LEAST_LIFE_SECONDS = 10.0


class Processes:
    """The children of one `serve --processes N`; one that dies is started again, unless we are stopping."""

    def __init__(self, command: list[str], sockets: list[socket.socket], metrics_dir: str) -> None:
        self.command = command
        self.sockets = sockets
        self.metrics_dir = metrics_dir
        # nosemgrep: settings-read-elsewhere - handed on to children, not read
        self.surroundings = os.environ | {"PROMETHEUS_MULTIPROC_DIR": metrics_dir}
        self.running: dict[int, tuple[subprocess.Popen[bytes], float]] = {}
        self.stopping = False
        self.is_starting = False

    def start_one(self) -> None:
        """One more child, with the sockets; none once we are stopping."""
        self.is_starting = True
        if not self.stopping:
            fds = [one.fileno() for one in self.sockets]
            child = subprocess.Popen(self.command, pass_fds=fds, env=self.surroundings)  # noqa: S603  # nosec B603 - our own command
            self.running[child.pid] = (child, reality.monotonic())
        self.is_starting = False
        if self.stopping:  # told to stop while it was being started
            self.stop()

    def stop(self, *_signal: object) -> None:
        """Tell every child; each drains by itself. We listen no more, so that nobody connects and waits in vain."""
        self.stopping = True
        if self.is_starting:
            return
        for pid in self.running:
            self.tell(pid)
        for one in self.sockets:
            one.close()

    @staticmethod
    def tell(pid: int) -> None:
        """SIGTERM; not by `Popen.send_signal`, which also looks whether it has ended: `watch` would miss that end."""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)

    def watch(self) -> int:
        """Until the last child has ended; 0 when that was asked for.

        One that was killed is started again; one that gave up by itself soon after its start would do so again.
        """
        while self.running:
            pid, status = os.wait()
            child, since = self.running.pop(pid)
            child.returncode = os.waitstatus_to_exitcode(status)
            multiprocess.mark_process_dead(pid, self.metrics_dir)
            if self.stopping:
                continue
            log.error("a serving process ended", status=child.returncode)
            if child.returncode > 0 and reality.monotonic() - since < LEAST_LIFE_SECONDS:
                self.stop()
                return self.watch() or 1
            self.start_one()
        return 0 if self.stopping else 1


def end_within(seconds: float) -> None:
    """End this process after so many seconds, if it has not ended by itself.

    A thread that hangs in a database or in a look-up of a name would keep Python from it for ever.
    """
    watchdog = threading.Timer(seconds, give_up)
    watchdog.daemon = True
    watchdog.start()


def give_up() -> None:
    """The end, without waiting for anybody; what was acknowledged is in the database."""
    log.error("ended without what hangs")
    os._exit(0)


def supervise(sockets: list[socket.socket], number: int, options: list[str]) -> int:
    """Serve from `number` processes until SIGTERM or SIGINT; the exit code."""
    fds = [one.fileno() for one in sockets]
    with tempfile.TemporaryDirectory(prefix="wxbot-metrics-") as metrics_dir:
        place = [word for fd in fds for word in ("--fd", str(fd))]
        command = [sys.executable, "-m", "wxbot", "serve", *place, "--metrics-dir", metrics_dir, *options]
        children = Processes(command, sockets, metrics_dir)
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, children.stop)
        for _ in range(number):
            children.start_one()
        return children.watch()
