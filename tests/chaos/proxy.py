"""A TCP proxy before a server: its connections can be cut, delayed, held up without a word, or refused."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from tests.eventually import let_pass

CHUNK_BYTES = 64 * 1024


@dataclass
class Proxy:
    """Listens on a port of its own for as long as it is started, and passes bytes on to `target` on this machine."""

    target: int
    port: int = 0
    delay_s: float = 0.0
    refuses: bool = False
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _flows: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        """Listen; `port` says where."""
        self._flows.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut what there is, and listen no more."""
        self._flows.set()
        if self._server is not None:
            self._server.close()
        self.cut()

    def cut(self) -> int:
        """Cut every connection as it stands (a reset, in the middle of whatever was said); gives how many."""
        for writer in self._writers:
            writer.transport.abort()
        return len(self._writers) // 2

    def freeze(self) -> None:
        """Let connections stand, and no byte pass: as when a cable is out, or a firewall has forgotten."""
        self._flows.clear()

    def thaw(self) -> None:
        """Let bytes pass again, those held up first."""
        self._flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            writer.transport.abort()
            return
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, to_server}
        try:
            passing = [
                asyncio.ensure_future(self._pass(reader, to_server)),
                asyncio.ensure_future(self._pass(from_server, writer)),
            ]
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
            for one in passing:
                one.cancel()
        finally:
            self._writers -= {writer, to_server}
            writer.transport.abort()
            to_server.transport.abort()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(CHUNK_BYTES):
                await self._flows.wait()
                if self.delay_s:
                    await let_pass(self.delay_s)
                sink.write(data)
                await sink.drain()
