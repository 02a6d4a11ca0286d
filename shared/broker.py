"""The edge to Kafka: consumers and producers with every setting written out, batches to chosen partitions, backoff."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CorruptRecordException, KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from shared.clients import clients
from shared.consumer_watch import watched
from shared.waiting import wait_for_event

RECORD_BYTES_MAX = 16 * 1024 * 1024
"""The largest record a topic of ours takes: far over what the codec accepts, so that an oversized fact reaches us and
becomes a dead letter instead of failing, unseen, at its publisher."""

REQUEST_TIMEOUT_MS = 15_000
SEND_TIMEOUT_S = 30.0
METADATA_MAX_AGE_MS = 10_000
"""How long a topic that was deleted and made anew may go unseen by those who read it: by default five minutes."""

CONSUMER_SETTINGS: dict[str, Any] = {
    # Positions are kept in Postgres; nothing may be skipped or committed behind our back.
    "auto_offset_reset": "none",
    "isolation_level": "read_uncommitted",  # nobody writes with transactions here
    "check_crcs": True,
    # Range keeps partition i of every topic with one worker.
    "partition_assignment_strategy": (RangePartitionAssignor,),
    # How long a killed worker's partitions wait for another: the least that a broker allows by default.
    "session_timeout_ms": 6_000,
    "heartbeat_interval_ms": 1_000,
    "max_poll_interval_ms": 60_000,
    # A rebalance stops everybody until all have joined, or so long; ours join at once, whatever they are doing.
    "rebalance_timeout_ms": 5_000,
    "fetch_max_wait_ms": 50,
    "fetch_min_bytes": 1,
    "fetch_max_bytes": 50 * 1024 * 1024,
    "max_partition_fetch_bytes": 2 * 1024 * 1024,
    "exclude_internal_topics": True,
}
"""For a subscriber of FastStream (which sets `enable_auto_commit` by its acknowledgement policy: use MANUAL)."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

KAFKA_TRANSIENT: tuple[type[BaseException], ...] = (KafkaError, OSError, TimeoutError)
"""What to wait for with backoff: the broker is away, starting, or moving its partitions."""

UNREADABLE: tuple[type[BaseException], ...] = (UnicodeDecodeError, CorruptRecordException)
"""What a consumer says of a record whose headers' names are no text, or whose bytes are not those that were sent."""


@asynccontextmanager
async def reading(bootstrap_servers: str, **changed: Any) -> AsyncIterator[AIOKafkaConsumer]:  # noqa: ANN401 (the client's own settings)
    """A consumer without a group: it looks, and moves nobody's position. `changed` are settings unlike everybody's.

    Raises:
        KafkaError, OSError, TimeoutError: Kafka can't be reached.
        ClientDiedError: the consumer must be replaced; the block was broken off.
    """
    settings = {name: value for name, value in CONSUMER_SETTINGS.items() if name != "partition_assignment_strategy"}
    settings |= changed
    consumer = clients().consumer(
        bootstrap_servers=bootstrap_servers, group_id=None, enable_auto_commit=False, **settings
    )
    try:
        await consumer.start()
        async with watched(consumer, "reader"):
            yield consumer
    finally:
        await consumer.stop()


async def find_unreadable(
    consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int], wait_ms: int
) -> dict[TopicPartition, BaseException]:
    """Partitions whose record at an offset can't be handed over, and what is said of it.

    Each is sought and asked for by itself, one record: what was fetched beside an unreadable one is lost with it. To
    come so near, its caller halves what it fetches until the record comes next.
    """
    found: dict[TopicPartition, BaseException] = {}
    for partition, offset in offsets.items():
        consumer.seek(partition, offset)
        try:
            await consumer.getmany(partition, timeout_ms=wait_ms, max_records=1)
        except UNREADABLE as error:
            found[partition] = error
    return found


def instant_of(timestamp_ms: int) -> datetime:
    """A record's timestamp, milliseconds since 1970, as an instant."""
    return EPOCH + timedelta(milliseconds=timestamp_ms)


def timestamp_ms_of(instant: datetime) -> int:
    """An instant as a record's timestamp, milliseconds since 1970."""
    return (instant - EPOCH) // MILLISECOND


class Outgoing(NamedTuple):
    """A record to publish: key, value, headers (null as dead letters keep it), and its timestamp (ms; None: now)."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()
    timestamp_ms: int | None = None


def producer(bootstrap_servers: str, client_id: str) -> AIOKafkaProducer:
    """An idempotent producer that waits for all replicas. After any failed send: stop it and build a new one.

    A failed idempotent batch leaves a gap in the producer's sequence for good, so it must not be used again.
    """
    return clients().producer(
        bootstrap_servers=bootstrap_servers,
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        compression_type="zstd",
        max_batch_size=512 * 1024,
        max_request_size=RECORD_BYTES_MAX,
        linger_ms=0,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        retry_backoff_ms=100,
        metadata_max_age_ms=60_000,
    )


class Written(NamedTuple):
    """Where a partition's records lie: the offset of the first, and the one after the last (-1: not told)."""

    first: int
    next: int


NOWHERE = Written(-1, -1)


async def publish(to: AIOKafkaProducer, topic: str, records: Mapping[int, Iterable[Outgoing]]) -> dict[int, Written]:
    """Publish each partition's records in order, and wait until all are acknowledged; gives where they lie.

    Raises:
        KafkaError, TimeoutError: some may be in the log and some not; the producer is spent.
    """
    sends = [
        asyncio.ensure_future(_publish_in_order(to, topic, partition, rows)) for partition, rows in records.items()
    ]
    try:
        async with asyncio.timeout(SEND_TIMEOUT_S), watched(to, "producer"):
            written = await asyncio.gather(*sends)
    finally:
        for send in sends:
            send.cancel()
    return dict(zip(records, written, strict=True))


async def _publish_in_order(to: AIOKafkaProducer, topic: str, partition: int, records: Iterable[Outgoing]) -> Written:
    """One unacknowledged batch at a time, so that a failure can't put a later record before an earlier one."""
    runs: list[Written] = []
    batch: BatchBuilder = to.create_batch()
    for record in records:
        if _append(batch, record):
            continue
        runs.append(await _send(to, batch, topic, partition))
        batch = to.create_batch()
        if not _append(batch, record):  # larger than a batch: goes alone
            sent = await to.send_and_wait(
                topic,
                record.value,
                key=record.key,
                partition=partition,
                headers=list(record.headers),
                timestamp_ms=record.timestamp_ms,
            )
            runs.append(Written(sent.offset, sent.offset + 1))
    runs.append(await _send(to, batch, topic, partition))
    known = [run for run in runs if run.first >= 0]
    return Written(known[0].first, known[-1].next) if known else NOWHERE


def _append(batch: BatchBuilder, record: Outgoing) -> bool:
    appended = batch.append(
        key=record.key, value=record.value, timestamp=record.timestamp_ms, headers=list(record.headers)
    )
    return appended is not None


async def _send(to: AIOKafkaProducer, batch: BatchBuilder, topic: str, partition: int) -> Written:
    count = batch.record_count()
    if not count:
        return NOWHERE
    batch.close()
    sent = await (await to.send_batch(batch, topic, partition=partition))
    return Written(sent.offset, sent.offset + count)


class Backoff:
    """Waits that grow from `first_s` to `max_s`, each at random between half and whole, and end early on `stopping`."""

    def __init__(self, stopping: asyncio.Event, *, first_s: float = 0.1, max_s: float = 5.0) -> None:
        self._stopping = stopping
        self._first_s = first_s
        self._max_s = max_s
        self._next_s = first_s

    def reset(self) -> None:
        """Something worked: the next wait is short again."""
        self._next_s = self._first_s

    async def wait(self) -> bool:
        """Wait once; gives False when we are to stop."""
        delay_s = self._next_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, hides nothing
        self._next_s = min(self._next_s * 2, self._max_s)
        return not await wait_for_event(self._stopping, delay_s)
