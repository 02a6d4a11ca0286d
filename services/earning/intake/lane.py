"""Lanes: several loops of a process that fetch, decode and have a batch decided, each with its own session.

Two lanes keep both sides busy: while one waits for Postgres the other computes. Their partitions don't overlap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Protocol

import asyncpg
import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError

from services.earning.intake.alignment import Alignment, Run
from services.earning.intake.earn import DecidingContext, earn
from services.earning.intake.subscription import Subscription
from services.earning.ledger.batch import Earned, FenceMovedBackError, Input, Span
from services.earning.ledger.fences import Fence, begin, begin_again, changes, fences
from services.earning.ledger.journal import Entry
from services.earning.metrics import Metrics
from services.earning.program.registry import ProgramCache
from services.earning.replay.recover import Recovery
from services.earning.source_events.codec import decode
from services.earning.tasks.retry import APPLICATION
from shared.broker import KAFKA_TRANSIENT, UNREADABLE, Backoff, find_unreadable, instant_of
from shared.consumer_watch import count_replaced, getmany, watch
from shared.errors import PermanentError
from shared.postgres import SESSION_SETTINGS, TRANSIENT_ERRORS, connect, free_locks
from shared.settings import Connections
from shared.telemetry import Readiness
from shared.waiting import is_asked_to_stop

log = structlog.get_logger(__name__)

FETCH_WAIT_MS = 200
"""How long a fetch waits for records; a lane looks this often whether it is to stop."""

LANE_SETTINGS = SESSION_SETTINGS | {"plan_cache_mode": "force_generic_plan"}
"""Every statement finds few rows by key, whatever a table's size: planning each execution anew only costs."""

WATCH_EVERY_S = 2.0
"""How often the logs' ends are asked for: it shows the lag, and whether Kafka is there."""

ANSWER_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = 12.0
"""Longer than a transaction may take: a lane that was told to stop ends its batch."""

TIMESTAMP_MAX_MS = 253_402_300_799_000
"""The end of the year 9999: a later timestamp is nonsense, and counts as this one."""


class LaneContext(Protocol):
    """What all lanes of a process have in common."""

    connections: Connections
    shards: int
    ranks: dict[str, int]
    batch: int
    metrics: Metrics
    readiness: Readiness
    recovery: Recovery

    def on_earned(self, earned: Earned, entries: Sequence[Entry]) -> None:
        """Hear of a committed batch: what became of it, and the journal rows it gave."""
        ...


class Lane:
    """Takes the partitions of its number: fetch, decode, decide, again. Positions in Postgres are the truth."""

    def __init__(self, number: int, context: LaneContext, assignment: Subscription, stopping: asyncio.Event) -> None:
        self._number = number
        self._context = context
        self._assignment = assignment
        self._stopping = stopping
        self._backoff = Backoff(stopping)
        self._programs = ProgramCache()
        self._session: asyncpg.Connection | None = None
        self._generation = -1
        self._lost: set[TopicPartition] = set()
        self._logs: dict[TopicPartition, int] = {}
        self._records_max = context.batch
        self._alignment = Alignment({}, {})
        self.positions: dict[TopicPartition, int] = {}

    async def run(self) -> None:
        """Work until told to stop; a batch that was begun is finished.

        Raises:
            KafkaError, OSError, TimeoutError: Kafka fails: the consumer must be made anew.
        """
        try:
            while not self._stopping.is_set():
                if self._generation != self._assignment.generation:
                    await self._align()
                elif self.positions:
                    spans = await self._fetch()
                    if spans:
                        await self._settle(spans)
                else:
                    await self._assignment.changed(self._generation)
        finally:
            if self._session is not None:
                self._session.terminate()

    async def _align(self) -> None:
        """Go to where the fences are. Until then nothing of these partitions is fetched."""
        generation = self._assignment.generation
        partitions = [one for one in self._assignment.partitions_of(self._number) if one not in self._lost]
        consumer = self._assignment.consumer
        consumer.pause(*partitions)
        self.positions = {}
        try:
            known = await self._fences(partitions)
            log_ends = await consumer.end_offsets(partitions) if partitions else {}
        except TRANSIENT_ERRORS as error:
            await self._wait(error)
            return
        if generation == self._assignment.generation:
            for partition in partitions:
                consumer.seek(partition, known[partition].stored)
            consumer.resume(*partitions)
            self.positions = {partition: fence.stored for partition, fence in known.items()}
            self._alignment = Alignment(self.positions, log_ends)
            self._logs = {partition: fence.log for partition, fence in known.items()}
            self._generation = generation
            self._works()

    async def _fences(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, Fence]:
        """The fences; those of logs that changed are put back, and partitions never seen begin where their logs do."""
        session = await self._connected()
        known = await fences(session, partitions)
        missing = [one for one in partitions if one not in known]
        if missing:
            beginnings = await self._assignment.consumer.beginning_offsets(missing)
            await begin(session, beginnings)
        changed = await changes(self._context.connections.kafka_bootstrap_servers, known.values())
        for change in changed:
            if await begin_again(session, change):
                partition = change.fence.partition
                log.error("input log changed", partition=partition, why=change.why, read_from=change.read_from)
                self._context.metrics.log_changed(*partition)
        return await fences(session, partitions) if missing or changed else known

    async def _connected(self) -> asyncpg.Connection:
        if self._session is None or self._session.is_closed():
            name = f"{APPLICATION}-{self._number}"
            dsn = self._context.connections.postgres_dsn
            session = await connect(dsn, role="earning", application=name, settings=LANE_SETTINGS)
            with ExitStack() as otherwise:
                otherwise.callback(session.terminate)
                await self._context.recovery.ensure_level(session)
                otherwise.pop_all()
            self._session = session
        return self._session

    async def _fetch(self) -> list[Span]:
        """The next records of this lane's partitions, decoded; nothing where none may be decided yet."""
        consumer, clock, alignment = self._assignment.consumer, self._context.metrics.clock, self._alignment
        loop = asyncio.get_running_loop()
        wanted, at_most = alignment.wanted(self._records_max)
        began = loop.time()
        try:
            fetched = await getmany(consumer, *wanted, timeout_ms=FETCH_WAIT_MS, max_records=at_most)
            for one, records in fetched.items():
                alignment.add(one, records, await consumer.position(one), consumer.highwater(one))
        except NoOffsetForPartitionError:
            # The consumer asked its group before our seek came: seek again.
            self._generation = -1
            return []
        except OffsetOutOfRangeError:
            # Cut, made anew, or past its retention: the bookmarks tell.
            self._generation = -1
            return []
        except UNREADABLE:
            await self._come_nearer()
            return []
        except IllegalStateError:
            # Taken away while we fetched.
            return []
        number = sum(map(len, fetched.values()))
        if number:
            clock.add("consume", loop.time() - began, number)
        runs = alignment.take(loop.time())
        with clock.measure("decode", sum(len(run.records) for run in runs.values())):
            spans = [self._span(one, run) for one, run in runs.items()]
        self.positions |= {one: run.end for one, run in runs.items()}
        return spans

    def _span(self, of: TopicPartition, run: Run) -> Span:
        inputs = [read(record) for record in run.records]
        return Span(of.topic, of.partition, self.positions[of], run.end, inputs, self._logs[of])

    async def _come_nearer(self) -> None:
        """A record can't even be handed over: fetch less and less, until it comes next; its partition stops there."""
        self._generation = -1
        if self._records_max > 1:
            self._records_max //= 2
            return
        unreadable = await find_unreadable(self._assignment.consumer, self.positions, FETCH_WAIT_MS)
        for partition, error in unreadable.items():
            self._lose(partition, f"its record at offset {self.positions[partition]} can't be read: {error!r}")

    def _lose(self, partition: TopicPartition, why: str) -> None:
        """A partition stops, with an alarm; the others go on."""
        self._lost.add(partition)
        self._context.readiness.waits(f"{partition.topic}/{partition.partition}", why)
        log.error("input stopped", topic=partition.topic, partition=partition.partition, why=why)
        self._generation = -1

    async def _settle(self, spans: list[Span]) -> None:
        """Have a batch decided; where that fails, go back to the fences, and nothing newer comes before it."""
        try:
            session = await self._connected()
            context = self._context
            place = DecidingContext(session, self._programs, context.shards, context.ranks, context.metrics.clock)
            earned, entries = await earn(place, spans)
        except FenceMovedBackError as behind:
            log.info("going back", partitions={f"{t}/{p}": offset for (t, p), offset in behind.stored.items()})
            self._generation = -1
        except TRANSIENT_ERRORS as error:
            self._generation = -1
            # It may have been too much for the time a transaction has: try half of it.
            self._records_max = max(1, self._records_max // 2)
            await self._wait(error)
        else:
            self._records_max = min(context.batch, self._records_max * 2)
            self._works()
            context.on_earned(earned, entries)

    def _works(self) -> None:
        self._backoff.reset()
        if self._context.readiness.has(f"postgres (lane {self._number})"):
            log.info("postgres is back", lane=self._number)

    async def _wait(self, error: BaseException) -> None:
        """Postgres is away: nothing is fetched, but polling goes on, or the group would give our partitions away."""
        if is_asked_to_stop():
            # asyncpg has put its own error in the place of the cancellation: the connection broke at that moment.
            raise asyncio.CancelledError from error
        if self._session is not None:
            self._session.terminate()
            self._session = None
        why = f"{type(error).__name__}: {error}"
        if self._context.readiness.waits(f"postgres (lane {self._number})", why):
            log.warning("postgres is away", lane=self._number, error=why)
        await free_locks(self._context.connections.postgres_dsn, APPLICATION, error)
        partitions = self._assignment.partitions_of(self._number)
        self._assignment.consumer.pause(*partitions)
        waiting = asyncio.ensure_future(self._backoff.wait())
        try:
            while partitions and not waiting.done():
                await getmany(self._assignment.consumer, *partitions, timeout_ms=FETCH_WAIT_MS)
                partitions = self._assignment.partitions_of(self._number)
            await waiting
        finally:
            waiting.cancel()


def read(record: ConsumerRecord) -> Input:
    """One record as an input: its fact, or why it has none."""
    received_at = instant_of(min(max(record.timestamp, 0), TIMESTAMP_MAX_MS))
    one = Input(
        record.topic, record.partition, record.offset, record.key, record.value, record.headers, received_at
    )  # fmt: skip
    try:
        one.fact = decode(
            record.value,
            record.headers,
            key=record.key,
            received_at=received_at,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
        )
    except PermanentError as error:
        one.error = error
    return one


async def consume(intake: Subscription, context: LaneContext, stopping: asyncio.Event, lanes: int) -> None:
    """Decide what comes until told to stop. Kafka away: wait with backoff, and go on by itself."""
    backoff = Backoff(stopping)
    while not stopping.is_set():
        try:
            await intake.start()
            await _run_lanes(intake, context, stopping, lanes)
        except* KAFKA_TRANSIENT as errors:
            count_replaced(errors, context.readiness)
            why = ", ".join(f"{type(error).__name__}: {error}" for error in leaves(errors))
            if context.readiness.waits("kafka", why):
                log.warning("kafka is away", error=why)
        finally:
            await _stopped(intake)
        await backoff.wait()


def leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """The errors of a group, out of the groups within it."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from leaves(error)
        else:
            yield error


async def _stopped(intake: Subscription) -> None:
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await intake.stop()
    except* KAFKA_TRANSIENT as errors:  # FastStream tells them as a group
        # The group notices by its session timeout.
        log.info("left without saying goodbye", error=repr(errors.exceptions))


async def _run_lanes(intake: Subscription, context: LaneContext, stopping: asyncio.Event, number: int) -> None:
    lanes = [Lane(at, context, intake, stopping) for at in range(number)]
    async with asyncio.TaskGroup() as tasks:
        working = [tasks.create_task(lane.run()) for lane in lanes]
        watching = tasks.create_task(_watch(intake, lanes, context))
        guarding = tasks.create_task(watch(intake.consumer, "intake"))
        stop = tasks.create_task(stopping.wait())
        await asyncio.wait([*working, stop], return_when=asyncio.FIRST_COMPLETED)
        intake.wake()
        await asyncio.wait(working, timeout=STOP_TIMEOUT_S)
        for task in (*working, watching, guarding, stop):
            task.cancel()


async def _watch(intake: Subscription, lanes: list[Lane], context: LaneContext) -> None:
    """See how far behind we are, whether Kafka answers; leave positions with the group, as a hint for its tools."""
    while True:
        positions = {one: offset for lane in lanes for one, offset in lane.positions.items()}
        with _kafka_seen(context):
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                ends: Mapping[TopicPartition, int] = await intake.consumer.end_offsets(list(positions))
                context.metrics.not_mine()
                for one, offset in positions.items():
                    context.metrics.lag(one.topic, one.partition, max(0, ends[one] - offset))
                if positions:
                    await intake.consumer.commit(positions)
        await asyncio.sleep(WATCH_EVERY_S)


@contextmanager
def _kafka_seen(context: LaneContext) -> Iterator[None]:
    try:
        yield
    except KAFKA_TRANSIENT as error:
        if context.readiness.waits("kafka", f"{type(error).__name__}: {error}"):
            log.warning("kafka is away", error=repr(error))
    else:
        if context.readiness.has("kafka"):
            log.info("kafka is back")
