"""The consuming loop: lanes that fetch and decode a batch while Postgres works on the one before."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    IllegalStateError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from services.projections import store
from services.projections.assignment import Assignment
from services.projections.decode import Decoded, decode_partition, halves
from services.projections.last_read import LastRead
from services.projections.metrics import Metrics
from services.projections.models import Model
from services.projections.positions import Fence, Followed
from services.projections.project import project
from services.projections.settings import ProjectionsSettings
from shared.broker import KAFKA_TRANSIENT, UNREADABLE, Backoff
from shared.consumer_watch import getmany
from shared.errors import ForkError, TallystickError, UnreadableEventError
from shared.postgres import DATA_ERRORS, TRANSIENT_ERRORS, connect, free_locks
from shared.waiting import is_asked_to_stop, wait_for_event

FETCH_WAIT_MS = 200
ROLE = "projector"
APPLICATION = "tallystick-projections"
_TOO_LONG = (asyncpg.TransactionTimeoutError, asyncpg.QueryCanceledError)
_TRY_AGAIN: tuple[type[BaseException], ...] = (store.GenerationChangedError, *TRANSIENT_ERRORS)

log = structlog.get_logger(__name__)


class Lane:
    """One of the loops of a process: the assigned partitions whose number leaves its own when divided by the lanes.

    It has its own session, so that one lane computes while Postgres works for another.
    """

    def __init__(
        self,
        number: int,
        dsn: str,
        consumer: AIOKafkaConsumer,
        assignment: Assignment,
        settings: ProjectionsSettings,
        metrics: Metrics,
    ) -> None:
        self._number = number
        self._dsn = dsn
        self._consumer = consumer
        self._assignment = assignment
        self._settings = settings
        self._metrics = metrics
        self._session: asyncpg.Connection | None = None
        self._generation = 0
        self._models: tuple[Model, ...] = ()
        self._writing: asyncio.Task[None] | None = None
        self._stopped: set[int] = set()
        self._records_max = settings.batch
        self._went_back: dict[int, int] = {}
        self._last_read = LastRead()
        self.fences: dict[int, Fence] = {}

    async def run(self, stopping: asyncio.Event) -> None:
        """Fold until we are to stop; then finish the batch begun."""
        backoff = Backoff(stopping)
        try:
            while not stopping.is_set():
                await self._turn(stopping, backoff)
                if is_asked_to_stop():
                    raise asyncio.CancelledError  # the session's error took its place, and nobody would end this lane
            await self._written()
        finally:
            await self._give_up_writing()
            self._hang_up()

    async def _turn(self, stopping: asyncio.Event, backoff: Backoff) -> None:
        if self._assignment.fresh(self._number, self._settings.lanes):
            await self._written()
            await self._seek(backoff)
        self._forget()
        ours = (p for p in self._assignment.owned if p % self._settings.lanes == self._number)
        mine = [partition for partition in ours if partition not in self._stopped]
        if not mine:
            await self._written()
            await self._wait_for_change()
            return
        records = await self._fetch([self._assignment.topic_partition(p) for p in mine], backoff)
        if not records:
            self._look_again(mine)
            await self._written()
            return
        count = sum(map(len, records.values()))
        with self._metrics.clock.measure("decode", count):
            batch = [decode_partition(where.partition, found) for where, found in records.items()]
        await self._written()
        self._writing = asyncio.create_task(self._write(batch, Backoff(stopping)))
        await asyncio.sleep(0)  # lets the writing send its first statement before the next batch is decoded

    def _forget(self) -> None:
        """Tell no more of partitions that went elsewhere."""
        for partition in self.fences.keys() - self._assignment.owned:
            del self.fences[partition]
            self._metrics.forget(partition)

    async def _wait_for_change(self) -> None:
        self._assignment.changed.clear()
        await wait_for_event(self._assignment.changed, FETCH_WAIT_MS / 1000)

    async def _seek(self, backoff: Backoff) -> None:
        """Bring partitions just assigned to the position that Postgres has."""
        try:
            session = await self._open()
            fences = await store.read_fences(session, self._generation)
        except _TRY_AGAIN as error:
            await self._wait_for_postgres(error, backoff)
            return
        self._there("postgres", backoff)
        for partition in self._assignment.fresh(self._number, self._settings.lanes):
            fence = fences.get(partition, Fence(partition))  # without a fence, the transaction refuses
            self.fences[partition] = fence
            self._stopped.discard(partition)
            self._metrics.forget(partition)
            self._last_read.begin(partition, fence.next_offset, asyncio.get_running_loop().time())
            self._assignment.take(partition, fence.next_offset)

    async def _fetch(self, mine: list[TopicPartition], backoff: Backoff) -> dict[TopicPartition, Sequence[Any]]:
        """The next records of our partitions; none after a short wait, or when Kafka is away."""
        records: dict[TopicPartition, Sequence[Any]] = {}
        try:
            began = time.perf_counter()
            records = await getmany(self._consumer, *mine, timeout_ms=0, max_records=self._records_max)
            if records:
                self._metrics.clock.add("consume", time.perf_counter() - began, sum(map(len, records.values())))
            else:
                records = await getmany(self._consumer, *mine, timeout_ms=FETCH_WAIT_MS, max_records=self._records_max)
            self._records_max = min(self._settings.batch, self._records_max * 2)
            records = self._new(records)
        except OffsetOutOfRangeError as error:
            await self._read_again(list(error.args[0]))
        except NoOffsetForPartitionError:
            pass  # asked for before we had sought the partition
        except UNREADABLE:
            await self._come_nearer(mine)
        except KAFKA_TRANSIENT as error:
            if self._metrics.readiness.waits("kafka", repr(error)):
                log.warning("waiting for kafka", error=repr(error))
            await backoff.wait()
        return records

    def _new(self, records: dict[TopicPartition, Sequence[Any]]) -> dict[TopicPartition, Sequence[Any]]:
        """The records without those that were only looked at again."""
        now_s = asyncio.get_running_loop().time()
        taken = {where: self._last_read.take(where.partition, found, now_s) for where, found in records.items()}
        return {where: found for where, found in taken.items() if found}

    def _look_again(self, mine: list[int]) -> None:
        """Read the last record once more of partitions that were silent for long: another may lie there now."""
        now_s = asyncio.get_running_loop().time()
        for partition, offset in self._last_read.to_look_at(mine, now_s).items():
            with suppress(IllegalStateError):  # it went elsewhere
                self._consumer.seek(self._assignment.topic_partition(partition), offset)

    async def _come_nearer(self, mine: list[TopicPartition]) -> None:
        """A record can't even be handed over: fetch less and less, until it comes next; its partition stops there."""
        self._back(mine)  # what was fetched beside it is lost
        if self._records_max > 1:
            self._records_max //= 2
            return
        for where in mine:
            try:
                await self._consumer.getmany(where, timeout_ms=FETCH_WAIT_MS, max_records=1)
            except UNREADABLE as error:
                position = self.fences[where.partition].position + 1
                self._stop(where.partition, UnreadableEventError(where.partition, position, repr(error)))
        self._back(mine)

    def _back(self, mine: list[TopicPartition]) -> None:
        with suppress(IllegalStateError):  # it went elsewhere
            for where in mine:
                self._consumer.seek(where, self._last_read.read_to(where.partition))

    async def _read_again(self, partitions: list[TopicPartition]) -> None:
        """The log may not be the one we knew: it is read from its beginning on, and what is known is dropped."""
        log.warning("reading from the beginning", partitions=[p.partition for p in partitions])
        with suppress(*KAFKA_TRANSIENT):  # it is asked for again at the next fetch
            await self._consumer.seek_to_beginning(*partitions)

    async def _written(self) -> None:
        """Wait until the batch before is stored."""
        if self._writing is not None:
            await self._writing
            self._writing = None

    async def _give_up_writing(self) -> None:
        """Where this lane is broken off, its batch is, too: another lane reads it again."""
        while self._writing is not None and not self._writing.done():
            self._writing.cancel()  # asyncpg may put an error of its own in the place of the first
            await asyncio.wait([self._writing], timeout=FETCH_WAIT_MS / 1000)

    async def _write(self, batch: list[Decoded], backoff: Backoff) -> None:
        """Store a batch, however long it takes; nothing newer is stored before it."""
        waiting = [batch]
        while waiting:
            part = [decoded for decoded in waiting[0] if decoded.partition not in self._stopped]
            if part and not await self._store(part, waiting, backoff):
                return
            if not part:
                del waiting[0]

    async def _store(self, part: list[Decoded], waiting: list[list[Decoded]], backoff: Backoff) -> bool:
        """Try the first of the parts that wait to be stored; gives False when we are to stop."""
        try:
            session = await self._open()
            followed = await project(session, self._generation, self._models, part, self._metrics.clock)
        except store.GenerationChangedError:
            self._hang_up()
        except ForkError as error:
            self._stop(error.shard, error)
        except DATA_ERRORS as error:
            # One event can't be stored: smaller and smaller parts find it, and store what was before it.
            waiting[:1] = halves(part) or [part]
            if waiting[0] is part:
                self._stop_at(part[0], error)
        except TRANSIENT_ERRORS as error:
            if isinstance(error, _TOO_LONG):
                waiting[:1] = halves(part) or [part]
            return await self._wait_for_postgres(error, backoff)
        else:
            self._there("postgres", backoff)
            await self._note(part, followed)
            del waiting[0]
        return True

    def _stop_at(self, decoded: Decoded, error: BaseException) -> None:
        position = decoded.records[0].position if decoded.records else 0
        self._stop(decoded.partition, UnreadableEventError(decoded.partition, position, f"can't be stored: {error!r}"))

    async def _go_back_for(self, partition: int, missing: int) -> None:
        """A position is missing that should come next. Perhaps it lies before: our offset is of a log that was another.

        Each is looked for once from the log's beginning; after that it is waited for.
        """
        if self._went_back.get(partition, 0) < missing:
            self._went_back[partition] = missing
            await self._read_again([self._assignment.topic_partition(partition)])

    async def _note(self, batch: list[Decoded], projected: dict[int, Followed]) -> None:
        self._metrics.projected(projected)
        for decoded in batch:
            self._metrics.foreign(decoded.partition, len(decoded.foreign))
        for partition, followed in projected.items():
            self.fences[partition] = followed.fence
            if followed.stop is not None:
                self._stop(partition, followed.stop)
            elif followed.beyond:
                await self._go_back_for(partition, followed.fence.position + 1)

    def _stop(self, partition: int, error: TallystickError) -> None:
        self._stopped.add(partition)
        self._assignment.stop(partition)
        self._metrics.stopped(partition, error)

    async def _open(self) -> asyncpg.Connection:
        """The lane's session, prepared for the current generation."""
        if self._session is None or self._session.is_closed():
            self._session = await connect(self._dsn, role=ROLE, application=f"{APPLICATION}-{self._number}")
            self._generation = await store.current_generation(self._session)
            self._models = await store.prepare_session(self._session, self._generation)
        return self._session

    def _hang_up(self) -> None:
        if self._session is not None:
            self._session.terminate()
            self._session = None

    async def _wait_for_postgres(self, error: BaseException, backoff: Backoff) -> bool:
        """Wait once; gives False when we are to stop. The next attempt has a session of its own."""
        self._hang_up()
        if self._metrics.readiness.waits("postgres", repr(error)):
            log.warning("waiting for postgres", error=repr(error))
        await free_locks(self._dsn, APPLICATION, error)
        return await backoff.wait()

    def _there(self, what: str, backoff: Backoff) -> None:
        backoff.reset()
        if self._metrics.readiness.has(what):
            log.info("goes on", after=what)
