"""The log's own end: where the points topic ends for each shard, and with which position, read back from Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from shared.broker import reading
from shared.codec import CHAIN_START, chain_of, place_of
from shared.errors import PermanentError

READ_TIMEOUT_S = 10.0
READ_ALL_TIMEOUT_S = 120.0
POLL_MS = 500
BACK_MAX = 1000
"""Foreign records at a log's end that are stepped over, looking for the last one of ours."""


class LogEnd(NamedTuple):
    """A position that the log has (0: none) and the hash of its bytes, and the offset after the last record."""

    position: int
    offset: int
    chain: str = CHAIN_START


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
    async with asyncio.timeout(READ_TIMEOUT_S), reading(bootstrap_servers) as consumer:
        return await _last(consumer, wanted, before or {}, exact=False)


async def highest(consumer: AIOKafkaConsumer, topic: str, shards: Iterable[int]) -> dict[int, LogEnd]:
    """Shard → the highest position that its log holds anywhere, found by reading back from its end.

    Positions are dense and first copies come in their order, so nothing that lies before offset n has a position above
    n: once one of n or more is seen from there on, the highest is. It costs as many records as the log has copies.

    Raises:
        KafkaError, OSError, TimeoutError: Kafka fails, or doesn't answer in time.
    """
    async with asyncio.timeout(READ_ALL_TIMEOUT_S):
        return await _last(consumer, [TopicPartition(topic, shard) for shard in shards], {}, exact=True)


async def _last(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition], before: Mapping[int, int], *, exact: bool
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
            position, chain = _highest(records[one])
            enough = position >= starts[one] if exact else position > 0 or back >= BACK_MAX
            if enough or starts[one] == beginnings[one]:
                found[one.partition] = found[one.partition]._replace(position=position, chain=chain)
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
    reading_on = set(starts)
    while reading_on:
        for one, more in (await consumer.getmany(*reading_on, timeout_ms=POLL_MS)).items():
            records[one] += more
        reading_on = {one for one in reading_on if await consumer.position(one) < ends[one]}
    return records


def _highest(records: Iterable[ConsumerRecord]) -> tuple[int, str]:
    """The highest position among records, and the hash of its bytes."""
    position, value = 0, None
    for record in records:
        try:
            place = place_of(record.headers)
        except PermanentError:
            continue  # foreign: readers step over it, too
        if place.position > position:
            position, value = place.position, record.value
    return position, CHAIN_START if value is None else chain_of(value)
