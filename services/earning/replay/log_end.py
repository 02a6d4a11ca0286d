"""The log's own end: where the points topic ends for each shard, and with which position, read back from Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from shared.broker import reading
from shared.codec import CHAIN_START, chain_of, place_of
from shared.errors import PermanentError

READ_TIMEOUT_S = 10.0
"""How long Kafka may take for the next records: all of a log may take longer."""

POLL_MS = 500

RECORDS_AT_ONCE = 500
PARTITION_FETCH_BYTES = 256 * 1024
"""Little at a time: whoever looks at a log in between does other things meanwhile, and needs his memory for them."""


class LogEnd(NamedTuple):
    """A position that the log has (0: none) and the hash of its bytes, and the offset after the last record."""

    position: int
    offset: int
    chain: str = CHAIN_START


class Tail(NamedTuple):
    """The end of a log: positions and hashes of ours from offset `start` on, in its order; it begins at `begin`."""

    begin: int
    start: int
    end: int
    records: Sequence[tuple[int, str]]

    @property
    def positions(self) -> list[int]:
        """Which positions they are, in the order of the log."""
        return [position for position, _ in self.records]

    def at(self, position: int) -> LogEnd:
        """The log's end, said to be at a position."""
        return LogEnd(position, self.end, dict(self.records).get(position, CHAIN_START))


async def log_ends(
    bootstrap_servers: str, topic: str, known: Mapping[int, int], near: Mapping[int, int] | None = None
) -> dict[int, LogEnd]:
    """Shard → the position up to which its log is whole, each position behind the one before it.

    `known` has a position for each shard that its log has had: all behind it is read. `near` may have the offset of a
    shard where reading had better begin. A log that ends with copies of older records tells less than it holds, never
    more; one that has lost `known` tells the last position before its hole.

    Raises:
        KafkaError, OSError, TimeoutError: Kafka fails, or doesn't answer in time.
    """
    wanted = [TopicPartition(topic, shard) for shard in known]
    if not wanted:  # a consumer that is stopped as soon as it was started cancels its caller
        return {}

    def enough(partition: TopicPartition, tail: Tail) -> bool:
        return whole_to(tail, known[partition.partition]) is not None

    consuming = reading(bootstrap_servers, max_partition_fetch_bytes=PARTITION_FETCH_BYTES)
    async with asyncio.timeout(READ_TIMEOUT_S) as patience, consuming as consumer:
        tails = await _tails(consumer, wanted, enough, patience, near)
    return {one.partition: tail.at(whole_to(tail, known[one.partition]) or 0) for one, tail in tails.items()}


async def highest(consumer: AIOKafkaConsumer, topic: str, shards: Iterable[int]) -> dict[int, LogEnd]:
    """Shard → the highest position that its log holds anywhere, found by reading back from its end.

    Positions are dense and first copies come in their order, so nothing that lies before offset n has a position above
    n: once one of n or more is seen from there on, the highest is. It costs as many records as the log has copies.

    Raises:
        KafkaError, OSError, TimeoutError: Kafka fails, or doesn't answer in time.
    """

    def enough(_: TopicPartition, tail: Tail) -> bool:
        return max(tail.positions, default=0) >= tail.start

    async with asyncio.timeout(READ_TIMEOUT_S) as patience:
        tails = await _tails(consumer, [TopicPartition(topic, shard) for shard in shards], enough, patience)
    return {one.partition: tail.at(max(tail.positions, default=0)) for one, tail in tails.items()}


def whole_to(tail: Tail, known: int) -> int | None:
    """The position up to which a log is whole, that has had the position `known`; None: more of it must be read.

    What lies after `known` came after it. Where it isn't at any offset that it can have had, the log was cut, and what
    was published since lies behind a hole: then the answer is the last position before that.
    """
    positions = tail.positions
    if known in positions:
        return _run(positions, known)
    if tail.start == tail.begin:
        return _run([0, *positions], 0)
    # Position n lies at offset n - 1 or later: of those above `start` every one that there is was read.
    first = min((position for position in positions if position > tail.start), default=known)
    return _run(positions, first) if tail.start < first < known else None


def _run(positions: Sequence[int], first: int) -> int:
    """How far positions go on from the first copy of one of them, in this order, as readers see them."""
    reached = first
    for position in positions[positions.index(first) :]:
        if position == reached + 1:
            reached = position
    return reached


async def _tails(
    consumer: AIOKafkaConsumer,
    partitions: list[TopicPartition],
    enough: Callable[[TopicPartition, Tail], bool],
    patience: asyncio.Timeout,
    near: Mapping[int, int] | None = None,
) -> dict[TopicPartition, Tail]:
    """Read each partition back from its end (first from the offset that `near` has of it) until that is enough."""
    consumer.assign(partitions)
    ends, begins = await consumer.end_offsets(partitions), await consumer.beginning_offsets(partitions)
    tails = {one: Tail(begins[one], begins[one], ends[one], ()) for one in partitions}
    backs = {one: max(1, ends[one] - (near or {}).get(one.partition, ends[one])) for one in partitions}
    left = {one for one in partitions if ends[one] > begins[one]}
    while left:
        starts = {one: max(begins[one], ends[one] - backs[one]) for one in left}
        for one, records in (await _read(consumer, starts, ends, patience)).items():
            tails[one] = tail = Tail(begins[one], starts[one], ends[one], records)
            backs[one] *= 10
            if tail.start == tail.begin or enough(one, tail):
                left.remove(one)
    return tails


async def _read(
    consumer: AIOKafkaConsumer,
    starts: dict[TopicPartition, int],
    ends: dict[TopicPartition, int],
    patience: asyncio.Timeout,
) -> dict[TopicPartition, list[tuple[int, str]]]:
    """The records of ours of each partition from its start to its end."""
    for one, start in starts.items():
        consumer.seek(one, start)
    ours: dict[TopicPartition, list[tuple[int, str]]] = {one: [] for one in starts}
    reading_on = set(starts)
    while reading_on:
        fetched = await consumer.getmany(*reading_on, timeout_ms=POLL_MS, max_records=RECORDS_AT_ONCE)
        for one, records in fetched.items():
            patience.reschedule(asyncio.get_running_loop().time() + READ_TIMEOUT_S)
            ours[one] += _ours(record for record in records if record.offset < ends[one])
        reading_on = {one for one in reading_on if await consumer.position(one) < ends[one]}
    return ours


def _ours(records: Iterable[ConsumerRecord]) -> Iterator[tuple[int, str]]:
    for record in records:
        with suppress(PermanentError):  # foreign: readers step over it, too
            yield place_of(record.headers).position, chain_of(record.value or b"")
