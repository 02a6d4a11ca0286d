"""Reading the log: whole partitions, from their beginning to a noted position, folded in memory and copied at once.

`python -m services.projections.rebuild` runs it as one of the processes of `workers`: one line of JSON in (the job),
lines of JSON out (progress, or the error).
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.projections import store
from services.projections.decode import Decoded, decode_partition
from services.projections.models import Model, Values, load
from services.projections.positions import Fence, Received, follow
from services.projections.project import fold_all
from shared.broker import REQUEST_TIMEOUT_MS, UNREADABLE
from shared.consumer_watch import SupervisedConsumer
from shared.errors import TallystickError, UnreadableEventError
from shared.postgres import LONG_WORK_SETTINGS, connect

BATCH = 5000
FETCH_WAIT_MS = 500
OWNER = "loyalty_owner"


class Job(msgspec.Struct):
    """What one process reads: partitions, each up to a position, into the tables of a generation.

    `models` are the packages that declare the read models to fill.
    """

    dsn: str
    bootstrap_servers: str
    topic: str
    generation: int
    models: list[str]
    until: dict[int, int]


class Done(msgspec.Struct):
    """What was read since the last such line; or, at the end, the error that ended it."""

    events: int = 0
    foreign: int = 0
    error: str = ""


Tell = Callable[[Done], None]


def reader(bootstrap_servers: str) -> SupervisedConsumer:
    """A consumer outside of any group: a rebuild reads what it wants."""

    def make() -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            client_id="tallystick-rebuild",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_uncommitted",
            check_crcs=True,
            fetch_max_wait_ms=50,
            max_partition_fetch_bytes=8 * 1024 * 1024,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )

    return SupervisedConsumer(make, "rebuild")


async def next_records(consumer: SupervisedConsumer, where: TopicPartition, position: int) -> Sequence[Any]:
    """The next records of a partition, from an event's position on; none where none came in time.

    Raises:
        UnreadableEventError: the very next record can't be handed over.
    """
    offset, most = await consumer.position(where), BATCH
    while True:
        try:
            found = await consumer.getmany(where, timeout_ms=FETCH_WAIT_MS, max_records=most)
        except UNREADABLE as error:
            if most == 1:
                raise UnreadableEventError(where.partition, position, repr(error)) from error
            consumer.seek(where, offset)
            most //= 2
        else:
            records: Sequence[Any] = found.get(where, ())
            return records


async def read_all(job: Job, tell: Tell) -> None:
    """Read the job's partitions, one after the other: one partition's members are in memory at a time.

    Raises:
        TallystickError: the log holds another history, or an event that this code can't read.
        KafkaError, asyncpg.PostgresError, OSError: a server is away; nothing of the partition begun is kept.
    """
    session = await connect(job.dsn, role=OWNER, application="tallystick-rebuild-read", settings=LONG_WORK_SETTINGS)
    consumer = reader(job.bootstrap_servers)
    await consumer.start()
    try:
        for partition, until in job.until.items():
            async with session.transaction():
                await _Partition(job, partition, session, consumer, tell).read(until)
    finally:
        await consumer.stop()
        session.terminate()


class _Partition:
    """One partition on its way into the tables: rows of events as they come, of states and the fence at the end."""

    def __init__(
        self, job: Job, partition: int, session: asyncpg.Connection, consumer: SupervisedConsumer, tell: Tell
    ) -> None:
        self._job = job
        self._partition = partition
        self._session = session
        self._consumer = consumer
        self._tell = tell
        self._fence = Fence(partition)
        self._folded = [load(package).begin() for package in job.models]
        self._known: list[Received] = []
        self._copying: asyncio.Task[Any] | None = None

    async def read(self, until: int) -> None:
        """Read to the position, or to where the log ends."""
        where = TopicPartition(self._job.topic, self._partition)
        self._consumer.assign([where])
        await self._consumer.seek_to_beginning(where)
        end = (await self._consumer.end_offsets([where]))[where]
        while self._fence.position < until and await self._consumer.position(where) < end:
            records = await next_records(self._consumer, where, self._fence.position + 1)
            await self._take(decode_partition(self._partition, records), until)
        await self._copied()
        await self._finish()

    async def _take(self, decoded: Decoded, until: int) -> None:
        followed = follow(self._fence, [record for record in decoded.records if record.position <= until])
        if followed.stop is not None:
            raise followed.stop
        self._known += followed.known
        fold_all(followed.applied, self._folded)
        self._fence = followed.fence
        self._tell(Done(len(followed.applied), len(decoded.foreign)))
        await self._copied()
        if followed.applied:
            appended = [(rows.model, rows.take_appended()) for rows in self._folded]
            self._copying = asyncio.create_task(self._copy(appended))
            await asyncio.sleep(0)  # lets the copying begin before the next batch is decoded

    async def _copy(self, appended: Sequence[tuple[Model, Sequence[Values]]]) -> None:
        for model, rows in appended:
            if rows:
                await store.append(self._session, self._job.generation, model, rows)

    async def _copied(self) -> None:
        if self._copying is not None:
            await self._copying
            self._copying = None

    async def _finish(self) -> None:
        await self._copy([(rows.model, rows.changed()) for rows in self._folded])
        await store.move_fences(self._session, self._job.generation, [self._fence])
        if self._known:
            await store.check_known(self._session, self._job.generation, self._known)


def _tell_parent(done: Done) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(done) + b"\n")
    sys.stdout.buffer.flush()


async def _die_with_parent() -> None:
    """Our standard input ends when our parent does: whoever rebuilds next must not meet our half-written tables."""
    await asyncio.to_thread(sys.stdin.buffer.read)
    os._exit(1)


async def main() -> None:
    """Do the job on standard input."""
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    watching = asyncio.create_task(_die_with_parent())
    try:
        await read_all(job, _tell_parent)
    except TallystickError as error:
        _tell_parent(Done(error=str(error)))
    watching.cancel()
    os._exit(0)  # the thread that waits for our parent would keep us alive
