"""The servers of a campaign: a stack, proxies before it, a small disk under Postgres, a clock that can be turned."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from deploy.local_stack import LocalStack, state
from deploy.local_stack.kafka import KafkaServer
from tests.chaos.proxy import Proxy
from tests.support.databases import beside, execute

DISK_BYTES = 8 << 30
"""The most of memory that Postgres's files can take."""

WAL_MB_MAX = 300
MNT_DETACH, MS_REMOUNT = 2, 32
_LIBC = ctypes.CDLL(None, use_errno=True)


class SmallDisk:
    """A file system of memory, mounted where Postgres keeps its data, and made too small at will; needs root."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.why_not = ""

    def mount(self) -> None:
        """Mount it; where that isn't allowed, `why_not` says so and everything else works."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if (error := self._mount(0, DISK_BYTES)) != 0:
            self.why_not = f"a small file system can't be mounted here ({os.strerror(error)})"

    def unmount(self) -> None:
        """Give it up, with all that is on it."""
        if not self.why_not:
            _LIBC.umount2(os.fsencode(self.directory), MNT_DETACH)

    def fill(self) -> None:
        """Leave no byte free: the file system shrinks to what is on it."""
        # What is written between looking and shrinking makes the size too small to be taken: look again.
        while self._mount(MS_REMOUNT, shutil.disk_usage(self.directory).used) == errno.EINVAL:
            pass

    def relieve(self) -> None:
        """Make room again."""
        if not self.why_not:
            self._mount(MS_REMOUNT, DISK_BYTES)

    def _mount(self, flags: int, size: int) -> int:
        """Gives 0, or the number of the error."""
        options = f"size={size},mode=0755".encode()
        failed = _LIBC.mount(b"tmpfs", os.fsencode(self.directory), b"tmpfs", flags, options)
        return ctypes.get_errno() if failed else 0


class Clock:
    """The wall clock of Postgres and the workers, turned by libfaketime while they run; Kafka keeps the right one."""

    def __init__(self, directory: Path) -> None:
        found = sorted(Path("/usr/lib").glob("**/faketime/libfaketime.so.1"))
        self._library = found[0] if found else None
        self._offset = directory / "clock"
        self._offset.write_text("+0\n", "ascii")
        self.why_not = "" if found else "libfaketime is not on this machine (Debian: apt-get install libfaketime)"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to live by this clock."""
        if self._library is None:
            return {}
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, seconds: int) -> None:
        """From now on it is so much later (or earlier) than in truth."""
        fresh = self._offset.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n", "ascii")
        fresh.chmod(0o644)
        fresh.replace(self._offset)

    @contextmanager
    def ruling(self) -> Iterator[None]:
        """Whatever is started meanwhile lives by this clock."""
        os.environ.update(self.environment)
        try:
            yield
        finally:
            for name in self.environment:
                del os.environ[name]


class Servers:
    """Kafka and Postgres of a campaign; services come to them through proxies, everybody else directly."""

    def __init__(self, directory: Path) -> None:
        directory.chmod(0o755)
        self.directory = directory
        self.stack = LocalStack(directory / "stack")
        self.kafka, self.postgres = self.stack.kafka, self.stack.postgres
        self.disk = SmallDisk(self.stack.directory / "postgres")
        self.clock = Clock(directory)
        (self._proxied_port,) = state._free_ports(1)
        self.kafka_proxy = Proxy(self._proxied_port)
        self.postgres_proxy = Proxy(urlsplit(self.postgres.dsn).port or 0)

    @property
    def bootstrap_servers(self) -> str:
        """Kafka without the proxy."""
        return self.kafka.bootstrap_servers

    @property
    def bootstrap_servers_proxied(self) -> str:
        """Kafka through the proxy: the broker names the proxy's port to whoever comes this way."""
        return f"127.0.0.1:{self.kafka_proxy.port}"

    def proxied(self, dsn: str) -> str:
        """The same database through the proxy."""
        parts = urlsplit(dsn)
        return urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{self.postgres_proxy.port}"))

    def dsn_of(self, database: str) -> str:
        """A database of this server, without the proxy."""
        return beside(self.postgres.dsn, database)

    async def start(self) -> None:
        """Start all of it."""
        self.disk.mount()
        await self.kafka_proxy.start()
        await self.postgres_proxy.start()
        self.kafka.further_settings = _two_ways_in(self.kafka, self._proxied_port, self.kafka_proxy.port)
        await self.up()
        await self.administrate(f"ALTER SYSTEM SET max_wal_size = '{WAL_MB_MAX}MB'", "SELECT pg_reload_conf()")

    async def up(self) -> None:
        """Start the servers that don't run, and wait until both answer."""
        await asyncio.to_thread(self._up)

    def _up(self) -> None:
        self.kafka.start()
        with self.clock.ruling():
            self.postgres.start()

    async def stop(self) -> None:
        """Stop and delete everything."""
        await self.kafka_proxy.stop()
        await self.postgres_proxy.stop()
        self.disk.relieve()
        await asyncio.to_thread(self._down)

    def _down(self) -> None:
        self.kafka.stop()
        self.postgres.stop("immediate")
        self.disk.unmount()
        self.stack.down(throw_away=True)

    async def administrate(self, *statements: str) -> None:
        """Run statements as the superuser, each for itself."""
        await execute(self.postgres.dsn, *statements)


def _two_ways_in(kafka: KafkaServer, port: int, proxy: int) -> str:
    """A second listener, which names the proxy's port as its own."""
    direct = f"PLAINTEXT://{kafka.bootstrap_servers}"
    controller = f"CONTROLLER://127.0.0.1:{kafka._ports.kafka_controller}"
    return (
        f"\nlisteners={direct},PROXIED://127.0.0.1:{port},{controller}\n"
        f"advertised.listeners={direct},PROXIED://127.0.0.1:{proxy}\n"
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
        "inter.broker.listener.name=PLAINTEXT\n"
    )
