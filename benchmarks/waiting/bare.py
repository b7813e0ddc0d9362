"""The floor: Server-Sent Events by a bare Tornado handler, which checks, stores and limits nothing: `… PORT`."""

import asyncio
import sys
from collections import defaultdict

from tornado.web import Application, RequestHandler

HEARING: defaultdict[str, set["EventsHandler"]] = defaultdict(set)


class EventsHandler(RequestHandler):
    """A line that stays open until its other end closes it."""

    async def get(self, name: str) -> None:
        self.set_header("Content-Type", "text/event-stream")
        self.gone = asyncio.Event()
        HEARING[name].add(self)
        self.write('data: {"v": 1}\n\n')
        await self.flush()
        await self.gone.wait()

    def on_connection_close(self) -> None:
        self.gone.set()


class TellHandler(RequestHandler):
    """Tells the one who waits."""

    def post(self, name: str) -> None:
        for line in HEARING[name]:
            line.write('data: {"v": 2}\n\n')
            line.flush()
        self.set_status(303)


class UpHandler(RequestHandler):
    """Serving."""

    def get(self) -> None:
        self.finish("ok")


async def main(port: int) -> None:
    """Until it is ended."""
    routes = [(r"/scans/(\w+)/events", EventsHandler), (r"/s/(\w+)", TellHandler), ("/readyz", UpHandler)]
    Application(routes).listen(port, "127.0.0.1", backlog=1024)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
