"""A desk: a points log on Kafka, workers that project it, and the tables that come of it."""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from services.projections.app import App
from services.projections.settings import ProjectionsSettings
from shared.broker import Outgoing
from shared.settings import Connections
from shared.topics import Topics
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.integration.projections.kafka_log import publish_entries, publish_records
from tests.support import databases
from tests.unit.projections.points_log import Entry, PointsLog

_numbers = itertools.count(1)


class Desk:
    """The log as written so far (`log`), the servers, and what to do with them."""

    def __init__(self, bootstrap_servers: str, dsn: str, topics: Topics, log: PointsLog) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.dsn = dsn
        self.topics = topics
        self.log = log

    async def publish(self, entries: Iterable[Entry] | None = None) -> None:
        """Publish entries; without any, the whole log."""
        chosen = self.log.entries if entries is None else entries
        await publish_entries(self.bootstrap_servers, self.topics.points, chosen)

    async def publish_raw(self, partition: int, record: Outgoing) -> None:
        """Publish a record that the log doesn't hold."""
        await publish_records(self.bootstrap_servers, self.topics.points, [(partition, record)])

    @asynccontextmanager
    async def worker(self, *, batch: int = 50, lanes: int = 2, group: str = "projections") -> AsyncIterator[App]:
        """A worker in this process, stopped gracefully at the end."""
        connections = Connections(kafka_bootstrap_servers=self.bootstrap_servers, postgres_dsn=self.dsn)
        app = App(connections, self.topics, ProjectionsSettings(group=self.group(group), batch=batch, lanes=lanes))
        stopping = asyncio.Event()
        working = asyncio.create_task(app.work(stopping))
        try:
            yield app
        finally:
            stopping.set()
            await working

    @contextmanager
    def process(self, directory: Path, **settings: str) -> Iterator["Process"]:
        """A worker as a process of its own, ended at the end whatever its state."""
        process = Process(self._environment() | settings, directory)
        try:
            yield process
        finally:
            process.end()

    def group(self, name: str) -> str:
        """A consumer group that no other test uses."""
        return f"{self.topics.points}.{name}"

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "POSTGRES_DSN": self.dsn,
            "TOPIC_POINTS": self.topics.points,
            "TOPIC_DEAD_LETTERS": self.topics.dead_letters,
            "PROJECTIONS_GROUP": self.group("projections"),
            "PROJECTIONS_BATCH": "20",
        }

    async def positions(self) -> dict[int, int]:
        """How far each partition is folded, where it is at all."""
        statement = "SELECT partition, position FROM projections.positions_{} WHERE position > 0"
        rows = await self.rows(statement.format(await self.generation()))
        return {row["partition"]: row["position"] for row in rows}

    async def generation(self) -> int:
        """The generation that the views show."""
        return int(await self.value("SELECT current FROM projections.generation"))

    async def folded(self, positions: Mapping[int, int] | None = None, *, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until the tables are at these positions; without any, at the end of the log."""
        wanted = dict(self.log.positions if positions is None else positions)

        async def there() -> bool:
            return await self.positions() == wanted

        await eventually(there, what=f"positions are {wanted}", seconds=seconds)

    async def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of the views, and each partition's position and hash."""
        positions = "SELECT partition, position, hash FROM projections.positions_{} ORDER BY partition"
        statements = {
            "balances": "SELECT * FROM loyalty.balances ORDER BY program, member",
            "tiers": "SELECT * FROM loyalty.tiers ORDER BY program, member",
            "history": "SELECT * FROM loyalty.history ORDER BY partition, position",
            "positions": positions.format(await self.generation()),
        }
        return {name: [tuple(row) for row in await self.rows(text)] for name, text in statements.items()}

    async def balances(self) -> dict[str, tuple[int, int, int, int]]:
        """Member → available, deficit, earned, reversed, by the view."""
        rows = await self.rows("SELECT member, available, deficit, earned, reversed FROM loyalty.balances")
        return {row["member"]: tuple(row)[1:] for row in rows}

    def balances_of_log(self) -> dict[str, tuple[int, int, int, int]]:
        """The same, as the log's author remembers them."""
        return {
            name: (held.balances.available, held.balances.deficit, held.balances.earned, held.balances.reversed)
            for name, held in self.log.members.items()
        }

    async def rows(self, statement: str, *arguments: object, role: str | None = None) -> list[asyncpg.Record]:
        """What a statement gives, in a session of its own."""
        return await databases.fetch(self.dsn, statement, *arguments, **({"role": role} if role else {}))

    async def value(self, statement: str, *arguments: object) -> Any:
        """The only value that a statement gives."""
        ((value,),) = await self.rows(statement, *arguments)
        return value


class Process:
    """`python -m services.projections` as a process; its log is a file in `directory`."""

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        self._environment = environment
        self._log = directory / f"projections-{next(_numbers)}.log"
        self._process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            return subprocess.Popen([sys.executable, "-m", "services.projections"], env=self._environment, stderr=log)

    def pause(self) -> None:
        """Stop it in its tracks."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on as if nothing had happened."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait(PATIENCE_SECONDS)

    def killed_itself(self) -> bool:
        """Whether it came to its failpoint."""
        return self._process.poll() == -signal.SIGKILL

    def ended(self) -> bool:
        """Whether it is gone."""
        return self._process.poll() is not None

    def stands_still(self) -> bool:
        """Whether it is stopped, and neither running nor gone."""
        return psutil.Process(self._process.pid).status() == psutil.STATUS_STOPPED

    def terminate(self) -> int:
        """Ask it to stop; gives its exit code."""
        self._process.terminate()
        return self._process.wait(PATIENCE_SECONDS)

    def said(self) -> str:
        """Its log so far."""
        return self._log.read_text("utf-8")

    def end(self) -> None:
        """Be rid of it."""
        if self._process.poll() is None:
            self.kill()
        sys.stdout.write(self.said())  # pytest shows it where the test fails
