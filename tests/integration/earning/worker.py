"""A worker of earning inside the test, on topics and a database of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from deploy import topics as topics_plan
from services.earning.app import App
from services.earning.program import registry
from services.earning.program.authoring.check import check
from services.earning.settings import EarningSettings
from shared.broker import Outgoing
from shared.settings import Connections, Http
from shared.topics import Topics
from tests.eventually import PATIENCE_SECONDS, eventually
from tests.integration.earning.earning_rig import DOCUMENT, SHARDS
from tests.support import databases
from tests.support.builders.sending import send

PATIENCE_S = PATIENCE_SECONDS


@dataclass
class Town:
    """Servers, topics and a database: what workers come to."""

    bootstrap_servers: str
    dsn: str
    topics: Topics

    async def build(self, document: str = DOCUMENT) -> None:
        """Make the topics and publish the program. The facts are old: retention by time would delete them meanwhile."""
        await topics_plan.create(self.bootstrap_servers, self.topics, SHARDS)
        for topic in self.topics.inputs:
            await topics_plan.change(self.bootstrap_servers, topic, {"retention.ms": "-1"})
        async with databases.session(self.dsn) as owner:
            await registry.publish(owner, check(document.encode(), "shop.yaml"))

    @asynccontextmanager
    async def worker(self, **settings: Any) -> AsyncIterator[App]:
        """A worker that works while the block lasts, and then stops in good order."""
        process = self._process(**settings)
        stopping = asyncio.Event()
        working = asyncio.ensure_future(process.work(process.broker(), stopping))
        try:
            yield process
        finally:
            stopping.set()
            async with asyncio.timeout(PATIENCE_S):
                await working

    async def worker_ends(self, **settings: Any) -> None:
        """Let a worker work until it refuses to; what it says is raised."""
        process = self._process(**settings)
        async with asyncio.timeout(PATIENCE_S):
            await process.work(process.broker(), asyncio.Event())

    def _process(self, **settings: Any) -> App:
        connections = Connections(kafka_bootstrap_servers=self.bootstrap_servers, postgres_dsn=self.dsn)
        own = {"group": self.topics.points} | settings
        return App(EarningSettings(**own), connections, self.topics, Http())

    async def publish(self, records: dict[int, list[Outgoing]], topic: str | None = None) -> int:
        """Publish records by partition, to the orders topic or another; gives their number."""
        return await send(self.bootstrap_servers, topic or self.topics.orders, records)

    async def fetch(self, query: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Rows of the database."""
        return [tuple(row) for row in await databases.fetch(self.dsn, query, *arguments)]

    async def execute(self, statement: str) -> None:
        """Change something by hand."""
        await databases.execute(self.dsn, statement)

    async def totals(self) -> tuple[int, int, int, int]:
        """The four counts over all partitions."""
        columns = ", ".join(f"coalesce(sum({c}), 0)::int" for c in ("applied", "duplicate", "rejected", "dead_letter"))
        ((applied, duplicate, rejected, dead_letter),) = await self.fetch(f"SELECT {columns} FROM earning.fences")  # noqa: S608 (our own column names)
        return applied, duplicate, rejected, dead_letter

    async def decided(self, inputs: int) -> None:
        """Wait until so many inputs are decided."""

        async def enough() -> bool:
            return sum(await self.totals()) >= inputs

        await eventually(enough, what=f"{inputs} inputs are decided", seconds=PATIENCE_S)

    async def emitted(self) -> None:
        """Wait until the relay has come to the end of the journal."""
        query = """
            SELECT (SELECT coalesce(sum(position), 0) FROM earning.shards)
                 - (SELECT coalesce(sum(emitted), 0) FROM earning.emissions)
        """

        async def level() -> bool:
            return await self.fetch(query) == [(0,)]

        await eventually(level, what="everything is emitted", seconds=PATIENCE_S)

    async def log(self, topic: str | None = None) -> list[ConsumerRecord[bytes, bytes]]:
        """Every record of the points topic or another, by partition and offset."""
        name = topic or self.topics.points
        numbers = await topics_plan.partitions_of(self.bootstrap_servers, [name])
        consumer: AIOKafkaConsumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap_servers, group_id=None, enable_auto_commit=False
        )
        try:
            await consumer.start()
            return await _read_all(consumer, [TopicPartition(name, number) for number in range(numbers[name])])
        finally:
            await consumer.stop()


async def _read_all(consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> list[ConsumerRecord[bytes, bytes]]:
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    ends = await consumer.end_offsets(partitions)
    records: list[ConsumerRecord[bytes, bytes]] = []
    while any([await consumer.position(one) < ends[one] for one in partitions]):
        for some in (await consumer.getmany(timeout_ms=200)).values():
            records += some
    return sorted(records, key=lambda record: (record.partition, record.offset))


def sent(values: Iterable[bytes], *, key: bytes = b"shop/ann", timestamp_ms: int) -> list[Outgoing]:
    """Values as records of one key, received one second after the other."""
    return [Outgoing(key, value, (), timestamp_ms + 1000 * at) for at, value in enumerate(values)]


def positions(records: Sequence[ConsumerRecord[bytes, bytes]]) -> dict[int, list[int]]:
    """Partition → the positions its records say they have, in the order of the log."""
    found: dict[int, list[int]] = {}
    for record in records:
        position = dict(record.headers)["position"]
        found.setdefault(record.partition, []).append(int(position))
    return found
