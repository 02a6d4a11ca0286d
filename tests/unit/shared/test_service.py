"""A service as a process: work and HTTP side by side, with or without a broker."""

import asyncio
import socket
from urllib.request import urlopen

import pytest
from faststream.asgi import AsgiResponse, get
from faststream.asgi.types import Scope

from shared.errors import ConfigurationError
from shared.service import serve
from shared.settings import Http


@get
async def greeting(_: Scope) -> AsgiResponse:
    return AsgiResponse(b"hello", 200)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def test_routes_are_answered_for_as_long_as_the_work_lasts() -> None:
    port, answers = free_port(), []

    def asked() -> bytes:
        with urlopen(f"http://127.0.0.1:{port}/greeting", timeout=10) as response:
            return bytes(response.read())

    async def work(_: asyncio.Event) -> None:
        answers.append(await asyncio.to_thread(asked))

    await serve(work, [("/greeting", greeting)], Http(host="127.0.0.1", port=port))
    assert answers == [b"hello"]


async def test_a_port_that_is_taken_is_said() -> None:
    async def work(stopping: asyncio.Event) -> None:
        await stopping.wait()

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"Can't listen on 127.0.0.1:{port}"):
            await serve(work, [], Http(host="127.0.0.1", port=port))
