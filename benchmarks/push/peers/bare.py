"""The floor: a Tornado handler that reads a push and answers with a constant of the same length."""

import asyncio
import sys

from tornado.web import Application, RequestHandler


class Push(RequestHandler):
    """No check, no reading, no sealing."""

    answer = b""

    def post(self) -> None:
        self.finish(self.answer)


async def serve(port: int, length: int) -> None:
    """For ever."""
    Push.answer = b"x" * length
    Application([("/wx/push", Push)], log_function=lambda handler: None).listen(port, "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
