"""The world of one round: a database and topics of its own, workers of both services, a shop, and what is true now."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from aiokafka import TopicPartition

from services.cli.supervise import ServiceProcess
from services.verify.log import Log
from shared.topics import Topics
from tests.chaos.servers import Servers
from tests.chaos.traffic import Facts, Publisher
from tests.conftest import new_topics
from tests.e2e import shop
from tests.e2e.pipeline import Pipeline

SERVICES = ("earning", "projections")
SHARDS = 4
SETTINGS = {
    "EARNING_BATCH": "200",
    "EARNING_RELAY_RECORDS": "200",
    "EARNING_LEASE_S": "3",
    "PROJECTIONS_BATCH": "200",
}
"""Small batches: many transactions, so many moments to be hit between two of them."""

TEMPLATE = "chaos_template"

_DECIDED = "SELECT coalesce(sum(applied + duplicate + rejected + dead_letter), 0)::bigint FROM earning.fences"
_BEHIND = """
SELECT (SELECT coalesce(sum(position), 0) FROM earning.shards)::bigint - (SELECT count(*) FROM loyalty.history)
     + (SELECT coalesce(sum(s.position - e.emitted), 0) FROM earning.shards s JOIN earning.emissions e USING (shard))
     + (SELECT count(*) FROM earning.dead_letters WHERE relayed_at IS NULL)
"""
_EVENTS = "SELECT count(*) FROM loyalty.history"
_TORN = """
SELECT count(*)
FROM (SELECT program, member, sum(change) AS available FROM loyalty.history GROUP BY 1, 2) h
FULL JOIN loyalty.balances b USING (program, member)
WHERE h.available IS DISTINCT FROM b.available
"""


@dataclass
class Worker:
    """One process of a service, and whether it ought to run."""

    service: str
    number: int
    process: ServiceProcess
    wanted: bool = True
    harmed: bool = False


@dataclass
class World:
    """Everything of one round."""

    servers: Servers
    directory: Path
    database: str
    seed: str
    rate: int
    workers_each: int
    topics: Topics = field(default_factory=new_topics)
    workers: list[Worker] = field(default_factory=list)
    stall_s: float = 0.0

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)  # noqa: S311 (the same harm for the same seed is the point)
        self.dsn = self.servers.dsn_of(self.database)
        self.pipeline = Pipeline(self.directory, self.servers.bootstrap_servers, self.dsn, self.topics, SHARDS)
        self.publisher = Publisher(
            self.servers.bootstrap_servers, self.topics.orders, Facts(self.seed, shards=SHARDS), self.rate
        )
        self._publishing: asyncio.Task[None] | None = None
        self._log = Log(self.servers.bootstrap_servers)

    async def begin(self) -> None:
        """Make database and topics, start workers and shop."""
        await self.servers.administrate(f"CREATE DATABASE {self.database} TEMPLATE {TEMPLATE}")
        await self.pipeline.prepare(shop.DOCUMENT)
        await self._log.start()
        for number in range(1, self.workers_each + 1):
            for service in SERVICES:
                await self.start(service, number)
        self._publishing = asyncio.create_task(self.publisher.run())

    async def end(self) -> None:
        """Stop the shop, end the workers, drop the database."""
        if self._publishing is not None:
            self._publishing.cancel()
            await asyncio.wait([self._publishing])
        await asyncio.to_thread(self.pipeline.stop)
        await self._log.stop()
        with suppress(OSError, asyncpg.PostgresError):
            await self.servers.administrate(f"DROP DATABASE {self.database} WITH (FORCE)")

    async def start(self, service: str, number: int, **further: str) -> Worker:
        """Start a worker, or start it again."""
        settings = {
            **SETTINGS,
            "KAFKA_BOOTSTRAP_SERVERS": self.servers.bootstrap_servers_proxied,
            "POSTGRES_DSN": self.servers.proxied(self.dsn),
            **self.servers.clock.environment,
            **further,
        }
        process = await asyncio.to_thread(self.pipeline.start, service, settings, number=number)
        for known in self.workers:
            if (known.service, known.number) == (service, number):
                known.process, known.wanted, known.harmed = process, True, False
                return known
        self.workers.append(Worker(service, number, process))
        return self.workers[-1]

    @property
    def running(self) -> list[Worker]:
        """The workers that ought to run."""
        return [worker for worker in self.workers if worker.wanted]

    async def kill(self, worker: Worker) -> None:
        """End a worker as a power cut would."""
        worker.harmed = True
        await asyncio.to_thread(worker.process.kill)

    async def mend(self) -> list[str]:
        """Undo all harm: servers up, wires whole, every wanted worker running. Gives who ended without our doing."""
        self.servers.disk.relieve()
        for proxy in (self.servers.kafka_proxy, self.servers.postgres_proxy):
            proxy.refuses, proxy.delay_s = False, 0.0
            proxy.thaw()
        await self.servers.up()
        ended = []
        for worker in self.running:
            pid = worker.process.pid
            if pid is None:
                if not worker.harmed:
                    ended.append(f"{worker.process.name} ended by itself: {last_words(worker.process)}")
                await self.start(worker.service, worker.number)
            else:
                os.kill(pid, signal.SIGCONT)
        return ended

    async def published(self) -> int:
        """How many records the input topic holds."""
        orders = [TopicPartition(self.topics.orders, number) for number in range(SHARDS)]
        return sum((await self._log.ends(orders)).values())

    async def decided(self) -> int:
        """How many inputs are decided; -1 while Postgres doesn't answer."""
        return await self.pipeline.value(_DECIDED)

    async def behind(self) -> int:
        """How many point events and dead letters are not yet everywhere; -1 while Postgres doesn't answer."""
        return await self.pipeline.value(_BEHIND)

    async def events(self) -> int:
        """How many point events readers see."""
        return await self.pipeline.value(_EVENTS)

    async def torn(self) -> int:
        """How many members a reader sees just now whose balance is not the sum of their history."""
        return await self.pipeline.value(_TORN)

    def last_words(self) -> Iterator[str]:
        """What each worker said last."""
        for worker in self.workers:
            yield f"{worker.process.name} (pid {worker.process.pid}): {last_words(worker.process)}"


def last_words(process: ServiceProcess) -> str:
    """The last lines of a worker's log."""
    file = process.log_file
    return "\n  ".join(file.read_text("utf-8", errors="replace").splitlines()[-6:]) if file.exists() else "(no log)"
