"""The fixtures every test may ask for."""

import asyncio
from collections.abc import Iterator

import pytest
from tornado.ioloop import IOLoop


@pytest.fixture
def io_loop() -> Iterator[IOLoop]:
    """A loop of the test's own (pytest-tornado's fixture calls a deprecated method)."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    io_loop = IOLoop(asyncio_loop=loop, make_current=False)
    yield io_loop
    asyncio.set_event_loop(None)
    io_loop.close(all_fds=True)
