"""The log's own end: the last position that the points topic holds of each shard, read back from Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from shared.broker import CONSUMER_SETTINGS
from shared.codec import place_of
from shared.errors import PermanentError

READ_TIMEOUT_S = 10.0
POLL_MS = 500
BACK_MAX = 1000
"""Foreign records at a log's end that are stepped over, looking for the last one of ours."""


async def last_positions(bootstrap_servers: str, topic: str, shards: Iterable[int]) -> dict[int, int]:
    """Shard → the position of the last record of ours in its log; 0 where there is none.

    A log that ends with a second copy of older records says less than it holds, never more.

    Raises:
        KafkaError, OSError, TimeoutError: Kafka fails, or doesn't answer in time.
    """
    settings = {name: value for name, value in CONSUMER_SETTINGS.items() if name != "partition_assignment_strategy"}
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, group_id=None, enable_auto_commit=False, **settings
    )
    async with asyncio.timeout(READ_TIMEOUT_S):
        await consumer.start()
        try:
            return await _last(consumer, [TopicPartition(topic, shard) for shard in shards])
        finally:
            await consumer.stop()


async def _last(consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> dict[int, int]:
    found = {one.partition: 0 for one in partitions}
    if not partitions:
        return found
    consumer.assign(partitions)
    ends, beginnings = await consumer.end_offsets(partitions), await consumer.beginning_offsets(partitions)
    back = 1
    left = {one for one in partitions if ends[one] > beginnings[one]}
    while left:
        starts = {one: max(beginnings[one], ends[one] - back) for one in left}
        records = await _read(consumer, starts, ends)
        for one in sorted(left):
            position = _highest(records[one])
            if position is not None or starts[one] == beginnings[one] or back >= BACK_MAX:
                found[one.partition] = position or 0
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
