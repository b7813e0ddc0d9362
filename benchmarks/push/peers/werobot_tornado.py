"""WeRoBot behind its own Tornado handler, as its documentation shows it."""

import asyncio
import os
import sys

import werobot
from tornado.web import Application
from werobot.contrib.tornado import make_handler

robot = werobot.WeRoBot(token=os.environ["TOKEN"])
robot.config["SESSION_STORAGE"] = False
robot.config["APP_ID"] = os.environ["APP_ID"]
robot.config["ENCODING_AES_KEY"] = os.environ["AES_KEY"]


@robot.text
def answer(message: object) -> str:
    """帮助"""
    return os.environ["HELP"]


async def serve(port: int) -> None:
    """For ever."""
    Application([("/wx/push", make_handler(robot))], log_function=lambda handler: None).listen(port, "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(serve(int(sys.argv[1])))
