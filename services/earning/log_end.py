"""The log's own end: where the points topic ends for each shard, and with which position, read back from Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from shared.broker import CONSUMER_SETTINGS
from shared.codec import place_of
from shared.errors import PermanentError

READ_TIMEOUT_S = 10.0
POLL_MS = 500
BACK_MAX = 1000
"""Foreign records at a log's end that are stepped over, looking for the last one of ours."""


class LogEnd(NamedTuple):
    """The position of the last record of ours (0: there is none), and the offset after the last record."""

    position: int
    offset: int


async def log_ends(
    bootstrap_servers: str, topic: str, shards: Iterable[int], before: Mapping[int, int] | None = None
) -> dict[int, LogEnd]:
    """Shard → where its log ends; `before` names offsets (by shard) at which to take it for ended.

    A log that ends with a second copy of older records says a lower position than it holds, never a higher.

    Raises:
        KafkaError, OSError, TimeoutError: Kafka fails, or doesn't answer in time.
    """
    wanted = [TopicPartition(topic, shard) for shard in shards]
    if not wanted:  # a consumer that is stopped as soon as it was started cancels its caller
        return {}
    settings = {name: value for name, value in CONSUMER_SETTINGS.items() if name != "partition_assignment_strategy"}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, group_id=None, enable_auto_commit=False, **settings
    )
    async with asyncio.timeout(READ_TIMEOUT_S):
        await consumer.start()
        try:
            return await _last(consumer, wanted, before or {})
        finally:
            await consumer.stop()


async def _last(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition], before: Mapping[int, int]
) -> dict[int, LogEnd]:
    consumer.assign(partitions)
    ends, beginnings = await consumer.end_offsets(partitions), await consumer.beginning_offsets(partitions)
    found = {one.partition: LogEnd(0, ends[one]) for one in partitions}
    ends = {one: min(end, before.get(one.partition, end)) for one, end in ends.items()}
    back = 1
    left = {one for one in partitions if ends[one] > beginnings[one]}
    while left:
        starts = {one: max(beginnings[one], ends[one] - back) for one in left}
        records = await _read(consumer, starts, ends)
        for one in sorted(left):
            position = _highest(records[one])
            if position is not None or starts[one] == beginnings[one] or back >= BACK_MAX:
                found[one.partition] = found[one.partition]._replace(position=position or 0)
                left.remove(one)
        back *= 10
    return found


async def _read(
    consumer: AIOKafkaConsumer, starts: dict[TopicPartition, int], ends: dict[TopicPartition, int]
) -> dict[TopicPartition, list[ConsumerRecord]]:
    """The records of each partition from its start to its end."""
    for one, start in starts.items():
        consumer.seek(one, start)
    records: dict[TopicPartition, list[ConsumerRecord]] = {one: [] for one in starts}
    reading = set(starts)
    while reading:
        for one, more in (await consumer.getmany(*reading, timeout_ms=POLL_MS)).items():
            records[one] += more
        reading = {one for one in reading if await consumer.position(one) < ends[one]}
    return records


def _highest(records: Iterable[ConsumerRecord]) -> int | None:
    positions = []
    for record in records:
        try:
            positions.append(place_of(record.headers).position)
        except PermanentError:
            continue  # foreign: readers step over it, too
    return max(positions, default=None)
